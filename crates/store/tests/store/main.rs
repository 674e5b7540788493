//! The store's promises, each kept over SQLite and over PostgreSQL: once,
//! withdrawal first, logged first, nothing readable.

mod bed;
mod commits;
mod enrolment;
mod erase;
mod evidence;
mod reads;
mod records;
mod revisions;
