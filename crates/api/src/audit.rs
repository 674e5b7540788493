//! Witnessing: gateway and central show one another the checkpoints of their logs, and
//! each proves that its log still begins with what the other saw (crates/audit).
//!
//! A gateway sends its checkpoint and the proof from the one that central cosigned last;
//! central answers with its cosignature, or with where to prove from, or with an alarm;
//! and with its own checkpoint and the proof from the one that this gateway saw last.
//! Notes and lines are those of C2SP tlog-checkpoint and tlog-cosignature. An alarm
//! stops no delivery and no withdrawal.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::fmt;

/// The most hashes of a proof: enough for 2⁶³ leaves.
pub const MAX_PROOF_HASHES: usize = 63;
/// The longest checkpoint with all its signatures, in bytes.
pub const MAX_CHECKPOINT_BYTES: usize = 8 * 1024;

/// What a gateway shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessRequest {
    /// The newest checkpoint of its log, signed with its device key.
    pub checkpoint: String,
    /// How many leaves the checkpoint has that `proof` begins at; 0 where it knows of none that central saw.
    pub from: u64,
    /// That its log begins with those.
    pub proof: Vec<LogHash>,
    /// How many leaves the last checkpoint of central has that it saw; 0 where it saw none.
    pub central_from: u64,
    /// Its cosignature on that one; a line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cosignature: Option<String>,
    /// What it found wrong with central's log when central answered last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alarm: Option<LogAlarm>,
}

/// What central says to it, and shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessAnswer {
    /// Central's cosignature on the checkpoint, a line; none where it cannot be given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cosignature: Option<String>,
    /// The proof has to begin at the checkpoint of so many leaves; no alarm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prove_from: Option<u64>,
    /// What is wrong with the gateway's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alarm: Option<LogAlarm>,
    /// The checkpoint that central saw before and that this one contradicts, signed by the same gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<String>,
    /// The newest checkpoint of central's own log.
    pub checkpoint: String,
    /// That it begins with the one that the gateway saw last; empty where that is not so.
    pub proof: Vec<LogHash>,
}

/// What is wrong with a log. Frozen: new words are added at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogAlarm {
    /// It has fewer leaves than were seen: cut, or set back to an older copy.
    Shrunk,
    /// It has as many leaves as were seen, and others.
    Forked,
    /// It has more leaves, and does not prove that the old ones are among them.
    Unproven,
    /// It is another log: a spool or a database was begun anew.
    BegunAnew,
}

impl LogAlarm {
    /// The word, as written everywhere.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Shrunk => "shrunk",
            Self::Forked => "forked",
            Self::Unproven => "unproven",
            Self::BegunAnew => "begun-anew",
        }
    }
}

impl fmt::Display for LogAlarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A hash of a log's tree; hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogHash(pub [u8; 32]);

impl Serialize for LogHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(self.0))
    }
}

impl<'de> Deserialize<'de> for LogHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let mut hash = [0; 32];
        hex::decode_to_slice(text.as_bytes(), &mut hash)
            .map_err(|_| D::Error::custom("expected 64 hexadecimal digits"))?;
        Ok(Self(hash))
    }
}
