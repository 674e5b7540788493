//! Recipients that get nothing for a while.

use serde::{Deserialize, Serialize};
use vernport_types::{EntryHash, Slug};

/// Why a recipient gets nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PauseGround {
    /// It did not confirm in time that it deleted what it was told to (GDPR Art. 17 and 19).
    DeletionUnconfirmed,
    /// The controller doubts that the recipient keeps to its agreement.
    Agreement,
    /// Something is wrong on the recipient's side: lost keys, an intrusion.
    Incident,
}

/// `recipient-paused`. What was read waits, and what is kept is not handed out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecipientPaused {
    /// The recipient of the bundle.
    pub recipient: Slug,
    /// For which purpose.
    pub purpose: Slug,
    /// Why.
    pub ground: PauseGround,
}

/// `recipient-resumed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecipientResumed {
    /// The entry by which it was paused.
    pub pause: EntryHash,
}
