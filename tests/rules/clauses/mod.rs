//! One test for each clause of the notices that a rule covers, named by its id.

mod cars;
mod cspe_overlay;
mod entries;
mod fleet;
mod sealed;
mod visit;
mod west_access;
mod west_data;
mod west_keeping;
mod west_purposes;
mod world;
