//! Keys, rules, catalogue and DBC files.

use super::{Checks, said};
use crate::{args::KeysCheck, keys};
use std::path::Path;
use vernport_gateway::{Config, dbc, rules, secrets::Secrets};

const RULES: &str =
    "sign and activate a bundle of this controller: `vernport bundle check`, `sign`, `activate`";

pub(super) fn keys(checks: &mut Checks, (gateway, central): (Option<&Path>, Option<&Path>)) {
    let gateway: Vec<_> = gateway.map(Into::into).into_iter().collect();
    let args = KeysCheck { gateway, central: central.map(Into::into), json: true };
    match keys::check::findings(&args) {
        Ok(findings) if findings.is_empty() => checks.ok("keys", "all in order"),
        Ok(findings) => {
            for (file, problem, remedy, note) in findings {
                let found = format!("{}: {problem}", file.display());
                if note { checks.warn("keys", found, remedy) } else { checks.fail("keys", found, remedy) }
            }
        }
        Err(error) => checks.fail("keys", format!("{error:#}"), "run `vernport keys check`"),
    }
}

pub(super) fn rules(checks: &mut Checks, config: &Config) {
    let catalogue = match rules::load_catalogue(&config.rules.signals) {
        Ok(catalogue) => catalogue,
        Err(error) => {
            checks.fail("catalogue", said(&error), "put the shipped catalogue (config/signals) there");
            return checks.skip("bundle", "without a catalogue no bundle can be read");
        }
    };
    checks.ok("catalogue", format!("{} signals", catalogue.len()));
    match rules::load(&config.rules, &config.gateway.controller, &catalogue) {
        Ok(rules) => {
            checks.ok("bundle", format!("{}, signed, {} flows", rules.name(), rules.flows().len()));
            let unknown = config.spool.keep_longest.iter().find(|flow| rules.find(flow).is_none());
            if let Some(flow) = unknown {
                let found = format!("spool.keep_longest: the bundle has no flow {flow}");
                checks.fail("bundle", found, "write a flow's id as in [[flow]]");
            }
        }
        Err(error) => checks.fail("bundle", said(&error), RULES),
    }
    for bus in &config.bus {
        if let Err(error) = bus.data_identifiers(&catalogue) {
            checks.fail(
                "data identifiers",
                format!("{}: {}", bus.source, said(&error)),
                "mend `dids` of this bus",
            );
        }
        match dbc::read(&bus.dbc, bus.dbc_map.as_deref(), &catalogue) {
            Err(error) => {
                checks.fail("dbc", format!("{}: {}", bus.source, said(&error)), "run `vernport dbc check`");
            }
            Ok(files) if !files.findings.is_empty() => {
                let found = format!("{}: {} findings", bus.source, files.findings.len());
                checks.warn("dbc", found, "run `vernport dbc check`");
            }
            Ok(_) if !bus.dbc.is_empty() => checks.ok("dbc", format!("{}: in order", bus.source)),
            Ok(_) => {}
        }
    }
    if let Err(error) = Secrets::load(&config.keys) {
        checks.warn(
            "credentials",
            said(&error),
            "as a credential it is there for the service alone; else name a file",
        );
    }
}
