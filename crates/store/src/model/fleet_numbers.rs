//! What fleet operators call vehicles themselves.

use super::{Session, tables::Tables};
use crate::{FleetNumberRow, ListedRow, StoreError};
use vernport_types::{AssetId, ControllerId, Slug, UtcMicros};

impl Session {
    pub(crate) async fn call_asset(
        &self,
        controller: &ControllerId,
        asset: AssetId,
        operator: &Slug,
        rows: &[FleetNumberRow],
        now: UtcMicros,
    ) -> Result<(), StoreError> {
        let mut write = self.writing("call_asset", controller).await?;
        let is_it = |of: AssetId, whose: &Slug| of == asset && whose == operator;
        write.tables.fleet_numbers.retain(|(of, whose, _), _| !is_it(*of, whose));
        for row in rows {
            let key = (asset, operator.clone(), row.purpose.clone());
            write.tables.fleet_numbers.insert(key, (row.clone(), now));
        }
        write.tables.listed.retain(|(of, whose, ..), _| !is_it(*of, whose));
        write.commit().await
    }

    pub(crate) async fn aliases_to_list(
        &self,
        controller: &ControllerId,
        operator: &Slug,
        from_year: i16,
        before: UtcMicros,
        limit: u16,
    ) -> Result<Vec<ListedRow>, StoreError> {
        let tables = self.reading("aliases_to_list", controller).await?;
        let mut rows = Vec::new();
        for (key, (vehicle, _)) in tables.aliases.iter().filter(|((.., year), _)| *year >= from_year) {
            let (asset, whose, purpose, _) = key;
            if whose != operator {
                continue;
            }
            let number = tables.fleet_numbers.get(&(*asset, operator.clone(), purpose.clone()));
            let Some((number, _)) = number else { continue };
            if tables.listed.get(key).is_none_or(|at| *at < before) {
                rows.push(ListedRow {
                    purpose: purpose.clone(),
                    vehicle: *vehicle,
                    key: number.key,
                    sealed: number.sealed.clone(),
                });
            }
        }
        rows.sort_by_key(|row| row.vehicle);
        rows.truncate(limit.into());
        Ok(rows)
    }

    pub(crate) async fn note_listed(
        &self,
        controller: &ControllerId,
        rows: &[ListedRow],
        now: UtcMicros,
    ) -> Result<(), StoreError> {
        let mut write = self.writing("note_listed", controller).await?;
        for row in rows {
            let Tables { aliases, fleet_numbers, .. } = &write.tables;
            let of =
                aliases.iter().find(|(_, (vehicle, _))| *vehicle == row.vehicle).map(|(key, _)| key.clone());
            let Some(key) = of else { continue };
            let number = fleet_numbers.get(&(key.0, key.1.clone(), key.2.clone()));
            if number.is_some_and(|(number, _)| number.sealed == row.sealed) {
                write.tables.listed.insert(key, now);
            }
        }
        write.commit().await
    }

    pub(crate) async fn forget_numbers(
        &self,
        controller: &ControllerId,
        from_year: i16,
        before: UtcMicros,
    ) -> Result<u64, StoreError> {
        let mut write = self.writing("forget_numbers", controller).await?;
        let Tables { aliases, fleet_numbers, .. } = &write.tables;
        let explains = |(asset, operator, purpose): &(AssetId, Slug, Slug)| {
            aliases.keys().any(|(of, whose, why, year)| {
                (of, whose, why) == (asset, operator, purpose) && *year >= from_year
            })
        };
        let old = fleet_numbers.iter().filter(|(_, (_, entered_at))| *entered_at < before);
        let gone: Vec<_> = old.map(|(key, _)| key).filter(|key| !explains(key)).cloned().collect();
        write.tables.fleet_numbers.retain(|key, _| !gone.contains(key));
        write.commit().await?;
        Ok(gone.len() as u64)
    }
}
