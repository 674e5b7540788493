//! Random bundles, such as a compiler accepts: what it refuses is tried elsewhere.

use super::dice::Dice;
use crate::reference::{
    Basis, Bundle, Date, Flow, Identified, Kind, Minimiser, Name, Notice, Purpose, Recipient, Role, SECOND,
    Sampling, Signal, Window,
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
    let purposes: Vec<Purpose> = PURPOSES
        .iter()
        .filter(|(_, basis, marketing)| {
            dice.percent(match basis {
                Basis::Consent if !marketing => 90,
                Basis::Contract | Basis::LegitimateInterest => 70,
                _ => 25,
            })
        })
        .map(|(id, basis, marketing)| Purpose { id, basis: *basis, marketing: *marketing })
        .collect();
    let purposes = if purposes.is_empty() {
        vec![Purpose { id: "remind", basis: Basis::Consent, marketing: false }]
    } else {
        purposes
    };
    let recipients = recipients(dice);
    let count = 1 + dice.below(FLOWS.len());
    let flows: Vec<Flow> =
        FLOWS[..count].iter().map(|id| flow(dice, id, &purposes, &recipients, places)).collect();
    let notices = notices(dice, &flows);
    let listed = notices.iter().any(|notice| notice.categories.contains(&"identifier"));
    let identify = if listed && dice.percent(50) { vec![VIN] } else { Vec::new() };
    Bundle { notices, purposes, recipients, identify, flows }
}

fn recipients(dice: &mut Dice) -> Vec<Recipient> {
    let near = |dice: &mut Dice, long: usize, long_date: Date| {
        if dice.percent(long) { long_date } else { (2026, 11, dice.between(17, 25)) }
    };
    let mut all = vec![Recipient { id: "firm", agreement: None, transfer: None }];
    for (id, far) in [("coach", false), ("far-away", true)] {
        if dice.percent(45) {
            let from = near(dice, 85, (2018, 7, 20));
            let until = near(dice, 60, (2031, 1, 1));
            let agreement = (from < until).then_some((from, until)).unwrap_or(((2018, 7, 20), (2031, 1, 1)));
            let transfer = far.then(|| near(dice, 50, (2030, 7, 1)));
            all.push(Recipient { id, agreement: Some(agreement), transfer });
        }
    }
    all
}

fn notices(dice: &mut Dice, flows: &[Flow]) -> Vec<Notice> {
    let categories: Vec<Name> = CATALOGUE.iter().map(|signal| signal.category).collect();
    let count = 1 + dice.below(VERSIONS.len());
    let mut notices: Vec<Notice> = VERSIONS[..count]
        .iter()
        .map(|version| {
            let mut listed = dice.some_of(&categories, 80);
            listed.sort_unstable();
            listed.dedup();
            Notice { version, categories: listed }
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
    let mut window = dice.one_of(&[Window::Order, Window::Link]);
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
    let mut samplings = vec![Sampling::Every, Sampling::Every, Sampling::Every];
    samplings.extend([10, 300, 3_600].map(|seconds| Sampling::Interval(seconds * SECOND)));
    if window == Window::Order {
        samplings.extend([Sampling::PerOrder, Sampling::PerOrder]);
    }
    let leased = !matches!(purpose.basis, Basis::Contract | Basis::LegalObligation);
    Flow {
        id,
        purpose: purpose.id,
        recipient: dice.one_of(recipients).id,
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
