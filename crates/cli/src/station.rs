//! `vernport station …`: what a technician says to the gateway of this station, over
//! its local socket. It counts at once; central hears of it when the line is there.

use crate::{
    args::{MaybeVehicle, Station, StationOrder, StationSaid, Switch},
    show,
};
use anyhow::{Context as _, Result, bail};
use std::{fmt::Write as _, path::Path, time::Duration};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::UnixStream,
};
use vernport_gateway::station::{Answered, Done, Said};
use vernport_status::output;
use vernport_types::{Identifier, Plate};

/// How long the gateway may take: it writes to its disk before it answers.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest answer, in bytes.
const MAX_ANSWER_BYTES: u64 = 1 << 20;

/// Says it, and prints what took effect.
///
/// # Errors
/// If what was typed names no vehicle, the gateway is not there, or it refuses.
pub async fn run(args: Station) -> Result<()> {
    let answer = ask(&args.socket, &said(args.said)?).await?;
    match answer {
        Answered::Done(done) => output::tell(&tell(&done)?)?,
        Answered::Refused { why } => bail!("{why}"),
    }
    Ok(())
}

/// Asks the gateway behind a socket.
///
/// # Errors
/// If nobody listens there, or the answer is none.
pub async fn ask(socket: &Path, said: &Said) -> Result<Answered> {
    let at = socket.display();
    let stream = UnixStream::connect(socket).await.with_context(|| {
        format!("{at}: no gateway listens there; is it running, has its configuration [station], may you?")
    })?;
    let (from, mut to) = stream.into_split();
    let mut line = serde_json::to_vec(said)?;
    line.push(b'\n');
    to.write_all(&line).await.with_context(|| format!("{at}: the gateway does not listen"))?;
    let mut answer = Vec::new();
    let mut from = BufReader::new(from.take(MAX_ANSWER_BYTES));
    tokio::time::timeout(PATIENCE, from.read_until(b'\n', &mut answer))
        .await
        .with_context(|| format!("{at}: no answer; ask again what holds before you say it again"))??;
    serde_json::from_slice(&answer).with_context(|| format!("{at}: the answer is none of this version"))
}

fn said(said: StationSaid) -> Result<Said> {
    Ok(match said {
        StationSaid::Order(StationOrder::Open { vehicle, hours }) => {
            Said::OrderOpen { vehicle: needed(vehicle)?, hours }
        }
        StationSaid::Order(StationOrder::Close { vehicle }) => Said::OrderClose { vehicle: needed(vehicle)? },
        StationSaid::Private { switch, vehicle } => {
            Said::Private { on: switch == Switch::On, vehicle: named(vehicle)? }
        }
        StationSaid::Withdraw { vehicle, receipt: Some(receipt) } => {
            Said::Withdraw { vehicle: named(vehicle)?, receipt: Some(receipt.parse()?) }
        }
        StationSaid::Withdraw { vehicle, receipt: None } => {
            let vehicle = needed(vehicle).context("or name the receipt: --receipt CODE")?;
            Said::Withdraw { vehicle: Some(vehicle), receipt: None }
        }
        StationSaid::Assert { vehicle } => Said::Assert { vehicle: needed(vehicle)? },
    })
}

fn named(vehicle: MaybeVehicle) -> Result<Option<Identifier>> {
    Ok(match (vehicle.plate.as_deref(), vehicle.vin) {
        (Some([country, number]), None) => Some(Identifier::Plate(Plate::new(country, number)?)),
        (None, Some(vin)) => Some(Identifier::Vin(vin.parse()?)),
        _ => None,
    })
}

fn needed(vehicle: MaybeVehicle) -> Result<Identifier> {
    named(vehicle)?.context("name the vehicle: --plate COUNTRY NUMBER or --vin VIN")
}

/// What took effect, for a person.
fn tell(done: &Done) -> Result<String> {
    let mut text = String::new();
    match (done.order, done.until) {
        (Some(order), Some(until)) => writeln!(text, "order {order} is open until {}", show::time(until))?,
        (Some(order), None) => writeln!(text, "order {order} is closed")?,
        (None, _) => writeln!(text, "taken, and in effect here")?,
    }
    for flow in &done.opened {
        writeln!(text, "  open now: {flow}")?;
    }
    for (flow, reason) in &done.stopped {
        writeln!(text, "  stopped: {flow} ({reason})")?;
    }
    for (flow, basis) in &done.goes_on {
        writeln!(text, "  goes on: {flow}, on another basis: {basis}")?;
    }
    if let Some(later) = &done.later {
        writeln!(text, "  {later}")?;
    }
    Ok(text)
}
