//! The command as a person types it: one program for all of its tests, since
//! linking it takes longer than most of them.

mod audit;
mod bundle;
mod bundle_test;
mod callers;
mod counter_day;
mod dbc;
mod decode;
mod demo;
mod enrol;
mod erase;
mod explain;
mod ledger;
mod others;
mod people;
mod pipes;
mod program;
mod refused;
mod running;
mod senders;
mod sim;
