//! One case: a bundle, a ledger and what happens at central and at a gateway, step by step.

use super::bundles::CATALOGUE;
use super::dice::Dice;
use super::ledgers::{Grid, STATION};
use super::real::{Ground, Real, Told, fate, no_facts};
use super::steps::{Step, steps, typical};
use super::{bundles, ledgers, report};
use crate::reference::{
    ASSETS, Answer, Asked, Asset, Bundle, Clock, Entry, Fault, Flow, Head, Identified, Known, Micros,
    Minimiser, Name, Opening, Origin, Past, Quality, Said, is_known_asset, may_be_sent, open, read, standing,
    why_over,
};
use std::{collections::BTreeMap, sync::Arc};
use vernport_policy::{GrantId, Rules};

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

/// A bundle, and what it compiles to: what is drawn is always accepted.
pub(super) fn bundle(dice: &mut Dice, ground: &Ground) -> (Bundle, Arc<Rules>) {
    let bundle = bundles::bundle(dice);
    let rules = ground.rules(&bundle);
    let rules = rules.unwrap_or_else(|error| panic!("{error}\n{}", super::written::bundle(&bundle)));
    (bundle, rules)
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
        for asset in 0..ASSETS.len() {
            for flow in &self.case.bundle.flows {
                self.tally.openings += 1;
                let known = self.known();
                let expected = is_known_asset(&known, asset, STATION, at)
                    .then(|| open(&known, flow, asset, STATION, at));
                let told = self.real.told(asset, flow.id);
                if let Some(what) = self.other(expected.as_ref(), told.as_ref()) {
                    return Err(Box::new(Difference {
                        step: n,
                        expect: format!("# at central: {what}\n{}", self.as_reading(flow, asset, at)),
                        reference: format!("{expected:?}"),
                        real: format!("{told:?}"),
                    }));
                }
                if let (Some(Ok(opening)), Some(Ok((id, ..)))) = (expected, told) {
                    self.tally.opened += 1;
                    if !self.held.iter().any(|held| held.id == id) {
                        self.held.push(Held { id, opening });
                    }
                }
            }
        }
        Ok(())
    }

    /// What differs in what central says of a flow of an asset.
    fn other(&self, expected: Option<&Result<Opening, Name>>, told: Option<&Told>) -> Option<String> {
        match (expected, told) {
            (None, None) => None,
            (Some(Err(reason)), Some(Err(said))) if reason == said => None,
            (Some(Ok(opening)), Some(Ok((_, lease, until))))
                if opening.lease != *lease || opening.until != *until =>
            {
                Some("how long it is believed".into())
            }
            (Some(Ok(opening)), Some(Ok((id, ..)))) => {
                let other =
                    self.held.iter().find(|held| (held.id == *id) != held.opening.is_same(opening))?;
                Some(format!("whether it is the same opening as {:?}", other.opening))
            }
            _ => Some("open or closed".into()),
        }
    }

    /// What the reference knows now.
    fn known(&self) -> Known<'_> {
        Known { catalogue: &CATALOGUE, bundle: &self.case.bundle, ledger: &self.known, fault: self.fault }
    }

    /// What central should say of a flow of an asset, as the answers to a reading of one of its signals.
    fn as_reading(&self, flow: &Flow, asset: Asset, at: Micros) -> String {
        let known = Known {
            catalogue: &CATALOGUE,
            bundle: &self.case.bundle,
            ledger: &self.known,
            fault: self.fault,
        };
        let kept = flow.signals.iter().find(|(_, how)| *how != Minimiser::Drop);
        let (path, _) = kept.unwrap_or(&flow.signals[0]);
        let read_at = Clock { wall: at, boot: 0, quality: Quality::Synced };
        let asked = Asked {
            asset,
            signal: Some(path),
            value: typical(known.signal(path).kind),
            read: read_at,
            by: Identified::BusVin,
            from: flow.sources.as_ref().map_or(Origin::Vehicle, |sources| sources[0]),
        };
        let mut past = Past::default();
        past.hear(Head { told: at, at, boot: 0 });
        let answers = read(&known, &mut past, STATION, &asked, read_at);
        report::reading(&asked, read_at, past.head, &answers)
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
                    expect: report::batch(&held.opening, at, &sent(expected)),
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
            expect: report::reading(asked, now, self.past.head, &expected),
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
                    expect: report::batch(
                        &held.opening,
                        now.wall,
                        &sent(expected.map_err(|(_, reason)| reason)),
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
