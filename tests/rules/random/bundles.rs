//! Random bundles, such as a compiler accepts: what it refuses is tried elsewhere.

use super::dice::Dice;
use crate::reference::{
    Agreement, Basis, Bundle, Date, Flow, Form, Ground, Identified, Kind, Minimiser, Name, Notice, Origin,
    Purpose, Recipient, Role, SECOND, Sampling, Signal, Window,
};

/// The catalogue of all worlds.
pub(super) const CATALOGUE: [Signal; 8] = [
    Signal { path: ODOMETER, kind: Kind::Integer, category: "odometer" },
    Signal { path: SPEED, kind: Kind::Number, category: "driving-behaviour" },
    Signal { path: PLACE, kind: Kind::Position, category: "location" },
    Signal { path: "Vehicle.Diagnostics.DTCList", kind: Kind::TroubleCode, category: "component-status" },
    Signal { path: VIN, kind: Kind::Label, category: "identifier" },
    Signal {
        path: "Vehicle.Extension.PowerTakeOffs.IsEngagedAtLeastOne",
        kind: Kind::Flag,
        category: "body-function",
    },
    Signal {
        path: "Vehicle.LowVoltageBattery.CurrentVoltage",
        kind: Kind::Number,
        category: "component-status",
    },
    Signal { path: "Vehicle.Service.DistanceToService", kind: Kind::Integer, category: "component-status" },
];

const ODOMETER: Name = "Vehicle.TraveledDistance";
const SPEED: Name = "Vehicle.Speed";
const PLACE: Name = "Vehicle.CurrentLocation";
const VIN: Name = "Vehicle.VehicleIdentification.VIN";

const FLOWS: [Name; 6] = ["f-0", "f-1", "f-2", "f-3", "f-4", "f-5"];
const FORMS: [Name; 6] = ["form-0", "form-1", "form-2", "form-3", "form-4", "form-5"];
const ORIGINS: [Origin; 3] = [Origin::Vehicle, Origin::Tool, Origin::Manual];
const GROUNDS: [Ground; 3] = [Ground::CourtOrder, Ground::LegalDuty, Ground::Security];
const VERSIONS: [Name; 3] = ["told-1", "told-2", "told-3"];
const PURPOSES: [(Name, Basis, bool); 7] = [
    ("remind", Basis::Consent, false),
    ("serve", Basis::Contract, false),
    ("plan", Basis::LegitimateInterest, false),
    ("news", Basis::Consent, true),
    ("statute", Basis::LegalObligation, false),
    ("public", Basis::PublicTask, false),
    ("rescue", Basis::VitalInterest, false),
];
const ALL_ROLES: [Role; 4] = [Role::Owner, Role::Driver, Role::Deliverer, Role::Orderer];

/// What goes together about places (format: no place with speed or a fine odometer).
#[derive(Clone, Copy, PartialEq)]
enum Places {
    None,
    Coarse,
    Precise,
}

pub(super) fn bundle(dice: &mut Dice) -> Bundle {
    let places = dice.one_of(&[Places::None, Places::Coarse, Places::Coarse, Places::Precise]);
    let purposes: Vec<(Name, Basis, bool)> = PURPOSES
        .iter()
        .filter(|(_, basis, marketing)| {
            dice.percent(match basis {
                Basis::Consent if !marketing => 90,
                Basis::Contract | Basis::LegitimateInterest => 70,
                _ => 25,
            })
        })
        .copied()
        .collect();
    let mut purposes: Vec<Purpose> = purposes
        .into_iter()
        .map(|(id, basis, marketing)| Purpose { id, basis, marketing, profiling: dice.percent(15) })
        .collect();
    if purposes.is_empty() {
        purposes.push(Purpose { id: "remind", basis: Basis::Consent, marketing: false, profiling: false });
    }
    let recipients = recipients(dice);
    let count = 1 + dice.below(FLOWS.len());
    let mut flows: Vec<Flow> =
        FLOWS[..count].iter().map(|id| flow(dice, id, &purposes, &recipients, places)).collect();
    let notices = notices(dice, &flows);
    for flow in &mut flows {
        told(dice, flow, &notices);
    }
    let forms = forms(dice, &flows, &purposes);
    let listed = notices.iter().any(|notice| notice.categories.contains(&"identifier"));
    let identify = if listed && dice.percent(50) { vec![VIN] } else { Vec::new() };
    let hosting = dice.percent(25).then(|| agreement(dice));
    Bundle { notices, purposes, recipients, hosting, forms, identify, flows }
}

/// A date that lies long before or after all worlds, or among them.
fn near(dice: &mut Dice, percent_far: usize, far: Date) -> Date {
    if dice.percent(percent_far) { far } else { (2026, 11, dice.between(17, 25)) }
}

fn agreement(dice: &mut Dice) -> Agreement {
    let from = near(dice, 92, (2018, 7, 20));
    let until = near(dice, 80, (2031, 1, 1));
    let attested_until = dice.percent(30).then(|| near(dice, 70, (2030, 1, 1)));
    let until = if from < until { until } else { (2031, 1, 1) };
    Agreement { from, until, attested_until }
}

fn recipients(dice: &mut Dice) -> Vec<Recipient> {
    let mut all = vec![Recipient { id: "firm", authority: false, agreement: None, transfer: None }];
    for (id, far) in [("coach", false), ("far-away", true)] {
        if dice.percent(45) {
            let agreement = Some(agreement(dice));
            let transfer = far.then(|| near(dice, 70, (2030, 7, 1)));
            all.push(Recipient { id, authority: false, agreement, transfer });
        }
    }
    if dice.percent(35) {
        all.push(Recipient { id: "police", authority: true, agreement: None, transfer: None });
    }
    all
}

/// Which version first told of a flow, and where its data comes from.
fn told(dice: &mut Dice, flow: &mut Flow, notices: &[Notice]) {
    let mut first = 0;
    if dice.percent(25) {
        first = dice.below(notices.len());
        flow.notice = Some(notices[first].version);
    }
    if dice.percent(25) {
        let all: Vec<Origin> = ORIGINS
            .into_iter()
            .filter(|origin| notices[first..].iter().all(|notice| notice.sources.contains(origin)))
            .collect();
        flow.sources = Some(dice.some_of(&all, 60));
    }
}

/// A form for each flow that rests on consent.
fn forms(dice: &mut Dice, flows: &[Flow], purposes: &[Purpose]) -> Vec<Form> {
    let consented = |flow: &&Flow| {
        let purpose = purposes.iter().find(|purpose| purpose.id == flow.purpose);
        purpose.is_some_and(|purpose| purpose.basis == Basis::Consent)
    };
    let flows = flows.iter().zip(FORMS).filter(|(flow, _)| consented(flow));
    flows
        .map(|(flow, id)| {
            let reads = |category: &Name| {
                flow.signals.iter().any(|(path, _)| {
                    CATALOGUE.iter().any(|signal| signal.path == *path && signal.category == *category)
                })
            };
            let mut categories: Vec<Name> =
                CATALOGUE.iter().map(|signal| signal.category).filter(reads).collect();
            categories.sort_unstable();
            categories.dedup();
            let months = dice.one_of(&[1, 12, 24]);
            Form { id, purpose: flow.purpose, recipient: flow.recipient, categories, months }
        })
        .collect()
}

fn notices(dice: &mut Dice, flows: &[Flow]) -> Vec<Notice> {
    let categories: Vec<Name> = CATALOGUE.iter().map(|signal| signal.category).collect();
    let count = 1 + dice.below(VERSIONS.len());
    let mut notices: Vec<Notice> = VERSIONS[..count]
        .iter()
        .map(|version| {
            let mut listed = dice.some_of(&categories, 93);
            listed.sort_unstable();
            listed.dedup();
            // Every version is taken from vehicles, so that some source is left to each flow.
            let sources = if dice.percent(75) {
                ORIGINS.to_vec()
            } else {
                let more = dice.some_of(&ORIGINS[1..], 50);
                [&ORIGINS[..1], &more[..]].concat()
            };
            Notice { version, told: dice.percent(20), sources, categories: listed }
        })
        .collect();
    // Some version lists what a flow reads.
    for (path, _) in flows.iter().flat_map(|flow| &flow.signals) {
        let category = CATALOGUE.iter().find(|signal| signal.path == *path).expect("listed").category;
        if !notices.iter().any(|notice| notice.categories.contains(&category)) {
            let place = dice.below(notices.len());
            notices[place].categories.push(category);
        }
    }
    notices
}

fn flow(dice: &mut Dice, id: Name, purposes: &[Purpose], recipients: &[Recipient], places: Places) -> Flow {
    let purpose = dice.one_of(purposes);
    let signals = signals(dice, places);
    let of_driver = signals.iter().any(|(path, _)| [SPEED, PLACE].contains(path));
    let contract = purpose.basis == Basis::Contract;
    let recipient = dice.one_of(recipients);
    let mut window =
        dice.one_of(&[Window::Order, Window::Order, Window::Link, Window::Link, Window::Account]);
    let mut roles = match purpose.basis {
        Basis::Consent => dice.some_of(&ALL_ROLES, 30),
        _ if dice.percent(30) => dice.some_of(&ALL_ROLES, 20),
        _ => Vec::new(),
    };
    if contract && of_driver {
        roles = vec![Role::Driver];
    } else if contract && roles.is_empty() {
        window = Window::Order;
    }
    if recipient.authority {
        window = Window::Disclosure;
    }
    let mut samplings = vec![Sampling::Every, Sampling::Every, Sampling::Every];
    samplings.extend([10, 300, 3_600].map(|seconds| Sampling::Interval(seconds * SECOND)));
    if window == Window::Order {
        samplings.extend([Sampling::PerOrder, Sampling::PerOrder]);
    }
    let leased = !matches!(purpose.basis, Basis::Contract | Basis::LegalObligation);
    Flow {
        id,
        purpose: purpose.id,
        recipient: recipient.id,
        notice: None,
        sources: None,
        grounds: if recipient.authority { dice.some_of(&GROUNDS, 50) } else { Vec::new() },
        account: window == Window::Order && dice.percent(8),
        weakest: dice.one_of(&[
            Identified::Pinned,
            Identified::Pinned,
            Identified::Tool,
            Identified::Asserted,
            Identified::BusVin,
        ]),
        window,
        roles,
        private_mode: of_driver || dice.percent(30),
        sampling: dice.one_of(&samplings),
        time_step: dice.one_of(&[0, 0, 60, 3_600, 86_400]) * SECOND,
        believe: (leased && dice.percent(30)).then(|| dice.one_of(&[60, 120, 300])),
        months: dice.one_of(&[1, 3, 6, 12, 24]),
        signals,
    }
}

fn signals(dice: &mut Dice, places: Places) -> Vec<(Name, Minimiser)> {
    let mut signals: Vec<(Name, Minimiser)> = Vec::new();
    for signal in CATALOGUE {
        let wanted = match (signal.path, places) {
            (PLACE, Places::None) | (ODOMETER | SPEED, Places::Precise) => 0,
            (PLACE, _) | (ODOMETER, _) => 50,
            _ => 25,
        };
        if dice.percent(wanted) {
            signals.push((signal.path, minimiser(dice, signal, places)));
        }
    }
    if signals.is_empty() {
        let (path, coarse) = ("Vehicle.Service.DistanceToService", Minimiser::Round(1_000));
        signals.push((path, dice.one_of(&[Minimiser::Exact, coarse])));
    }
    signals
}

fn minimiser(dice: &mut Dice, signal: Signal, places: Places) -> Minimiser {
    if dice.percent(8) {
        return Minimiser::Drop;
    }
    if dice.percent(10) {
        return Minimiser::Presence;
    }
    match (signal.kind, places) {
        (Kind::Position, Places::Precise) => {
            let cell = Minimiser::Cell(dice.below(16));
            dice.one_of(&[cell, Minimiser::Exact])
        }
        (Kind::Position, _) => Minimiser::Cell(dice.below(8)),
        (Kind::Integer, Places::Coarse) if signal.path == ODOMETER => {
            let step = dice.one_of(&[10_000, 1_000_000]);
            dice.one_of(&[Minimiser::Round(step), Minimiser::Bucket(step)])
        }
        (Kind::Integer | Kind::Number, _) => {
            let step = dice.one_of(&[1, 5, 7, 10, 20, 1_000, 1_000_000_000]);
            dice.one_of(&[Minimiser::Exact, Minimiser::Round(step), Minimiser::Bucket(step)])
        }
        _ => Minimiser::Exact,
    }
}
