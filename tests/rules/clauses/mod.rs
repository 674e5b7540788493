//! One test for each clause of the notices that a rule covers, named by its id.

mod cars;
mod cspe_collection;
mod cspe_erasure;
mod cspe_keeping;
mod cspe_overlay;
mod cspe_principles;
mod cspe_restriction;
mod cspe_sharing;
mod entries;
mod fleet;
mod sealed;
pub(crate) mod terms;
mod visit;
mod west_access;
mod west_data;
mod west_keeping;
mod west_purposes;
mod world;

pub(crate) use cspe_overlay::with_vehicle_data;
pub(crate) use world::{catalogue, compile, text};
