//! A developer's set with a running central: ledger, orders, as typed.

use crate::program::{at_westrum, done, refused};

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_is_filled_an_order_opened_by_plate_and_closed_again() {
    let told = at_westrum(|typed| {
        let plate = ["--plate", "no", "ab 123-45", "--station", "bay-1", "--reference", "1017"];
        let opened = done(&typed(&["order", "open"], &plate));
        let order = opened.split(' ').nth(1).expect("names the order").to_owned();
        let closed = done(&typed(&["order", "close"], &[&order]));
        (opened, closed, refused(&typed(&["order", "open"], &plate)))
    });
    let (opened, closed, again) = told.await;
    assert!(opened.contains("is open for 72 h; 4 flows opened"), "{opened}");
    assert!(closed.contains("is closed; 4 flows ended with it"), "{closed}");
    assert!(again.contains("external-ref-reused"), "{again}");
}
