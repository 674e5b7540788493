//! What follows from a ledger, told as small worlds.

mod consents;
mod exceptions;
mod gateways;
mod milestones;
mod pauses;
mod processors;
mod rights;
#[path = "../samples/mod.rs"]
mod samples;
mod told;
mod vehicles;
