//! The systemd unit, where there is one.

use super::{Checks, System};
use std::{fs, path::Path};

pub(super) fn look(checks: &mut Checks, name: &str, system: &System) {
    let what = format!("unit {name}");
    let file = format!("{name}.service");
    let Some(unit) = system.units.iter().map(|folder| folder.join(&file)).find(|unit| unit.exists()) else {
        return checks.skip(&what, "no unit here: it is started in another way (config/systemd has one)");
    };
    let Ok(text) = fs::read_to_string(&unit) else {
        return checks.fail(&what, format!("{}: cannot be read", unit.display()), "check its owner and mode");
    };
    let missing: Vec<_> = credentials(&text).filter(|path| !Path::new(path).exists()).collect();
    match missing.first() {
        None => checks.ok(&what, unit.display().to_string()),
        Some(first) => {
            let found = format!("{}: names a credential that is not there: {first}", unit.display());
            checks.fail(
                &what,
                found,
                "make it with `systemd-creds encrypt --name=NAME KEY FILE`, or take the line out",
            );
        }
    }
}

/// Paths of `LoadCredentialEncrypted=NAME:PATH` and `LoadCredential=NAME:PATH`.
fn credentials(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let (key, value) = line.trim().split_once('=')?;
        let loads = matches!(key.trim(), "LoadCredential" | "LoadCredentialEncrypted");
        let (_, path) = value.split_once(':').filter(|_| loads)?;
        Some(path.trim()).filter(|path| path.starts_with('/'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_units_name_their_credentials() {
        let gateway = include_str!("../../../../config/systemd/vernport-gateway.service");
        let paths: Vec<_> = credentials(gateway).collect();
        assert_eq!(
            paths,
            ["device", "storage", "identity"].map(|name| format!("/etc/vernport/credentials/{name}"))
        );
        assert_eq!(credentials("LoadCredential=x\n#LoadCredential=a:/b\n").count(), 0);
    }
}
