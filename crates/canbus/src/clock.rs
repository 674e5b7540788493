//! Which time a frame gets, and how fast a log is played.

use vernport_types::TimeQuality;

/// Which time a replayed frame gets. A live bus always gets the clock's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Time {
    /// As if it were heard now. Paced: the clock's, when the frame is handed out.
    /// Unpaced: the clock's at the first frame that is handed out, and from then on the log's own intervals,
    /// without which neither a silence nor a timeout of the log would show.
    #[default]
    Now,
    /// The log's. The boot clock starts at 0 with the first frame of the file
    /// and never goes back, whatever the log does.
    File {
        /// How far whoever started the replay vouches for the log's clock.
        quality: TimeQuality,
    },
}

/// How fast a log is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pace {
    /// As fast as it is read.
    #[default]
    Unpaced,
    /// With the pauses of the log; steps back in its time are no pause.
    Recorded,
}
