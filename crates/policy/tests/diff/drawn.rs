//! Random bundles as choices, and random worlds as steps.

use crate::world::DAY;
use proptest::prelude::*;

pub(crate) const PATHS: [&str; 3] =
    ["Vehicle.TraveledDistance", "Vehicle.Diagnostics.DTCList", "Vehicle.LowVoltageBattery.CurrentVoltage"];
pub(crate) const FLOWS: usize = 3;

/// What may stand at each place of a flow; the first is the commonest.
const FLOW: [&[&str]; 12] = [
    &["improve", "service", "remind", "offer"],
    &["ours", "haulage"],
    &[
        "store = true",
        "store = true, topic = \"sealed\"",
        "store = true, topic = \"plain\"",
        "topic = \"sealed\"",
    ],
    &["tool", "pinned", "asserted", "bus-vin"],
    &["order", "link"],
    &["roles = [\"owner\"]", "roles = [\"owner\", \"driver\"]", "roles = [\"driver\"]", ""],
    &["", "private_mode = true"],
    &["", "sample = \"per-order\"", "sample = \"PT10S\"", "sample = \"PT15S\"", "sample = \"PT1M\""],
    &["", "time = \"PT1M\"", "time = \"PT10M\"", "time = \"PT15M\""],
    &["", "believe = \"PT1M\"", "believe = \"PT5M\""],
    &["months", "days", "year"],
    &["7", "8"],
];
const MINIMISERS: [&[&str]; 3] = [
    &[
        "exact",
        "",
        "drop",
        "presence",
        "round-1000",
        "round-10000",
        "round-1500",
        "bucket-1000",
        "bucket-10000",
    ],
    &["presence", "", "drop", "exact"],
    &["round-1", "", "drop", "presence", "exact", "round-2", "round-3"],
];
/// What may stand around the flows.
const FRAME: [&[&str]; 8] = [
    &[
        "\"odometer\", \"component-status\"",
        "\"odometer\"",
        "\"component-status\"",
        "\"odometer\", \"location\"",
    ],
    // A second version, or none.
    &[
        "",
        "\"odometer\", \"component-status\"",
        "\"odometer\"",
        "\"odometer\", \"component-status\", \"location\"",
    ],
    &["2028-01-01", "2027-01-01", "2026-12-01"],
    &[
        "start = \"reading\"\nperiod = \"P1M\"\nat_most = \"P1M\"",
        "start = \"order-closed\"\nperiod = \"P1M\"\nat_most = \"P3M\"",
        "start = \"reading\"\nperiod = \"P30D\"\nat_most = \"P30D\"",
    ],
    &["P1Y", "P6M"],
    &["", "marketing = true"],
    &["a", "b", ""],
    &["\"odometer\", \"component-status\"", "\"component-status\", \"odometer\", \"location\""],
];
pub(crate) const PLACES: usize = FRAME.len() + FLOWS * (1 + FLOW.len() + PATHS.len());

fn choices(place: usize) -> &'static [&'static str] {
    let Some(place) = place.checked_sub(FRAME.len()) else { return FRAME[place] };
    match place % (1 + FLOW.len() + PATHS.len()) {
        // Whether the flow is there at all.
        0 => &["there", "there", "there", ""],
        place if place <= FLOW.len() => FLOW[place - 1],
        place => MINIMISERS[place - 1 - FLOW.len()],
    }
}

/// One choice for each place.
pub(crate) fn drawn() -> impl Strategy<Value = Vec<usize>> {
    let place = |place| prop_oneof![2 => Just(0), 3 => 0..choices(place).len()];
    (0..PLACES).map(place).collect::<Vec<_>>()
}

/// Two bundles that differ in a few places.
pub(crate) fn pair() -> impl Strategy<Value = (Vec<usize>, Vec<usize>)> {
    let change = (0..PLACES, any::<prop::sample::Index>());
    (drawn(), prop::collection::vec(change, 0..4)).prop_map(|(old, changes)| {
        let mut new = old.clone();
        for (place, choice) in changes {
            new[place] = choice.index(choices(place).len());
        }
        (old, new)
    })
}

/// The bundle of some choices, as text.
pub(crate) fn text(drawn: &[usize]) -> String {
    let at = |place: usize| choices(place)[drawn[place]];
    let mut text = format!(
        "format = 1\nname = \"drawn\"\n[controller]\nid = \"NO-999999999\"\nname = \"Drawn\"\nrole = \"controller\"\n\
         jurisdiction = \"NO\"\ntime_zone = \"Europe/Oslo\"\nregions = [\"EEA\"]\nclauses = [\"1\"]\n\
         [[notice]]\nversion = \"n-1\"\nserved_when = \"recorded\"\ncategories = [{}]\nclauses = [\"2\"]\n",
        at(0)
    );
    let mut put = |more: String| text.push_str(&more);
    if !at(1).is_empty() {
        put(format!(
            "[[notice]]\nversion = \"n-2\"\nserved_when = \"recorded\"\ncategories = [{}]\nclauses = [\"2\"]\n",
            at(1)
        ));
    }
    put(format!(
        "[[recipient]]\nid = \"ours\"\nname = \"O\"\nrole = \"controller\"\nregion = \"NO\"\nclauses = [\"3\"]\n\
         [[recipient]]\nid = \"haulage\"\nname = \"H\"\nrole = \"customer\"\nregion = \"SE\"\nclauses = [\"3\"]\n\
         agreement = {{ id = \"a\", from = 2020-01-01, until = {} }}\n",
        at(2)
    ));
    put(format!("[[retention]]\nid = \"months\"\n{}\nclauses = [\"4\"]\n", at(3)));
    for (name, period) in [("days", "P14D"), ("year", "P1Y")] {
        put(format!(
            "[[retention]]\nid = \"{name}\"\nstart = \"reading\"\nperiod = \"{period}\"\nat_most = \"{period}\"\n\
             clauses = [\"4\"]\n"
        ));
    }
    for (name, basis, more) in [
        ("improve", "A6-1-f", "balancing = \"drawn\""),
        ("service", "A6-1-b", ""),
        ("remind", "A6-1-a", at(5)),
        ("offer", "A6-1-a", "marketing = true"),
    ] {
        put(format!(
            "[[purpose]]\nid = \"{name}\"\niri = \"https://w3id.org/dpv#ServiceProvision\"\nbasis = \"{basis}\"\n\
             necessity = \"drawn\"\nclauses = [\"6\"]\n{more}\n"
        ));
        for recipient in ["ours", "haulage"] {
            put(format!(
                "[[form]]\nid = \"{name}-{recipient}\"\npurpose = \"{name}\"\nrecipient = \"{recipient}\"\n\
                 categories = [{}]\nvalid = \"{}\"\nclauses = [\"5\"]\ntexts = {{ en = \"yes\" }}\n",
                at(7),
                at(4)
            ));
        }
    }
    if !at(6).is_empty() {
        put(format!("[[refusal]]\nreason = \"restricted\"\nclause = \"{}\"\n", at(6)));
    }
    let each = 1 + FLOW.len() + PATHS.len();
    for flow in 0..FLOWS {
        let of = |place: usize| at(FRAME.len() + flow * each + place);
        if of(0).is_empty() {
            continue;
        }
        put(format!(
            "[[flow]]\nid = \"flow-{flow}\"\npurpose = \"{}\"\nrecipient = \"{}\"\ndeliver = {{ {} }}\n\
             weakest = \"{}\"\nwindow = \"{}\"\n{}\n{}\n{}\n{}\n{}\nretention = \"{}\"\nclauses = [\"{}\"]\n[flow.signals]\n",
            of(1),
            of(2),
            of(3),
            of(4),
            of(5),
            of(6),
            of(7),
            of(8),
            of(9),
            of(10),
            of(11),
            of(12)
        ));
        for (n, path) in PATHS.iter().enumerate() {
            let minimiser = of(1 + FLOW.len() + n);
            if !minimiser.is_empty() {
                put(format!("\"{path}\" = \"{minimiser}\"\n"));
            }
        }
    }
    text
}

/// Something that happens in both worlds.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Serve(u8),
    Keys,
    Order(bool),
    Link(bool, bool, bool),
    Consent(bool, u8),
    Withdraw(bool),
    Object(bool, bool),
    Restrict(bool),
    Private(bool),
    Later(i64),
    Read { by: u8, pause_s: i64 },
}

pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => (1..3_u8).prop_map(Step::Serve),
        2 => any::<bool>().prop_map(Step::Order),
        2 => (any::<bool>(), any::<bool>(), prop::bool::weighted(0.8)).prop_map(|(a, b, c)| Step::Link(a, b, c)),
        4 => (any::<bool>(), 0..8_u8).prop_map(|(who, what)| Step::Consent(who, what)),
        1 => any::<bool>().prop_map(Step::Withdraw),
        1 => (any::<bool>(), any::<bool>()).prop_map(|(who, what)| Step::Object(who, what)),
        1 => any::<bool>().prop_map(Step::Restrict),
        1 => any::<bool>().prop_map(Step::Private),
        2 => (0..30_i64).prop_map(|days| Step::Later(days * DAY)),
        8 => (0..4_u8, 0..400_i64).prop_map(|(by, pause_s)| Step::Read { by, pause_s }),
    ];
    prop::collection::vec(step, 4..24).prop_map(|mut steps| {
        // Most worlds have what nothing opens without.
        steps.splice(0..0, [Step::Serve(1), Step::Keys, Step::Order(true), Step::Link(true, true, true)]);
        steps
    })
}
