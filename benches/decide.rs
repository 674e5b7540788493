//! Budget: decide + minimise.

fn main() {}
