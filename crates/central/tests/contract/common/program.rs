//! A world as files, for the program itself.

use super::*;
use std::{fs, os::unix::fs::PermissionsExt as _};

impl World {
    /// Writes all that the program reads, in the folder of this world; gives the configuration file.
    pub(crate) fn configure(&self) -> PathBuf {
        let folder = self.folder.path();
        let write = |name: &str, text: &str| {
            let file = folder.join(name);
            fs::create_dir_all(file.parent().expect("it is in the folder")).expect("writable");
            fs::write(&file, text).expect("writable");
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("our own file");
        };
        let (server, bundle_key) = (self.ca.server(), SigningKey::from_seed([1; 32]));
        let bundle = include_str!("../bundle.toml");
        write("signals/signals.toml", include_str!("../signals.toml"));
        write("bundle/bundle.toml", bundle);
        write("bundle/bundle.sig", &vernport_policy::sign_bundle(&bundle_key, bundle).to_string());
        write("central.pem", server.certificate_pem());
        write("central.key", server.key_pem());
        write("ca.pem", &self.ca.certificate_pem());
        write("head.key", &hex::encode(self.head_seed));
        write("master.key", &hex::encode(self.master));
        write("identity.key", &hex::encode(self.identity));
        let Databases { main, erasure } = &self.databases;
        let (bundle_key, recovery_key) = (bundle_key.verifying_key(), self.recovery.wrapping_key());
        let recovery_key = serde_json::to_value(recovery_key).expect("plain data");
        write(
            "central.toml",
            &format!(
                r#"
format = 1
signals = "signals"
region = "NO"
listen = {{ address = "127.0.0.1:0" }}
tls = {{ certificate = "central.pem", key = "central.key", client_authority = "ca.pem" }}
store = {{ main = "{main}", erasure = "{erasure}" }}
keys = {{ head = "head.key", master = "master.key" }}
[[controller]]
id = "{CONTROLLER}"
bundle = "bundle"
bundle_key = "{bundle_key}"
identity_key = "identity.key"
recovery_key = {recovery_key}
"#
            ),
        );
        folder.join("central.toml")
    }
}
