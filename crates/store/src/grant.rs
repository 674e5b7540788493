//! Grants in the store: each opening of a flow for an asset, whom it is about
//! and which gateways were told of it.

use crate::{
    GrantRow, Revision, StoreError, Write, bytes,
    sql::{Transaction, sql},
    text,
};
use std::collections::HashMap;
use vernport_types::{AssetId, ControllerId, GrantId, Reason, SubjectId, UtcMicros};

const TABLE: &str = "flow_grant";

type Columns = (Vec<u8>, Vec<u8>, String, String, i64, Option<i64>, Option<String>);

impl Transaction {
    pub(crate) async fn load_grants(
        &mut self,
        controller: &ControllerId,
        behind: Revision,
    ) -> Result<Vec<GrantRow>, StoreError> {
        let rows: Vec<Columns> = sql("SELECT grant_id, asset, flow, opening, opened_at, closed_at, reason
             FROM flow_grant WHERE controller = $1 AND revision > $2")
        .bind(controller.as_str())
        .bind(behind.0)
        .fetch_all(&mut *self)
        .await?;
        let subjects: Vec<(Vec<u8>, Vec<u8>)> =
            sql("SELECT about.grant_id, about.subject FROM flow_grant_subject AS about
             JOIN flow_grant ON flow_grant.controller = about.controller AND flow_grant.grant_id = about.grant_id
             WHERE about.controller = $1 AND flow_grant.revision > $2")
                .bind(controller.as_str())
                .bind(behind.0)
                .fetch_all(&mut *self)
                .await?;
        let gateways: Vec<(Vec<u8>, String)> =
            sql("SELECT told.grant_id, told.gateway FROM flow_grant_gateway AS told
             JOIN flow_grant ON flow_grant.controller = told.controller AND flow_grant.grant_id = told.grant_id
             WHERE told.controller = $1 AND flow_grant.revision > $2")
                .bind(controller.as_str())
                .bind(behind.0)
                .fetch_all(&mut *self)
                .await?;
        let mut grants: HashMap<Vec<u8>, GrantRow> = HashMap::with_capacity(rows.len());
        for row in rows {
            grants.insert(row.0.clone(), grant(row)?);
        }
        for (id, subject) in subjects {
            if let Some(grant) = grants.get_mut(&id) {
                grant.subjects.push(SubjectId::from_bytes(bytes(TABLE, &subject)?));
            }
        }
        for (id, gateway) in gateways {
            if let Some(grant) = grants.get_mut(&id) {
                grant.gateways.push(text(TABLE, &gateway)?);
            }
        }
        Ok(grants.into_values().collect())
    }
}

fn grant(row: Columns) -> Result<GrantRow, StoreError> {
    let (id, asset, flow, opening, opened_at, closed_at, reason) = row;
    let closed = match (closed_at, reason.as_deref().map(Reason::from_code)) {
        (None, None) => None,
        (Some(at), Some(Some(reason))) => Some((UtcMicros(at), reason)),
        _ => return Err(StoreError::Row { table: TABLE }),
    };
    Ok(GrantRow {
        id: GrantId::from_bytes(bytes(TABLE, &id)?),
        asset: AssetId::from_bytes(bytes(TABLE, &asset)?),
        flow: text(TABLE, &flow)?,
        opening,
        opened_at: UtcMicros(opened_at),
        closed,
        subjects: Vec::new(),
        gateways: Vec::new(),
    })
}

impl Write {
    /// Enters a new grant, or opens it again under the id it had.
    pub(crate) async fn open_grant(
        &mut self,
        controller: &ControllerId,
        revision: Revision,
        grant: &GrantRow,
    ) -> Result<(), StoreError> {
        sql("INSERT INTO flow_grant (controller, grant_id, asset, flow, opening, opened_at, revision)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (controller, grant_id)
             DO UPDATE SET closed_at = NULL, reason = NULL, revision = excluded.revision")
        .bind(controller.as_str())
        .bind(&grant.id.as_bytes()[..])
        .bind(&grant.asset.as_bytes()[..])
        .bind(grant.flow.as_str())
        .bind(&grant.opening)
        .bind(grant.opened_at.0)
        .bind(revision.0)
        .execute(&mut self.transaction)
        .await?;
        for subject in &grant.subjects {
            sql("INSERT INTO flow_grant_subject (controller, subject, grant_id) VALUES ($1, $2, $3)
                 ON CONFLICT DO NOTHING")
            .bind(controller.as_str())
            .bind(&subject.as_bytes()[..])
            .bind(&grant.id.as_bytes()[..])
            .execute(&mut self.transaction)
            .await?;
        }
        for gateway in &grant.gateways {
            sql("INSERT INTO flow_grant_gateway (controller, gateway, grant_id) VALUES ($1, $2, $3)
                 ON CONFLICT DO NOTHING")
            .bind(controller.as_str())
            .bind(gateway.as_str())
            .bind(&grant.id.as_bytes()[..])
            .execute(&mut self.transaction)
            .await?;
        }
        Ok(())
    }
}
