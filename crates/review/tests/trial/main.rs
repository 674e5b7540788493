//! Trials: what they expect is held against what the rules decide.

mod agreement;
#[path = "../common/mod.rs"]
mod common;
mod expectations;
mod malformed;
