//! The clear header of an envelope: what central has to know to keep, find and
//! delete a batch that it cannot read.

use crate::{EnvelopeError, reader::Reader};
use vernport_types::{BatchId, ControllerId, EpochId, KeyId, Slug, UtcMicros};

/// `VPEN`.
pub(crate) const MAGIC: [u8; 4] = *b"VPEN";
pub(crate) const VERSION: u8 = 1;

/// The last sequence of an epoch. 2^24 batches of at most 1 MiB keep AES-GCM
/// far inside its bounds (NIST SP 800-38D, 8.3), and are some 190 a second for
/// the day that an epoch may last.
pub const MAX_SEQUENCE: u64 = (1 << 24) - 1;

/// The clear header.
///
/// Bytes (numbers high byte first; texts with a length byte before them):
///
/// | Bytes | What |
/// |---|---|
/// | 4 | `56 50 45 4E` ("VPEN") |
/// | 1 | version, `01` |
/// | 1 + n | controller |
/// | 1 + n | gateway |
/// | 16 | batch id |
/// | 1 + n | flow |
/// | 16 | key epoch |
/// | 8 | latest due, microseconds of UTC, signed |
/// | 1 + n | retention rule |
/// | 8 | sequence in the epoch, from 0, at most 2^24 - 1 |
///
/// The header is the additional data of the sealed body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvelopeHeader {
    /// Whose data it is.
    pub controller: ControllerId,
    /// Which gateway sealed and signed it.
    pub gateway: Slug,
    /// Which batch; random.
    pub batch: BatchId,
    /// Which flow of the controller's bundle.
    pub flow: Slug,
    /// Under which data key; central's side maps it to grant, asset and subjects.
    pub epoch: EpochId,
    /// By when it is deleted at the latest.
    pub latest_due: UtcMicros,
    /// Which rule of the bundle says when it is due.
    pub retention_rule: Slug,
    /// Which batch of the epoch, from 0; the nonce counter of the body.
    pub sequence: u64,
}

impl EnvelopeHeader {
    /// The encoded form.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(256);
        bytes.extend_from_slice(&MAGIC);
        bytes.push(VERSION);
        put_text(&mut bytes, self.controller.as_str());
        put_text(&mut bytes, self.gateway.as_str());
        bytes.extend_from_slice(self.batch.as_bytes());
        put_text(&mut bytes, self.flow.as_str());
        bytes.extend_from_slice(self.epoch.as_bytes());
        bytes.extend_from_slice(&self.latest_due.0.to_be_bytes());
        put_text(&mut bytes, self.retention_rule.as_str());
        bytes.extend_from_slice(&self.sequence.to_be_bytes());
        bytes
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, EnvelopeError> {
        if reader.array("magic")? != MAGIC {
            return Err(EnvelopeError::NotAnEnvelope);
        }
        let version = reader.byte("version")?;
        if version != VERSION {
            return Err(EnvelopeError::Version { version });
        }
        let header = Self {
            controller: reader.text("controller")?,
            gateway: reader.text("gateway")?,
            batch: BatchId::from_bytes(reader.array("batch id")?),
            flow: reader.text("flow")?,
            epoch: EpochId::from_bytes(reader.array("key epoch")?),
            latest_due: UtcMicros(i64::from_be_bytes(reader.array("latest due")?)),
            retention_rule: reader.text("retention rule")?,
            sequence: u64::from_be_bytes(reader.array("sequence")?),
        };
        if header.sequence > MAX_SEQUENCE {
            return Err(EnvelopeError::Field { what: "sequence" });
        }
        Ok(header)
    }
}

/// What a wrap is bound to (`info` of RFC 9180): label, NUL, version,
/// controller, flow, key epoch, recipient-key id; texts with a length byte.
pub(crate) fn wrap_info(controller: &ControllerId, flow: &Slug, epoch: &EpochId, key: &KeyId) -> Vec<u8> {
    let mut info = b"vernport wrap\0".to_vec();
    info.push(VERSION);
    put_text(&mut info, controller.as_str());
    put_text(&mut info, flow.as_str());
    info.extend_from_slice(epoch.as_bytes());
    info.extend_from_slice(key.as_bytes());
    info
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.push(u8::try_from(text.len()).expect("ids and slugs have at most 32 bytes"));
    bytes.extend_from_slice(text.as_bytes());
}
