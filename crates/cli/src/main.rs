//! The vernport command.

fn main() {}
