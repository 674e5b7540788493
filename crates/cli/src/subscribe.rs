//! `vernport subscribe`: what a fleet operator receives, as it comes: each
//! message once, sealed ones opened where there is a key, the operator's own number of
//! each vehicle where it was told, and what is missing.
//!
//! A message is acknowledged when it was printed and, with `--state`, noted in
//! the file: so whoever is interrupted loses nothing. Room is bounded by
//! [`vernport_mqtt::StreamLimits`].

mod state;
mod tell;
mod vehicles;

use crate::{
    args,
    link::{endpoint, hopeless},
};
use anyhow::{Result, bail};
use state::StateFile;
use std::time::Duration;
use tell::{Keys, Teller};
use thiserror::Error;
use tokio::{sync::watch, time::Instant};
use vehicles::Vehicles;
use vernport_mqtt::{
    Heard, Interest, LinkState, LinkStatus, News, Subscription, SubscriptionConfig, acl::Principal,
};

/// The most that is printed before it is acknowledged.
const AT_ONCE: usize = 64;

/// Numbers are missing; they were named when it was seen.
#[derive(Debug, Error)]
#[error("{0} number(s) are missing: lost on the way, expired at the broker as a rule")]
struct Missing(u64);

/// Subscribes, and prints until Ctrl-C, the count or the time.
///
/// # Errors
/// [`crate::link::Unusable`] before anything is received; another one if the broker refuses, or numbers are missing.
pub async fn run(args: &args::Subscribe) -> Result<()> {
    let interest =
        Interest { operator: args.operator.clone(), purpose: args.purpose.clone(), vehicle: args.vehicle };
    let principal = Principal::Operator(args.operator.clone());
    let endpoint = endpoint(&args.at, &principal, &interest.client_id())?;
    let keys = Keys::read(&args.keys, &args.signed_by)?;
    let vehicles = Vehicles::new(interest.clone(), args.central.clone());
    let state = args.state.clone().map(|path| StateFile::new(path, args.operator.clone()));
    let mut config = SubscriptionConfig::new(endpoint, interest);
    config.away_s = args.away_h * 3600;
    if let Some(state) = &state {
        config.streams = state.read()?;
    }
    let mut subscription = Subscription::start(config);
    let mut teller = Teller::new(args.json, keys, vehicles);
    let heard = hear(args, &mut subscription, &mut teller, state.as_ref()).await;
    let told = teller.end(&subscription);
    let missing = subscription.streams().total().missing;
    subscription.stop().await;
    heard?;
    told?;
    if missing > 0 { Err(Missing(missing).into()) } else { Ok(()) }
}

async fn hear(
    args: &args::Subscribe,
    subscription: &mut Subscription,
    teller: &mut Teller,
    state: Option<&StateFile>,
) -> Result<()> {
    let mut status = subscription.status();
    let interrupted = tokio::signal::ctrl_c();
    tokio::pin!(interrupted);
    let end = args.seconds.and_then(|seconds| Instant::now().checked_add(Duration::from_secs(seconds)));
    let mut left = args.count.unwrap_or(u64::MAX);
    while left > 0 {
        tokio::select! {
            first = subscription.next() => {
                let Some(first) = first else { bail!("the subscription has stopped") };
                let mut heard = vec![first];
                loop {
                    if matches!(heard.last(), Some(Heard::Message(last)) if is_counted(last)) {
                        left -= 1;
                    }
                    if left == 0 || heard.len() >= AT_ONCE {
                        break;
                    }
                    let Some(next) = subscription.try_next() else { break };
                    heard.push(next);
                }
                teller.heard(&heard)?;
                if let Some(state) = state {
                    state.write(subscription.streams())?;
                }
                heard.into_iter().for_each(Heard::done);
            }
            changed = status.changed() => {
                changed?;
                link(&mut status, teller)?;
            }
            interrupted = &mut interrupted => return Ok(interrupted?),
            () = tokio::time::sleep_until(end.unwrap_or_else(Instant::now)), if end.is_some() => return Ok(()),
        }
    }
    Ok(())
}

/// Whether `--count` counts it.
fn is_counted(delivery: &vernport_mqtt::Delivery) -> bool {
    let is_gap = matches!(delivery.message, vernport_mqtt::FleetMessage::Skipped(_));
    delivery.noted.news != News::Repeated && !is_gap
}

/// Tells how the line is; ends where the broker will never take us.
fn link(status: &mut watch::Receiver<LinkStatus>, teller: &mut Teller) -> Result<()> {
    let status = status.borrow_and_update().clone();
    match (status.state, &status.last_cause) {
        (LinkState::Up, _) => teller.up(),
        (LinkState::Down, Some(cause)) => match hopeless(cause).filter(|_| teller.never_up()) {
            Some(why) => bail!(why),
            None => teller.down(cause),
        },
        (LinkState::Down, None) => {}
    }
    Ok(())
}
