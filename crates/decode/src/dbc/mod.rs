//! DBC files: from the text of a manufacturer's file to values of catalogue signals.
//!
//! ```text
//! file ─► [Database] + findings      what it says, and what is wrong in it
//!            └─ [Mapping] ─► [Plan]  which of its signals is which of the catalogue: shifts, masks, tables
//!                              └─► frame ─► values
//! ```
//!
//! The reader is our own: every finding has its line and the reading goes on
//! after it, which the parsers to be had do not offer. It takes time in
//! proportion to the file, and no file makes it panic.

mod assign;
mod check;
mod database;
mod field;
mod file;
mod finding;
mod mapping;
mod overlap;
mod plain;
mod plan;
mod program;
mod reading;
mod reference;
mod statement;
mod table;
mod token;
mod unit;

pub use database::{ByteOrder, Database, Message, ReadError, Shape, Signal, Switch};
pub use finding::{Finding, Severity};
pub use mapping::{Explained, Mapping, MappingError};
pub use plan::{Plan, PlanError};
pub use reading::{Read, Reading};

use crate::j1939;
use vernport_types::CanId;

/// Whether two identifiers are of one parameter group (SAE J1939-21).
fn same_group(one: CanId, other: CanId) -> bool {
    let group = |id| j1939::Id::from_can(id).map(|id| id.pgn);
    group(one).is_some() && group(one) == group(other)
}

#[cfg(test)]
mod tests;
