//! A cursor over foreign bytes: gives slices of them or says what is missing.

use crate::EnvelopeError;
use std::str::FromStr;
use vernport_types::IdError;

pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// How many bytes are left.
    pub(crate) fn left(&self) -> usize {
        self.rest.len()
    }

    pub(crate) fn bytes(&mut self, what: &'static str, len: usize) -> Result<&'a [u8], EnvelopeError> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(EnvelopeError::Truncated { what })?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], EnvelopeError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(EnvelopeError::Truncated { what })?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(crate) fn byte(&mut self, what: &'static str) -> Result<u8, EnvelopeError> {
        self.array(what).map(|[byte]| byte)
    }

    /// A length byte and a text of that length, of a type that checks it.
    pub(crate) fn text<T: FromStr<Err = IdError>>(&mut self, what: &'static str) -> Result<T, EnvelopeError> {
        let len = usize::from(self.byte(what)?);
        let text = std::str::from_utf8(self.bytes(what, len)?);
        text.ok().and_then(|text| text.parse().ok()).ok_or(EnvelopeError::Field { what })
    }
}
