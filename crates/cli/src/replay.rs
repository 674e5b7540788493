//! `vernport replay`: a capture through the whole path, to what its recipients
//! can read. Central, gateway, spool and keys are real and new; only the ledger
//! comes from a world file, or is assumed, which the output says.

use crate::{
    args::{self, ReplayOrder, ReplayTime},
    dev::DevController,
    registrar::{Registrar, read_all},
    shipped, show,
    stage::{Setting, Stage},
    unseal,
};
use anyhow::{Context as _, Result};
use std::{collections::BTreeMap, path::Path, sync::Arc};
use vernport_decode::{Decoded, Decoder, candump};
use vernport_gateway::{Status, SystemClock};
use vernport_registry::{Event, Method, NoticeServed, TextHash, world::World};
use vernport_seal::Body;
use vernport_status::output;
use vernport_types::{BootMicros, Clock, Stamp, TimeQuality, UtcMicros, Vin};

/// A clock of a log runs from so long before its first frame, for what was said before.
const LEAD_SECONDS: i64 = 60;

/// What a replay came to.
pub struct Replayed {
    /// The controller of the bundle.
    pub controller: DevController,
    /// How its gateway was at the end.
    pub status: Status,
    /// What each recipient can read, by recipient and purpose.
    pub opened: BTreeMap<(String, String), Vec<Body>>,
    /// What was assumed.
    pub assumed: Vec<String>,
}

/// Replays and prints.
///
/// # Errors
/// If a file cannot be used, or a part does not start.
pub async fn run(args: &args::Replay) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (replayed, stage) = replay(args, folder.path()).await?;
    let gateway = stage.gateway(&replayed.controller)?;
    let text = if args.json {
        let batches: Vec<_> = replayed.opened.iter().flat_map(|((recipient, purpose), bodies)| {
            bodies.iter().map(move |body| {
                serde_json::json!({"recipient": recipient, "flow_purpose": purpose, "batch": unseal::to_json(body)})
            })
        }).collect();
        serde_json::to_string(&serde_json::json!({"assumed": replayed.assumed, "batches": batches}))? + "\n"
    } else {
        report(&replayed, gateway)
    };
    output::tell(&text)?;
    stage.stop().await;
    Ok(())
}

/// Replays in a folder; the stage still runs afterwards.
///
/// # Errors
/// If a file cannot be used, or a part does not start.
pub async fn replay(args: &args::Replay, folder: &Path) -> Result<(Replayed, Stage)> {
    let mut assumed = Vec::new();
    let log = Log::read(&args.file)?;
    let (first, last) = log.span.context("the log has no frame")?;
    let starts_at = match args.time {
        // The log's last frame is heard about now.
        ReplayTime::Now => SystemClock.now().wall.plus_micros(first.0 - last.0),
        ReplayTime::File => {
            assumed.push(format!("the time is that of the log, from {}", show::time(first)));
            first.plus_seconds(-LEAD_SECONDS)
        }
    };
    let clock: Arc<dyn Clock> = Arc::new(LogClock::new(starts_at));
    let (_, text) = shipped::bundle_text(&args.bundle)?;
    let file = std::path::absolute(&args.file)?;
    let setting = Setting {
        bundles: vec![("replay".into(), text)],
        bus: format!("candump:{}", file.display()),
        file_time: args.time == ReplayTime::File,
        clock: Arc::clone(&clock),
        brokers: false,
    };
    let mut stage = Stage::set_up(folder, setting).await?;
    let controller = stage.dev.controller.first().context("the set has one controller")?.clone();
    let registrar = stage.registrar(&controller)?;
    registrar.activate_keys(&stage.dev, &controller).await?;
    assumed.push(format!("the gateway stands at {}/{}", controller.site, controller.station));
    let (name, text) = match &args.world {
        Some(path) => {
            let name = path.display().to_string();
            let text = std::fs::read_to_string(path).with_context(|| format!("{name}: cannot be read"))?;
            (name, text)
        }
        None => ("the assumed world".to_owned(), assumed_world(args, &log, &mut assumed)),
    };
    let world = World::from_toml(&name, &text)?;
    registrar.record(world.entries(&controller.id, &registrar.identity, clock.now().wall)?).await?;
    if args.world.is_none() {
        serve_notices(&registrar, &args.bundle, &mut assumed).await?;
    }
    stage.start_gateway(&controller).await?;
    let done = |status: &Status| status.sources_ended > 0 && status.is_settled();
    let status = stage.wait_for(&controller, "log read and delivered", done).await?;
    let mut opened = BTreeMap::new();
    for recipient in &controller.recipient {
        let bodies = read_all(&stage.dev, &controller, recipient, "replay").await?;
        let key = (recipient.recipient.to_string(), recipient.purpose.to_string());
        opened.insert(key, bodies.into_iter().map(|(_, body)| body).collect());
    }
    Ok((Replayed { controller, status, opened, assumed }, stage))
}

/// Without a world file: nobody, or with `--order open` the vehicle on the bus and an order for it.
fn assumed_world(args: &args::Replay, log: &Log, assumed: &mut Vec<String>) -> String {
    let mut text = "format = 1\n".to_owned();
    if args.order != Some(ReplayOrder::Open) {
        assumed
            .push("no world file and no --order open: nobody has said anything, so nothing may pass".into());
        return text;
    }
    text += "[[asset]]\nname = \"vehicle\"\nsince = \"-30d\"\n";
    match &log.vin {
        Some(vin) => {
            text += &format!("vin = \"{}\"\n", vin.expose());
            assumed.push("the vehicle is entered under the VIN that it says on the bus".into());
        }
        None => assumed
            .push("the vehicle says no VIN that can be read; the order says which one stands there".into()),
    }
    assumed.push("one work order is open for it; nobody is linked to it and nobody has consented".into());
    text + "[[event]]\ntime = \"-30s\"\nkind = \"order-opened\"\norder = \"replay\"\nassets = [\"vehicle\"]\nstation = \"main/bay-1\"\n"
}

/// Without a world file every notice of the bundle counts as served.
async fn serve_notices(registrar: &Registrar, bundle: &str, assumed: &mut Vec<String>) -> Result<()> {
    let catalogue = shipped::catalogue();
    let (file, text) = shipped::bundle_text(bundle)?;
    let rules = vernport_policy::Rules::compile(&shipped::load(&file, &text)?, &catalogue)?;
    for notice in rules.notices() {
        let served = NoticeServed {
            notice: notice.version.as_str().parse()?,
            text_hash: TextHash([0; 32]),
            language: "nb".parse()?,
            method: Method::Paper,
            subject: None,
            evidence: None,
        };
        registrar.say(Event::NoticeServed(served)).await?;
        assumed.push(format!("notice {} was served", notice.version));
    }
    Ok(())
}

/// What is known of a log before it is replayed.
struct Log {
    /// Times of the first and of the latest frame.
    span: Option<(UtcMicros, UtcMicros)>,
    vin: Option<Vin>,
}

impl Log {
    fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read(path).with_context(|| format!("{}: cannot be read", path.display()))?;
        let text = String::from_utf8_lossy(&text);
        let mut decoder = Decoder::new(&shipped::catalogue(), vernport_decode::Config::default())?;
        decoder.set_identify(true);
        let (mut span, mut vin) = (None, None);
        for line in text.lines().filter_map(|line| candump::parse(line).ok()) {
            let (start, latest) = *span.get_or_insert((line.time, line.time));
            span = Some((start, latest.max(line.time)));
            let boot = BootMicros(u64::try_from(line.time.0 - start.0).unwrap_or(0));
            let at = Stamp { wall: line.time, boot, quality: TimeQuality::Bounded };
            decoder.push(&line.frame, at, &mut |decoded| {
                if let Decoded::Vin { vin: said, .. } = decoded {
                    vin.get_or_insert(said);
                }
            });
        }
        Ok(Self { span, vin })
    }
}

/// Runs like the machine's clock, from another time.
struct LogClock {
    ahead_micros: i64,
}

impl LogClock {
    fn new(starts_at: UtcMicros) -> Self {
        Self { ahead_micros: starts_at.0 - SystemClock.now().wall.0 }
    }
}

impl Clock for LogClock {
    fn now(&self) -> Stamp {
        let now = SystemClock.now();
        Stamp { wall: now.wall.plus_micros(self.ahead_micros), quality: TimeQuality::Bounded, ..now }
    }
}

fn report(replayed: &Replayed, gateway: &vernport_gateway::Running) -> String {
    let mut text = "assumed:\n".to_owned();
    for line in &replayed.assumed {
        text += &format!("  {line}\n");
    }
    let tally = &replayed.status.tally;
    text += &format!(
        "\n{} frames, {} visits, {} readings decided on\n\n",
        tally.frames, tally.visits, tally.readings
    );
    let rows = crate::demo::rows(tally, gateway.rules(), gateway.catalogue());
    text += &show::table(&crate::demo::ROWS_HEAD, rows);
    text += "\nwhat the recipients can read:\n";
    let mut rows = Vec::new();
    for ((recipient, purpose), bodies) in &replayed.opened {
        for body in bodies {
            for (n, signal) in body.head.signals.iter().enumerate() {
                let values: Vec<String> = body
                    .records
                    .iter()
                    .filter(|record| usize::from(record.signal) == n)
                    .map(|record| format!("{} ({})", show::value(record.value, &signal.unit), record.source))
                    .collect();
                let mut distinct = values.clone();
                distinct.sort();
                distinct.dedup();
                distinct.truncate(5);
                rows.push([
                    recipient.clone(),
                    purpose.clone(),
                    signal.path.clone(),
                    values.len().to_string(),
                    distinct.join("\n"),
                ]);
            }
        }
    }
    if rows.is_empty() {
        return text + "  nothing at all\n";
    }
    text + &show::table(&["recipient", "purpose", "signal", "records", "values"], rows)
}
