//! The contract of central, seen from its clients: who may do what, what is
//! committed and what is not, what a withdrawal does, what a read leaves behind.

mod audit;
mod batches;
mod common;
mod connections;
mod consents;
mod enrolment;
mod erasures;
mod events;
mod explain;
mod feed;
mod idempotency;
mod import;
mod imports_at_once;
mod killed;
mod ledger;
mod notices;
mod openapi;
mod processes;
mod processors;
mod reads;
mod refusals;
mod restores;
mod retention;
mod revocation;
mod rosters;
mod segments;
