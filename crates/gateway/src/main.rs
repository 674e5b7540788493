//! vernport-gateway: from the bus to the sealed queue and onwards.

fn main() {}
