//! Where central's master key is while central is stopped: in its file, or, where it is a credential of
//! systemd, in one that was decrypted for the time being.

use anyhow::{Result, bail};
use std::path::Path;
use vernport_central::Config;

/// Where systemd puts the credentials of services that run.
const CREDENTIALS: &str = "/run/credentials";

/// The file of the master key, and the name of the credential that it is of, if it is.
pub(crate) fn of<'a>(config: &'a Config, given: Option<&'a Path>) -> Result<(&'a Path, Option<&'a str>)> {
    let named = config.keys.master.as_path();
    let is_credential = named.starts_with(CREDENTIALS);
    let credential = named.file_name().and_then(|name| name.to_str()).filter(|_| is_credential);
    match (given, credential) {
        (Some(file), credential) => Ok((file, credential)),
        (None, None) => Ok((named, None)),
        (None, Some(name)) => bail!(
            "{}: is a credential, which is there for a central that runs alone, and central must be stopped: run \
             `systemd-creds decrypt --name={name} {} FILE`, and name that file with --master-key",
            named.display(),
            encrypted(name)
        ),
    }
}

/// Where the shipped unit has a credential encrypted.
pub(crate) fn encrypted(name: &str) -> String {
    format!("/etc/vernport/credentials/{name}")
}
