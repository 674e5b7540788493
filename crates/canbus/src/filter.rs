//! Filter lists for what has room for few of them: never narrower than asked.

use std::collections::BTreeSet;
use vernport_types::{CanFilter, CanId};

/// Above this many filters neighbours are joined first: choosing the best pair
/// looks at each with each.
const MAX_COMPARED: usize = 128;

/// A list of at most `most` filters that passes all that `filters` pass, and
/// as little beside it as joining pairs can reach. A list of both formats
/// cannot have less than two; an empty list, which passes nothing, stays empty.
pub fn fit(filters: &[CanFilter], most: usize) -> Vec<CanFilter> {
    let sorted: BTreeSet<CanFilter> = filters.iter().map(|filter| cleaned(*filter)).collect();
    let mut fitted: Vec<CanFilter> = Vec::with_capacity(sorted.len());
    // The widest first, so that one look finds what others cover.
    let mut by_width: Vec<CanFilter> = sorted.into_iter().collect();
    by_width.sort_by_key(|filter| filter.mask.count_ones());
    for filter in by_width {
        if !fitted.iter().any(|wide| covers(*wide, filter)) {
            fitted.push(filter);
        }
    }
    fitted.sort_unstable();
    while fitted.len() > most.max(MAX_COMPARED) {
        fitted = fitted.chunks(2).flat_map(join_all).collect();
    }
    while fitted.len() > most {
        let Some(joined) = join_cheapest(&mut fitted) else { break };
        fitted.retain(|filter| !covers(joined, *filter));
        fitted.push(joined);
    }
    fitted.sort_unstable();
    fitted
}

/// The bits of an identifier of this format.
const fn bits(id: CanId) -> u32 {
    match id {
        CanId::Standard(_) => 0x7FF,
        CanId::Extended(_) => 0x1FFF_FFFF,
    }
}

/// The same filter, with no bit that says nothing.
fn cleaned(filter: CanFilter) -> CanFilter {
    let mask = filter.mask & bits(filter.id);
    CanFilter { id: masked(filter.id, mask), mask }
}

fn masked(id: CanId, mask: u32) -> CanId {
    match id {
        // A mask of 11 bits cuts it to 16.
        CanId::Standard(id) => CanId::Standard(id & (mask & 0x7FF) as u16),
        CanId::Extended(id) => CanId::Extended(id & mask),
    }
}

/// Whether `wide` passes all that `narrow` passes.
fn covers(wide: CanFilter, narrow: CanFilter) -> bool {
    wide.passes(narrow.id) && wide.mask & !narrow.mask == 0
}

/// The narrowest filter that passes both; `None` across formats.
fn joined(one: CanFilter, other: CanFilter) -> Option<CanFilter> {
    if bits(one.id) != bits(other.id) {
        return None;
    }
    let mask = one.mask & other.mask & !(one.id.raw() ^ other.id.raw());
    Some(CanFilter { id: masked(one.id, mask), mask })
}

fn join_all(pair: &[CanFilter]) -> Vec<CanFilter> {
    match pair {
        [one, other] => joined(*one, *other).map_or_else(|| pair.to_vec(), |joined| vec![joined]),
        _ => pair.to_vec(),
    }
}

/// Takes out the pair that passes the least beside itself when joined, and
/// gives what it becomes.
fn join_cheapest(filters: &mut Vec<CanFilter>) -> Option<CanFilter> {
    let passed = |filter: CanFilter| 1u64 << (bits(filter.id) & !filter.mask).count_ones();
    let mut best: Option<(u64, usize, usize, CanFilter)> = None;
    for (first, one) in filters.iter().enumerate() {
        for (second, other) in filters.iter().enumerate().skip(first + 1) {
            let Some(joined) = joined(*one, *other) else { continue };
            let cost = passed(joined).saturating_sub(passed(*one)).saturating_sub(passed(*other));
            if best.is_none_or(|(least, ..)| cost < least) {
                best = Some((cost, first, second, joined));
            }
        }
    }
    let (_, first, second, joined) = best?;
    // The later place first, so that the earlier one stays where it is.
    filters.swap_remove(second);
    filters.swap_remove(first);
    Some(joined)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_pass(filters: &[CanFilter], id: CanId) -> bool {
        filters.iter().any(|filter| filter.passes(id))
    }

    fn can_id() -> impl Strategy<Value = CanId> {
        prop_oneof![(0u16..=0x7FF).prop_map(CanId::Standard), (0u32..=0x1FFF_FFFF).prop_map(CanId::Extended)]
    }

    fn filter() -> impl Strategy<Value = CanFilter> {
        prop_oneof![
            can_id().prop_map(CanFilter::exactly),
            (can_id(), any::<u32>()).prop_map(|(id, mask)| CanFilter { id, mask }),
        ]
    }

    #[test]
    fn a_list_that_fits_stays_and_one_that_says_a_thing_twice_shrinks() {
        let exact = |id| CanFilter::exactly(CanId::Standard(id));
        assert_eq!(fit(&[], 32), []);
        assert_eq!(fit(&[exact(2), exact(1), exact(2)], 32), [exact(1), exact(2)]);
        let answers = CanFilter { id: CanId::Standard(0x7E8), mask: 0x7F8 };
        assert_eq!(fit(&[exact(0x7E9), answers, exact(0x7EF)], 32), [answers]);
        assert_eq!(fit(&[CanFilter::ALL[1], CanFilter::ALL[0]], 1), CanFilter::ALL, "two formats need two");
    }

    #[test]
    fn what_lies_near_is_joined_first() {
        let exact = |id| CanFilter::exactly(CanId::Standard(id));
        let fitted = fit(&[exact(0x100), exact(0x101), exact(0x7E8), exact(0x7E9)], 2);
        let pair = |id| CanFilter { id: CanId::Standard(id), mask: 0x7FE };
        assert_eq!(fitted, [pair(0x100), pair(0x7E8)]);
    }

    proptest! {
        // Choosing pairs out of hundreds takes a while without optimisation.
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn everything_that_passed_still_passes(
            filters in prop::collection::vec(filter(), 0..400),
            most in 2usize..40,
            ids in prop::collection::vec(can_id(), 0..50),
        ) {
            let fitted = fit(&filters, most);
            prop_assert!(fitted.len() <= most);
            prop_assert_eq!(fitted.is_empty(), filters.is_empty());
            for filter in &filters {
                prop_assert!(any_pass(&fitted, cleaned(*filter).id), "{filter:?} in {fitted:?}");
                prop_assert!(fitted.iter().any(|wide| covers(*wide, cleaned(*filter))));
            }
            for id in ids {
                prop_assert!(!any_pass(&filters, id) || any_pass(&fitted, id));
            }
        }

        #[test]
        fn a_list_with_room_passes_nothing_more(
            filters in prop::collection::vec(filter(), 0..32),
            ids in prop::collection::vec(can_id(), 0..50),
        ) {
            let fitted = fit(&filters, 32);
            let near = filters.iter().flat_map(|filter| (0..11).filter_map(|bit| match filter.id {
                CanId::Standard(id) => CanId::standard(id ^ (1 << bit)),
                CanId::Extended(id) => CanId::extended(id ^ (1 << bit)),
            }));
            for id in near.chain(ids) {
                prop_assert_eq!(any_pass(&filters, id), any_pass(&fitted, id));
            }
        }
    }
}
