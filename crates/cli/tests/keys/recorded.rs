//! New keys that central takes part in.

use crate::{assert_shows_none, key, ok, said, text, vernport};
use std::sync::Arc;
use tempfile::TempDir;
use vernport::{
    dev::{Dev, DevController},
    shipped,
    stage::{Setting, Stage},
};
use vernport_crypto::OpeningKey;
use vernport_gateway::SystemClock;
use vernport_registry::{AssetIdentified, Event};
use vernport_types::Identifier;

/// A stage of one controller with central running.
async fn stage() -> (TempDir, Stage, DevController) {
    let folder = tempfile::tempdir().expect("a folder");
    let setting = Setting {
        bundles: vec![("westrum".to_owned(), shipped::bundle_text("westrum").expect("shipped").1)],
        bus: "virtual:{name}".into(),
        file_time: false,
        clock: Arc::new(SystemClock),
        brokers: false,
    };
    let stage = Stage::set_up(&folder.path().join("set"), setting).await.expect("a stage");
    let controller = stage.dev.controller[0].clone();
    (folder, stage, controller)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_recipient_key_is_recorded_at_central_and_the_old_one_stays_beside_it() {
    let (_folder, stage, controller) = stage().await;
    stage
        .registrar(&controller)
        .expect("a registrar")
        .activate_keys(&stage.dev, &controller)
        .await
        .expect("recorded");
    let of = controller.recipient[0].clone();
    let path = stage.dev.recipient_key(&controller, &of);
    let before = key(&path);
    let args: Vec<String> = [
        "keys",
        "rotate",
        "recipient",
        "--key",
        text(&path),
        "--recipient",
        of.recipient.as_str(),
        "--purpose",
        of.purpose.as_str(),
        "--revoke",
        "--dev",
        text(&stage.dev.dir),
        "--controller",
        controller.name.as_str(),
    ]
    .map(str::to_owned)
    .into();
    let told = tokio::task::spawn_blocking(move || ok(&args.iter().map(String::as_str).collect::<Vec<_>>()))
        .await
        .expect("runs");
    let (old, new) =
        (OpeningKey::from_bytes(before).wrapping_key(), OpeningKey::from_bytes(key(&path)).wrapping_key());
    assert_ne!(old, new);
    assert!(told.contains("recorded: ") && told.contains(&new.to_string()), "{told}");
    let kept = path.with_file_name(format!("{}.{}.{}.key", of.recipient, of.purpose, old.key_id()));
    assert_eq!(key(&kept), before);
    let dev = Dev::load(&stage.dev.dir).expect("a set");
    let known = dev.controller[0]
        .recipient
        .iter()
        .find(|one| one.purpose == of.purpose && one.recipient == of.recipient);
    assert_eq!(known.map(|one| one.key_id), Some(new.key_id()));
    assert_shows_none(&told, &stage.dev.dir);
    // Central knows it by what it refuses: a key that was revoked never comes back.
    let again =
        vernport_registry::RecipientKeyActivated { recipient: of.recipient, purpose: of.purpose, key: old };
    let registrar = stage.registrar(&controller).expect("a registrar");
    assert!(registrar.say(Event::RecipientKeyActivated(again)).await.is_err());
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_a_new_master_key_central_knows_what_it_knew() {
    let (_folder, mut stage, controller) = stage().await;
    let vin = Identifier::Vin("YV2XZ93W7KJ604817".parse().expect("a VIN"));
    let registrar = stage.registrar(&controller).expect("a registrar");
    let asset = registrar.enter_asset(vin.clone()).await.expect("entered");
    let say = |stage: &Stage| {
        let registrar = stage.registrar(&controller).expect("a registrar");
        let (identifier_kind, index) = (vin.kind(), registrar.identity.index(&vin));
        let event = Event::AssetIdentified(AssetIdentified { asset, identifier_kind, index });
        async move { registrar.say_as(event, "said twice").await }
    };
    say(&stage).await.expect("recorded");
    let config = stage.dev.central_config();
    let master = stage.dev.dir.join("central/master.key");
    let before = key(&master);
    let arg = text(&config).to_owned();
    let rotate = move || vernport(&["keys", "rotate", "master", "--central", &arg]);
    let output = tokio::task::spawn_blocking(rotate.clone()).await.expect("runs");
    assert!(said(&output).contains("another process writes this journal"), "{}", said(&output));
    assert_eq!(key(&master), before);
    stage.stop_central().await;
    let output = tokio::task::spawn_blocking(rotate.clone()).await.expect("runs");
    assert!(
        output.status.success() && said(&output).contains("rows of the journal were sealed anew"),
        "{}",
        said(&output)
    );
    assert_shows_none(&said(&output), &stage.dev.dir);
    assert_ne!(key(&master), before);
    assert_eq!(key(&master.with_file_name("master.key.before")), before);
    stage.start_central().await.expect("starts under the new key");
    let registrar = stage.registrar(&controller).expect("a registrar");
    assert_eq!(registrar.find(vin.clone()).await.expect("asked"), Some(asset));
    let told = tokio::task::spawn_blocking(rotate).await.expect("runs");
    assert!(said(&told).contains("the key before is still here"), "{}", said(&told));
    stage.stop().await;
}
