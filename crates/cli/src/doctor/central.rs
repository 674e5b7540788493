//! Central: databases, journal, certificate, ports, and the brokers of its fleet operators.

use super::{Checks, System, certificate, existing, line, said};
use std::{net::TcpListener, os::unix::fs::MetadataExt as _, path::Path};
use vernport_central::{Config, Deps};
use vernport_status::PathStatus;
use vernport_store::Look;
use vernport_uplink::Certificate;

pub(super) async fn look(checks: &mut Checks, config: &Config, system: &System) {
    match Deps::load(config) {
        Ok(deps) => {
            checks.ok("files of central", "bundles, keys and catalogue fit together");
            brokers(checks, &deps).await;
        }
        Err(error) => {
            let remedy = "mend what it names; `vernport-central check-config` says the same";
            checks.fail("files of central", said(&error), remedy);
        }
    }
    match Certificate::read(&config.tls.certificate) {
        Err(error) => {
            checks.fail("certificate of central", said(&error), "give central a certificate as a PEM file");
        }
        Ok(found) => {
            if certificate::time(checks, "certificate of central", &found, (system.clock)().wall) {
                let until = crate::show::time(found.validity.not_after);
                checks.ok("certificate of central", format!("for {}, until {until}", found.names.join(", ")));
            }
        }
    }
    databases(checks, config).await;
    journal(checks, config);
    let running = line::daemon(checks, config.status.as_ref()).await;
    port(checks, config, running.as_ref());
}

/// Where operators are told: a central that cannot say there what to delete pauses them for not answering.
async fn brokers(checks: &mut Checks, deps: &Deps) {
    for controller in &deps.controllers {
        let what = format!("broker of {}", controller.rules.controller());
        let publishes = controller.rules.flows().iter().any(|flow| flow.deliver.topic.is_some());
        match &controller.fleet {
            Some(endpoint) => {
                // Not central's own client id: its connection stays.
                let mut endpoint = endpoint.clone();
                endpoint.client_id += ".doctor";
                line::probed(checks, &what, &endpoint).await;
            }
            None if publishes => {
                let found = "the bundle publishes to operators, and none is configured";
                let remedy = "write [controller.fleet]: without it nobody tells them there what to delete";
                checks.warn(&what, found, remedy);
            }
            None => checks.skip(&what, "the bundle publishes nothing"),
        }
    }
}

async fn databases(checks: &mut Checks, config: &Config) {
    let what = "database";
    for url in [&config.store.main, &config.store.erasure] {
        let Some(path) = file(url) else { continue };
        let there = existing(path);
        let writable = rustix::fs::access(there, rustix::fs::Access::WRITE_OK).is_ok();
        if !writable || (!path.exists() && path.parent().is_none_or(|folder| !folder.is_dir())) {
            let found = format!("{}: cannot be written", path.display());
            checks.fail(what, found, "make its folder, for the user that the service runs as");
        }
    }
    let Some(controller) = config.controllers.first() else {
        return checks.warn(what, "no controller is configured", "add a [[controller]]");
    };
    if file(&config.store.main).is_some_and(|path| !path.exists()) {
        return checks.skip(what, "none yet: central makes it at its first start");
    }
    match Look::open(&config.store.main, controller.id.clone()).await {
        Ok(mut look) => {
            if let Ok((found, known)) = look.schema().await
                && found > known
            {
                let found = format!("was written by a newer central (schema {found}, this knows {known})");
                checks.fail(what, found, "start the version that wrote it, or a newer one");
                return look.close().await;
            }
            match look.log().await {
                Ok(Some((_, leaves))) => {
                    checks.ok(what, format!("answers; {leaves} leaves of evidence of {}", controller.id));
                }
                Ok(None) => {
                    checks.ok(what, format!("answers; nothing was recorded for {} yet", controller.id));
                }
                Err(error) => checks.fail(
                    what,
                    said(&error),
                    "bring its newest backup back, then `vernport registry restored`",
                ),
            }
            look.close().await;
        }
        Err(error) => {
            let remedy = "start the database, check address and login; an older schema is brought up when central starts";
            checks.fail(what, said(&error), remedy);
        }
    }
}

fn file(url: &str) -> Option<&Path> {
    let path = url.strip_prefix("sqlite://")?;
    Some(Path::new(path.split('?').next().unwrap_or(path)))
}

fn journal(checks: &mut Checks, config: &Config) {
    let Some(path) = &config.journal else {
        let cause = vernport_status::Cause::NoJournal;
        return checks.warn("journal", "none is configured", cause.remedy());
    };
    let there = existing(path);
    if rustix::fs::access(there, rustix::fs::Access::WRITE_OK).is_err() {
        let found = format!("{}: cannot be written", there.display());
        return checks.fail("journal", found, "give it to the user that the service runs as");
    }
    let device = |path: &Path| existing(path).metadata().map(|about| about.dev()).ok();
    let databases = [file(&config.store.main), file(&config.store.erasure)];
    if databases.into_iter().flatten().any(|database| device(database) == device(path)) {
        let remedy = "put it on another disk: what takes the databases must not take the journal";
        checks.warn("journal", format!("{} lies on the disk of a database", path.display()), remedy);
    } else {
        checks.ok("journal", path.display().to_string());
    }
}

fn port(checks: &mut Checks, config: &Config, running: Option<&PathStatus>) {
    let address = config.listen.address;
    match (TcpListener::bind(address), running) {
        (Ok(_), _) => checks.ok("port", format!("{address} is free")),
        (Err(_), Some(_)) => checks.ok("port", format!("{address} is served by this central")),
        (Err(error), None) => {
            let remedy = "stop what listens there, choose another address, or let the service listen (port below 1024)";
            checks.fail("port", format!("{address}: {error}"), remedy);
        }
    }
}
