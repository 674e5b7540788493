//! A made bundle of as many flows as are wanted, and the catalogue to it.

use std::fmt::Write as _;
use vernport_types::Catalogue;

/// A signal that the last flow alone names.
pub(crate) const OWN: &str = "A.Own";
/// A signal that eight flows name.
pub(crate) const SHARED: &str = "B.Shared";
/// A signal that the first flow names, and drops.
pub(crate) const DROPPED: &str = "C.Dropped";
/// How many flows name it.
pub(crate) const SHARED_BY: u64 = 8;

/// A catalogue of four signals.
pub(crate) fn catalogue() -> Catalogue {
    let mut text = "format = 1\n".to_owned();
    for path in [OWN, SHARED, DROPPED, "D.Other"] {
        writeln!(text, "[[signal]]\npath = \"{path}\"\nkind = \"integer\"\ncategory = \"component-status\"")
            .expect("a string");
    }
    Catalogue::from_toml([("signals.toml", text.as_str())]).expect("a catalogue")
}

/// A bundle of so many flows, as text.
pub(crate) fn bundle(flows: usize) -> String {
    let mut text = "format = 1\nname = \"bench\"\n[controller]\nid = \"NO-999999999\"\nname = \"Bench\"\n\
        role = \"controller\"\njurisdiction = \"NO\"\ntime_zone = \"Europe/Oslo\"\nregions = [\"NO\"]\nclauses = [\"1\"]\n\
        [[notice]]\nversion = \"n\"\nserved_when = \"recorded\"\ncategories = [\"component-status\"]\nclauses = [\"2\"]\n\
        [[recipient]]\nid = \"r\"\nname = \"R\"\nrole = \"controller\"\nregion = \"NO\"\nclauses = [\"3\"]\n\
        [[retention]]\nid = \"k\"\nstart = \"reading\"\nperiod = \"P1D\"\nat_most = \"P1D\"\nclauses = [\"4\"]\n\
        [[purpose]]\nid = \"p\"\niri = \"https://w3id.org/dpv#ServiceProvision\"\nbasis = \"A6-1-b\"\n\
        necessity = \"a bench\"\nclauses = [\"5\"]\n"
        .to_owned();
    for n in 0..flows {
        write!(
            text,
            "[[flow]]\nid = \"flow-{n}\"\npurpose = \"p\"\nrecipient = \"r\"\nretention = \"k\"\n\
             deliver = {{ store = true }}\nweakest = \"tool\"\nwindow = \"order\"\nclauses = [\"6\"]\n\
             [flow.signals]\n\"D.Other\" = \"exact\"\n"
        )
        .expect("a string");
        if n + 1 == flows {
            writeln!(text, "\"{OWN}\" = \"round-1000\"").expect("a string");
        }
        if n % flows.div_ceil(8) == 0 {
            writeln!(text, "\"{SHARED}\" = \"round-1000\"").expect("a string");
        }
        if n == 0 {
            writeln!(text, "\"{DROPPED}\" = \"drop\"").expect("a string");
        }
    }
    text
}
