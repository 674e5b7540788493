//! `vernport deleted`: says as a fleet operator that what a deletion notice named is deleted. It only says
//! so; to delete is the operator's own, in every store that took the messages.

use crate::{
    args,
    link::{endpoint, hopeless},
};
use anyhow::{Result, bail};
use std::time::Duration;
use tokio::time::{sleep, timeout};
use vernport_crypto::random;
use vernport_mqtt::{Confirmer, LinkState, Outcome, Stream, acl::Principal};
use vernport_status::output;

/// Pause before an answer that was lost with its connection is given again.
const AGAIN: Duration = Duration::from_millis(200);

/// Says it, and waits until the broker has it.
///
/// # Errors
/// [`crate::link::Unusable`] before anything is sent; another one if the broker does not take it in time.
pub async fn run(args: &args::Deleted) -> Result<()> {
    let principal = Principal::Operator(args.operator.clone());
    // Not the client id of a subscription: its connection stays.
    let client_id = format!("{principal}.deleted-{}", hex::encode(random::<4>()));
    let endpoint = endpoint(&args.at, &principal, &client_id)?;
    let stream =
        Stream { operator: args.operator.clone(), purpose: args.purpose.clone(), vehicle: args.vehicle };
    let confirmer = Confirmer::start(endpoint);
    let said = timeout(Duration::from_secs(args.wait), say(&confirmer, &stream, args)).await;
    confirmer.stop().await;
    match said {
        Ok(said) => said?,
        Err(_) => bail!("the broker did not take it within {} s; try again", args.wait),
    }
    output::tell("the broker has it; the controller's central takes it from there\n")?;
    Ok(())
}

async fn say(confirmer: &Confirmer, stream: &Stream, args: &args::Deleted) -> Result<()> {
    let mut status = confirmer.status();
    loop {
        let outcome = tokio::select! {
            outcome = confirmer.confirm(stream, args.id) => outcome,
            why = async {
                loop {
                    let down = status.wait_for(|status| status.state == LinkState::Down).await;
                    let why = down.ok().and_then(|down| down.last_cause.as_ref().and_then(hopeless));
                    if let Some(why) = why {
                        return why;
                    }
                    sleep(AGAIN).await;
                }
            } => bail!(why),
        };
        match outcome {
            Outcome::Acknowledged => return Ok(()),
            Outcome::Refused => {
                bail!("the broker refused it: this login may not write there, or no central listens")
            }
            Outcome::TooLong => bail!("the broker takes no packet as long as the answer: raise its bound"),
            Outcome::Lost => sleep(AGAIN).await,
        }
    }
}
