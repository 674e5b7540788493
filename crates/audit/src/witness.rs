//! What one who watches a log asks before they cosign (C2SP tlog-witness,
//! "add-checkpoint"): that it holds all that it held when they looked last.

use crate::{Checkpoint, Proof, ProofError};
use thiserror::Error;

/// A checkpoint that may be remembered in the place of the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advance {
    /// The first of this log.
    First,
    /// The same as the last one.
    Same,
    /// It grew by so many leaves.
    Grew {
        /// How many.
        leaves: u64,
    },
}

/// A checkpoint that must not be remembered.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Broken {
    /// The proof is from another size than was seen last; no alarm, it is asked again.
    #[error("the proof begins at {from} leaves, the last checkpoint seen here has {known}: prove from there")]
    Elsewhere {
        /// How many leaves were seen last.
        known: u64,
        /// Where the proof begins.
        from: u64,
    },
    /// Fewer leaves than were seen.
    #[error("the log had {known} leaves and has {found} now: it was cut, or set back to an older copy")]
    Shrunk {
        /// How many were seen last.
        known: u64,
        /// How many it has.
        found: u64,
    },
    /// As many leaves as were seen, and others.
    #[error("the log has two roots for {size} leaves: what it held was changed, or it is kept twice")]
    Fork {
        /// How many leaves.
        size: u64,
    },
    /// More leaves, and no proof that the old ones are among them.
    #[error("it is not proven that the {found} leaves of the log begin with the {known} that were seen")]
    Unproven {
        /// How many were seen last.
        known: u64,
        /// How many it has.
        found: u64,
        /// What is wrong with the proof.
        source: ProofError,
    },
    /// Another log than was watched.
    #[error("this is the log {found}; {known} was watched: it was begun anew")]
    OtherLog {
        /// The one that was watched.
        known: String,
        /// The one that came.
        found: String,
    },
}

impl Broken {
    /// Whether it is an alarm; else the asker only has to prove from elsewhere.
    pub const fn is_alarm(&self) -> bool {
        !matches!(self, Self::Elsewhere { .. })
    }
}

/// Whether `new`, whose signature was checked, may take the place of `last`; `from` is the size that `proof` begins at.
///
/// # Errors
/// [`Broken`]; `last` stays then.
pub fn advance(
    last: Option<&Checkpoint>,
    new: &Checkpoint,
    from: u64,
    proof: &Proof,
) -> Result<Advance, Broken> {
    let Some(last) = last else { return Ok(Advance::First) };
    if last.origin != new.origin {
        return Err(Broken::OtherLog { known: last.origin.clone(), found: new.origin.clone() });
    }
    let (known, found) = (last.size, new.size);
    if found < known {
        return Err(Broken::Shrunk { known, found });
    }
    if found == known {
        return if last.root == new.root { Ok(Advance::Same) } else { Err(Broken::Fork { size: known }) };
    }
    if from != known {
        return Err(Broken::Elsewhere { known, from });
    }
    proof.extends((known, &last.root), (found, &new.root)).map_err(|source| Broken::Unproven {
        known,
        found,
        source,
    })?;
    Ok(Advance::Grew { leaves: found - known })
}
