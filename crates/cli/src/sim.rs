//! `vernport sim`: a simulated vehicle on a bus, until Ctrl-C or for a time.

mod report;
mod vehicles;

use crate::{args, shipped};
use anyhow::{Context as _, Result, bail};
use report::{Heard, Tally};
use std::{future::Future, pin::pin, sync::Arc, time::Duration};
use vernport_canbus::{Bus, FrameSource, OpenOptions, SourceUrl, VirtualBuses, open};
use vernport_decode::Decoder;
use vernport_gateway::SystemClock;
use vernport_sim::{Model, NEVER, Sent, Simulated, Vehicle as _};
use vernport_status::output;
use vernport_types::{BootMicros, Clock as _};

/// What a simulation came to.
pub struct Simulation {
    /// Frames by kind.
    tally: Tally,
    /// What the vehicle could and could not send.
    pub sent: Sent,
    /// What a decoder on the same bus understood, where there was one.
    heard: Option<Heard>,
    /// Whether the bus slept at the end.
    pub asleep: bool,
}

impl Simulation {
    /// The frames of a kind, sent and heard.
    pub fn frames(&self, kind: &str) -> (u64, u64) {
        self.tally.of(kind)
    }
}

/// Runs the vehicle and prints what it is and what came of it.
///
/// # Errors
/// If the bus cannot be used, or a fault does not fit the vehicle.
pub async fn run(args: &args::Sim) -> Result<()> {
    let model = vehicles::model(args)?;
    output::tell(&introduction(args, &model))?;
    let seconds = args.seconds;
    let stop = async move {
        match seconds {
            Some(seconds) => tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(seconds)) => Ok(()),
                interrupt = tokio::signal::ctrl_c() => interrupt,
            },
            None => tokio::signal::ctrl_c().await,
        }
    };
    let simulation = simulate(args, VirtualBuses::default(), stop).await?;
    output::tell(&report::text(&simulation))?;
    Ok(())
}

/// Runs the vehicle until `stop` comes.
///
/// # Errors
/// If the bus cannot be used, a fault does not fit the vehicle, or `stop` fails.
pub async fn simulate(
    args: &args::Sim,
    buses: VirtualBuses,
    stop: impl Future<Output = std::io::Result<()>>,
) -> Result<Simulation> {
    let model = vehicles::model(args)?;
    if matches!(args.on, SourceUrl::Candump(_)) {
        bail!("a log takes no frames; put the vehicle on can:IFACE, or on virtual:NAME");
    }
    let options = || OpenOptions { buses: buses.clone(), ..OpenOptions::new(Arc::new(SystemClock)) };
    let Bus { mut source, sink } = open(&args.on, options()).await?;
    let sink = sink.context("the bus takes no frames")?;
    let mut listener = match args.listen {
        true => Some(Listener::open(&args.on, options()).await?),
        false => None,
    };
    let now = || SystemClock.now().boot;
    let mut vehicle = Simulated::new(model, &args.faults, args.seed, now());
    let mut tally = Tally::default();
    let mut stop = pin!(stop);
    loop {
        let frames = tokio::select! {
            stopped = &mut stop => {
                stopped.context("Ctrl-C cannot be caught")?;
                break;
            }
            heard = source.next() => {
                let Some(heard) = heard? else { break };
                tally.hear(&heard.frame);
                vehicle.on_frame(&heard.frame, now())
            }
            () = due(vehicle.next_due(), now()) => vehicle.on_tick(now()),
            listened = listen(&mut listener) => {
                listened?;
                Vec::new()
            }
        };
        for frame in &frames {
            sink.send(frame).await?;
            tally.send(frame);
        }
    }
    if let Some(listener) = &mut listener {
        listener.drain().await?;
    }
    Ok(Simulation {
        tally,
        sent: vehicle.sent(),
        heard: listener.map(|listener| listener.heard),
        asleep: vehicle.is_asleep(),
    })
}

/// Waits until a time of the boot clock; for ever if it never comes.
async fn due(at: BootMicros, now: BootMicros) {
    if at == NEVER {
        std::future::pending::<()>().await;
    }
    tokio::time::sleep(Duration::from_micros(at.0.saturating_sub(now.0))).await;
}

async fn listen(listener: &mut Option<Listener>) -> Result<()> {
    match listener {
        Some(listener) => listener.next().await,
        None => std::future::pending().await,
    }
}

/// Another node of the same bus, which decodes.
struct Listener {
    source: FrameSource,
    decoder: Decoder,
    heard: Heard,
}

impl Listener {
    async fn open(url: &SourceUrl, options: OpenOptions) -> Result<Self> {
        let catalogue = shipped::catalogue();
        let decoder = Decoder::new(&catalogue, vernport_decode::Config::default())?;
        let source = open(url, options).await?.source;
        Ok(Self { source, decoder, heard: Heard::new(catalogue) })
    }

    async fn next(&mut self) -> Result<()> {
        if let Some(timed) = self.source.next().await? {
            let heard = &mut self.heard;
            self.decoder.push(&timed.frame, timed.at, &mut |decoded| heard.take(decoded));
        }
        Ok(())
    }

    /// What was sent before the end and waits still.
    async fn drain(&mut self) -> Result<()> {
        loop {
            tokio::select! {
                biased;
                listened = self.next() => listened?,
                () = std::future::ready(()) => return Ok(()),
            }
        }
    }
}

fn introduction(args: &args::Sim, model: &Model) -> String {
    let faults: Vec<String> = args.faults.iter().map(ToString::to_string).collect();
    let faults = if faults.is_empty() { "none".to_owned() } else { faults.join(" ") };
    let end = match args.seconds {
        Some(seconds) => format!("for {seconds} s, or until Ctrl-C"),
        None => "until Ctrl-C".to_owned(),
    };
    format!(
        "{} {} on {}, {end}\n  odometer {} m, faults {faults}, seed {}\n",
        model.kind().as_str(),
        model.vin().expose(),
        args.on,
        model.odometer_m(),
        args.seed
    )
}
