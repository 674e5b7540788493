//! What the spool promises, tried against a real database on a real disk.

mod bounds;
mod kill;
mod log;
mod model;
mod opening;
mod queueing;
mod refused;
mod settling;
mod station;
mod support;
