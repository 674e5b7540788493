//! The store's promises, each kept over SQLite, over PostgreSQL and by the model: once,
//! withdrawal first, logged first, nothing readable.

mod bed;
mod callers;
mod commits;
mod compare;
mod enrolment;
mod erase;
mod evidence;
mod faults;
mod fleet_numbers;
mod notices;
mod reads;
mod records;
mod revisions;
