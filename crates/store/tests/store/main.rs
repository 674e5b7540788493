//! The store's promises, each kept over SQLite, over PostgreSQL and by the model: once,
//! withdrawal first, logged first, nothing readable.

mod bed;
mod commits;
mod erase;
mod evidence;
mod reads;
mod records;
mod revisions;
