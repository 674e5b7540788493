//! The ledger and what follows from it.

use super::{
    Session, Write,
    fault::{Database, Refused},
    tables::{Entry, ErasureOrder, Grant, Link, RecipientKey},
};
use crate::{
    AliasRow, Change, GrantRow, Heard, LinkRow, Loaded, NewEntry, RecordError, Revision, StoreError, Turn,
    journaled::{ENTRIES_A_STEP, SealedEntry},
    ledger::{ERASURE_KIND, Sealed},
};
use sqlx::Error;
use std::collections::{BTreeMap, HashSet};
use vernport_audit::LeafKind;
use vernport_types::{ControllerId, EntryHash, Slug, UtcMicros};

impl Session {
    pub(crate) async fn record(
        &self,
        turn: Turn,
        controller: &ControllerId,
        based_on: Revision,
        change: &Change,
        sealed: &[Sealed],
        now: UtcMicros,
    ) -> Result<Revision, RecordError> {
        let mut write = self.writing("record", controller).await?;
        if write.tables.revision != based_on.0 {
            return Err(RecordError::Stale);
        }
        write.tables.revision += 1;
        let revision = Revision(write.tables.revision);
        write.announced.push(Heard::Recorded(controller.clone()));
        for (item, (entry, sealed)) in change.entries.iter().zip(sealed).enumerate() {
            if !write.enter(revision, entry, sealed) {
                return Err(RecordError::ReferenceReused { item });
            }
        }
        for place in &change.places {
            write.tables.gateways.entry(place.gateway.clone()).or_default();
        }
        if let Some(used) = &change.invitation {
            write.use_invitation(used)?;
        }
        write.registry(revision, change, now)?;
        for grant in &change.opened {
            write.open_grant(revision, grant)?;
        }
        for (grant, reason) in &change.closed {
            if let Some(grant) = write.tables.grants.get_mut(grant) {
                let since = grant.row.closed.map_or(now, |(since, _)| since);
                (grant.row.closed, grant.revision) = (Some((since, *reason)), revision);
            }
        }
        for link in &change.links {
            write.enter_link(revision, link)?;
        }
        if let Some(answered) = &change.answered {
            write.answer_keyed(answered)?;
        }
        write.commit().await?;
        drop(turn);
        Ok(revision)
    }

    pub(crate) async fn load_sealed(
        &self,
        controller: &ControllerId,
        behind: Revision,
    ) -> Result<(Loaded, Vec<(EntryHash, UtcMicros, Vec<u8>)>), StoreError> {
        self.ask(Database::Main, "load").await?;
        let tables = self.model.main().get(controller).cloned().ok_or(Error::RowNotFound)?;
        let entries = tables.entries.values().filter(|entry| entry.revision > behind);
        let grants = tables.grants.values().filter(|grant| grant.revision > behind);
        let aliases = tables.aliases.iter().filter(|(_, (_, revision))| *revision > behind);
        let alias = |((asset, recipient, purpose, year), (alias, _)): (&(_, Slug, Slug, _), &(_, _))| {
            let (recipient, purpose) = (recipient.clone(), purpose.clone());
            AliasRow { asset: *asset, recipient, purpose, year: *year, alias: *alias }
        };
        let mut tips: BTreeMap<&Slug, &Link> = BTreeMap::new();
        for link in tables.links.values().filter(|link| link.revision > behind) {
            let tip = tips.entry(&link.row.gateway).or_insert(link);
            if tip.position < link.position {
                *tip = link;
            }
        }
        let keys = tables.recipient_keys.values().filter(|key| key.revoked_at.is_none());
        let loaded = Loaded {
            revision: tables.current().revision,
            rules: tables.rules,
            entries: Vec::new(),
            grants: grants.map(|grant| grant.row.clone()).collect(),
            aliases: aliases.map(alias).collect(),
            tips: tips.into_values().map(|link| link.row.clone()).collect(),
            keys: keys.map(|key| key.row.clone()).collect(),
        };
        let sealed = entries.map(|entry| (entry.entry, entry.recorded_at, entry.sealed.to_vec()));
        Ok((loaded, sealed.collect()))
    }

    pub(crate) async fn entry_kind(
        &self,
        controller: &ControllerId,
        entry: &EntryHash,
    ) -> Result<Option<(String, UtcMicros)>, StoreError> {
        let tables = self.reading("entry_kind", controller).await?;
        let found = tables.entries.values().find(|of| of.entry == *entry);
        Ok(found.map(|entry| (entry.kind.clone(), entry.recorded_at)))
    }

    pub(crate) async fn entry_hashes(
        &self,
        controller: &ControllerId,
    ) -> Result<HashSet<EntryHash>, StoreError> {
        let tables = self.reading("entry_hashes", controller).await?;
        Ok(tables.entries.values().map(|entry| entry.entry).collect())
    }

    pub(crate) async fn sealed_entries(
        &self,
        controller: &ControllerId,
        after: i64,
    ) -> Result<Vec<SealedEntry>, StoreError> {
        let tables = self.reading("sealed_entries", controller).await?;
        let entries = tables.entries.iter().filter(|(position, _)| **position > after);
        let row = |(position, entry): (&i64, &Entry)| {
            (*position, entry.entry, Sealed { json: entry.sealed.to_vec(), reference: entry.reference })
        };
        Ok(entries.take(ENTRIES_A_STEP.into()).map(row).collect())
    }

    pub(crate) async fn reseal_entries(
        &self,
        controller: &ControllerId,
        resealed: &[(i64, Sealed)],
    ) -> Result<(), StoreError> {
        let mut write = self.writing("reseal_entries", controller).await?;
        for (position, Sealed { json, reference }) in resealed {
            let Some(source) = write.tables.entries.get(position).map(|entry| entry.source.clone()) else {
                continue;
            };
            let mut others = write.tables.entries.iter().filter(|(of, _)| *of != position);
            if others.any(|(_, of)| of.source == source && of.reference == *reference) {
                return Err(Refused::Unique.into());
            }
            if let Some(entry) = write.tables.entries.get_mut(position) {
                (entry.sealed, entry.reference) = (json.as_slice().into(), *reference);
            }
        }
        write.commit().await
    }

    pub(crate) async fn era(&self, controller: &ControllerId) -> Result<Option<(u32, Vec<u8>)>, StoreError> {
        let tables = self.reading("era", controller).await?;
        Ok(tables.eras.last_key_value().map(|(era, document)| (*era, document.clone())))
    }

    pub(crate) async fn begin_era(
        &self,
        controller: &ControllerId,
        era: u32,
        document: &[u8],
        _now: UtcMicros,
    ) -> Result<(), StoreError> {
        let mut write = self.writing("begin_era", controller).await?;
        if write.tables.eras.insert(era, document.to_vec()).is_some() {
            return Err(Refused::Unique.into());
        }
        write.commit().await
    }
}

impl Write {
    /// False if the reference, or the same entry, is there already.
    fn enter(&mut self, revision: Revision, new: &NewEntry, sealed: &Sealed) -> bool {
        let is_known = |of: &Entry| {
            of.entry == new.entry || (of.source == new.source && of.reference == sealed.reference)
        };
        if self.tables.entries.values().any(is_known) {
            return false;
        }
        let entry = Entry {
            entry: new.entry,
            kind: new.kind.clone(),
            source: new.source.clone(),
            reference: sealed.reference,
            recorded_at: new.recorded_at,
            sealed: sealed.json.as_slice().into(),
            revision,
        };
        let position = self.tables.next_position();
        self.tables.entries.insert(position, entry);
        if new.kind == ERASURE_KIND {
            let order = ErasureOrder { recorded_at: new.recorded_at, completed_at: None };
            self.tables.erasure_orders.insert(new.entry, order);
        }
        self.tables.evidence(LeafKind::Entry, position, new.entry.as_bytes());
        true
    }

    /// Assets, identifiers, aliases and recipient keys.
    fn registry(&mut self, revision: Revision, change: &Change, now: UtcMicros) -> Result<(), StoreError> {
        for asset in &change.assets {
            self.tables.assets.entry(*asset).or_insert(now);
        }
        for row in &change.identifiers {
            if !self.tables.assets.contains_key(&row.asset) {
                return Err(Refused::ForeignKey.into());
            }
        }
        for row in &change.aliases {
            let place = (row.asset, row.recipient.clone(), row.purpose.clone(), row.year);
            let is_taken = self.tables.aliases.values().any(|(alias, _)| *alias == row.alias);
            if is_taken || self.tables.aliases.insert(place, (row.alias, revision)).is_some() {
                return Err(Refused::Unique.into());
            }
        }
        for row in &change.recipient_keys {
            let new = || RecipientKey { row: row.clone(), revoked_at: None };
            self.tables.recipient_keys.entry(row.key_id).or_insert_with(new).revoked_at = None;
        }
        for key in &change.revoked_keys {
            if let Some(key) = self.tables.recipient_keys.get_mut(key) {
                key.revoked_at.get_or_insert(now);
            }
        }
        Ok(())
    }

    /// Enters a new grant, or opens it again under the id it had.
    fn open_grant(&mut self, revision: Revision, row: &GrantRow) -> Result<(), StoreError> {
        row.gateways.iter().try_for_each(|gateway| self.needs_gateway(gateway))?;
        let new = || Grant { row: GrantRow { closed: None, ..row.clone() }, revision };
        let grant = self.tables.grants.entry(row.id).or_insert_with(new);
        (grant.row.closed, grant.revision) = (None, revision);
        grant.row.subjects.extend(&row.subjects);
        grant.row.gateways.extend_from_slice(&row.gateways);
        grant.row.subjects.sort_unstable();
        grant.row.subjects.dedup();
        grant.row.gateways.sort_unstable();
        grant.row.gateways.dedup();
        Ok(())
    }

    /// Enters a link. Its place must be free.
    fn enter_link(&mut self, revision: Revision, row: &LinkRow) -> Result<(), StoreError> {
        self.needs_gateway(&row.gateway)?;
        let link = Link { row: row.clone(), position: self.tables.next_position(), revision };
        let place = (row.gateway.clone(), row.segment, row.sequence);
        let before = self.tables.links.insert(place, link);
        before.is_none().then_some(()).ok_or_else(|| Refused::Unique.into())
    }
}
