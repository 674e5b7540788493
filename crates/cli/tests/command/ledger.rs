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

/// Westrum's bundle says for how long a dispute holds; it knows no hold after an incident.
#[tokio::test(flavor = "multi_thread")]
async fn a_hold_beyond_what_the_bundle_allows_is_not_recorded_and_says_why() {
    let said = at_westrum(|typed| {
        let folder = tempfile::tempdir().expect("a folder");
        let world = folder.path().join("hold.toml");
        // The counter's references go by place in the file, and the first two are taken.
        let other = "[[event]]\ncontroller = \"DK-10628334\"\ntime = \"-1d\"\nkind = \"order-closed\"\norder = \"1\"\n";
        let hold = "[[event]]\ntime = \"-1d\"\nkind = \"hold-set\"\nground = \"incident\"\n\
                    citation = \"case 7\"\nuntil = \"+30d\"\nscope = { flows = { flows = [\"workshop\"] } }\n";
        let hold = format!("format = 1\n{other}{other}{hold}");
        std::fs::write(&world, hold).expect("a file");
        refused(&typed(&["ledger", "record"], &["--world", world.to_str().expect("UTF-8")]))
    });
    let what = "the bundle allows no hold on the ground incident; name one of its [[hold]] tables";
    let said = said.await;
    assert!(said.contains(what), "{said}");
}
