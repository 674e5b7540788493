//! Gateway, central and database as processes that are killed: what a source
//! that can wait was acknowledged for is opened at the end, each once, and nothing
//! on a basis that is gone.
//!
//! `VERNPORT_KILLS` says how many kills a run makes (default 24), `VERNPORT_SEED`
//! repeats one. Central stands on PostgreSQL, which the suite starts itself; where
//! there is none, these tests say SKIPPED.

mod daemons;
mod dice;
mod disk;
mod installation;
mod kills;
mod live;
#[allow(dead_code, reason = "the suite pipeline uses the rest")]
#[path = "../pipeline/opened.rs"]
mod opened;
#[allow(dead_code, reason = "the suite pipeline uses the rest")]
#[path = "../pipeline/truck.rs"]
mod truck;
mod units;
mod withdrawal;
