//! House work: setup, test suites, ci, tidy.

fn main() {}
