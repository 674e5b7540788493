//! What was withheld between two times: counts by controller, flow and reason. A leaf
//! commits to these bytes; they themselves are kept beside the log. Times and counts only.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use vernport_types::{ControllerId, Reason, Slug, UtcMicros};

/// The longest encoding that is read, in bytes: some thousand rows.
const MAX_BYTES: usize = 256 << 10;

/// Counts of one visit, or of one hour of it. Postcard, frozen; golden bytes below.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// From when.
    pub from: UtcMicros,
    /// Until when.
    pub until: UtcMicros,
    /// In the order of controller, flow and reason.
    pub rows: Vec<Count>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Count {
    /// Whose rules withheld.
    pub controller: ControllerId,
    /// The flow, where one was concerned.
    pub flow: Option<Slug>,
    /// Why; by its number (decision note 0008).
    pub reason: Reason,
    /// How many readings.
    pub readings: u64,
}

/// Bytes that are no counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{bytes} bytes are no counts of what was withheld, or of a newer version")]
pub struct CountsError {
    /// How many there are.
    pub bytes: usize,
}

impl Counts {
    /// The bytes that a leaf commits to.
    pub fn to_bytes(&self) -> Vec<u8> {
        postcard::to_allocvec(self).expect("numbers and texts always encode")
    }

    /// Reads them.
    ///
    /// # Errors
    /// [`CountsError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CountsError> {
        let broken = CountsError { bytes: bytes.len() };
        if bytes.len() > MAX_BYTES {
            return Err(broken);
        }
        match postcard::take_from_bytes(bytes) {
            Ok((counts, [])) => Ok(counts),
            _ => Err(broken),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frozen: leaves commit to these bytes.
    #[test]
    fn counts_have_their_frozen_bytes() {
        let controller: ControllerId = "NO-977195306".parse().expect("a controller");
        let row = |flow: Option<&str>, reason, readings| Count {
            controller: controller.clone(),
            flow: flow.map(|flow| flow.parse().expect("a slug")),
            reason,
            readings,
        };
        let rows = vec![row(None, Reason::Unidentified, 3), row(Some("odometer"), Reason::NoGrant, 300)];
        let counts = Counts { from: UtcMicros(1_000_000), until: UtcMicros(2_000_000), rows };
        let bytes = counts.to_bytes();
        assert_eq!(
            hex::encode(&bytes),
            "80897a8092f401020c4e4f2d3937373139353330360005030c4e4f2d39373731393533303601086f646f6d6574657213ac02"
        );
        assert_eq!(Counts::from_bytes(&bytes), Ok(counts));
        for len in 0..bytes.len() {
            assert!(Counts::from_bytes(&bytes[..len]).is_err(), "{len} bytes");
        }
        assert!(Counts::from_bytes(&[&bytes[..], &[0]].concat()).is_err());
        assert!(Counts::from_bytes(&vec![0; MAX_BYTES + 1]).is_err());
    }
}
