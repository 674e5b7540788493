//! Controllers, their sites, stations and gateways, and the numbers that must
//! never be given twice: positions and head sequences.

use crate::{Revision, Store, StoreError, Write, listen::APPLIED, sql::sql};
use std::ops::Range;
use vernport_types::{ControllerId, Slug, UtcMicros};

/// A gateway and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The site.
    pub site: Slug,
    /// The station at the site.
    pub station: Slug,
    /// The gateway at the station.
    pub gateway: Slug,
    /// The Ed25519 public key that signs its envelopes.
    pub device_key: [u8; 32],
}

/// What a gateway was told and has told, by whichever process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// The controller's revision at the same moment.
    pub revision: Revision,
    /// Every head that was sent has a lower sequence.
    pub head_sequence: u64,
    /// No head was sent later than this, by the clock of who sent it; none: not known.
    pub head_until: Option<UtcMicros>,
    /// What it has in effect is at least as new as this revision, and when it said so.
    pub applied: Option<(Revision, UtcMicros)>,
}

type ToldColumns = (i64, i64, Option<i64>, Option<i64>, Option<i64>);

impl Store {
    /// Makes sure that the controller is there.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn add_controller(&self, controller: &ControllerId) -> Result<(), StoreError> {
        let db = sql_or!(self, add_controller(controller));
        let mut write = db.write_aside(None).await?;
        sql("INSERT INTO controller (controller, next_position) VALUES ($1, 1) ON CONFLICT DO NOTHING")
            .bind(controller.as_str())
            .execute(&mut write.transaction)
            .await?;
        write.commit().await
    }

    /// Takes the next `count` head sequences of a gateway, for heads that are
    /// sent until `until`; gives the first of them. None of them is ever given
    /// again, also after a crash or by another process.
    ///
    /// # Errors
    /// [`StoreError::Statement`], also where the gateway is not there.
    pub async fn take_head_sequences(
        &self,
        controller: &ControllerId,
        gateway: &Slug,
        count: u32,
        until: UtcMicros,
    ) -> Result<u64, StoreError> {
        let db = sql_or!(self, take_head_sequences(controller, gateway, count, until));
        let mut write = db.write_aside(None).await?;
        let (after,): (i64,) = sql("UPDATE gateway
             SET head_sequence = head_sequence + $3,
                 head_until = CASE WHEN head_until > $4 THEN head_until ELSE $4 END
             WHERE controller = $1 AND gateway = $2 RETURNING head_sequence")
        .bind(controller.as_str())
        .bind(gateway.as_str())
        .bind(i64::from(count))
        .bind(until.0)
        .fetch_one(&mut write.transaction)
        .await?;
        write.commit().await?;
        u64::try_from(after - i64::from(count)).map_err(|_| StoreError::Row { table: "gateway" })
    }

    /// What a gateway was told and has told; none if it is not there.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn told(&self, controller: &ControllerId, gateway: &Slug) -> Result<Option<Told>, StoreError> {
        let db = sql_or!(self, told(controller, gateway));
        let row: Option<ToldColumns> =
            sql("SELECT controller.revision, gateway.head_sequence, gateway.head_until,
                    gateway.applied_revision, gateway.applied_at
             FROM gateway JOIN controller ON controller.controller = gateway.controller
             WHERE gateway.controller = $1 AND gateway.gateway = $2")
            .bind(controller.as_str())
            .bind(gateway.as_str())
            .fetch_optional(&db.main)
            .await?;
        let Some((revision, head_sequence, head_until, applied_revision, applied_at)) = row else {
            return Ok(None);
        };
        Ok(Some(Told {
            revision: Revision(revision),
            head_sequence: u64::try_from(head_sequence).map_err(|_| StoreError::Row { table: "gateway" })?,
            head_until: head_until.map(UtcMicros),
            applied: applied_revision.map(Revision).zip(applied_at.map(UtcMicros)),
        }))
    }

    /// Notes that what a gateway has in effect is at least as new as a
    /// revision. An older one than is noted changes nothing.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn note_applied(
        &self,
        controller: &ControllerId,
        gateway: &Slug,
        revision: Revision,
        at: UtcMicros,
    ) -> Result<(), StoreError> {
        let db = sql_or!(self, note_applied(controller, gateway, revision, at));
        let mut write = db.write_aside(None).await?;
        let noted = sql("UPDATE gateway SET applied_revision = $3, applied_at = $4
             WHERE controller = $1 AND gateway = $2 AND COALESCE(applied_revision, -1) < $3")
        .bind(controller.as_str())
        .bind(gateway.as_str())
        .bind(revision.0)
        .bind(at.0)
        .execute(&mut write.transaction)
        .await?;
        if noted > 0 {
            write.announce(APPLIED, controller).await?;
        }
        write.commit().await
    }
}

impl Write {
    /// Enters a gateway with its site and station, or moves it there.
    pub(crate) async fn place(&mut self, controller: &ControllerId, place: &Place) -> Result<(), StoreError> {
        let (controller, site, station) = (controller.as_str(), place.site.as_str(), place.station.as_str());
        sql("INSERT INTO site (controller, site) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(controller)
            .bind(site)
            .execute(&mut self.transaction)
            .await?;
        sql("INSERT INTO station (controller, site, station) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
            .bind(controller)
            .bind(site)
            .bind(station)
            .execute(&mut self.transaction)
            .await?;
        sql(
            "INSERT INTO gateway (controller, gateway, site, station, device_key, head_sequence)
             VALUES ($1, $2, $3, $4, $5, 0)
             ON CONFLICT (controller, gateway)
             DO UPDATE SET site = excluded.site, station = excluded.station, device_key = excluded.device_key",
        )
        .bind(controller)
        .bind(place.gateway.as_str())
        .bind(site)
        .bind(station)
        .bind(&place.device_key[..])
        .execute(&mut self.transaction)
        .await?;
        Ok(())
    }

    /// Takes the next position of a controller. Positions order everything that it records.
    pub(crate) async fn next_position(&mut self, controller: &ControllerId) -> Result<i64, StoreError> {
        Ok(self.next_positions(controller, 1).await?.start)
    }

    /// Takes the next `count` positions of a controller.
    pub(crate) async fn next_positions(
        &mut self,
        controller: &ControllerId,
        count: usize,
    ) -> Result<Range<i64>, StoreError> {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let (next,): (i64,) = sql("UPDATE controller SET next_position = next_position + $2
             WHERE controller = $1 RETURNING next_position")
        .bind(controller.as_str())
        .bind(count)
        .fetch_one(&mut self.transaction)
        .await?;
        Ok(next - count..next)
    }
}
