//! `vernport explain`: why a signal of a vehicle passes or does not, at one time,
//! under the rules of a bundle and the facts of a world file. It asks the same
//! code that a gateway asks.

use crate::{args, shipped, show};
use anyhow::{Context as _, Result, bail};
use std::{collections::HashMap, sync::Arc};
use vernport_crypto::{IdentityKey, OpeningKey, SigningKey, sha256};
use vernport_gateway::SystemClock;
use vernport_policy::{
    GrantId, Head, Opening, Outcomes, Rules, Sampler, Snapshot, SnapshotFor, StationRef, Table, Tables,
    snapshot,
};
use vernport_registry::{
    Actor, ActorRole, ENTRY_FORMAT, Entry, Event, Facts, RecipientKeyActivated, world::World,
};
use vernport_types::{
    AssetId, BootMicros, Catalogue, Clock as _, Fault, FaultState, Identification, Label, Number, Position,
    Reading, Signal, SignalId, Slug, Source, Stamp, TimeQuality, TroubleCode, UtcMicros, Value, ValueKind,
    VehicleAlias,
};

/// Ids made from what they name: the same on every run.
#[derive(Default)]
struct Names(HashMap<GrantId, Opening>);

impl Tables for Names {
    fn grant_id(&mut self, opening: &Opening) -> GrantId {
        let id = GrantId::from_bytes(*opening.key().first_chunk().expect("32 bytes begin with 16"));
        self.0.insert(id, opening.clone());
        id
    }

    fn alias(&mut self, asset: AssetId, recipient: &Slug, purpose: &Slug, year: i16) -> VehicleAlias {
        let hash = sha256(format!("{asset}/{recipient}/{purpose}/{year}").as_bytes());
        VehicleAlias::from_bytes(*hash.first_chunk().expect("32 bytes begin with 16"))
    }
}

/// Explains one signal, or all of the catalogue.
///
/// # Errors
/// If bundle, world file, asset, signal or time cannot be used.
pub fn run(args: &args::Explain) -> Result<()> {
    let catalogue = shipped::catalogue();
    let (file, text) = shipped::bundle_text(&args.bundle)?;
    let rules = Arc::new(Rules::compile(&shipped::load(&file, &text)?, &catalogue)?);
    let now = match &args.at {
        Some(at) => UtcMicros(
            at.parse::<jiff::Timestamp>().context("--at: write 2026-11-20T09:30:00Z")?.as_microsecond(),
        ),
        None => SystemClock.now().wall,
    };
    let file = args.world.display().to_string();
    let text = std::fs::read_to_string(&args.world).with_context(|| format!("{file}: cannot be read"))?;
    let world = World::from_toml(&file, &text)?;
    let mut facts = world.facts(rules.controller(), &IdentityKey::from_bytes([0; 32]), now)?;
    give_keys(&mut facts, &rules, now)?;
    let asset = asset(args, &world)?;
    let signals = signals(args, &catalogue)?;
    print(&explain(&rules, &catalogue, &facts, asset, &signals, now)?);
    Ok(())
}

/// Recipients have keys: a world file cannot name any, and rules are what is asked about.
fn give_keys(facts: &mut Facts, rules: &Rules, now: UtcMicros) -> Result<()> {
    for (n, flow) in rules.flows().iter().enumerate() {
        let event = Event::RecipientKeyActivated(RecipientKeyActivated {
            recipient: flow.recipient.clone(),
            purpose: flow.purpose.clone(),
            key: OpeningKey::generate().wrapping_key(),
        });
        let at = now.plus_seconds(-1);
        facts.apply(&Entry {
            format: ENTRY_FORMAT,
            controller: rules.controller().clone(),
            event,
            actor: Actor { role: ActorRole::System, id: "explain".parse()? },
            occurred_at: at,
            recorded_at: at,
            source: "explain".parse()?,
            external_ref: format!("key-{n}").parse()?,
        })?;
    }
    Ok(())
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

fn signals(args: &args::Explain, catalogue: &Catalogue) -> Result<Vec<SignalId>> {
    match &args.signal {
        None => Ok(catalogue.iter().map(|(id, _)| id).collect()),
        Some(path) => {
            let id = catalogue.find(path);
            Ok(vec![id.with_context(|| format!("--signal {path}: not in the catalogue (config/signals)"))?])
        }
    }
}

fn explain(
    rules: &Arc<Rules>,
    catalogue: &Catalogue,
    facts: &Facts,
    asset: AssetId,
    signals: &[SignalId],
    now: UtcMicros,
) -> Result<String> {
    let at = match facts.open_order(asset, None, now) {
        Some(order) => order.station,
        None => StationRef { site: "main".parse()?, station: "bay-1".parse()? },
    };
    let mut names = Names::default();
    let whom = SnapshotFor {
        gateway: "explain".parse()?,
        at: at.clone(),
        recovery: OpeningKey::generate().wrapping_key(),
        closed: Vec::new(),
    };
    let snapshot = snapshot(facts, rules, whom, now, &mut names);
    let here = Stamp { wall: now, boot: BootMicros(0), quality: TimeQuality::Bounded };
    let table = table(rules, snapshot, here)?;
    let (mut sampler, mut outcomes) = (Sampler::default(), Outcomes::new());
    let mut rows = Vec::new();
    for id in signals {
        let signal = catalogue.signal(*id);
        let reading = Reading {
            asset,
            signal: *id,
            value: example(signal)?,
            at: here,
            source: Source::Manual,
            identified_by: Identification::BusVin,
        };
        table.decide(&reading, here, &mut sampler, &mut outcomes);
        for released in outcomes.released() {
            let flow = rules.flow(released.flow());
            let entries: Vec<String> =
                table.opening(released.grant_id()).map_or_else(Vec::new, |(_, opened)| {
                    opened.rests_on.iter().map(|entry| entry.to_string()[..8].to_owned()).collect()
                });
            let clause = flow.clauses.join(" ");
            rows.push([
                signal.path.to_string(),
                flow.slug.to_string(),
                format!("released, {}", released.minimiser()),
                clause,
                entries.join(" "),
            ]);
        }
        for withheld in outcomes.withheld() {
            let flow = withheld.flow.map_or_else(|| "-".to_owned(), |flow| rules.flow(flow).slug.to_string());
            let clause = rules.clause_for(*id, withheld.reason).unwrap_or("-").to_owned();
            let outcome = format!("withheld, {}", withheld.reason);
            rows.push([signal.path.to_string(), flow, outcome, clause, withheld.reason.remedy().to_owned()]);
        }
    }
    let head = ["signal", "flow", "outcome", "clause", "ledger entries, or what can be done"];
    Ok(format!(
        "{} at {}, station {at}; the vehicle said its VIN on the bus, recipients have keys\n{}",
        rules.name(),
        show::time(now),
        show::table(&head, rows)
    ))
}

fn table(rules: &Arc<Rules>, snapshot: Snapshot, here: Stamp) -> Result<Table> {
    let head = Head { era: 1, sequence: 1, at: here.wall, nonce: [0; 16], snapshot_hash: snapshot.hash() };
    let head = head.sign(&SigningKey::generate()).head;
    let mut table = Table::new(Arc::clone(rules));
    table.apply(snapshot, &head, here)?;
    Ok(table)
}

/// Any value of a signal's kind: only whether it passes is asked.
fn example(signal: &Signal) -> Result<Value> {
    Ok(match signal.kind {
        ValueKind::Integer => Value::Integer(1),
        ValueKind::Number => Value::Number(Number::new(1.0)?),
        ValueKind::Flag => Value::Flag(true),
        ValueKind::Label => Value::Label(Label::new("example")?),
        ValueKind::Position => Value::Position(Position::from_degrees(59.0, 10.0)?),
        ValueKind::TroubleCode => {
            Value::TroubleCode(TroubleCode { fault: Fault::Obd(1), state: FaultState::Present })
        }
    })
}

#[expect(clippy::print_stdout, reason = "the answer of the command")]
fn print(text: &str) {
    print!("{text}");
}
