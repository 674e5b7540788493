//! Which state of central may be believed: signed, fresh, never older than before.

use thiserror::Error;
use vernport_api::{Feed, FeedNonce};
use vernport_crypto::VerifyingKey;
use vernport_policy::{Head, HeadError};
use vernport_types::{ControllerId, Slug};

/// Why an answer of the feed is not believed. All of them are alarms: a broken or
/// malicious central, or one restored from a backup.
#[derive(Debug, Error)]
pub enum StateError {
    /// The head is not signed, answers another question, is older than the last, or names another snapshot.
    #[error("the head of central is not believed")]
    Head(#[from] HeadError),
    /// A new era, which takes more than central's signature.
    #[error(
        "central began era {found} of the registry, era {last} is in force here: a restored registry goes on when its controller has signed that: `vernport registry restored`"
    )]
    NewEra {
        /// The era in force.
        last: u32,
        /// That of the head.
        found: u32,
    },
    /// What central says to know of the station's words is not signed, of another gateway, or of another snapshot.
    #[error("central does not say with its signature how much of this station's words its grants know")]
    Merged,
    /// No grants came, but those we have are not those that were signed.
    #[error("the head is signed for other grants than ours, and none came with it")]
    SnapshotMissing,
}

/// Checks heads, and remembers the last one that was believed.
#[derive(Debug, Clone)]
pub struct HeadGuard {
    key: VerifyingKey,
    last: Option<Head>,
    /// Who may begin a new era.
    begins: Option<(ControllerId, VerifyingKey)>,
    /// The head that came before the last one: its era is over here, however far it gets.
    behind: Option<Head>,
}

impl StateError {
    /// Whether central is not where it was: restored from a backup, or somebody in its place.
    pub const fn is_rolled_back(&self) -> bool {
        matches!(self, Self::NewEra { .. } | Self::Head(HeadError::Backwards { .. }))
    }
}

impl HeadGuard {
    /// Heads signed with `key` are believed, after `last` where one was seen before.
    pub const fn new(key: VerifyingKey, last: Option<Head>) -> Self {
        Self { key, last, begins: None, behind: None }
    }

    /// A new era is believed that this controller signed with its bundle key; without this, none is.
    #[must_use]
    pub fn with_eras_of(self, controller: ControllerId, bundle_key: VerifyingKey) -> Self {
        Self { begins: Some((controller, bundle_key)), ..self }
    }

    /// The era of this head is over here: it was behind another one, before this process began.
    #[must_use]
    pub fn with_behind(self, behind: Option<Head>) -> Self {
        Self { behind, ..self }
    }

    /// The head that was behind the last one; none where central never was, or has begun a new era since.
    pub const fn behind(&self) -> Option<&Head> {
        self.behind.as_ref()
    }

    /// Whether the controller signed that the era of a head begins.
    fn is_begun(&self, feed: &Feed, era: u32) -> bool {
        let (Some((controller, key)), Some(signed)) = (&self.begins, &feed.era) else { return false };
        signed.verify(key).is_ok_and(|begun| begun.era == era && begun.controller == *controller)
    }

    /// The last head that was believed.
    pub const fn last(&self) -> Option<&Head> {
        self.last.as_ref()
    }

    /// Checks an answer to the question of `gateway` with `nonce`, asked with the snapshot of hash `known` in
    /// effect. Nothing changes where it is not believed.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn check(
        &mut self,
        feed: &Feed,
        gateway: &Slug,
        nonce: FeedNonce,
        known: Option<[u8; 32]>,
    ) -> Result<(), StateError> {
        let head = self.in_order(feed, nonce)?;
        if let Some(last) = &self.last
            && head.era != last.era
            && !self.is_begun(feed, head.era)
        {
            return Err(StateError::NewEra { last: last.era, found: head.era });
        }
        match &feed.snapshot {
            Some(snapshot) if snapshot.hash() != head.snapshot_hash => return Err(HeadError::Snapshot.into()),
            None if known != Some(head.snapshot_hash) => return Err(StateError::SnapshotMissing),
            _ => {}
        }
        if let Some(signed) = &feed.merged {
            let merged = signed.verify(&self.key).map_err(|_| StateError::Merged)?;
            if merged.gateway != *gateway || merged.snapshot_hash != head.snapshot_hash {
                return Err(StateError::Merged);
            }
        }
        (self.last, self.behind) = (Some(head), None);
        Ok(())
    }

    /// The head, if it is signed, fresh and not before the last one. A registry that was behind once
    /// catches up with its own sequence; what it lost does not come back by that.
    fn in_order(&mut self, feed: &Feed, nonce: FeedNonce) -> Result<Head, HeadError> {
        let verified = feed.head.verify(&self.key, &nonce.0, self.last.as_ref());
        if let Err(HeadError::Backwards { .. }) = &verified {
            self.behind = Some(feed.head.head);
        }
        let head = verified?;
        match (&self.behind, &self.last) {
            (Some(behind), Some(last)) if head.era == last.era => Err(HeadError::Backwards {
                era: behind.era,
                sequence: behind.sequence,
                last_era: last.era,
                last_sequence: last.sequence,
            }),
            _ => Ok(head),
        }
    }
}
