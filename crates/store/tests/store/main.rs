//! The store's promises, each kept over SQLite and over PostgreSQL: once,
//! withdrawal first, logged first, nothing readable.

mod bed;
mod callers;
mod commits;
mod erase;
mod evidence;
mod reads;
mod records;
mod revisions;
