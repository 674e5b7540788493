//! The clauses of Cars Software AS.

mod data;
mod keeping;
mod people;
mod processor;
mod purposes;
mod sharing;

use super::{
    visit::{Stood, visit},
    world::text,
};
use std::sync::LazyLock;

const BUNDLE: &str = "cars-software";

/// The bundle of a workshop that Cars works for.
fn tenant() -> &'static str {
    include_str!("cars/tenant.toml")
}

/// What came of one visit at Cars' own station and at that of a workshop which it hosts.
fn stood() -> &'static [Stood; 2] {
    static STOOD: LazyLock<[Stood; 2]> = LazyLock::new(|| {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let bundles = [(BUNDLE, text(BUNDLE), "cars-1"), ("hov-verksted", tenant().to_owned(), "hov-1")];
        let stood = runtime.block_on(visit(&bundles)).unwrap_or_else(|error| panic!("{error:#}"));
        stood.try_into().unwrap_or_else(|_| panic!("two stations"))
    });
    &STOOD
}
