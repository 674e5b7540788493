//! What central said last, kept under the storage key, so that after a restart without a
//! line a station still knows whom to seal to and what is open on a contract.
//!
//! Under a storage key that lives in memory only, it is gone with the process.
//! What needs a head of late is not believed out of it. A snapshot that cannot be kept
//! takes the last one away: better none than one that knows less than was known here.
//! Beside it stands that central was behind what it had said, until its controller begins a
//! new era: it may have caught up with its own numbers when this gateway starts again.

use crate::chain;
use std::sync::Arc;
use vernport_crypto::{StorageKeys, Zeroizing};
use vernport_policy::{Head, Snapshot};
use vernport_spool::Spool;

/// Their names in the spool.
const NAME: &str = "snapshot";
const BEHIND: &str = "behind";
/// The longest row that is kept, in bytes: some hundreds of grants.
const MAX_BYTES: usize = 1 << 20;

#[derive(Debug, Clone)]
pub(crate) struct Last(Arc<StorageKeys>);

impl Last {
    pub(crate) const fn new(key: Arc<StorageKeys>) -> Self {
        Self(key)
    }

    /// The row of a snapshot; none if it is too long.
    pub(crate) fn seal(&self, head: &Head, snapshot: &Snapshot) -> Option<Vec<u8>> {
        let plain = postcard::to_allocvec(&(head, snapshot)).expect("ids, numbers and lists always encode");
        (plain.len() <= MAX_BYTES).then(|| self.0.current().seal(NAME.as_bytes(), &plain))
    }

    /// Remembers the head that was behind the last one, or that none is any more.
    pub(crate) async fn keep_behind(&self, spool: &Spool, head: Option<&Head>) {
        let row = head.map(|head| {
            let plain = postcard::to_allocvec(head).expect("numbers and a hash always encode");
            self.0.current().seal(BEHIND.as_bytes(), &plain)
        });
        if let Err(error) = spool.keep(BEHIND, row).await {
            tracing::error!(error = chain(&error), "that central was behind could not be noted");
        }
    }

    /// The head that was behind the last one.
    pub(crate) async fn read_behind(&self, spool: &Spool) -> Option<Head> {
        let plain = self.open(spool, BEHIND).await??;
        postcard::from_bytes(&plain).ok()
    }

    /// Puts a row in the place of the last one. False if the last one is kept still: after a restart this
    /// gateway would know less than it does now.
    pub(crate) async fn keep(&self, spool: &Spool, row: Option<Vec<u8>>) -> bool {
        let Err(error) = spool.keep(NAME, row).await else { return true };
        tracing::error!(error = chain(&error), "what central said could not be kept");
        let Err(error) = spool.keep(NAME, None).await else { return true };
        tracing::error!(error = chain(&error), "what central said before is kept still");
        false
    }

    /// What was kept last, if it can be read.
    pub(crate) async fn read(&self, spool: &Spool) -> Option<(Head, Snapshot)> {
        let plain = self.open(spool, NAME).await?;
        let read = plain.and_then(|plain| postcard::from_bytes(&plain).ok());
        if read.is_none() {
            tracing::warn!("what central said last cannot be read: nothing is open before it speaks again");
        }
        read
    }

    /// A row, which no key here may open; none if there is none.
    async fn open(&self, spool: &Spool, name: &'static str) -> Option<Option<Zeroizing<Vec<u8>>>> {
        let row = match spool.kept(name).await {
            Ok(row) => row?,
            Err(error) => {
                tracing::warn!(error = chain(&error), "what central said last cannot be read");
                return None;
            }
        };
        Some(self.0.opening().find_map(|key| key.open(name.as_bytes(), &row).ok()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vernport_crypto::StorageKey;
    use vernport_spool::Config;

    #[tokio::test]
    async fn what_is_neither_kept_nor_taken_away_is_said_to_be_kept_still() {
        let folder = tempfile::tempdir().expect("a folder");
        let spool = Spool::open(Config::new(folder.path().join("spool.db"), 1 << 20)).await.expect("opens");
        let last = Last::new(Arc::new(StorageKeys::new(StorageKey::generate(), None)));
        assert!(last.keep(&spool, Some(vec![7])).await);
        assert!(last.keep(&spool, None).await, "none is known of, and none is kept");
        // Nothing is written any more: what lies there stays.
        spool.clone().close().await;
        assert!(!last.keep(&spool, Some(vec![8])).await);
    }
}
