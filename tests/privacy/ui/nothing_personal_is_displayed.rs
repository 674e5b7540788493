//! What is personal has no `Display`, so that no log line takes it with `%`.
use std::fmt::Display;
use vernport_policy::Released;
use vernport_seal::{Body, Record};
use vernport_types::{Cell, Identifier, Label, Number, Plate, Position, Reading, Value, Vin};

fn logged<T: Display>() {}

fn main() {
    logged::<Value>();
    logged::<Vin>();
    logged::<Plate>();
    logged::<Identifier>();
    logged::<Reading>();
    logged::<Released>();
    logged::<Record>();
    logged::<Body>();
    logged::<Position>();
    logged::<Cell>();
    logged::<Number>();
    logged::<Label>();
}
