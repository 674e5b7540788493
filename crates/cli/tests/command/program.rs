//! Typing the command, and reading what it says.

use std::{
    process::{Command, Output},
    sync::Arc,
};
use vernport::stage::{Setting, Stage};
use vernport_gateway::SystemClock;

/// A bundle with everything that an explanation can show, and a world for it.
pub(crate) const BUNDLE: &str = include_str!("../../../review/tests/common/bundle.toml");
pub(crate) const WORLD: &str = include_str!("../../../review/tests/common/world.toml");

/// One truck that can be named by its plate, at a firm whose notice was served.
const TRUCK: &str = r#"
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

/// The program, without what the caller's own surroundings would tell it.
pub(crate) fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_vernport"));
    program.env_remove("VERNPORT_LOG").env_remove("VERNPORT_DEV");
    program
}

pub(crate) fn vernport(args: &[&str]) -> Output {
    program().args(args).output().expect("the program starts")
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What it says when it did what was asked.
pub(crate) fn done(output: &Output) -> String {
    assert!(output.status.success(), "{}", stderr(output));
    stdout(output)
}

/// What it complains of when it did not.
pub(crate) fn refused(output: &Output) -> String {
    assert!(!output.status.success(), "{}", stdout(output));
    stderr(output)
}

/// The shipped bundles on buses that nobody is on, by the clock of this machine.
pub(crate) fn shipped() -> Setting {
    Setting {
        bundles: vernport::shipped::bundles(None).expect("shipped"),
        bus: "virtual:{name}".into(),
        file_time: false,
        clock: Arc::new(SystemClock),
        brokers: false,
    }
}

/// Types at the counter of Westrum while central serves, the truck already in
/// its ledger, and hands out what `typing` kept. The first list of words stands
/// before the firm's name, the second behind it.
pub(crate) async fn at_westrum<T: Send + 'static>(
    typing: impl FnOnce(&dyn Fn(&[&str], &[&str]) -> Output) -> T + Send + 'static,
) -> T {
    let folder = tempfile::tempdir().expect("a folder");
    let dev = folder.path().join("dev");
    let stage = Stage::set_up(&dev, shipped()).await.expect("central serves");
    let world = folder.path().join("world.toml");
    std::fs::write(&world, TRUCK).expect("a file");
    let kept = tokio::task::spawn_blocking(move || {
        let at = ["--dev", dev.to_str().expect("UTF-8"), "--controller", "westrum"];
        let typed = |words: &[&str], rest: &[&str]| vernport(&[words, &at, rest].concat());
        let world = ["--world", world.to_str().expect("UTF-8")];
        let recorded = done(&typed(&["ledger", "record"], &world));
        assert!(recorded.contains("2 entries recorded for westrum"), "{recorded}");
        typing(&typed)
    });
    let kept = kept.await.expect("typed");
    stage.stop().await;
    kept
}
