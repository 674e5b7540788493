//! Broken input: a torn log, a broken bundle. A clear message, and nothing else is lost.

use crate::{stand::Stand, truck::Log};
use anyhow::Result;
use std::fs;
use vernport::{dev, shipped};
use vernport_crypto::SigningKey;
use vernport_gateway::{SystemClock, secrets};
use vernport_testkit::logs::Logs;
use vernport_types::{CanId, Clock as _};

/// Vehicle distance of the engine: one reading in one frame.
const DISTANCE: CanId = CanId::Extended(0x18FE_E000);

#[tokio::test]
async fn a_torn_line_is_told_and_skipped_and_everything_around_it_arrives() -> Result<()> {
    let mut log = Log::of_one_visit(SystemClock.now().wall.plus_seconds(-60), 20)?;
    let mut lines: Vec<Vec<u8>> = log.lines().into_iter().map(String::into_bytes).collect();
    let torn =
        log.frames.iter().skip(200).position(|(_, frame)| frame.id() == DISTANCE).expect("ten a second")
            + 200;
    lines[torn].truncate(30);
    lines[torn].push(b'\n');
    lines.insert(250, b"\xFF\xFE not text\n".to_vec());
    lines.insert(300, [&b"9".repeat(5000)[..], b"\n"].concat());
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("torn.log");
    fs::write(&path, lines.concat())?;
    log.frames.remove(torn);

    let (logs, _guard) = Logs::of_this_thread();
    let mut stand = Stand::on_log(&path).await?;
    stand.start().await?;
    let status = stand.until_log_is_delivered().await?;
    assert_eq!(status.tally.frames, u64::try_from(log.frames.len())?);
    stand.opened().await?.of("westrum-workshop", "service-delivery").assert_same(&log.workshop()?);
    let told = logs.text();
    let told: Vec<&str> = told.lines().filter(|line| line.contains("skipped a line of the log")).collect();
    assert_eq!(told.len(), 3, "{told:#?}");
    for (line, number) in told.iter().zip([torn + 1, 251, 301]) {
        assert!(line.contains(&format!("line={number} ")) && line.contains("torn.log"), "{line}");
    }
    stand.stage.stop().await;
    Ok(())
}

#[tokio::test]
async fn an_unknown_signal_in_a_bundle_is_refused_with_file_line_and_remedy() -> Result<()> {
    let text = shipped::bundle_text("westrum")?.1;
    let broken = text.replacen("\"Vehicle.Diagnostics.DTCList\"", "\"Vehicle.Diagnostics.DTCLists\"", 1);
    let line = 1 + broken[..broken.find("DTCLists").expect("replaced")].matches('\n').count();
    let place = format!("westrum/bundle.toml:{line}:");
    let is_clear = |error: &anyhow::Error| {
        let said = format!("{error:#}");
        assert!(said.contains(&place), "{said}");
        assert!(said.contains("Vehicle.Diagnostics.DTCLists"), "{said}");
        assert!(said.contains("; "), "what, then how to mend it: {said}");
    };

    // The set is not made.
    let folder = tempfile::tempdir()?;
    let options = dev::Options {
        central_port: 0,
        bundles: vec![("westrum".into(), broken.clone())],
        bus: "virtual:westrum".into(),
        file_time: false,
        gateway_extra: std::collections::BTreeMap::new(),
    };
    is_clear(&dev::make(folder.path(), &options).expect_err("the bundle is broken"));

    // A gateway does not start with it, although the controller signed it.
    let mut stand = Stand::on_virtual_bus().await?;
    let key = SigningKey::from_seed(*secrets::read_key(&stand.file("keys/bundle.key"))?);
    let file = stand.file("bundle/bundle.toml");
    let place = format!("{}:{line}:", file.display());
    fs::write(&file, &broken)?;
    fs::write(stand.file("bundle/bundle.sig"), vernport_policy::sign_bundle(&key, &broken).to_string())?;
    let said = format!("{:#}", stand.start().await.expect_err("the bundle is broken"));
    assert!(said.contains(&place) && said.contains("; "), "{said}");

    // Changed and not signed again, it is not even read.
    fs::write(&file, text + "\n")?;
    let said = format!("{:#}", stand.start().await.expect_err("the bundle was changed"));
    assert!(said.contains("not signed by the controller's bundle key"), "{said}");
    stand.stage.stop().await;
    Ok(())
}
