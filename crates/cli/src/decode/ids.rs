//! How many identifiers there were: exact, and never more than 64 MiB, whatever a file holds.

use std::collections::HashMap;
use vernport_types::CanId;

/// Identifiers of one page: a bit each.
const PAGE_BITS: u32 = 4096;
const WORDS: usize = (PAGE_BITS / 64) as usize;

/// A set of identifiers; those of 11 and of 29 bits are apart.
#[derive(Default)]
pub(super) struct Ids {
    pages: HashMap<(bool, u32), Box<[u64; WORDS]>>,
    count: u64,
}

impl Ids {
    pub(super) fn insert(&mut self, id: CanId) {
        let (raw, extended) = (id.raw(), matches!(id, CanId::Extended(_)));
        let page = self.pages.entry((extended, raw / PAGE_BITS)).or_insert_with(|| Box::new([0; WORDS]));
        let (word, bit) = ((raw % PAGE_BITS / 64) as usize, raw % 64);
        self.count += u64::from(page[word] >> bit & 1 == 0);
        page[word] |= 1 << bit;
    }

    /// How many there were.
    pub(super) const fn count(&self) -> u64 {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn each_identifier_counts_once_in_each_format() {
        let (mut ids, mut model) = (Ids::default(), HashSet::new());
        for n in 0..20_000_u32 {
            let raw = n.wrapping_mul(2_654_435_761) >> 3 & 0x1FFF_FFFF;
            let standard = CanId::standard(u16::try_from(raw & 0x7FF).expect("11 bits")).expect("11 bits");
            let extended = CanId::extended(raw % 50_000).expect("29 bits");
            for id in [standard, extended, CanId::Extended(raw & 0x7FF)] {
                ids.insert(id);
                model.insert(id);
            }
        }
        assert_eq!(ids.count(), model.len() as u64);
    }
}
