//! SocketCAN as a real kernel has it: our adapter against can-utils, on vcan interfaces.
//!
//! Needs a kernel with CAN and the right to make interfaces: `cargo xtask vcan` runs it where
//! both are. Anywhere else every test says SKIPPED and passes. Each test has interfaces of its own.

mod bus;
mod errors;
mod filters;
mod hearing;
mod isotp;
mod isotp_heard;
mod j1939;
mod load;
mod loss;
mod peer;
mod sending;
mod testers;
mod time;
