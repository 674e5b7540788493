//! Snapshots kept up to date, against the full computation: whatever is said and however the
//! time passes, computing what was touched gives what computing everything gives.

#[path = "../../../registry/tests/ledgers/mod.rs"]
mod ledgers;
#[path = "../../../registry/tests/samples/mod.rs"]
mod samples;
#[path = "../world/mod.rs"]
mod world;

mod beginning;
mod many;

/// What the random ledgers ask of the suite that they are drawn for.
mod naive {
    use vernport_types::AssetId;

    pub(crate) fn all_assets() -> [AssetId; 3] {
        [1, 2, 3].map(crate::samples::asset)
    }
}

use beginning::{GATEWAYS, beginning};
use ledgers::{ledger, line, moment, station};
use proptest::prelude::*;
use samples::{asset, order, slug, subject};
use std::collections::BTreeMap;
use vernport_crypto::WrappingKey;
use vernport_policy::{Agenda, Anew, Rules, Snapshot, SnapshotFor, snapshot};
use vernport_registry::*;
use vernport_types::{Slug, UtcMicros};
use world::Counting;

const BUNDLE: &str = include_str!("../bundles/drawn.toml");
/// After each entry the clock goes on by some of these.
const HALF_HOUR: i64 = 1_800;

/// What central keeps of one controller.
struct Kept {
    rules: Rules,
    facts: Facts,
    tables: Counting,
    agenda: Agenda,
    snapshots: BTreeMap<Slug, Snapshot>,
    now: UtcMicros,
    /// How many times only some grants were computed.
    in_part: usize,
}

impl Kept {
    fn new() -> Self {
        Self {
            rules: world::compile(BUNDLE),
            facts: Facts::new(samples::controller()),
            tables: Counting::default(),
            agenda: Agenda::default(),
            snapshots: BTreeMap::new(),
            now: moment(0),
            in_part: 0,
        }
    }

    /// Says something, if it may be said, and computes what it touches.
    fn say(&mut self, entry: &Entry) {
        let applied = match entry.event {
            Event::Unknown(_) => self.facts.replay(entry),
            _ => self.facts.apply(entry),
        };
        let Ok(applied) = applied else { return };
        self.agenda.note(&self.rules, entry, applied.entry);
        self.compute(applied.touched);
    }

    fn pass(&mut self, seconds: i64) {
        self.now = self.now.plus_seconds(seconds);
        if self.agenda.is_due(&self.rules, self.now) {
            let touched = self.agenda.pass(&self.facts, &self.rules, self.now);
            self.compute(touched);
        }
        assert!(!self.agenda.is_due(&self.rules, self.now), "what passed is over");
    }

    fn compute(&mut self, touched: Touched) {
        match touched {
            Touched::All => {
                let full = GATEWAYS.map(slug).into_iter().filter_map(|gateway| self.full(&gateway));
                self.snapshots = full.map(|snapshot| (snapshot.gateway.clone(), snapshot)).collect();
            }
            Touched::Assets(assets) => {
                self.in_part += 1;
                let anew = Anew::of(&self.facts, assets, self.now);
                for (gateway, kept) in &mut self.snapshots {
                    let enrolled = self.facts.enrolment(gateway, self.now).expect("its end touches all");
                    let at = &enrolled.station;
                    if anew.concerns(kept, at) {
                        let known = (&self.facts, &self.rules);
                        *kept = anew.renew(kept, known, at, self.now, &mut self.tables);
                    }
                }
            }
        }
    }

    /// The snapshot of a gateway, if it is enrolled, computed from nothing.
    fn full(&mut self, gateway: &Slug) -> Option<Snapshot> {
        let at = self.facts.enrolment(gateway, self.now)?.station;
        let recovery = WrappingKey::from_bytes([9; 32]);
        let whom = SnapshotFor { gateway: gateway.clone(), at, recovery, closed: Vec::new() };
        Some(snapshot(&self.facts, &self.rules, whom, self.now, &mut self.tables))
    }

    fn check(&mut self) -> Result<(), TestCaseError> {
        for gateway in GATEWAYS.map(slug) {
            let full = self.full(&gateway);
            prop_assert_eq!(self.snapshots.get(&gateway), full.as_ref(), "{}", gateway);
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn computing_what_was_touched_gives_what_computing_everything_gives(
        lines in prop::collection::vec((line(), 0..3_i64), 1..60),
        later in prop::collection::vec(0..4 * 86_400_i64, 0..8),
    ) {
        let mut kept = Kept::new();
        kept.pass(0);
        for entry in beginning() {
            kept.say(&entry);
        }
        kept.check()?;
        let (lines, steps): (Vec<_>, Vec<_>) = lines.into_iter().unzip();
        for (entry, half_hours) in ledger(&lines).0.iter().zip(steps) {
            kept.say(entry);
            kept.check()?;
            kept.pass(half_hours * HALF_HOUR);
            kept.check()?;
        }
        for _ in 0..40 {
            kept.pass(HALF_HOUR);
            kept.check()?;
        }
        for seconds in later.into_iter().chain([40 * 86_400]) {
            kept.pass(seconds);
            kept.check()?;
        }
        prop_assert!(kept.in_part > 0, "something was computed in part");
    }
}

#[test]
fn the_first_question_touches_everything_and_the_second_nothing() {
    let mut kept = Kept::new();
    assert!(kept.agenda.is_due(&kept.rules, kept.now));
    assert_eq!(kept.agenda.pass(&kept.facts, &kept.rules, kept.now), Touched::All);
    assert!(!kept.agenda.is_due(&kept.rules, kept.now));
    assert_eq!(kept.agenda.pass(&kept.facts, &kept.rules, kept.now), Touched::none());
    assert!(kept.agenda.is_due(&kept.rules, kept.now.plus_seconds(86_400)), "a day passed");
}

/// What was said in the beginning, and what follows it, each when it was said.
fn told(events: impl IntoIterator<Item = Event>) -> Kept {
    let mut kept = Kept::new();
    kept.pass(0);
    let said = events.into_iter().enumerate();
    let said = said.map(|(n, event)| samples::entry(event, moment(0), moment(0), &format!("then-{n}")));
    for entry in beginning().into_iter().chain(said) {
        kept.say(&entry);
    }
    kept.check().expect("as computed from nothing");
    kept
}

#[test]
fn a_consent_is_computed_anew_when_its_form_ends_before_it() {
    let driver =
        Event::Linked(Link { asset: asset(1), subject: subject(1), role: Role::Driver, until: None });
    let consent = |role, n| {
        Event::ConsentGiven(Consent {
            role,
            purpose: slug("marketing"),
            recipient: slug("fleet"),
            receipt: ReceiptCode::from_bytes([n; 7]),
            ..samples::consent()
        })
    };
    let mut kept = told([driver, consent(Role::Owner, 1), consent(Role::Driver, 2)]);
    let open = |kept: &Kept| {
        let flows = kept.snapshots[&slug("box")].grants.iter().flat_map(|grant| &grant.flows);
        flows.filter(|opened| opened.flow == slug("marketing")).count()
    };
    kept.pass(5 * 3_600 - 1);
    assert_eq!(open(&kept), 1, "the form holds for five hours, the consent for a year");
    kept.pass(1);
    assert_eq!(open(&kept), 0);
    kept.check().expect("as computed from nothing");
}

#[test]
fn the_year_turns_by_the_calendar_of_the_controller() {
    let order = OrderOpened {
        order: order(7),
        assets: vec![asset(1)],
        station: station(0),
        expires_at: moment(0).plus_seconds(60 * 86_400),
    };
    let order = samples::entry(Event::OrderOpened(order), moment(0), moment(0), "then");
    let mut kept = told([]);
    // 21:59 UTC on the last day of 2026: 22:59 in Oslo.
    kept.pass(41 * 86_400 + 14 * 3_600 - 60);
    kept.say(&Entry { recorded_at: kept.now, ..order });
    let hour_before = kept.snapshots.clone();
    kept.pass(3_600);
    assert_eq!(kept.snapshots, hour_before);
    kept.pass(60);
    assert_ne!(kept.snapshots, hour_before, "other aliases, an hour before the day of UTC is over");
    kept.check().expect("as computed from nothing");
}
