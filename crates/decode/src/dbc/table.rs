//! From an identifier to the message of a plan: a direct table for 11 bits, hashing without a
//! secret for 29 bits, whose worst case is measured when the table is made.

/// A sparse map from `u32` keys: open addressing, at most [`Sparse::FURTHEST`] steps to a key.
/// Keys that no multiplier spreads (somebody chose them so) are searched in order instead.
#[derive(Debug, Clone)]
pub(super) struct Sparse {
    /// Key and value; a value of [`Self::NONE`] is a free place.
    places: Box<[(u32, u16)]>,
    multiplier: u64,
    shift: u32,
    sorted: Box<[(u32, u16)]>,
    is_empty: bool,
}

impl Sparse {
    /// The largest table, as a power of two, beyond what the number of keys asks for.
    const GROWTH: u32 = 4;
    const NONE: u16 = u16::MAX;
    /// How many places are looked at for a key.
    const FURTHEST: usize = 4;

    /// A table of some keys; of one key twice the first counts.
    pub(super) fn new(entries: impl Iterator<Item = (u32, u16)>) -> Self {
        let mut list: Vec<(u32, u16)> = entries.collect();
        list.sort_by_key(|(key, _)| *key);
        list.dedup_by_key(|(key, _)| *key);
        let mut bits = (list.len() * 2 + Self::FURTHEST).next_power_of_two().trailing_zeros();
        let mut multiplier = 0x9E37_79B9_7F4A_7C15_u64;
        let largest = bits + Self::GROWTH;
        while bits <= largest {
            for _ in 0..32 {
                multiplier = multiplier.wrapping_mul(0xD134_2543_DE82_EF95).wrapping_add(2) | 1;
                if let Some(places) = Self::fill(&list, multiplier, 64 - bits) {
                    let (shift, is_empty) = (64 - bits, list.is_empty());
                    return Self { places, multiplier, shift, sorted: Box::default(), is_empty };
                }
            }
            bits += 1;
        }
        Self { places: Box::default(), multiplier, shift: 63, sorted: list.into(), is_empty: false }
    }

    fn fill(list: &[(u32, u16)], multiplier: u64, shift: u32) -> Option<Box<[(u32, u16)]>> {
        let mut places = vec![(0, Self::NONE); (1 << (64 - shift)) + Self::FURTHEST].into_boxed_slice();
        for (key, value) in list {
            let first = slot(*key, multiplier, shift);
            let free =
                places[first..first + Self::FURTHEST].iter_mut().find(|place| place.1 == Self::NONE)?;
            *free = (*key, *value);
        }
        Some(places)
    }

    #[inline]
    pub(super) fn get(&self, key: u32) -> Option<u16> {
        if self.is_empty {
            return None;
        }
        let first = slot(key, self.multiplier, self.shift);
        let Some(near) = self.places.get(first..first + Self::FURTHEST) else {
            let place = self.sorted.binary_search_by_key(&key, |(key, _)| *key).ok()?;
            return Some(self.sorted[place].1);
        };
        near.iter().find(|place| place.0 == key && place.1 != Self::NONE).map(|place| place.1)
    }
}

#[inline]
fn slot(key: u32, multiplier: u64, shift: u32) -> usize {
    usize::try_from(u64::from(key).wrapping_mul(multiplier) >> shift).unwrap_or(usize::MAX)
}

/// The messages of 11-bit identifiers.
#[derive(Debug, Clone)]
pub(super) struct Direct(Box<[u16; 0x800]>);

impl Direct {
    pub(super) fn new(entries: impl Iterator<Item = (u16, u16)>) -> Self {
        let mut table = Box::new([Sparse::NONE; 0x800]);
        for (id, value) in entries {
            if let Some(place) = table.get_mut(usize::from(id)).filter(|place| **place == Sparse::NONE) {
                *place = value;
            }
        }
        Self(table)
    }

    /// Forgets the messages that are not kept: their frames cost no more than unknown ones.
    pub(super) fn retain(&mut self, keeps: impl Fn(u16) -> bool) {
        self.0.iter_mut().filter(|place| !keeps(**place)).for_each(|place| *place = Sparse::NONE);
    }

    #[inline]
    pub(super) fn get(&self, id: u16) -> Option<u16> {
        self.0.get(usize::from(id)).copied().filter(|value| *value != Sparse::NONE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn a_table_finds_what_a_map_finds(
            entries in proptest::collection::btree_map(0_u32..0x2000_0000, 0_u16..1000, 0..300),
            others in proptest::collection::vec(0_u32..0x2000_0000, 0..50),
        ) {
            let table = Sparse::new(entries.iter().map(|(key, value)| (*key, *value)));
            for key in entries.keys().chain(&others) {
                prop_assert_eq!(table.get(*key), entries.get(key).copied());
            }
        }

        #[test]
        fn keys_in_rows_find_their_places(step in 1_u32..=0x1_0000, count in 1_u16..4_000) {
            let entries: BTreeMap<u32, u16> = (0..count).map(|n| (u32::from(n).wrapping_mul(step), n)).collect();
            let table = Sparse::new(entries.iter().map(|(key, value)| (*key, *value)));
            for (key, value) in &entries {
                prop_assert_eq!(table.get(*key), Some(*value));
            }
        }
    }
}
