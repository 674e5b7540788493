//! SAE J1939: identifiers, long broadcast messages, parameter groups, trouble codes.
//!
//! Messages are found by parameter group number; priority and source address
//! take no part in it.

pub mod dm1;
mod id;
pub mod pgn;
pub mod slot;
pub mod transport;

pub use id::Id;
