//! Simulated vehicles as pure state machines: frames and a time in, frames out.
//!
//! [`Truck`] broadcasts SAE J1939 at the rates of real trucks and answers
//! requests for its identification and for OBD-II. It is written from the
//! standards and shares no code with `decode`, so that an error in one cannot
//! hide in the other.
//!
//! No clock, socket or randomness inside: the same calls give the same bytes.

mod isotp;
mod j1939;
mod obd;
mod truck;

pub use j1939::J1939Fault;
pub use truck::{Truck, TruckConfig};
