//! The body of `POST /v1/batches`: several sealed batches with their grants.
//!
//! | offset | length | content                                              |
//! |--------|--------|------------------------------------------------------|
//! | 0      | 2      | number of items, 1 to [`MAX_ITEMS`], high byte first |
//! | 2      |        | the items, one after the other                       |
//!
//! An item:
//!
//! | offset | length | content                                                       |
//! |--------|--------|---------------------------------------------------------------|
//! | 0      | 16     | grant id                                                      |
//! | 16     | 4      | length of the envelope, 1 to [`MAX_ENVELOPE_BYTES`], high byte first |
//! | 20     | length | the envelope                                                  |
//!
//! The whole body has at most [`MAX_BODY_BYTES`] and nothing after its last
//! item. Decoding borrows and allocates only for items that are there.

use thiserror::Error;
use vernport_types::GrantId;

/// The most items in one body.
pub const MAX_ITEMS: usize = 64;
/// The longest body, in bytes.
pub const MAX_BODY_BYTES: usize = 8 * 1024 * 1024;
/// The longest envelope, in bytes.
pub const MAX_ENVELOPE_BYTES: usize = 1024 * 1024;
/// The media type of the body.
pub const CONTENT_TYPE: &str = "application/octet-stream";

const COUNT_BYTES: usize = 2;
const GRANT_BYTES: usize = 16;
const LEN_BYTES: usize = 4;

/// Why an item does not go into a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// The body is as full as it may be: send it, and begin another.
    #[error("the body holds {items} items and {bytes} bytes, and the next item is too much for it")]
    Full {
        /// Items in the body.
        items: usize,
        /// Bytes in the body.
        bytes: usize,
    },
    /// No body can hold this envelope.
    #[error("an envelope has 1 to {MAX_ENVELOPE_BYTES} bytes, this one {0}")]
    Envelope(usize),
}

/// Why bytes are not a body of batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// More than [`MAX_BODY_BYTES`].
    #[error("a body has at most {MAX_BODY_BYTES} bytes, this one {0}")]
    TooLong(usize),
    /// None or more than [`MAX_ITEMS`].
    #[error("a body has 1 to {MAX_ITEMS} items, this one says {0}")]
    Count(usize),
    /// An item says that it is empty or longer than [`MAX_ENVELOPE_BYTES`].
    #[error("item {item} says {len} bytes, an envelope has 1 to {MAX_ENVELOPE_BYTES}")]
    Envelope {
        /// Which item, from 0.
        item: usize,
        /// The length it says.
        len: usize,
    },
    /// The body ends within an item.
    #[error("the body ends within item {0}")]
    CutShort(usize),
    /// Bytes are left behind the last item.
    #[error("{0} bytes follow the last item")]
    Trailing(usize),
}

/// One batch of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item<'a> {
    /// The grant that it was sealed under.
    pub grant: GrantId,
    /// The sealed batch.
    pub envelope: &'a [u8],
}

/// Writes a body, item by item, within the bounds.
#[derive(Debug, Clone)]
pub struct Encoder {
    bytes: Vec<u8>,
    items: usize,
}

impl Default for Encoder {
    fn default() -> Self {
        Self { bytes: vec![0; COUNT_BYTES], items: 0 }
    }
}

impl Encoder {
    /// Adds one batch.
    ///
    /// # Errors
    /// [`EncodeError::Full`] if it does not fit beside those already there,
    /// [`EncodeError::Envelope`] if it would fit into no body. Neither changes the body.
    pub fn push(&mut self, grant: GrantId, envelope: &[u8]) -> Result<(), EncodeError> {
        let len = envelope.len();
        if len == 0 || len > MAX_ENVELOPE_BYTES {
            return Err(EncodeError::Envelope(len));
        }
        if self.items == MAX_ITEMS || self.bytes.len() + GRANT_BYTES + LEN_BYTES + len > MAX_BODY_BYTES {
            return Err(EncodeError::Full { items: self.items, bytes: self.bytes.len() });
        }
        let len = u32::try_from(len).expect("at most MAX_ENVELOPE_BYTES");
        self.bytes.extend_from_slice(grant.as_bytes());
        self.bytes.extend_from_slice(&len.to_be_bytes());
        self.bytes.extend_from_slice(envelope);
        self.items += 1;
        Ok(())
    }

    /// How many batches are in the body.
    pub const fn len(&self) -> usize {
        self.items
    }

    /// Whether no batch is in it: such a body is not sent.
    pub const fn is_empty(&self) -> bool {
        self.items == 0
    }

    /// The body.
    pub fn finish(mut self) -> Vec<u8> {
        let items = u16::try_from(self.items).expect("at most MAX_ITEMS");
        self.bytes[..COUNT_BYTES].copy_from_slice(&items.to_be_bytes());
        self.bytes
    }
}

/// Reads a body.
///
/// # Errors
/// [`DecodeError`] for anything outside of the byte table above.
pub fn decode(body: &[u8]) -> Result<Vec<Item<'_>>, DecodeError> {
    if body.len() > MAX_BODY_BYTES {
        return Err(DecodeError::TooLong(body.len()));
    }
    let (count, mut rest) = body.split_first_chunk::<COUNT_BYTES>().ok_or(DecodeError::Count(0))?;
    let count = usize::from(u16::from_be_bytes(*count));
    if count == 0 || count > MAX_ITEMS {
        return Err(DecodeError::Count(count));
    }
    let mut items = Vec::with_capacity(count);
    for item in 0..count {
        let (grant, after) = rest.split_first_chunk::<GRANT_BYTES>().ok_or(DecodeError::CutShort(item))?;
        let (len, after) = after.split_first_chunk::<LEN_BYTES>().ok_or(DecodeError::CutShort(item))?;
        let len = usize::try_from(u32::from_be_bytes(*len)).unwrap_or(usize::MAX);
        if len == 0 || len > MAX_ENVELOPE_BYTES {
            return Err(DecodeError::Envelope { item, len });
        }
        let (envelope, after) = after.split_at_checked(len).ok_or(DecodeError::CutShort(item))?;
        items.push(Item { grant: GrantId::from_bytes(*grant), envelope });
        rest = after;
    }
    if rest.is_empty() { Ok(items) } else { Err(DecodeError::Trailing(rest.len())) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn grant(byte: u8) -> GrantId {
        GrantId::from_bytes([byte; 16])
    }

    #[test]
    fn lengths_that_the_bytes_do_not_hold_are_refused() {
        let mut encoder = Encoder::default();
        encoder.push(grant(1), b"abc").expect("fits");
        let good = encoder.finish();
        assert_eq!(decode(&good), Ok(vec![Item { grant: grant(1), envelope: b"abc" }]));
        for cut in 2..good.len() {
            assert_eq!(decode(&good[..cut]), Err(DecodeError::CutShort(0)), "cut at {cut}");
        }
        assert_eq!(decode(&good[..1]), Err(DecodeError::Count(0)));
        assert_eq!(decode(&[good.clone(), vec![0]].concat()), Err(DecodeError::Trailing(1)));

        let claims = |count: u16, len: u32| {
            [&count.to_be_bytes()[..], &[1; 16], &len.to_be_bytes()[..], b"abc"].concat()
        };
        assert_eq!(decode(&claims(0, 3)), Err(DecodeError::Count(0)));
        assert_eq!(decode(&claims(65, 3)), Err(DecodeError::Count(65)));
        assert_eq!(decode(&claims(2, 3)), Err(DecodeError::CutShort(1)));
        assert_eq!(decode(&claims(1, 0)), Err(DecodeError::Envelope { item: 0, len: 0 }));
        assert_eq!(
            decode(&claims(1, u32::MAX)),
            Err(DecodeError::Envelope { item: 0, len: u32::MAX as usize })
        );
        assert_eq!(decode(&claims(1, 1 << 20)), Err(DecodeError::CutShort(0)));
    }

    #[test]
    fn a_full_body_takes_no_more_and_stays_readable() {
        let mut encoder = Encoder::default();
        for n in 0..MAX_ITEMS {
            encoder.push(grant(u8::try_from(n).expect("64")), &[7]).expect("fits");
        }
        assert!(matches!(encoder.push(grant(0), &[7]), Err(EncodeError::Full { items: MAX_ITEMS, .. })));
        assert_eq!(decode(&encoder.finish()).map(|items| items.len()), Ok(MAX_ITEMS));

        let big = vec![7; MAX_ENVELOPE_BYTES];
        let mut encoder = Encoder::default();
        while encoder.push(grant(1), &big).is_ok() {}
        assert_eq!(encoder.len(), 7, "eight of 1 MiB and their heads are more than 8 MiB");
        assert_eq!(encoder.push(grant(1), &[]), Err(EncodeError::Envelope(0)));
        let over = vec![0; MAX_ENVELOPE_BYTES + 1];
        assert_eq!(encoder.push(grant(1), &over), Err(EncodeError::Envelope(MAX_ENVELOPE_BYTES + 1)));
        assert_eq!(decode(&encoder.finish()).map(|items| items.len()), Ok(7));
        assert_eq!(decode(&vec![0; MAX_BODY_BYTES + 1]), Err(DecodeError::TooLong(MAX_BODY_BYTES + 1)));
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(
            items in prop::collection::vec((any::<[u8; 16]>(), prop::collection::vec(any::<u8>(), 1..200)), 1..=MAX_ITEMS)
        ) {
            let mut encoder = Encoder::default();
            for (grant, envelope) in &items {
                encoder.push(GrantId::from_bytes(*grant), envelope).expect("within the bounds");
            }
            let body = encoder.finish();
            let read: Vec<_> = decode(&body).expect("just encoded").into_iter()
                .map(|item| (*item.grant.as_bytes(), item.envelope.to_vec())).collect();
            prop_assert_eq!(read, items);
        }

        #[test]
        fn no_bytes_make_it_panic_and_what_it_reads_it_would_write(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(items) = decode(&bytes) {
                let mut encoder = Encoder::default();
                for item in items {
                    encoder.push(item.grant, item.envelope).expect("was read");
                }
                prop_assert_eq!(encoder.finish(), bytes);
            }
        }
    }
}
