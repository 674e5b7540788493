//! The whole path, from a bus to what a recipient opens: real gateway, central,
//! spool, certificates and keys, over real sockets, some of them as processes of
//! their own.
//!
//! Real captures are found as in `tests/captures`; without `VERNPORT_CAPTURES` the
//! tests that need them say SKIPPED and pass. Everything else is made here: logs
//! and buses by the simulated vehicles, worlds from `worlds/`.

mod asking;
mod asleep;
mod captures;
mod chaos;
#[allow(dead_code, reason = "the suite durability uses the rest")]
#[path = "../durability/dice.rs"]
mod dice;
mod enrolment;
mod erased;
mod evidence;
mod faults;
mod fleet;
mod flood;
mod moved;
mod opened;
mod rights;
mod room;
mod senders;
mod simulator;
mod stand;
mod station;
mod strangers;
mod tools;
mod truck;
mod weekend;
mod wire;
