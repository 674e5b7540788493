//! The real thing: bundle and world file in, answers out in the words of the reference.

use super::bundles::CATALOGUE;
use super::ledgers::STATION;
use super::written;
use crate::reference::{
    ASSETS, Answer, Asked, Bundle, Clock, Entry as Written, Identified, Micros, Name, Origin, Quality, Said,
    Value as Plain,
};
use std::{collections::HashMap, sync::Arc};
use vernport_crypto::IdentityKey;
use vernport_policy::{
    Bundle as File, ClosedGrant, GrantId, Head, How, Opening, Outcomes, Rules, Sampler, SnapshotFor,
    Standing, StationRef, Table, Tables, closing_reason, may_be_sent, snapshot,
};
use vernport_registry::{Entry, Facts, world::World};
use vernport_types::{
    AssetId, BootMicros, Catalogue, Cell, Fault, FaultState, Identification, Label, Number, Position,
    Reading, Reason, SignalId, Slug, Source, Stamp, TimeQuality, TroubleCode, UtcMicros, Value, VehicleAlias,
};

/// Draws ids by counting, and remembers every opening.
#[derive(Default)]
struct Counting {
    openings: HashMap<[u8; 32], (GrantId, Opening)>,
    aliases: HashMap<(AssetId, Slug, Slug, i16), VehicleAlias>,
}

fn number(n: usize) -> [u8; 16] {
    u128::try_from(n + 1).expect("small").to_be_bytes()
}

impl Tables for Counting {
    fn grant_id(&mut self, opening: &Opening) -> GrantId {
        let next = GrantId::from_bytes(number(self.openings.len()));
        self.openings.entry(opening.key()).or_insert((next, opening.clone())).0
    }

    fn alias(&mut self, asset: AssetId, recipient: &Slug, purpose: &Slug, year: i16) -> VehicleAlias {
        let next = VehicleAlias::from_bytes(number(self.aliases.len()));
        *self.aliases.entry((asset, recipient.clone(), purpose.clone(), year)).or_insert(next)
    }
}

/// What does not change from world to world.
pub(super) struct Ground {
    catalogue: Catalogue,
}

impl Ground {
    pub(super) fn new() -> Self {
        let text = written::catalogue();
        Self { catalogue: Catalogue::from_toml([("signals.toml", text.as_str())]).expect("a catalogue") }
    }

    pub(super) const fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    pub(super) fn rules(&self, bundle: &Bundle) -> Result<Arc<Rules>, String> {
        let file = File::from_toml("bundle.toml", &written::bundle(bundle)).map_err(|e| e.to_string())?;
        Rules::compile(&file, &self.catalogue).map(Arc::new).map_err(|e| e.to_string())
    }

    /// The ids of the assets of all worlds, and their entries as the ledger holds them.
    pub(super) fn entries(&self, entries: &[Written]) -> (Vec<Entry>, [AssetId; ASSETS.len()]) {
        let text = written::world(entries);
        let world = World::from_toml("world.toml", &text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let controller = written::CONTROLLER.parse().expect("a controller");
        let real = world
            .entries(&controller, &IdentityKey::from_bytes([0; 32]), UtcMicros(0))
            .unwrap_or_else(|error| panic!("{error}\n{text}"));
        (real, ASSETS.map(|name| world.asset(name).expect("declared")))
    }
}

/// The empty ledger of the controller of all worlds.
pub(super) fn no_facts() -> Facts {
    Facts::new(written::CONTROLLER.parse().expect("a controller"))
}

/// One central and one gateway.
pub(super) struct Real<'a> {
    ground: &'a Ground,
    rules: Arc<Rules>,
    pub(super) facts: Facts,
    assets: [AssetId; ASSETS.len()],
    tables: Counting,
    table: Table,
    sampler: Sampler,
    out: Outcomes,
    heads: u64,
}

/// What central said of one flow of one asset: the number of the opening, its lease and
/// its end; or why it is closed.
pub(super) type Told = Result<(GrantId, Option<Micros>, (Micros, Name)), Name>;

impl<'a> Real<'a> {
    pub(super) fn new(ground: &'a Ground, rules: &Arc<Rules>, assets: [AssetId; ASSETS.len()]) -> Self {
        Self {
            ground,
            rules: Arc::clone(rules),
            facts: no_facts(),
            assets,
            tables: Counting::default(),
            table: Table::new(Arc::clone(rules)),
            sampler: Sampler::default(),
            out: Outcomes::new(),
            heads: 0,
        }
    }

    /// Computes what holds, and tells it to the gateway. `over`: openings of which batches may be
    /// on the way, as central lists them when no grant holds them any more.
    pub(super) fn tell(&mut self, now: Micros, boot: Micros, before: &[GrantId]) {
        let at = station();
        let whom = |closed| SnapshotFor {
            gateway: "box-1".parse().expect("a slug"),
            at: at.clone(),
            recovery: written::key(u32::MAX),
            closed,
        };
        let now = UtcMicros(now);
        let first = snapshot(&self.facts, &self.rules, whom(Vec::new()), now, &mut self.tables);
        let held = |id: &GrantId| first.grants.iter().any(|grant| grant.flows.iter().any(|f| f.id == *id));
        let closed: Vec<ClosedGrant> = before
            .iter()
            .filter(|id| !held(id))
            .map(|id| ClosedGrant {
                id: *id,
                reason: closing_reason(&self.facts, &self.rules, self.opening(*id), now),
            })
            .collect();
        let snapshot = snapshot(&self.facts, &self.rules, whom(closed), now, &mut self.tables);
        let head = self.head(now.0, snapshot.hash());
        let received = stamp(Clock { wall: now.0, boot, quality: Quality::Synced });
        let applied = self.table.apply(snapshot, &head, received).expect("it names the snapshot");
        assert!(
            applied.refused.is_empty(),
            "central's grants are no wider than the bundle: {:?}",
            applied.refused
        );
    }

    /// A newer head of what was told last.
    pub(super) fn refresh(&mut self, at: Micros, boot: Micros) {
        let Some(hash) = self.table.snapshot().map(vernport_policy::Snapshot::hash) else { return };
        let head = self.head(at, hash);
        let received = stamp(Clock { wall: at, boot, quality: Quality::Synced });
        self.table.refresh(&head, received).expect("it names the snapshot");
    }

    fn head(&mut self, at: Micros, snapshot_hash: [u8; 32]) -> Head {
        self.heads += 1;
        Head { era: 1, sequence: self.heads, at: UtcMicros(at), nonce: [0; 16], snapshot_hash }
    }

    fn opening(&self, id: GrantId) -> &Opening {
        &self.tables.openings.values().find(|(known, _)| *known == id).expect("it was drawn here").1
    }

    /// What was told last about a flow of an asset; none: nothing about the asset.
    pub(super) fn told(&self, asset: usize, flow: Name) -> Option<Told> {
        let snapshot = self.table.snapshot()?;
        let grant = snapshot.grants.iter().find(|grant| grant.asset == self.assets[asset])?;
        let opened = grant.flows.iter().find(|opened| opened.flow.as_str() == flow);
        let closed = grant.closed.iter().find(|(closed, _)| closed.as_str() == flow);
        Some(match (opened, closed) {
            (Some(opened), None) => Ok((
                opened.id,
                opened.believe.lease_seconds.map(|seconds| i64::from(seconds) * 1_000_000),
                (opened.believe.until.0, opened.believe.ends_as.code()),
            )),
            (None, Some((_, reason))) => Err(reason.code()),
            _ => panic!("a flow is either open or closed"),
        })
    }

    /// Central's answer on a batch.
    pub(super) fn may_be_sent(&self, id: GrantId, now: Micros) -> Result<(), Name> {
        may_be_sent(&self.facts, &self.rules, self.opening(id), UtcMicros(now)).map_err(Reason::code)
    }

    /// The gateway's answer on a batch.
    pub(super) fn standing(&self, id: GrantId, now: Clock) -> Result<(), (Name, Name)> {
        match self.table.standing(id, stamp(now)) {
            Standing::Send => Ok(()),
            Standing::Park(reason) => Err(("park", reason.code())),
            Standing::Destroy(reason) => Err(("destroy", reason.code())),
        }
    }

    /// The gateway's answers to a reading.
    pub(super) fn read(&mut self, asked: &Asked, now: Clock) -> Vec<Answer> {
        let signal = asked
            .signal
            .map_or(SignalId(u16::MAX), |path| self.ground.catalogue.find(path).expect("of the catalogue"));
        let reading = Reading {
            asset: self.assets[asked.asset],
            signal,
            value: value(&asked.value),
            at: stamp(asked.read),
            source: match asked.from {
                Origin::Vehicle => Source::J1939 { pgn: 65_217, sa: 0 },
                Origin::Tool => Source::Tool,
                Origin::Manual => Source::Manual,
            },
            identified_by: match asked.by {
                Identified::Pinned => Identification::Pinned,
                Identified::Tool => Identification::Tool,
                Identified::Asserted => Identification::Asserted,
                Identified::BusVin => Identification::BusVin,
            },
        };
        self.table.decide(&reading, stamp(now), &mut self.sampler, &mut self.out);
        let name = |slug: &Slug| {
            let known = ["f-0", "f-1", "f-2", "f-3", "f-4", "f-5"];
            known.into_iter().find(|name| *name == slug.as_str()).expect("a flow of a world")
        };
        let mut answers: Vec<Answer> = Vec::new();
        for released in self.out.released() {
            let flow = self.rules.flow(released.flow());
            let said = Said::Released {
                value: plain(released.value()),
                wall: released.at().wall.0,
                boot: i64::try_from(released.at().boot.0).expect("small"),
                exact: released.how() == How::Exact,
                latest_due: flow.retention.latest_due(reading.at.wall).0,
            };
            answers.push(Answer { flow: Some(name(&flow.slug)), said });
        }
        for withheld in self.out.withheld() {
            let flow = withheld.flow.map(|flow| name(&self.rules.flow(flow).slug));
            answers.push(Answer { flow, said: Said::Withheld(withheld.reason.code()) });
        }
        answers.sort_by_key(|answer| answer.flow);
        answers
    }
}

/// What a reason does to a batch (invariant 2).
pub(super) fn fate(reason: Name) -> Name {
    match Reason::from_code(reason).expect("a reason").fate() {
        vernport_types::Fate::Send => "send",
        vernport_types::Fate::Park => "park",
        vernport_types::Fate::Destroy => "destroy",
    }
}

fn station() -> StationRef {
    let (site, station) = STATION.split_once('/').expect("site/station");
    StationRef { site: site.parse().expect("a slug"), station: station.parse().expect("a slug") }
}

fn stamp(clock: Clock) -> Stamp {
    Stamp {
        wall: UtcMicros(clock.wall),
        boot: BootMicros(u64::try_from(clock.boot).expect("positive")),
        quality: match clock.quality {
            Quality::Unset => TimeQuality::Unset,
            Quality::Bounded => TimeQuality::Bounded,
            Quality::Synced => TimeQuality::Synced,
        },
    }
}

const PARTS: [Name; 2] = ["", "A 000 123 45 67"];

fn value(value: &Plain) -> Value {
    match value {
        Plain::Integer(n) => Value::Integer(*n),
        Plain::Number(x) => Value::Number(Number::new(*x).expect("finite")),
        Plain::Flag(flag) => Value::Flag(*flag),
        Plain::Label(text) => Value::Label(Label::new(text).expect("short")),
        Plain::Position(north, east) => {
            Value::Position(Position::from_e7(*north, *east).expect("on the globe"))
        }
        Plain::TroubleCode(code) => {
            Value::TroubleCode(TroubleCode { fault: Fault::Obd(*code), state: FaultState::Present })
        }
        Plain::Nothing => Value::Nothing,
        Plain::Cell(cell) => Value::Cell(Cell(*cell)),
        Plain::Bucket(from, to) => Value::Bucket(*from, *to),
        Plain::Present => Value::Present,
    }
}

fn plain(value: Value) -> Plain {
    match value {
        Value::Integer(n) => Plain::Integer(n),
        Value::Number(x) => Plain::Number(x.get()),
        Value::Flag(flag) => Plain::Flag(flag),
        Value::Label(text) => {
            Plain::Label(PARTS.into_iter().find(|part| *part == text.expose()).expect("a label of a world"))
        }
        Value::Position(place) => Plain::Position(place.latitude_e7(), place.longitude_e7()),
        Value::TroubleCode(TroubleCode { fault: Fault::Obd(code), .. }) => Plain::TroubleCode(code),
        Value::TroubleCode(_) => panic!("no such trouble code was read"),
        Value::Nothing => Plain::Nothing,
        Value::Cell(cell) => Plain::Cell(cell.0),
        Value::Bucket(from, to) => Plain::Bucket(from, to),
        Value::Present => Plain::Present,
    }
}

/// The paths of the catalogue, for questions.
pub(super) fn paths() -> Vec<Name> {
    CATALOGUE.iter().map(|signal| signal.path).collect()
}
