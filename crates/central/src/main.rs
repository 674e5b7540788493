//! vernport-central: registry, grants, and the store that cannot read.

fn main() {}
