//! Filters: which data frames a source hands out.
//!
//! Every source filters exactly. An adapter or a kernel that holds only so
//! many filters gets a list that was widened to fit: it may pass more than was
//! asked for, never less, and the rest is taken out here.

use vernport_types::{CanFilter, CanId};

const STANDARD_IDS: usize = 0x800;
const STANDARD_BITS: u32 = 0x7FF;
const EXTENDED_BITS: u32 = 0x1FFF_FFFF;

/// A list of at most `most` filters that passes everything the given one passes,
/// and as little else as is found in passing over it. An empty list stays empty.
///
/// The two formats cannot share a filter, so `most` counts as 2 where it is less.
pub fn widened(filters: &[CanFilter], most: usize) -> Vec<CanFilter> {
    let mut list = tidied(filters);
    // Far too many are halved, neighbour with neighbour, so that a long list costs little.
    while list.len() > most.max(2).saturating_mul(2) {
        list = tidied(&halved(&list));
    }
    while list.len() > most.max(2) {
        let pairs = list.iter().zip(list.iter().skip(1)).zip(0..);
        let joined = pairs.filter_map(|((one, next), at)| Some((join(one, next)?, at)));
        // Of three or more filters two neighbours are of one format.
        let Some((filter, at)) = joined.min_by_key(|(filter, _)| free_bits(filter)) else { break };
        list[at] = filter;
        list.remove(at + 1);
    }
    list
}

/// A list of filters in a form that is quick to ask.
#[derive(Debug, Clone)]
pub(crate) struct FilterSet {
    /// One bit for each identifier.
    standard: Box<[u64; STANDARD_IDS / 64]>,
    /// In order.
    extended_exact: Vec<u32>,
    extended: Vec<CanFilter>,
}

impl FilterSet {
    pub(crate) fn new(filters: &[CanFilter]) -> Self {
        let mut set = Self { standard: Box::new([0; _]), extended_exact: Vec::new(), extended: Vec::new() };
        for filter in tidied(filters) {
            match filter.id {
                CanId::Standard(_) => set.add_standard(&filter),
                CanId::Extended(id) if filter.mask == EXTENDED_BITS => set.extended_exact.push(id),
                CanId::Extended(_) => set.extended.push(filter),
            }
        }
        set.extended_exact.sort_unstable();
        set
    }

    pub(crate) fn passes(&self, id: CanId) -> bool {
        match id {
            CanId::Standard(id) => {
                let word = self.standard.get(usize::from(id) / 64);
                word.is_some_and(|word| word >> (id % 64) & 1 == 1)
            }
            CanId::Extended(raw) => {
                self.extended_exact.binary_search(&raw).is_ok()
                    || self.extended.iter().any(|filter| filter.passes(id))
            }
        }
    }

    fn add_standard(&mut self, filter: &CanFilter) {
        for id in (0..=0x7FF).filter(|id| filter.passes(CanId::Standard(*id))) {
            self.standard[usize::from(id) / 64] |= 1 << (id % 64);
        }
    }
}

/// In order, without bits that say nothing, and without filters that another one covers
/// and stands beside.
fn tidied(filters: &[CanFilter]) -> Vec<CanFilter> {
    let mut list: Vec<CanFilter> = filters.iter().map(plain).collect();
    list.sort_unstable();
    list.dedup();
    let mut kept: Vec<CanFilter> = Vec::with_capacity(list.len());
    for filter in list {
        if kept.last().is_some_and(|last| covers(last, &filter)) {
            continue;
        }
        while kept.last().is_some_and(|last| covers(&filter, last)) {
            kept.pop();
        }
        kept.push(filter);
    }
    kept
}

fn plain(filter: &CanFilter) -> CanFilter {
    match filter.id {
        CanId::Standard(id) => {
            let mask = filter.mask & STANDARD_BITS;
            // Not more than 11 bits of the mask are set, so the cut loses nothing.
            CanFilter { id: CanId::Standard(id & mask as u16), mask }
        }
        CanId::Extended(id) => {
            let mask = filter.mask & EXTENDED_BITS;
            CanFilter { id: CanId::Extended(id & mask), mask }
        }
    }
}

/// Whether all that passes `other` passes `filter`.
fn covers(filter: &CanFilter, other: &CanFilter) -> bool {
    filter.mask & !other.mask == 0 && filter.passes(other.id)
}

/// The narrowest filter that passes what either passes; none for two formats.
fn join(one: &CanFilter, other: &CanFilter) -> Option<CanFilter> {
    let mask = one.mask & other.mask & !(one.id.raw() ^ other.id.raw());
    let same_format = matches!(
        (one.id, other.id),
        (CanId::Standard(_), CanId::Standard(_)) | (CanId::Extended(_), CanId::Extended(_))
    );
    same_format.then(|| plain(&CanFilter { id: one.id, mask }))
}

fn halved(list: &[CanFilter]) -> Vec<CanFilter> {
    let pairs = list.chunks(2).flat_map(|pair| match pair {
        [one, other] => match join(one, other) {
            Some(filter) => vec![filter],
            None => vec![*one, *other],
        },
        rest => rest.to_vec(),
    });
    pairs.collect()
}

/// How many bits a filter leaves open: each doubles what passes.
const fn free_bits(filter: &CanFilter) -> u32 {
    let bits = match filter.id {
        CanId::Standard(_) => STANDARD_BITS,
        CanId::Extended(_) => EXTENDED_BITS,
    };
    (bits & !filter.mask).count_ones()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ids() -> impl Strategy<Value = CanId> {
        prop_oneof![
            (0..0x800u16).prop_map(CanId::Standard),
            (0..0x2000_0000u32).prop_map(CanId::Extended),
            // Close together, so that filters meet.
            (0..32u16).prop_map(CanId::Standard),
            (0x18FE_F100..0x18FE_F120u32).prop_map(CanId::Extended),
        ]
    }

    fn filters(most: usize) -> impl Strategy<Value = Vec<CanFilter>> {
        let mask = prop_oneof![Just(u32::MAX), Just(0x1FFF_FF00), Just(0x7F0), any::<u32>()];
        prop::collection::vec((ids(), mask).prop_map(|(id, mask)| CanFilter { id, mask }), 0..most)
    }

    /// Identifiers that each filter passes, and some at random.
    fn probes(filters: &[CanFilter], more: &[CanId]) -> Vec<CanId> {
        let of = |(filter, more): (&CanFilter, &CanId)| {
            let raw = (filter.id.raw() & filter.mask) | (more.raw() & !filter.mask);
            match filter.id {
                CanId::Standard(_) => CanId::standard((raw & STANDARD_BITS) as u16),
                CanId::Extended(_) => CanId::extended(raw & EXTENDED_BITS),
            }
        };
        let meant = filters.iter().zip(more.iter().cycle()).filter_map(of);
        meant.chain(more.iter().copied()).collect()
    }

    proptest! {
        #[test]
        fn a_widened_list_fits_and_passes_all_that_the_long_one_passed(
            filters in filters(200), most in 0..40usize, more in prop::collection::vec(ids(), 1..64),
        ) {
            let list = widened(&filters, most);
            prop_assert!(list.len() <= most.max(2));
            prop_assert_eq!(list.is_empty(), filters.is_empty());
            for id in probes(&filters, &more) {
                let before = filters.iter().any(|filter| filter.passes(id));
                prop_assert!(!before || list.iter().any(|filter| filter.passes(id)), "{:?}", id);
            }
        }

        #[test]
        fn a_list_that_fits_passes_exactly_what_it_did(
            filters in filters(20), more in prop::collection::vec(ids(), 1..64),
        ) {
            let list = widened(&filters, 20);
            for id in probes(&filters, &more) {
                let before = filters.iter().any(|filter| filter.passes(id));
                prop_assert_eq!(before, list.iter().any(|filter| filter.passes(id)), "{:?}", id);
            }
        }

        /// Against the list itself.
        #[test]
        fn a_set_passes_what_any_of_its_filters_passes(
            filters in filters(40), more in prop::collection::vec(ids(), 1..64),
        ) {
            let set = FilterSet::new(&filters);
            for id in probes(&filters, &more) {
                let expected = filters.iter().any(|filter| filter.passes(id));
                prop_assert_eq!(set.passes(id), expected, "{:?}", id);
            }
        }
    }

    #[test]
    fn what_lies_close_together_is_joined_first() {
        let far = CanFilter::exactly(CanId::Extended(0x0CF0_0400));
        let near = [0x18FE_F100, 0x18FE_F101].map(|id| CanFilter::exactly(CanId::Extended(id)));
        let list = widened(&[near[0], far, near[1]], 2);
        let pair = CanFilter { id: CanId::Extended(0x18FE_F100), mask: 0x1FFF_FFFE };
        assert_eq!(list, [far, pair]);
    }

    #[test]
    fn a_long_list_of_both_formats_fits_into_two() {
        let standard = (0..0x800).map(|id| CanFilter::exactly(CanId::Standard(id)));
        let extended = (0..20_000).map(|id| CanFilter::exactly(CanId::Extended(id * 7919)));
        let filters: Vec<CanFilter> = standard.chain(extended).collect();
        assert_eq!(widened(&filters, 512).len(), 512);
        assert_eq!(widened(&filters, 1).len(), 2, "one for each format");
    }
}
