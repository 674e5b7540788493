//! Controllers and gateways, what they were told, and who hears of it.

use super::{
    Session, Write,
    fault::{Call, Database, Refused, When, gone},
    tables::{Gateway, Tables},
};
use crate::{Current, Heard, LinkRow, Listener, Revision, StoreError, Told, Turn};
use sqlx::Error;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use vernport_types::{AssetId, ControllerId, SegmentId, Slug, UtcMicros};

/// Hears what is recorded.
pub(crate) struct Ear {
    session: Session,
    heard: Receiver<Heard>,
}

impl Ear {
    pub(crate) async fn next(&mut self) -> Result<Heard, StoreError> {
        let heard = match self.heard.recv().await {
            Ok(heard) => heard,
            Err(RecvError::Lagged(_) | RecvError::Closed) => Heard::Anything,
        };
        self.session.ask(Database::Main, "next").await?;
        Ok(heard)
    }
}

impl Session {
    pub(crate) async fn listen(&self) -> Result<Option<Listener>, StoreError> {
        self.ask(Database::Main, "listen").await?;
        let session = Self { model: self.model.clone(), is_closed: false.into() };
        Ok(Some(Ear { session, heard: self.model.0.heard.subscribe() }.into()))
    }

    pub(crate) async fn add_controller(&self, controller: &ControllerId) -> Result<(), StoreError> {
        let operation = "add_controller";
        self.ask(Database::Main, operation).await?;
        let commit = Call { database: Database::Main, operation, when: When::Commit };
        let is_answered = self.model.0.hook.commit(commit).await?;
        self.model.main().entry(controller.clone()).or_default();
        if is_answered { Ok(()) } else { Err(gone()) }
    }

    pub(crate) async fn controllers(&self) -> Result<Vec<ControllerId>, StoreError> {
        self.ask(Database::Main, "controllers").await?;
        Ok(self.model.main().keys().cloned().collect())
    }

    pub(crate) async fn current(&self, controller: &ControllerId) -> Result<Current, StoreError> {
        self.ask(Database::Main, "current").await?;
        self.model.main().get(controller).map(Tables::current).ok_or_else(|| Error::RowNotFound.into())
    }

    pub(crate) async fn claim_rules(
        &self,
        controller: &ControllerId,
        rules: &[u8; 32],
    ) -> Result<(), StoreError> {
        let mut write = self.writing("claim_rules", controller).await?;
        write.tables.rules = Some(*rules);
        write.announced.push(Heard::Recorded(controller.clone()));
        write.commit().await
    }

    pub(crate) async fn turn(&self, controller: &ControllerId) -> Result<Turn, StoreError> {
        self.ask(Database::Main, "turn").await?;
        let turn = self.model.0.turns.take(controller).await?;
        let tables = self.model.main().get(controller).cloned().ok_or(Error::RowNotFound)?;
        Ok(Turn::in_model(tables.current().revision, turn))
    }

    pub(crate) async fn take_head_sequences(
        &self,
        controller: &ControllerId,
        gateway: &Slug,
        count: u32,
        until: UtcMicros,
    ) -> Result<u64, StoreError> {
        let mut write = self.writing("take_head_sequences", controller).await?;
        let gateway = write.tables.gateways.get_mut(gateway).ok_or(Error::RowNotFound)?;
        let first = gateway.head_sequence;
        gateway.head_sequence += u64::from(count);
        gateway.head_until = gateway.head_until.max(Some(until));
        write.commit().await?;
        Ok(first)
    }

    pub(crate) async fn told(
        &self,
        controller: &ControllerId,
        gateway: &Slug,
    ) -> Result<Option<Told>, StoreError> {
        let tables = self.reading("told", controller).await?;
        let told = tables.gateways.get(gateway).map(|gateway| Told {
            revision: tables.current().revision,
            head_sequence: gateway.head_sequence,
            head_until: gateway.head_until,
            applied: gateway.applied,
        });
        Ok(told)
    }

    pub(crate) async fn note_applied(
        &self,
        controller: &ControllerId,
        gateway: &Slug,
        revision: Revision,
        at: UtcMicros,
    ) -> Result<(), StoreError> {
        let mut write = self.writing("note_applied", controller).await?;
        let is_newer = |known: &Gateway| known.applied.map_or(Revision::NONE, |(known, _)| known) < revision;
        if let Some(known) = write.tables.gateways.get_mut(gateway).filter(|known| is_newer(known)) {
            known.applied = Some((revision, at));
            write.announced.push(Heard::Applied(controller.clone()));
        }
        write.commit().await
    }

    pub(crate) async fn link(
        &self,
        controller: &ControllerId,
        gateway: &Slug,
        segment: SegmentId,
        sequence: Option<u64>,
    ) -> Result<Option<LinkRow>, StoreError> {
        let tables = self.reading("link", controller).await?;
        let (first, last) = sequence.map_or((0, u64::MAX), |sequence| (sequence, sequence));
        let chain = (gateway.clone(), segment, first)..=(gateway.clone(), segment, last);
        Ok(tables.links.range(chain).next_back().map(|(_, link)| link.row.clone()))
    }

    pub(crate) async fn knows_asset(
        &self,
        controller: &ControllerId,
        asset: AssetId,
    ) -> Result<bool, StoreError> {
        Ok(self.reading("knows_asset", controller).await?.assets.contains_key(&asset))
    }

    pub(crate) async fn count_link_refusal(
        &self,
        controller: &ControllerId,
        gateway: &Slug,
        code: &str,
    ) -> Result<(), StoreError> {
        let mut write = self.writing("count_link_refusal", controller).await?;
        *write.tables.link_refusals.entry((gateway.clone(), code.to_owned())).or_default() += 1;
        write.commit().await
    }

    pub(crate) async fn link_refusals(
        &self,
        controller: &ControllerId,
        gateway: &Slug,
    ) -> Result<Vec<(String, u64)>, StoreError> {
        let tables = self.reading("link_refusals", controller).await?;
        let of = tables.link_refusals.iter().filter(|((of, _), _)| of == gateway);
        Ok(of.map(|((_, code), count)| (code.clone(), *count)).collect())
    }

    pub(crate) async fn drop_partitions(&self, _now: UtcMicros) -> Result<usize, StoreError> {
        Ok(0)
    }
}

impl Tables {
    pub(super) fn current(&self) -> Current {
        Current { revision: Revision(self.revision), rules: self.rules }
    }
}

impl Write {
    /// What names a gateway needs one that is there.
    pub(super) fn needs_gateway(&self, gateway: &Slug) -> Result<(), StoreError> {
        let is_there = self.tables.gateways.contains_key(gateway);
        is_there.then_some(()).ok_or_else(|| Refused::ForeignKey.into())
    }
}
