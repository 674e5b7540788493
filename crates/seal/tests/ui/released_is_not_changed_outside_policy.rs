//! A release stays what was decided.
use vernport_policy::Released;
use vernport_types::Reading;

fn exchange(mut released: Released, reading: Reading) -> Released {
    released.reading = reading;
    released
}

fn main() {}
