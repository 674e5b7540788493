//! A developer's set with a running central: ledger, orders, as typed.

use std::{
    fs,
    process::{Command, Output},
    sync::Arc,
};
use vernport::stage::{Setting, Stage};
use vernport_gateway::SystemClock;

fn vernport(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vernport")).args(args).output().expect("the program starts")
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

const WORLD: &str = r#"
format = 1

[[asset]]
name = "truck"
since = "-30d"
plate = { country = "NO", number = "AB12345" }

[[event]]
time = "-10d"
kind = "notice-served"
notice = "westrum-1"
language = "nb"
"#;

/// Westrum's notice keeps nothing past its time.
const HOLD: &str = r#"
[[event]]
time = "-1d"
kind = "hold-set"
scope = { flows = { flows = ["workshop"] } }
ground = "dispute"
citation = "case 7"
until = "+30d"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_is_filled_an_order_opened_by_plate_and_closed_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let bundles = vernport::shipped::bundles(None).expect("shipped");
    let setting = Setting {
        bundles,
        bus: "virtual:{name}".into(),
        file_time: false,
        clock: Arc::new(SystemClock),
        brokers: false,
    };
    let stage = Stage::set_up(&folder.path().join("dev"), setting).await.expect("central serves");
    let (dev, world) = (folder.path().join("dev"), folder.path().join("world.toml"));
    fs::write(&world, WORLD).expect("a file");
    let beyond = folder.path().join("beyond.toml");
    fs::write(&beyond, format!("{WORLD}{HOLD}")).expect("a file");
    let beyond = beyond.to_str().expect("UTF-8").to_owned();
    let dev = dev.to_str().expect("UTF-8").to_owned();
    let world = world.to_str().expect("UTF-8").to_owned();

    let told = tokio::task::spawn_blocking(move || {
        let at = ["--dev", &dev, "--controller", "westrum"];
        let typed = |before: &[&str], after: &[&str]| vernport(&[before, &at[..], after].concat());
        let recorded = stdout(&typed(&["ledger", "record"], &["--world", &world]));
        let plate = ["--plate", "no", "ab 123-45", "--station", "bay-1", "--reference", "1017"];
        let opened = stdout(&typed(&["order", "open"], &plate));
        let order = opened.split(' ').nth(1).expect("names the order").to_owned();
        let closed = stdout(&typed(&["order", "close"], &[&order]));
        let again = typed(&["order", "open"], &plate);
        let refused = typed(&["ledger", "record"], &["--world", &beyond]);
        (recorded, opened, closed, again, refused)
    });
    let (recorded, opened, closed, again, refused) = told.await.expect("typed");
    assert!(recorded.contains("2 entries recorded for westrum"), "{recorded}");
    assert!(opened.contains("is open for 72 h; 4 flows opened"), "{opened}");
    assert!(closed.contains("is closed; 4 flows ended with it"), "{closed}");
    let said = String::from_utf8_lossy(&again.stderr);
    assert!(!again.status.success() && said.contains("external-ref-reused"), "{said}");
    let said = String::from_utf8_lossy(&refused.stderr);
    let what = "the bundle allows no hold on the ground dispute; name one of its [[hold]] tables";
    assert!(!refused.status.success() && said.contains(what), "{said}");
    stage.stop().await;
}
