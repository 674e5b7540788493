//! What tests and benches share: a certificate authority, captured logs,
//! canaries, a PostgreSQL, cargo.
//!
//! Nothing that ships depends on this crate. Its functions panic where a test
//! could not go on anyway.

pub mod canary;
mod cargo;
pub mod logs;
pub mod pki;
pub mod postgres;

pub use cargo::{built, cargo};
