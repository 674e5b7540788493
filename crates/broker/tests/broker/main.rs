//! The broker against a client that does exactly what the test says: both
//! versions, rights, sessions, bounds and faults.

mod access;
mod bounds;
mod client;
mod delivery;
mod faults;
mod sessions;
mod tls;
