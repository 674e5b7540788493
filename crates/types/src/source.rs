//! Where a reading came from, small enough to travel with every record.
//!
//! Written form (frozen): `j1939:65217:sa=00`, `obd:01:A6:7E8`,
//! `uds:22:F190:7E8`, `tool`, `manual`, `dbc:<index>`; hexadecimal upper case.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use thiserror::Error;

/// Why a text is not a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "not a source: expected j1939:<pgn>:sa=<hex>, obd:<service>:<pid>:<id>, uds:<service>:<did>:<id>, dbc:<index>, tool or manual"
)]
pub struct SourceError;

/// The origin of a reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Source {
    /// A SAE J1939 message.
    J1939 {
        /// Parameter group number, 18 bits.
        pgn: u32,
        /// Source address of the control unit.
        sa: u8,
    },
    /// An OBD-II answer (SAE J1979).
    Obd {
        /// Service, 01 to 0A.
        service: u8,
        /// PID or information type; 0 where the service has none.
        pid: u8,
        /// CAN id of the answer, 11 or 29 bits.
        responder: u32,
    },
    /// A UDS answer (ISO 14229-1).
    Uds {
        /// Service, 19 or 22.
        service: u8,
        /// Data identifier, or sub-function of service 19.
        did: u16,
        /// CAN id of the answer, 11 or 29 bits.
        responder: u32,
    },
    /// A signal of a DBC file: its place in the decoder's plan.
    Dbc {
        /// Index in the plan; the head of a batch names it.
        signal: u16,
    },
    /// A workshop tool's message; the collector in the head of a batch says which tool.
    Tool,
    /// Typed in by a person.
    Manual,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::J1939 { pgn, sa } => write!(f, "j1939:{pgn}:sa={sa:02X}"),
            Self::Obd { service, pid, responder } => write!(f, "obd:{service:02X}:{pid:02X}:{responder:03X}"),
            Self::Uds { service, did, responder } => write!(f, "uds:{service:02X}:{did:04X}:{responder:03X}"),
            Self::Dbc { signal } => write!(f, "dbc:{signal}"),
            Self::Tool => f.write_str("tool"),
            Self::Manual => f.write_str("manual"),
        }
    }
}

impl FromStr for Source {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, SourceError> {
        let parts: Vec<&str> = text.split(':').collect();
        let hex = |text: &str| u32::from_str_radix(text, 16).map_err(|_| SourceError);
        let source = match parts[..] {
            ["j1939", pgn, sa] => Self::J1939 {
                pgn: pgn.parse().map_err(|_| SourceError)?,
                sa: narrow(hex(sa.strip_prefix("sa=").ok_or(SourceError)?)?)?,
            },
            ["obd", service, pid, id] => {
                Self::Obd { service: narrow(hex(service)?)?, pid: narrow(hex(pid)?)?, responder: hex(id)? }
            }
            ["uds", service, did, id] => {
                Self::Uds { service: narrow(hex(service)?)?, did: narrow(hex(did)?)?, responder: hex(id)? }
            }
            ["dbc", signal] => Self::Dbc { signal: signal.parse().map_err(|_| SourceError)? },
            ["tool"] => Self::Tool,
            ["manual"] => Self::Manual,
            _ => return Err(SourceError),
        };
        // One written form only: what does not print back is not a source.
        if source.to_string() == text { Ok(source) } else { Err(SourceError) }
    }
}

fn narrow<T: TryFrom<u32>>(number: u32) -> Result<T, SourceError> {
    T::try_from(number).map_err(|_| SourceError)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_written_one_way_and_read_back() {
        let written = [
            (Source::J1939 { pgn: 65217, sa: 0 }, "j1939:65217:sa=00"),
            (Source::Obd { service: 1, pid: 0xA6, responder: 0x7E8 }, "obd:01:A6:7E8"),
            (Source::Uds { service: 0x22, did: 0xF190, responder: 0x18DA_FBEE }, "uds:22:F190:18DAFBEE"),
            (Source::Dbc { signal: 7 }, "dbc:7"),
            (Source::Tool, "tool"),
        ];
        for (source, text) in written {
            assert_eq!(source.to_string(), text);
            assert_eq!(text.parse(), Ok(source));
        }
        for bad in ["", "j1939", "j1939:65217:sa=0", "j1939:+65217:sa=00", "obd:01:a6:7E8", "tool:x"] {
            assert_eq!(bad.parse::<Source>(), Err(SourceError), "{bad}");
        }
    }
}
