//! `vernport spool refused` as whoever runs a box types it, over a spool and over the configuration of its gateway.

use crate::program::{done, refused, stderr, vernport};
use serde_json::Value as Json;
use std::{
    fs,
    path::{Path, PathBuf},
};
use vernport_crypto::IdentityKey;
use vernport_gateway::{Config as GatewayConfig, refused_digest, secrets::read_key};
use vernport_spool::{Config, RefusedToolMessage, Spool, Unit};
use vernport_types::UtcMicros;

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// The spool of a gateway that was never started, with these messages in it.
async fn spool(of: &Path, refused: Vec<RefusedToolMessage>) -> PathBuf {
    let dir = GatewayConfig::load(of).expect("a configuration").gateway.data_dir;
    fs::create_dir_all(&dir).expect("a folder");
    let file = dir.join("spool.db");
    let spool = Spool::open(Config::new(&file, 64 << 20)).await.expect("opens");
    spool.queue(Unit { refused, ..Unit::new(UtcMicros(1_800_000_000_000_000)) }).await.expect("room");
    spool.close().await;
    file
}

#[tokio::test]
async fn what_was_refused_is_listed_by_hash_and_code_and_one_that_is_brought_is_known_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("dev");
    done(&vernport(&["init", "--dev", text(&dir)]));
    let config = dir.join("westrum/gateway.toml");
    let identity = read_key(&dir.join("westrum/keys/identity.key")).expect("a key");
    let identity = IdentityKey::from_bytes(*identity);
    let at = UtcMicros(1_700_000_000_000_000);
    let message = |tool: &str, payload: &str, count| RefusedToolMessage {
        tool: tool.parse().expect("a slug"),
        digest: refused_digest(&identity, payload.as_bytes()),
        code: "value".into(),
        count,
        first_at: at,
        last_at: at.plus_seconds(60),
    };
    let all = vec![message("scanner", "planted-1", 3), message("reader", "planted-2", 1)];
    let digest = hex::encode(all[0].digest);
    let file = spool(&config, all).await;

    let table = done(&vernport(&["spool", "refused", text(&file)]));
    assert!(table.contains(&digest) && table.contains("scanner") && table.contains("reader"), "{table}");
    let json = |words: &[&str]| -> Json {
        let typed = vernport(&[&["spool", "refused", "--json"], words].concat());
        serde_json::from_str(&done(&typed)).expect("JSON alone")
    };
    let gateway = ["--gateway", text(&config)];
    let told = json(&[&gateway[..], &["--tool", "scanner"]].concat());
    let messages = told["messages"].as_array().expect("a list");
    assert_eq!(messages.len(), 1);
    let one = &messages[0];
    assert_eq!(
        (&one["message"], &one["code"], &one["count"]),
        (&digest.as_str().into(), &"value".into(), &3.into())
    );
    assert_eq!(
        (&one["first_at_micros"], &one["last_at_micros"]),
        (&at.0.into(), &(at.0 + 60_000_000).into())
    );

    let brought = folder.path().join("brought");
    for (payload, found) in [("planted-1", 1), ("planted-2", 1), ("planted-3", 0)] {
        fs::write(&brought, payload).expect("written");
        let told = json(&[&gateway[..], &["--message", text(&brought)]].concat());
        assert_eq!(told["messages"].as_array().map(Vec::len), Some(found), "{payload}");
        assert!(!told.to_string().contains("planted"), "{told}");
    }
    let none = vernport(&["spool", "refused", text(&folder.path().join("none.db"))]);
    assert_eq!(none.status.code(), Some(2), "{}", stderr(&none));
    let nowhere = vernport(&[&["spool", "refused"], &gateway[..], &["--message", "no-such"]].concat());
    assert!(refused(&nowhere).contains("no-such: cannot be read"), "{}", stderr(&nowhere));
}
