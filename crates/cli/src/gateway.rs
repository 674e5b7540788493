//! `vernport gateway invite|list|revoke`: who may be a gateway of a controller.

use crate::{
    args, dev,
    order::connect,
    registrar::Registrar,
    show::{table, time},
};
use anyhow::{Result, ensure};
use std::fmt::Write as _;
use vernport_api::{GatewayState, GatewaysAnswer, InvitationRequest};
use vernport_crypto::{Zeroizing, random};
use vernport_registry::{EnrolmentEnded, Event, GatewayRevoked};
use vernport_status::output;
use vernport_types::UtcMicros;

/// Carries out one of them.
///
/// # Errors
/// If central cannot be reached or refuses, or the file of the token is there already.
pub async fn run(args: args::Gateway) -> Result<()> {
    match args {
        args::Gateway::Invite(args) => invite(args).await,
        args::Gateway::List { registrar, json } => {
            let (_, registrar) = connect(&registrar)?;
            let gateways = registrar.gateways().await?;
            output::print(&if json {
                serde_json::to_string(&gateways)?
            } else {
                told_of(&gateways, registrar.now())
            })?;
            Ok(())
        }
        args::Gateway::Revoke(args) => revoke(args).await,
    }
}

async fn invite(args: args::GatewayInvite) -> Result<()> {
    if let Some(file) = &args.token_file {
        // A token that could not be written down would be one more that is open.
        ensure!(!file.exists(), "{}: is there already; name another file", file.display());
    }
    let (_, registrar) = connect(&args.registrar)?;
    let asked = InvitationRequest {
        gateway: args.name.clone(),
        site: args.site,
        station: args.station,
        valid_h: args.valid_h,
        replace: args.replace,
    };
    let invited = registrar.invite(&asked).await?;
    let text = invited.token.text();
    let replace = if args.replace { " --replace" } else { "" };
    let command = format!("vernport-gateway enrol --config gateway.toml --url URL --ca ca.pem{replace}");
    match &args.token_file {
        Some(file) => {
            dev::write_private(file, &Zeroizing::new(format!("{}\n", *text)))?;
            output::tell(&format!(
                "{}: the token; bring it to the box, where it works once, until {}",
                file.display(),
                time(invited.expires_at)
            ))?;
            output::tell(&format!("there: {command} --token-file FILE"))?;
        }
        None => {
            output::tell(&text)?;
            output::remark(&format!("this is told once; it works once, until {}", time(invited.expires_at)));
            output::remark(&format!("on the box, with the token on standard input: {command}"));
        }
    }
    Ok(())
}

async fn revoke(args: args::GatewayRevoke) -> Result<()> {
    let (_, registrar) = connect(&args.registrar)?;
    let known = registrar.gateways().await?;
    let known = known.gateways.iter().find(|of| of.gateway == args.name);
    ensure!(
        known.is_some(),
        "{}: no gateway of this name was ever enrolled; see `vernport gateway list`",
        args.name
    );
    let event = if args.stolen {
        Event::GatewayRevoked(GatewayRevoked { gateway: args.name.clone() })
    } else {
        Event::EnrolmentEnded(EnrolmentEnded { gateway: args.name.clone() })
    };
    let drawn = hex::encode(random::<6>());
    let reference = args.reason.map_or(drawn.clone(), |reason| format!("{} ({drawn})", reason.as_str()));
    let entry = registrar.say_as(event, &reference).await?.results;
    let entry = entry.first().map(|result| result.entry.to_string()).unwrap_or_default();
    output::tell(&format!("{}\nentry {entry}", told(&registrar, &args.name, args.stolen).await))?;
    Ok(())
}

async fn told(registrar: &Registrar, name: &vernport_types::Slug, stolen: bool) -> String {
    if stolen {
        return format!("{name} is revoked: nothing is taken from it from now on, at any process of central");
    }
    let until = registrar.gateways().await.ok().and_then(|known| {
        known.gateways.iter().find(|of| of.gateway == *name).and_then(|of| of.certificate_until)
    });
    let until = until.map_or(String::new(), |until| format!(", until {} at the latest", time(until)));
    format!(
        "the enrolment of {name} ended: nothing is open there; what waits is still taken{until}. If the box is in wrong \
         hands, revoke it with --stolen"
    )
}

fn told_of(of: &GatewaysAnswer, now: UtcMicros) -> String {
    let rows = of.gateways.iter().map(|of| {
        let state = match of.state {
            GatewayState::Enrolled => "enrolled",
            GatewayState::Ended => "ended",
            GatewayState::Revoked => "revoked",
        };
        let until = match of.certificate_until {
            Some(until) if until <= now => format!("{} (over)", time(until)),
            Some(until) => time(until),
            None => "from a file".to_owned(),
        };
        let place = format!("{}/{}", of.site, of.station);
        [of.gateway.to_string(), place, state.to_owned(), time(of.enrolled_at), until]
    });
    let mut text = table(&["gateway", "place", "state", "enrolled", "certificate until"], rows);
    for of in &of.invitations {
        let replace = if of.replace { ", to replace the one that is enrolled" } else { "" };
        let _ = writeln!(text, "invited: {} until {}{replace}", of.gateway, time(of.expires_at));
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use vernport_api::{GatewayListed, InvitationListed};

    #[test]
    fn gateways_are_told_with_their_state_and_the_end_of_their_certificate() {
        let listed = |name: &str, state, certificate_until| GatewayListed {
            gateway: name.parse().expect("a slug"),
            site: "main".parse().expect("a slug"),
            station: "bay-1".parse().expect("a slug"),
            state,
            enrolled_at: UtcMicros(1_795_132_800_000_000),
            certificate_until,
        };
        let (before, after) = (UtcMicros(1_795_132_860_000_000), UtcMicros(1_797_724_800_000_000));
        let of = GatewaysAnswer {
            gateways: vec![
                listed("bay-1", GatewayState::Enrolled, Some(after)),
                listed("bay-2", GatewayState::Revoked, Some(before)),
                listed("bay-3", GatewayState::Ended, None),
            ],
            invitations: vec![InvitationListed {
                gateway: "bay-4".parse().expect("a slug"),
                expires_at: after,
                replace: true,
            }],
        };
        let text = told_of(&of, UtcMicros(1_796_000_000_000_000));
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        let line = |at: usize| lines[at].join(" ");
        assert_eq!(line(1), "bay-1 main/bay-1 enrolled 2026-11-20T00:00:00Z 2026-12-20T00:00:00Z");
        assert_eq!(line(2), "bay-2 main/bay-1 revoked 2026-11-20T00:00:00Z 2026-11-20T00:01:00Z (over)");
        assert_eq!(line(3), "bay-3 main/bay-1 ended 2026-11-20T00:00:00Z from a file");
        assert_eq!(line(4), "invited: bay-4 until 2026-12-20T00:00:00Z, to replace the one that is enrolled");
    }
}
