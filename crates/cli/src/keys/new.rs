//! `vernport keys new`: makes what each side reads.

use super::{
    file::{self, Secret},
    kind::Kind,
};
use crate::args::{KeysNew, KeysOf};
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};
use vernport_central::authority::Authority;
use vernport_gateway::secrets::read_key;
use vernport_status::output;

/// An authority of clients: its certificate and its private key, both in PEM.
fn authority(into: &Path) -> Result<()> {
    let (certificate, key) = (into.join("ca.pem"), into.join("ca.key"));
    file::refuse_existing([&certificate, &key])?;
    file::folder(into)?;
    let drawn = Authority::of_clients()?;
    file::create_bytes(&key, drawn.key_pem().as_bytes())?;
    file::create_bytes(&certificate, drawn.certificate_pem().as_bytes())?;
    let (certificate, key) = (certificate.display(), key.display());
    output::tell(&format!("{key}: authority_key under [enrolment] at central; who has it lets anybody in"))?;
    output::tell(&format!(
        "{certificate}: authority_certificate under [enrolment], client_authority under [tls]"
    ))?;
    Ok(())
}

pub(super) fn run(args: &KeysNew) -> Result<()> {
    let mut keys: Vec<(PathBuf, Kind, Secret)> = Vec::new();
    let mut add = |kind: Kind, key: Secret| keys.push((args.into.join(kind.file()), kind, key));
    if args.identity.is_some() && args.of != KeysOf::Gateway {
        bail!("--identity: only a gateway gets a copy of the controller's identity key; leave it out");
    }
    match args.of {
        KeysOf::Gateway => {
            add(Kind::Device, file::draw());
            add(Kind::Storage, file::draw());
            if let Some(identity) = &args.identity {
                add(Kind::Identity, read_key(identity)?);
            }
        }
        KeysOf::Central => {
            add(Kind::Head, file::draw());
            add(Kind::Master, file::draw());
        }
        KeysOf::Controller => {
            add(Kind::Bundle, file::draw());
            add(Kind::Identity, file::draw());
            add(Kind::Recovery, file::draw());
        }
        KeysOf::Authority => return authority(&args.into),
        KeysOf::Recipient => {
            let (Some(recipient), Some(purpose)) = (&args.recipient, &args.purpose) else {
                bail!("--recipient and --purpose: say whose key it is, and for what");
            };
            let name = format!("{recipient}.{purpose}.key");
            keys.push((args.into.join(name), Kind::Recipient, file::draw()));
        }
    }
    file::refuse_existing(keys.iter().map(|(path, ..)| path))?;
    file::folder(&args.into)?;
    for (path, kind, key) in &keys {
        file::create(path, key)?;
        output::tell(&format!("{}: {}; {}", path.display(), kind.shown(**key), kind.belongs()))?;
    }
    if args.of == KeysOf::Gateway && args.identity.is_none() {
        let path = args.into.join(Kind::Identity.file());
        output::tell(&format!("{}: not made; copy the controller's identity key there", path.display()))?;
    }
    Ok(())
}
