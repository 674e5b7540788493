//! Notices to fleet operators: one for each grant, told again until confirmed by who was told.

use crate::bed::{Bed, NOW, batch, commit, controller, on_all, read, slug};
use std::collections::BTreeSet;
use vernport_store::{Fence, NoticeRow, Store};
use vernport_types::{EntryHash, GrantId, MessageId, UtcMicros, VehicleAlias};

const ORDER: EntryHash = EntryHash::from_bytes([0xE0; 32]);

on_all! {
    a_grant_has_one_notice_and_it_is_told_again_until_it_is_confirmed,
    only_who_was_told_can_confirm_and_only_about_that_vehicle_and_purpose,
    who_is_late_is_named_once_whether_it_was_ordered_or_told,
}

fn notice(n: u8) -> NoticeRow {
    NoticeRow {
        id: MessageId::from_bytes([n; 16]),
        grant: GrantId::from_bytes([n; 16]),
        operator: slug("fjord"),
        purpose: slug("service"),
        vehicle: VehicleAlias::from_bytes([n; 16]),
        flow: slug("odometer"),
        from: NOW.plus_seconds(-100),
        until: NOW,
        entry: ORDER,
        ordered_at: NOW.plus_seconds(-i64::from(n)),
        confirm_by: NOW.plus_seconds(i64::from(n)),
        told_at: None,
        confirmed_at: None,
    }
}

async fn opened(bed: &Bed) -> Store {
    let store = bed.open().await;
    store.add_controller(&controller()).await.expect("added");
    store
}

async fn to_tell(store: &Store, before: UtcMicros, limit: u16) -> Vec<MessageId> {
    let rows = store.notices_to_tell(&controller(), before, limit).await.expect("read");
    rows.into_iter().map(|row| row.id).collect()
}

async fn a_grant_has_one_notice_and_it_is_told_again_until_it_is_confirmed(bed: Bed) {
    let store = opened(&bed).await;
    let (first, second) = (notice(1), notice(2));
    let again = NoticeRow { id: MessageId::from_bytes([9; 16]), ..notice(1) };
    store.order_notices(&controller(), &[first.clone(), second.clone()]).await.expect("kept");
    store.order_notices(&controller(), &[again, first.clone()]).await.expect("nothing to do");
    let rows = store.notices_of(&controller(), &ORDER).await.expect("read");
    assert!(rows == [second.clone(), first.clone()], "the older one first, each as it was ordered: {rows:?}");
    assert_eq!(to_tell(&store, NOW, 8).await, [second.id, first.id]);
    assert_eq!(to_tell(&store, NOW, 1).await, [second.id]);
    store.note_told(&controller(), second.id, NOW).await.expect("noted");
    assert_eq!(to_tell(&store, NOW, 8).await, [first.id]);
    assert_eq!(to_tell(&store, NOW.plus_seconds(1), 8).await, [second.id, first.id]);
    let of = (&second.operator, &second.purpose, second.vehicle);
    for at in [NOW, NOW.plus_seconds(5)] {
        assert!(store.confirm_notice(&controller(), of, second.id, at).await.expect("noted"));
    }
    assert_eq!(to_tell(&store, NOW.plus_seconds(1), 8).await, [first.id]);
    let rows = store.notices_of(&controller(), &ORDER).await.expect("read");
    assert_eq!(
        (rows[0].told_at, rows[0].confirmed_at),
        (Some(NOW), Some(NOW)),
        "the first confirmation stands"
    );
}

async fn only_who_was_told_can_confirm_and_only_about_that_vehicle_and_purpose(bed: Bed) {
    let store = opened(&bed).await;
    let row = notice(1);
    store.order_notices(&controller(), std::slice::from_ref(&row)).await.expect("kept");
    let (other, elsewhere) = (slug("other"), VehicleAlias::from_bytes([7; 16]));
    let strange = [
        ((&other, &row.purpose, row.vehicle), row.id),
        ((&row.operator, &other, row.vehicle), row.id),
        ((&row.operator, &row.purpose, elsewhere), row.id),
        ((&row.operator, &row.purpose, row.vehicle), MessageId::from_bytes([7; 16])),
    ];
    for (of, id) in strange {
        assert!(!store.confirm_notice(&controller(), of, id, NOW).await.expect("asked"));
    }
    assert_eq!(to_tell(&store, NOW, 8).await, [row.id]);
}

async fn who_is_late_is_named_once_whether_it_was_ordered_or_told(bed: Bed) {
    let (store, grant) = bed.with_grant().await;
    let item = batch(grant);
    commit(&store, std::slice::from_ref(&item)).await.expect("no failure");
    read(&store).await.expect("read").expect("active");
    let fence = Fence { epoch: item.epoch, recipient: slug("workshop"), purpose: slug("service") };
    store.fence(&controller(), &ORDER, &[fence], NOW.plus_seconds(2), NOW).await.expect("fenced");
    store.order_notices(&controller(), &[notice(1), notice(2), notice(3)]).await.expect("kept");
    let late =
        async |at: i64| store.late_with_deletion(&controller(), NOW.plus_seconds(at)).await.expect("asked");
    let open = async |at: i64| {
        let work = store.open_work(&controller(), NOW, NOW.plus_seconds(at)).await.expect("counted");
        (work.deletions, work.deletions_overdue)
    };
    let pair = |who: &str| (slug(who), slug("service"));
    assert_eq!((late(0).await, open(0).await), (BTreeSet::new(), (4, 0)));
    assert_eq!((late(1).await, open(1).await), (BTreeSet::from([pair("fjord")]), (4, 1)));
    let both = BTreeSet::from([pair("fjord"), pair("workshop")]);
    assert_eq!((late(2).await, open(2).await), (both, (4, 3)));
    for n in 1..=3 {
        let row = notice(n);
        let of = (&row.operator, &row.purpose, row.vehicle);
        assert!(store.confirm_notice(&controller(), of, row.id, NOW).await.expect("noted"));
    }
    assert_eq!((late(9).await, open(9).await), (BTreeSet::from([pair("workshop")]), (1, 1)));
}
