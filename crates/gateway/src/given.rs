//! What a gateway needs of the files that its configuration names: read and opened before anything runs.

use crate::{Config, enrol, rules, running::StartError, secrets::Secrets};
use std::sync::Arc;
use vernport_policy::Rules;
use vernport_spool::{Config as SpoolConfig, Spool};
use vernport_types::Catalogue;
use vernport_uplink::{Config as UplinkConfig, Held, TlsFiles, Uplink};

/// What the files hold that a configuration names, read and opened.
pub struct Given {
    /// The signals.
    pub catalogue: Arc<Catalogue>,
    /// The rules, compiled against them.
    pub rules: Arc<Rules>,
    /// The box's own secrets.
    pub secrets: Secrets,
    /// The way to central.
    pub uplink: Uplink,
    /// The files of the certificate that it shows, and what is held of them: renewed while the gateway runs.
    /// None where the way needs none.
    pub certificate: Option<(TlsFiles, Held)>,
    /// The queue.
    pub spool: Spool,
}

impl Given {
    /// Reads and opens all of it.
    ///
    /// # Errors
    /// [`StartError`], with what to mend.
    pub async fn load(config: &Config) -> Result<Self, StartError> {
        let catalogue = Arc::new(rules::load_catalogue(&config.rules.signals)?);
        let rules = Arc::new(rules::load(&config.rules, &config.gateway.controller, &catalogue)?);
        // Before any key is read: an enrolment that was interrupted may have changed them.
        enrol::finish(config)?;
        let secrets = Secrets::load(&config.keys)?;
        let tls = TlsFiles {
            ca: config.central.ca.clone(),
            certificate: config.central.certificate.clone(),
            key: config.central.key.clone(),
        };
        let held = Held::of(&tls)?;
        let (of_central, name) = (UplinkConfig::new(&config.central.url), config.gateway.name.clone());
        let uplink = Uplink::new(&of_central, name, tls.client_with(&held)?)?;
        let path = &config.gateway.data_dir;
        std::fs::create_dir_all(path).map_err(|source| StartError::Folder { path: path.clone(), source })?;
        let spool = Spool::open(config.spool()).await?;
        Ok(Self { catalogue, rules, secrets, uplink, certificate: Some((tls, held)), spool })
    }
}

impl Config {
    /// The spool that it asks for.
    pub fn spool(&self) -> SpoolConfig {
        SpoolConfig {
            max_age_seconds: self.spool.max_age_h * 3600,
            ..SpoolConfig::new(self.gateway.data_dir.join("spool.db"), self.spool.max_mib << 20)
        }
    }
}
