//! The rules and the world that the tests of this crate ask about.

use vernport_policy::{Bundle, Rules};
use vernport_types::Catalogue;

pub(crate) const BUNDLE: &str = include_str!("bundle.toml");

pub(crate) fn catalogue() -> Catalogue {
    Catalogue::from_toml([("signals.toml", include_str!("signals.toml"))]).expect("valid")
}

pub(crate) fn rules() -> Rules {
    let bundle = Bundle::from_toml("bundle.toml", BUNDLE).expect("valid");
    Rules::compile(&bundle, &catalogue()).expect("valid")
}

/// A car with an order from 08:00 to 18:00 and a driver who consented at 08:30 and
/// withdrew at 09:30; all on the first of May 2026.
pub(crate) const WORLD: &str = include_str!("world.toml");
