//! The state of a link to a broker, for the path status.

use crate::wire::Cause;

/// Whether a link works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LinkState {
    /// Not connected, or not ready yet.
    #[default]
    Down,
    /// Ready.
    Up,
}

/// What is known of a link.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LinkStatus {
    /// Whether it works.
    pub state: LinkState,
    /// Number of the connection; grows with each.
    pub epoch: u64,
    /// Connections at which the broker had no session of ours, the first one among them.
    pub sessions_lost: u64,
    /// Why the last connection ended.
    pub last_cause: Option<Cause>,
}

impl LinkStatus {
    pub(crate) fn went_up(&mut self, epoch: u64) {
        (self.state, self.epoch) = (LinkState::Up, epoch);
    }

    pub(crate) fn went_down(&mut self, cause: Cause) {
        (self.state, self.last_cause) = (LinkState::Down, Some(cause));
    }
}
