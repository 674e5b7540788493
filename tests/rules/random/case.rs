//! One case: a bundle, a ledger and what happens at central and at a gateway, step by step.

use super::bundles::CATALOGUE;
use super::dice::{Dice, NOON};
use super::ledgers::{Grid, STATION};
use super::real::{Ground, Real, fate, no_facts, paths};
use super::{bundles, ledgers};
use crate::reference::{
    ASSETS, Answer, Asked, Bundle, CELLS, Clock, Entry, Fault, Head, Identified, Kind, Known, Micros, Name,
    Opening, Origin, Past, Quality, SECOND, Said, Value, is_known_asset, may_be_sent, open, read, standing,
    why_over,
};
use std::{collections::BTreeMap, sync::Arc};
use vernport_policy::{GrantId, Rules};

/// What happens next.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// Central computes grants, and the gateway hears of them.
    Tell { at: Micros, boot: Micros },
    /// The gateway hears that nothing changed.
    Refresh { at: Micros, boot: Micros },
    /// A reading.
    Read { asked: Asked, now: Clock },
    /// What was read so far is to be sent: the gateway is asked.
    Send { now: Clock },
}

/// A bundle, a ledger, and what happens.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) bundle: Bundle,
    pub(super) entries: Vec<Entry>,
    /// Central knows at each moment what was recorded until then; else it knows all from the
    /// beginning, as when somebody asks about the past.
    pub(super) as_it_went: bool,
    pub(super) steps: Vec<Step>,
}

/// Where the two implementations differ.
#[derive(Debug, Clone)]
pub(super) struct Difference {
    /// The step, by its place.
    pub(super) step: usize,
    /// The question, as `[[expect]]` of a world file, with the answer of the reference.
    pub(super) expect: String,
    pub(super) reference: String,
    pub(super) real: String,
}

/// What was compared.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    /// Readings: one bundle, ledger, clock and reading each.
    pub(super) worlds: u64,
    /// Of these, such with a release.
    pub(super) released: u64,
    /// Flows asked for at central.
    pub(super) openings: u64,
    /// Of these, open.
    pub(super) opened: u64,
    /// Batches asked for, at central and at the gateway.
    pub(super) batches: u64,
    /// Ledgers.
    pub(super) ledgers: u64,
    /// Entries of ledgers that stand, and such that the registry refused.
    pub(super) entries: u64,
    pub(super) refused: u64,
    /// How often each reason was given for a reading.
    pub(super) reasons: BTreeMap<Name, u64>,
}

/// Random steps.
pub(super) fn steps(dice: &mut Dice, bundle: &Bundle, grid: Grid, as_it_went: bool) -> Vec<Step> {
    let mut moments: Vec<Micros> = (0..3 + dice.below(6)).map(|_| grid.moment(dice, -4, 12)).collect();
    if as_it_went {
        moments.sort_unstable();
    }
    let (mut steps, mut boot) = (Vec::new(), 1_000 * SECOND);
    let mut wall = NOON;
    for (n, at) in moments.into_iter().enumerate() {
        // Now and then something is read before the first head.
        if n > 0 || dice.percent(90) {
            steps.push(Step::Tell { at, boot });
            wall = at;
        }
        for _ in 0..4 + dice.below(14) {
            let on = dice.one_of(&[0, 1, 5, 10, 59, 60, 61, 120, 299, 300, 301, 3_600]);
            boot += on * SECOND + dice.one_of(&[0, 0, 0, 0, 0, 1]);
            let jump = match dice.below(12) {
                0 => grid.0 * dice.between(-6, 6),
                1 => dice.between(-400, 400) * SECOND,
                2 => grid.moment(dice, -4, 14) - wall,
                _ => on * SECOND,
            };
            wall += jump;
            let quality = dice.one_of(&[Quality::Synced; 12]);
            let quality =
                if dice.percent(6) { dice.one_of(&[Quality::Unset, Quality::Bounded]) } else { quality };
            let now = Clock { wall, boot, quality };
            match dice.below(14) {
                0 => steps.push(Step::Refresh { at: wall.max(at), boot }),
                1 => steps.push(Step::Send { now }),
                _ => steps.push(Step::Read { asked: asked(dice, bundle, now), now }),
            }
        }
    }
    steps
}

fn asked(dice: &mut Dice, bundle: &Bundle, now: Clock) -> Asked {
    let signal = match dice.below(20) {
        0 => None,
        1..4 => Some(dice.one_of(&paths())),
        _ => {
            let flow = dice.one_of(&bundle.flows);
            Some(dice.one_of(&flow.signals).0)
        }
    };
    let kind = signal.and_then(|path| CATALOGUE.iter().find(|s| s.path == path)).map(|signal| signal.kind);
    let kinds = [Kind::Integer, Kind::Number, Kind::Flag, Kind::Label, Kind::Position, Kind::TroubleCode];
    let kind = kind.filter(|_| dice.percent(95)).unwrap_or_else(|| dice.one_of(&kinds));
    // Read at that moment, or a while before.
    let ago = dice.one_of(&[0, 0, 0, 1, 90, 3_700]) * SECOND;
    let read = Clock { wall: now.wall - ago, boot: (now.boot - ago).max(0), quality: now.quality };
    let asset = if dice.percent(88) { 0 } else { dice.below(ASSETS.len()) };
    let by = [Identified::Pinned, Identified::Tool, Identified::Asserted, Identified::BusVin];
    let by = if dice.percent(70) { Identified::BusVin } else { dice.one_of(&by) };
    let from = if dice.percent(80) { Origin::Vehicle } else { dice.one_of(&[Origin::Tool, Origin::Manual]) };
    Asked { asset, signal, value: value(dice, kind), read, by, from }
}

/// Values with their edges; now and then a signal has none.
fn value(dice: &mut Dice, kind: Kind) -> Value {
    if dice.percent(5) {
        return Value::Nothing;
    }
    match kind {
        Kind::Integer if dice.percent(40) => Value::Integer(dice.between(-50, 50)),
        Kind::Integer => Value::Integer(dice.one_of(&[
            0,
            158_910_605,
            158_910_500,
            4_999_999_999,
            i64::MAX,
            i64::MIN,
            i64::MAX - 3,
            500,
            -500,
            9_999,
            10_000,
        ])),
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        Kind::Number if dice.percent(60) => Value::Number(dice.between(-400, 400) as f64 / 4.0),
        Kind::Number => Value::Number(
            dice.one_of(&[0.0, -0.5, 0.1, 81.6, 2.5, 19.999_999, 1e9, -1e9, 12_345.678, 1e15, 1e-300]),
        ),
        Kind::Flag => Value::Flag(dice.percent(50)),
        Kind::Label => Value::Label(dice.one_of(&["", "A 000 123 45 67"])),
        Kind::Position => {
            let (north, east) = dice.one_of(&CELLS).0;
            Value::Position(north, east)
        }
        Kind::TroubleCode => Value::TroubleCode(dice.one_of(&[0, 0x0126, u16::MAX])),
    }
}

/// A whole case; the bundle is drawn until it compiles.
pub(super) fn bundle(dice: &mut Dice, ground: &Ground) -> (Bundle, Arc<Rules>) {
    loop {
        let bundle = bundles::bundle(dice);
        match ground.rules(&bundle) {
            Ok(rules) => return (bundle, rules),
            Err(error) => panic!("a bundle that is refused: {error}\n{}", super::written::bundle(&bundle)),
        }
    }
}

pub(super) fn case(dice: &mut Dice, bundle: &Bundle) -> Case {
    let grid = Grid::draw(dice);
    let as_it_went = dice.percent(60);
    let entries = ledgers::ledger(dice, bundle, grid);
    let steps = steps(dice, bundle, grid, as_it_went);
    Case { bundle: bundle.clone(), entries, as_it_went, steps }
}

/// An opening as central numbered it and as the reference sees it.
struct Held {
    id: GrantId,
    opening: Opening,
}

struct Run<'a> {
    case: &'a Case,
    fault: Option<Fault>,
    real: Real<'a>,
    entries: Vec<(vernport_registry::Entry, Option<Entry>)>,
    known: Vec<Entry>,
    past: Past,
    held: Vec<Held>,
    tally: Tally,
}

/// Runs a case through both. `rules` are those of its bundle.
pub(super) fn run(
    case: &Case,
    rules: &Arc<Rules>,
    ground: &Ground,
    fault: Option<Fault>,
) -> Result<Tally, Box<Difference>> {
    let (real, assets) = ground.entries(&case.entries);
    let mut run = Run {
        case,
        fault,
        real: Real::new(ground, rules, assets),
        entries: Vec::new(),
        known: Vec::new(),
        past: Past::default(),
        held: Vec::new(),
        tally: Tally { ledgers: 1, ..Tally::default() },
    };
    run.admit(real);
    if !case.as_it_went {
        run.learn(Micros::MAX);
    }
    for (n, step) in case.steps.iter().enumerate() {
        run.step(n, step)?;
    }
    Ok(run.tally)
}

impl Run<'_> {
    /// Takes from the ledger what the registry does not let in.
    fn admit(&mut self, real: Vec<vernport_registry::Entry>) {
        let mut facts = no_facts();
        for entry in real {
            if facts.apply(&entry).is_err() {
                self.tally.refused += 1;
                continue;
            }
            let place: usize = entry.external_ref.as_str()["event-".len()..].parse().expect("a place");
            let written = self.case.entries.get(place).map(|written| {
                let mut written = written.clone();
                written.name = *entry.hash().as_bytes();
                written
            });
            self.tally.entries += 1;
            self.entries.push((entry, written));
        }
    }

    /// Central learns what was recorded until then.
    fn learn(&mut self, until: Micros) {
        let later = self.entries.iter().position(|(entry, _)| entry.recorded_at.0 > until);
        let now: Vec<_> = self.entries.drain(..later.unwrap_or(self.entries.len())).collect();
        for (entry, written) in now {
            self.real.facts.apply(&entry).expect("it was admitted before");
            self.known.extend(written);
        }
    }

    fn step(&mut self, n: usize, step: &Step) -> Result<(), Box<Difference>> {
        match step {
            Step::Tell { at, boot } => self.tell(n, *at, *boot),
            Step::Refresh { at, boot } => {
                if let Some(head) = self.past.head {
                    self.past.hear(Head { told: head.told, at: *at, boot: *boot });
                }
                self.real.refresh(*at, *boot);
                Ok(())
            }
            Step::Read { asked, now } => self.read(n, asked, *now),
            Step::Send { now } => self.send(n, *now),
        }
    }

    fn tell(&mut self, n: usize, at: Micros, boot: Micros) -> Result<(), Box<Difference>> {
        if self.case.as_it_went {
            self.learn(at);
        }
        let before: Vec<GrantId> = self.held.iter().map(|held| held.id).collect();
        self.real.tell(at, boot, &before);
        self.past.hear(Head { told: at, at, boot });
        self.openings(n, at)?;
        self.batches(n, at)
    }

    fn openings(&mut self, n: usize, at: Micros) -> Result<(), Box<Difference>> {
        let known = Known {
            catalogue: &CATALOGUE,
            bundle: &self.case.bundle,
            ledger: &self.known,
            fault: self.fault,
        };
        for asset in 0..ASSETS.len() {
            for flow in &self.case.bundle.flows {
                self.tally.openings += 1;
                let expected = is_known_asset(&known, asset, STATION, at)
                    .then(|| open(&known, flow, asset, STATION, at));
                let told = self.real.told(asset, flow.id);
                let differ = |what: &str| {
                    Box::new(Difference {
                        step: n,
                        expect: format!(
                            "# central, {} of {} at {}: {what}",
                            flow.id,
                            ASSETS[asset],
                            super::written_time(at)
                        ),
                        reference: format!("{expected:?}"),
                        real: format!("{told:?}"),
                    })
                };
                match (&expected, &told) {
                    (None, None) => {}
                    (Some(Err(reason)), Some(Err(said))) if reason == said => {}
                    (Some(Ok(opening)), Some(Ok((id, lease, until)))) => {
                        self.tally.opened += 1;
                        if opening.lease != *lease || opening.until != *until {
                            return Err(differ("how long it is believed"));
                        }
                        for held in &self.held {
                            if (held.id == *id) != held.opening.is_same(opening) {
                                return Err(differ(&format!("the same opening as {:?}", held.opening)));
                            }
                        }
                        if !self.held.iter().any(|held| held.id == *id) {
                            self.held.push(Held { id: *id, opening: opening.clone() });
                        }
                    }
                    _ => return Err(differ("open or closed")),
                }
            }
        }
        Ok(())
    }

    /// Central on what was read under each opening so far.
    fn batches(&mut self, n: usize, at: Micros) -> Result<(), Box<Difference>> {
        let known = Known {
            catalogue: &CATALOGUE,
            bundle: &self.case.bundle,
            ledger: &self.known,
            fault: self.fault,
        };
        for held in &self.held {
            self.tally.batches += 1;
            let expected = may_be_sent(&known, &held.opening, at);
            let real = self.real.may_be_sent(held.id, at);
            if expected != real {
                return Err(Box::new(Difference {
                    step: n,
                    expect: super::expect_batch(&held.opening, at, sent(expected)),
                    reference: format!("{expected:?} of {:?}", held.opening),
                    real: format!("{real:?}"),
                }));
            }
        }
        Ok(())
    }

    fn read(&mut self, n: usize, asked: &Asked, now: Clock) -> Result<(), Box<Difference>> {
        self.tally.worlds += 1;
        let known = Known {
            catalogue: &CATALOGUE,
            bundle: &self.case.bundle,
            ledger: &self.known,
            fault: self.fault,
        };
        let expected: Vec<Answer> = read(&known, &mut self.past, STATION, asked, now);
        let real = self.real.read(asked, now);
        if expected.iter().any(|answer| matches!(answer.said, Said::Released { .. })) {
            self.tally.released += 1;
        }
        for answer in &expected {
            if let Said::Withheld(reason) = answer.said {
                *self.tally.reasons.entry(reason).or_default() += 1;
            }
        }
        if expected == real {
            return Ok(());
        }
        Err(Box::new(Difference {
            step: n,
            expect: super::expect_reading(asked, now, self.past.head, &expected),
            reference: format!("{expected:?}"),
            real: format!("{real:?}"),
        }))
    }

    /// The gateway on what was read under each opening so far.
    fn send(&mut self, n: usize, now: Clock) -> Result<(), Box<Difference>> {
        let known = Known {
            catalogue: &CATALOGUE,
            bundle: &self.case.bundle,
            ledger: &self.known,
            fault: self.fault,
        };
        for held in &self.held {
            self.tally.batches += 1;
            let told = self.past.head.map(|head| head.told).expect("something was opened");
            let flow = known.flow(held.opening.flow);
            let asset = held.opening.asset;
            let now_open = is_known_asset(&known, asset, STATION, told)
                .then(|| open(&known, flow, asset, STATION, told).ok())
                .flatten();
            let expected = match now_open {
                Some(opening) if opening.is_same(&held.opening) => {
                    standing(&known, &mut self.past, &opening, true, now)
                        .map_err(|reason| (fate(reason), reason))
                }
                _ => why_over(&known, &held.opening, told).map_err(|reason| (fate(reason), reason)),
            };
            let expected =
                expected.or_else(|(fate, reason)| if fate == "send" { Ok(()) } else { Err((fate, reason)) });
            let real = self.real.standing(held.id, now);
            if expected != real {
                return Err(Box::new(Difference {
                    step: n,
                    expect: super::expect_batch(
                        &held.opening,
                        now.wall,
                        sent(expected.map_err(|(_, reason)| reason)),
                    ),
                    reference: format!("{expected:?} of {:?}", held.opening),
                    real: format!("{real:?}"),
                }));
            }
        }
        Ok(())
    }
}

/// As `[[expect]]` says it.
fn sent(answer: Result<(), Name>) -> String {
    match answer {
        Ok(()) => "send".into(),
        Err(reason) => format!("{}:{reason}", fate(reason)),
    }
}
