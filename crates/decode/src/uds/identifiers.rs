//! Answers of service 22: one identifier after the other, as far as lengths are known.

use crate::RejectCode;

/// The identifiers of an answer of service 22 with their data; none if the
/// message is another one.
///
/// The standard puts no lengths into the answer. `length_of` tells those that
/// are known; behind an identifier of unknown length nothing is told, since it
/// cannot be told apart.
pub fn identifiers<F: Fn(u16) -> Option<usize>>(message: &[u8], length_of: F) -> Option<Identifiers<'_, F>> {
    let [0x62, rest @ ..] = message else { return None };
    Some(Identifiers { rest, length_of })
}

/// Goes over an answer of service 22; made by [`identifiers`].
#[derive(Clone)]
pub struct Identifiers<'a, F> {
    rest: &'a [u8],
    length_of: F,
}

impl<'a, F: Fn(u16) -> Option<usize>> Iterator for Identifiers<'a, F> {
    /// Identifier and data, or [`RejectCode::WrongLength`], which is the last one.
    type Item = Result<(u16, &'a [u8]), RejectCode>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = std::mem::take(&mut self.rest);
        let [high, low, data @ ..] = rest else {
            return (!rest.is_empty()).then_some(Err(RejectCode::WrongLength));
        };
        let did = u16::from_be_bytes([*high, *low]);
        let length = (self.length_of)(did)?;
        let Some((value, rest)) = data.split_at_checked(length) else {
            return Some(Err(RejectCode::WrongLength));
        };
        self.rest = rest;
        Some(Ok((did, value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Told<'a> = Result<(u16, &'a [u8]), RejectCode>;

    fn read(message: &[u8]) -> Option<Vec<Told<'_>>> {
        let length_of = |did| match did {
            0xF194 => Some(3),
            0xF90B => Some(0),
            _ => None,
        };
        identifiers(message, length_of).map(Iterator::collect)
    }

    #[test]
    fn several_are_told_apart_by_their_lengths() {
        let message = [0x62, 0xF1, 0x94, b'0', b'4', b'0', 0xF9, 0x0B, 0xF1, 0x94, 1, 2, 3];
        let told = [Ok((0xF194, &b"040"[..])), Ok((0xF90B, &[][..])), Ok((0xF194, &[1, 2, 3][..]))];
        assert_eq!(read(&message), Some(told.to_vec()));
    }

    #[test]
    fn behind_an_unknown_length_nothing_is_told_and_a_cut_answer_is_wrong() {
        assert_eq!(read(&[0x62, 0xF1, 0x8A, 1, 0xF1, 0x94, 1, 2, 3]), Some(vec![]));
        let wrong = Err(RejectCode::WrongLength);
        assert_eq!(read(&[0x62, 0xF1, 0x94, 1, 2]), Some(vec![wrong]));
        assert_eq!(read(&[0x62, 0xF1, 0x94, 1, 2, 3, 0xF1]), Some(vec![Ok((0xF194, &[1, 2, 3][..])), wrong]));
        assert_eq!((read(&[0x62]), read(&[0x59])), (Some(vec![]), None));
    }
}
