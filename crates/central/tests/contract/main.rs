//! The contract of central, seen from its clients: who may do what, what is
//! committed and what is not, what a withdrawal does, what a read leaves behind.

mod audit;
mod batches;
mod common;
mod connections;
mod consents;
mod enrolment;
mod erasures;
mod explain;
mod feed;
mod killed;
mod ledger;
mod processes;
mod reads;
mod refusals;
mod restores;
mod retention;
mod revocation;
mod segments;
