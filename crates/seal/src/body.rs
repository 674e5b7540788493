//! The body of a batch: what only its recipients read.

use serde::{Deserialize, Serialize};
use vernport_crypto::hash_text;
use vernport_policy::How;
use vernport_types::{
    BootId, EntryHash, Identification, LegalBasis, OrderId, Source, Stamp, Value, VehicleAlias,
};

/// The most records of one batch.
pub const MAX_RECORDS: usize = 4096;

/// What the gateway says about a batch: on what it rests and where it was collected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchContext {
    /// SHA-256 of the controller's bundle.
    #[serde(with = "hash_text")]
    pub bundle_hash: [u8; 32],
    /// Version of the notice that was served.
    pub notice: String,
    /// Purpose, a DPV 2.3 IRI.
    pub purpose: String,
    /// Legal basis.
    pub basis: LegalBasis,
    /// The ledger entries that the grant rests on.
    pub rests_on: Vec<EntryHash>,
    /// SHA-256 of the signal catalogue's normal form.
    #[serde(with = "hash_text")]
    pub catalogue_hash: [u8; 32],
    /// What collected it: station and bus, or the workshop tool.
    pub collector: String,
    /// The work order, where there is one.
    pub order: Option<OrderId>,
    /// Name and version of the gateway's program.
    pub software: String,
    /// The start of the machine that boot times count from.
    pub boot: BootId,
}

/// A signal of the batch; records name it by its place in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalName {
    /// VSS path.
    pub path: String,
    /// Unit as VSS writes it; empty for none.
    pub unit: String,
    /// What the flow does to it, as the bundle writes it: `exact`, `round:1000`, `cell:7`.
    pub minimiser: String,
}

/// What holds for all records of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchHead {
    /// What the gateway says.
    pub context: BatchContext,
    /// What the vehicle is called towards this recipient, for this purpose and period.
    pub alias: VehicleAlias,
    /// How the asset was recognised: the weakest way among the records.
    pub identified_by: Identification,
    /// The signals that occur, in order of their first record.
    pub signals: Vec<SignalName>,
}

/// One release. `Debug` does not show the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Place of the signal in [`BatchHead::signals`].
    pub signal: u8,
    /// The value, minimised.
    pub value: Value,
    /// When it was read.
    pub at: Stamp,
    /// From where.
    pub source: Source,
    /// Whether value or time were made coarser.
    pub how: How,
}

/// The body: postcard 1 of these fields in this order (frozen; enums grow at their end).
///
/// | Field | Form |
/// |---|---|
/// | bundle hash | 32 bytes |
/// | notice, purpose | text each: length (varint), UTF-8 |
/// | basis | variant: `00` A6-1-a to `05` A6-1-f |
/// | rests on | count (varint), 32 bytes each |
/// | catalogue hash | 32 bytes |
/// | collector | text |
/// | order | `00`, or `01` and 16 bytes |
/// | software | text |
/// | boot id | 16 bytes |
/// | alias | 16 bytes |
/// | identified by | variant: `00` pinned, `01` tool, `02` asserted, `03` bus VIN |
/// | signals | count (varint), each: path, unit, minimiser (text each) |
/// | records | count (varint), each: signal (1), value, wall (zigzag varint, µs), boot time (varint, µs), quality (variant), source, how (variant: `00` exact, `01` coarsened) |
///
/// Values, stamps and sources as decision note 0001 has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    /// What holds for all records.
    pub head: BatchHead,
    /// The releases, in the order in which they were made.
    pub records: Vec<Record>,
}

impl Body {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        // Some 30 bytes a record; one growth at most, so that few copies of a plaintext are left behind.
        let room = Vec::with_capacity(1024 + 40 * self.records.len());
        postcard::to_extend(self, room).expect("every body has a postcard form")
    }

    /// Reads a body; none if the bytes are no whole one, or a record names a signal that the head lacks.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (body, rest) = postcard::take_from_bytes::<Self>(bytes).ok()?;
        let named = |record: &Record| usize::from(record.signal) < body.head.signals.len();
        let whole = rest.is_empty() && body.records.len() <= MAX_RECORDS && body.records.iter().all(named);
        whole.then_some(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value as Json;

    #[test]
    fn a_body_with_a_record_more_than_a_batch_may_have_is_refused() {
        let vectors: Json = serde_json::from_str(include_str!("../vectors/envelope-v1.json")).expect("JSON");
        let mut body: Body = serde_json::from_value(vectors["envelopes"][0]["body"].clone()).expect("a body");
        body.records = vec![body.records[0]; MAX_RECORDS];
        assert_eq!(Body::from_bytes(&body.to_bytes()).as_ref(), Some(&body));
        body.records.push(body.records[0]);
        assert_eq!(Body::from_bytes(&body.to_bytes()), None);
    }
}
