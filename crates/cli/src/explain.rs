//! `vernport explain`: why a signal of a vehicle passes or does not, at one time,
//! under the rules of a bundle and the facts of a world file, or at central. It
//! asks the same code that a gateway asks.

mod text;

use crate::{
    args::{self, ExplainAudience, ReadFrom, Recognised},
    order, shipped,
};
use anyhow::{Context as _, Result, bail};
use std::{collections::HashMap, path::Path, sync::Arc};
use vernport_api::explain::{ExplainRequest, Explanation, Vehicle, source};
use vernport_crypto::IdentityKey;
use vernport_gateway::SystemClock;
use vernport_policy::{Rules, SourceClass, StationRef};
use vernport_registry::{Entry, world::World};
use vernport_review::{
    ask::{self, Question, ask},
    trial::give_keys,
};
use vernport_status::output;
use vernport_types::{AssetId, Clock as _, Identification, Identifier, Plate, UtcMicros};

/// The JSON Schema of `--json`.
pub const SCHEMA: &str = include_str!("../schema/explain-v1.json");

/// Explains one signal, or all of the catalogue.
///
/// # Errors
/// If bundle, world file, central, asset, signal, flow, station or time cannot be used.
pub async fn run(args: &args::Explain) -> Result<()> {
    let explanation = match (&args.bundle, &args.world) {
        (Some(bundle), Some(world)) => by_world(args, bundle, world)?,
        _ => at_central(args).await?,
    };
    let text = match (args.audience, args.json) {
        (ExplainAudience::Operator, true) => serde_json::to_string_pretty(&explanation)?,
        (ExplainAudience::Operator, false) => text::for_operator(&explanation),
        (ExplainAudience::Recipient, true) => serde_json::to_string_pretty(&explanation.for_recipient())?,
        (ExplainAudience::Recipient, false) => text::for_recipient(&explanation.for_recipient()),
    };
    Ok(output::print(&text)?)
}

/// By the rules of a bundle and what a world file tells.
fn by_world(args: &args::Explain, bundle: &str, world: &Path) -> Result<Explanation> {
    let catalogue = shipped::catalogue();
    let (file, text) = shipped::bundle_text(bundle)?;
    let rules = Arc::new(Rules::compile(&shipped::load(&file, &text)?, &catalogue)?);
    let file = world.display().to_string();
    let text = std::fs::read_to_string(world).with_context(|| format!("{file}: cannot be read"))?;
    let world = World::from_toml(&file, &text)?;
    let now = at(args)?.unwrap_or_else(|| SystemClock.now().wall);
    let identity = IdentityKey::from_bytes([0; 32]);
    let mut facts = world.facts(rules.controller(), &identity, now)?;
    // A world file seldom names keys, and rules are what is asked about.
    give_keys(&mut facts, &rules, |_| false)?;

    let mut question = Question::new(asset(args, &world)?, now);
    if let Some(path) = &args.signal {
        let found = catalogue.find(path);
        question.signal =
            Some(found.with_context(|| format!("--signal {path}: not in the catalogue (config/signals)"))?);
    }
    if let Some(flow) = &args.flow
        && rules.find(flow).is_none()
    {
        let flows: Vec<&str> = rules.flows().iter().map(|flow| flow.slug.as_str()).collect();
        bail!("--flow {flow}: not in the bundle; its flows are {}", flows.join(", "));
    }
    question.flow.clone_from(&args.flow);
    question.by = args.by.into();
    question.source = source(args.from.into());
    question.station = station(args)?;
    let answers = ask(&rules, &catalogue, &facts, &question);
    let station = ask::station(&facts, &question);
    let mut explanation = Explanation::new(&rules, &catalogue, &question, station, &answers);
    let said = |entry: &Entry| (entry.hash(), (entry.event.kind().into(), entry.recorded_at));
    let known: HashMap<_, _> = world.entries(rules.controller(), &identity, now)?.iter().map(said).collect();
    explanation.know_entries(|entry| known.get(entry).cloned());
    Ok(explanation)
}

/// By what central holds.
async fn at_central(args: &args::Explain) -> Result<Explanation> {
    let (Some(dev), Some(controller)) = (args.dev.clone(), args.controller.clone()) else {
        bail!("name --bundle and --world, or --dev and --controller");
    };
    let (_, registrar) = order::connect(&args::Registrar { dev, controller })?;
    let vehicle = match (args.plate.as_deref(), &args.vin, &args.asset) {
        (Some([country, number]), None, None) => {
            Vehicle::Identifier(Identifier::Plate(Plate::new(country, number)?))
        }
        (None, Some(vin), None) => Vehicle::Identifier(Identifier::Vin(vin.parse()?)),
        (None, None, Some(asset)) => Vehicle::Asset(asset.parse().context("--asset: not an id of an asset")?),
        _ => bail!("name the vehicle: --plate COUNTRY NUMBER, --vin VIN or --asset ID"),
    };
    let asked = ExplainRequest {
        signal: args.signal.as_deref().map(Into::into),
        flow: args.flow.clone(),
        by: Some(args.by.into()),
        from: Some(args.from.into()),
        station: station(args)?,
        at: at(args)?,
        ..ExplainRequest::new(vehicle)
    };
    let explanation = registrar.explain(&asked).await?;
    explanation.context("no vehicle of this controller's registry bears that identifier now")
}

fn at(args: &args::Explain) -> Result<Option<UtcMicros>> {
    let Some(at) = &args.at else { return Ok(None) };
    let at: jiff::Timestamp = at.parse().context("--at: write 2026-11-20T09:30:00Z")?;
    Ok(Some(UtcMicros(at.as_microsecond())))
}

fn asset(args: &args::Explain, world: &World) -> Result<AssetId> {
    match &args.asset {
        Some(name) => world.asset(name).with_context(|| format!("--asset {name}: not in the world file")),
        None => match world.asset_names().collect::<Vec<_>>()[..] {
            [only] => world.asset(only).context("the world file has one asset"),
            [] => bail!("the world file has no [[asset]]"),
            _ => bail!("the world file has several assets; name one with --asset"),
        },
    }
}

fn station(args: &args::Explain) -> Result<Option<StationRef>> {
    let Some(text) = &args.station else { return Ok(None) };
    let (site, station) = text.split_once('/').context("--station: write site/station")?;
    Ok(Some(StationRef {
        site: site.parse().context("--station: the site")?,
        station: station.parse().context("--station: the station")?,
    }))
}

impl From<Recognised> for Identification {
    fn from(by: Recognised) -> Self {
        match by {
            Recognised::Pinned => Self::Pinned,
            Recognised::Tool => Self::Tool,
            Recognised::Asserted => Self::Asserted,
            Recognised::BusVin => Self::BusVin,
        }
    }
}

impl From<ReadFrom> for SourceClass {
    fn from(from: ReadFrom) -> Self {
        match from {
            ReadFrom::Vehicle => Self::Vehicle,
            ReadFrom::Tool => Self::Tool,
            ReadFrom::Manual => Self::Manual,
        }
    }
}
