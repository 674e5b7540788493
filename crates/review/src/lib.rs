//! Bundles as people read them: what they let through and why, what their notice
//! promises and which rule keeps it, what a new version permits that the old one did not.
//!
//! Promises:
//! - Pure: texts, facts and a time come in, findings and documents go out.
//! - Decisions are made by `policy` alone: here they are asked for, never made.

pub mod ask;
pub mod coverage;
pub mod export;
pub mod lint;
pub mod render;
pub mod shown;
pub mod trial;
