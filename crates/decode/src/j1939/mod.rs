//! SAE J1939: identifiers, addresses, long messages, parameter groups, trouble codes.
//!
//! Messages are found by parameter group number; priority and source address
//! take no part in it.

pub mod ack;
pub mod claim;
pub mod dm1;
mod id;
pub mod marine;
pub mod pgn;
pub mod responder;
pub mod slot;
pub mod spn;
pub mod transport;

pub use id::Id;
pub use responder::Responder;
