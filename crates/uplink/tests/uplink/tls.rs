//! TLS from files: what is wrong with which.

use crate::double::*;
use std::path::PathBuf;
use tempfile::TempDir;
use vernport_testkit::pki::{DevCa, Role};
use vernport_uplink::{Client, TlsError, TlsFiles};

struct Files {
    folder: TempDir,
    files: TlsFiles,
}

impl Files {
    fn new(ca: &DevCa) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let identity = ca.client(&gateway(), Role::Gateway, &"NO-999999999".parse().expect("a controller"));
        let put = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("writes");
            path
        };
        let files = TlsFiles {
            ca: put("ca.pem", &ca.certificate_pem()),
            certificate: put("gateway.pem", identity.certificate_pem()),
            key: put("gateway.key", identity.key_pem()),
        };
        Self { folder, files }
    }

    fn file(&self, text: &str) -> PathBuf {
        let path = self.folder.path().join("other");
        std::fs::write(&path, text).expect("writes");
        path
    }
}

#[tokio::test]
async fn the_files_make_a_client_that_central_serves() {
    let double = Double::saying(|| json(r#"{"api":1,"software":"0.1.0","batches":7}"#)).await;
    let files = Files::new(&double.ca);
    let tls = files.files.client().expect("in order");
    let status = Client::new(&double.config(), tls).expect("in order").status().await.expect("is answered");
    assert_eq!(status.batches, 7);
}

#[test]
fn each_file_is_named_with_what_is_wrong() {
    let (ca, other) = (DevCa::new(), DevCa::new());
    let good = Files::new(&ca);
    let refused = |files: TlsFiles| {
        let error = files.client().expect_err("is not in order");
        let text = error.to_string();
        assert!(text.contains("other") || text.contains("missing") || text.contains("gateway.key"), "{text}");
        assert!(!format!("{error:?}").contains("PRIVATE"), "no part of a key");
        error
    };
    let missing = good.folder.path().join("missing");
    let of = |path: &PathBuf| {
        [
            TlsFiles { ca: path.clone(), ..good.files.clone() },
            TlsFiles { certificate: path.clone(), ..good.files.clone() },
            TlsFiles { key: path.clone(), ..good.files.clone() },
        ]
    };
    for files in of(&missing) {
        assert!(matches!(refused(files), TlsError::Read { path, .. } if path == missing));
    }
    let [a, b, c] = of(&good.file("no pem at all"));
    assert!(matches!(refused(a), TlsError::NoCertificate { .. }));
    assert!(matches!(refused(b), TlsError::NoCertificate { .. }));
    assert!(matches!(refused(c), TlsError::NoKey { .. }));
    let torn = "-----BEGIN CERTIFICATE-----\nAAAA";
    let [a, b, _] = of(&good.file(torn));
    assert!(matches!(refused(a), TlsError::Pem { .. }));
    assert!(matches!(refused(b), TlsError::Pem { .. }));
    // A certificate that is none inside.
    let [a, b, _] = of(&good.file("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"));
    assert!(matches!(refused(a), TlsError::Authority { .. }));
    assert!(matches!(refused(b), TlsError::Pair { .. }));
    // The key of somebody else.
    let identity = other.client(&gateway(), Role::Gateway, &"NO-999999999".parse().expect("a controller"));
    let [_, _, c] = of(&good.file(identity.key_pem()));
    assert!(matches!(refused(c), TlsError::Pair { .. }));
}
