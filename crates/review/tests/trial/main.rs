//! Trials: what they expect is held against what the rules decide.

#[path = "../common/mod.rs"]
mod common;
mod expectations;
