//! What fleet operators call vehicles: told under each alias, told again when it changes or a day is over, and
//! kept no longer than an alias is there that it explains.

use crate::bed::{Bed, NOW, controller, on_all, record, slug};
use vernport_store::{AliasRow, Change, FleetNumberRow, ListedRow, Store};
use vernport_types::{AssetId, KeyId, UtcMicros, VehicleAlias};

const DAY_SECONDS: i64 = 86_400;
const TRUCK: AssetId = AssetId::from_bytes([1; 16]);
const VAN: AssetId = AssetId::from_bytes([2; 16]);

on_all! {
    each_alias_is_listed_with_its_number_until_told_and_again_after_a_day,
    what_changed_while_it_was_told_is_told_again_and_what_was_taken_away_is_not,
    a_number_is_kept_as_long_as_an_alias_that_it_explains,
}

fn alias(asset: AssetId, operator: &str, year: i16, n: u8) -> AliasRow {
    let (recipient, purpose) = (slug(operator), slug("service"));
    AliasRow { asset, recipient, purpose, year, alias: VehicleAlias::from_bytes([n; 16]) }
}

fn number(n: u8) -> FleetNumberRow {
    FleetNumberRow { purpose: slug("service"), key: KeyId::from_bytes([0x4B; 16]), sealed: vec![n; 137] }
}

/// A store where three vehicles have aliases towards two operators.
async fn with_aliases(bed: &Bed) -> Store {
    let (store, _) = bed.with_grant().await;
    let aliases = vec![
        alias(TRUCK, "fjord", 2025, 15),
        alias(TRUCK, "fjord", 2026, 16),
        alias(VAN, "fjord", 2026, 26),
        alias(TRUCK, "sund", 2026, 6),
    ];
    record(&store, &Change { aliases, ..Change::default() }).await.expect("recorded");
    store
}

async fn call(store: &Store, asset: AssetId, operator: &str, rows: &[FleetNumberRow]) {
    store.call_asset(&controller(), asset, &slug(operator), rows, NOW).await.expect("kept");
}

async fn rows(store: &Store, from_year: i16, before: UtcMicros) -> Vec<ListedRow> {
    let mut rows = Vec::new();
    for operator in ["fjord", "sund"] {
        let listed = store.aliases_to_list(&controller(), &slug(operator), from_year, before, 8).await;
        rows.extend(listed.expect("read"));
    }
    rows
}

/// Alias and number of what is to be told, by their first bytes.
async fn to_list(store: &Store, from_year: i16, before: UtcMicros) -> Vec<(u8, u8)> {
    let rows = rows(store, from_year, before).await;
    rows.iter().map(|row| (row.vehicle.as_bytes()[0], row.sealed[0])).collect()
}

async fn each_alias_is_listed_with_its_number_until_told_and_again_after_a_day(bed: Bed) {
    let store = with_aliases(&bed).await;
    assert_eq!(to_list(&store, 0, NOW).await, []);
    call(&store, TRUCK, "fjord", &[number(1)]).await;
    call(&store, TRUCK, "sund", &[number(3)]).await;
    call(&store, VAN, "sund", &[number(4)]).await;
    assert_eq!(to_list(&store, 2025, NOW).await, [(15, 1), (16, 1), (6, 3)], "by operator");
    assert_eq!(to_list(&store, 2026, NOW).await, [(16, 1), (6, 3)]);
    let first = store.aliases_to_list(&controller(), &slug("fjord"), 2025, NOW, 1).await.expect("read");
    assert_eq!((first.len(), first[0].key), (1, number(1).key));

    store.note_listed(&controller(), &first, NOW).await.expect("noted");
    assert_eq!(to_list(&store, 2025, NOW).await, [(16, 1), (6, 3)]);
    assert_eq!(to_list(&store, 2025, NOW.plus_seconds(1)).await, [(15, 1), (16, 1), (6, 3)]);
    // An alias that is drawn later is told with the number that is there.
    let drawn = Change { aliases: vec![alias(TRUCK, "fjord", 2027, 17)], ..Change::default() };
    record(&store, &drawn).await.expect("recorded");
    assert_eq!(to_list(&store, 2026, NOW).await, [(16, 1), (17, 1), (6, 3)]);
}

async fn what_changed_while_it_was_told_is_told_again_and_what_was_taken_away_is_not(bed: Bed) {
    let store = with_aliases(&bed).await;
    call(&store, TRUCK, "fjord", &[number(1)]).await;
    let told = rows(&store, 2025, NOW).await;
    call(&store, TRUCK, "fjord", &[number(2)]).await;
    store.note_listed(&controller(), &told, NOW).await.expect("noted");
    assert_eq!(to_list(&store, 2025, NOW).await, [(15, 2), (16, 2)], "the new one nobody has");
    store.note_listed(&controller(), &rows(&store, 2025, NOW).await, NOW).await.expect("noted");
    assert_eq!(to_list(&store, 2025, NOW).await, []);
    call(&store, TRUCK, "fjord", &[number(2)]).await;
    assert_eq!(to_list(&store, 2025, NOW).await.len(), 2, "said again, told again");
    call(&store, TRUCK, "fjord", &[]).await;
    assert_eq!(to_list(&store, 2025, NOW.plus_seconds(DAY_SECONDS)).await, []);
}

async fn a_number_is_kept_as_long_as_an_alias_that_it_explains(bed: Bed) {
    let store = with_aliases(&bed).await;
    call(&store, TRUCK, "fjord", &[number(1)]).await;
    // Nothing was opened for it yet.
    call(&store, VAN, "sund", &[number(2)]).await;
    let forget = async |year: i16, before: UtcMicros| {
        store.forget_numbers(&controller(), year, before).await.expect("asked")
    };
    assert_eq!(forget(2027, NOW).await, 0, "entered at that time, not before");
    assert_eq!(forget(2026, NOW.plus_seconds(1)).await, 1, "the van's");
    assert_eq!(to_list(&store, 2026, NOW).await, [(16, 1)]);
    assert_eq!(forget(2027, NOW.plus_seconds(1)).await, 1);
    assert_eq!(to_list(&store, 2025, NOW).await, []);
}
