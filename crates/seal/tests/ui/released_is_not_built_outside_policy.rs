//! Only `policy::Table::decide` makes a release.
use vernport_policy::{How, Minimiser, Released};
use vernport_types::{GrantId, Reading, VehicleAlias};

fn forge(reading: Reading, released: Released) -> Released {
    Released {
        flow: released.flow(),
        grant: GrantId::from_bytes([0; 16]),
        alias: VehicleAlias::from_bytes([0; 16]),
        minimiser: Minimiser::Exact,
        how: How::Exact,
        reading,
    }
}

fn main() {}
