//! What it costs to compile a bundle: from its text to rules that decide, for the shipped ones and for
//! one with as many flows as there may be (figures and method in `README.md`).

mod harness;

use harness::{Case, Run, made};
use std::hint::black_box;
use vernport_policy::{Bundle, Rules};
use vernport_types::Catalogue;

const CASES: [Case; 6] = [
    Case {
        name: "cars_software",
        build: || shipped(include_str!("../config/bundles/cars-software/bundle.toml")),
    },
    Case { name: "westrum", build: || shipped(include_str!("../config/bundles/westrum/bundle.toml")) },
    Case {
        name: "car_special",
        build: || shipped(include_str!("../config/bundles/car-special/bundle.toml")),
    },
    Case {
        name: "example_fleet",
        build: || shipped(include_str!("../config/bundles/example-fleet/bundle.toml")),
    },
    Case { name: "made_8_flows", build: || Some(compiling(made::bundle(8), made::catalogue())) },
    Case { name: "made_128_flows", build: || Some(compiling(made::bundle(128), made::catalogue())) },
];

fn shipped(text: &str) -> Option<Run> {
    let signals = include_str!("../config/signals/vehicle.toml");
    let catalogue = Catalogue::from_toml([("vehicle.toml", signals)]).expect("the shipped catalogue");
    Some(compiling(text.to_owned(), catalogue))
}

fn compiling(text: String, catalogue: Catalogue) -> Run {
    let once = move || {
        let bundle = Bundle::from_toml("bundle.toml", black_box(&text)).expect("a bundle");
        black_box(Rules::compile(&bundle, &catalogue).expect("rules"));
    };
    (Box::new(once), 1)
}

fn main() {
    harness::run("compile", &CASES, 10);
}
