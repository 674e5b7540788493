//! One test for each clause of the notices that a rule covers, named by its id.

mod cars;
mod visit;
mod world;
