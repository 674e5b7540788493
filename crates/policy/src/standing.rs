//! What the table answers: about a batch on the way, and about a snapshot that came.

use crate::Wider;
use thiserror::Error;
use vernport_types::{AssetId, ControllerId, Fate, Reason};

/// Whether a sealed batch may be sent (invariant 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It may.
    Send,
    /// Not now: it waits.
    Park(Reason),
    /// Never: it is destroyed, and a note is left.
    Destroy(Reason),
}

impl Standing {
    pub(crate) fn after(reason: Reason) -> Self {
        match reason.fate() {
            Fate::Send => Self::Send,
            Fate::Park => Self::Park(reason),
            Fate::Destroy => Self::Destroy(reason),
        }
    }
}

/// What a snapshot did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// How many openings are believed.
    pub opened: usize,
    /// Openings that go beyond the controller's own bundle and are not believed.
    pub refused: Vec<(AssetId, Wider)>,
    /// Whether the grants were computed from another bundle than the one here: then none is believed.
    pub other_bundle: bool,
}

/// Why a snapshot or head cannot be applied. What held before goes on until it is stale.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ApplyError {
    /// Of another controller.
    #[error("snapshot is of controller {found}, this table is of {expected}")]
    Controller {
        /// The controller of the snapshot.
        found: ControllerId,
        /// The controller of the rules here.
        expected: ControllerId,
    },
    /// One asset in two grants: it cannot be said which holds.
    #[error("snapshot has two grants of one asset; central has to be mended")]
    AssetTwice,
    /// Not the snapshot that the head names.
    #[error("head names another snapshot; ask central for it")]
    OtherSnapshot,
}
