//! Simulated vehicles as pure state machines: frames and a time in, frames out.
//!
//! | Vehicle | Speaks |
//! |---|---|
//! | [`Car`] | OBD-II and UDS with 11 bits, raw broadcasts, CAN FD where told |
//! | [`Truck`] | SAE J1939 at the rates of real trucks, OBD-II |
//! | [`Trailer`] | SAE J1939: distance, tyres, axles, its own VIN |
//! | [`Ev`] | OBD-II and UDS with 29 bits, long answers in CAN FD |
//!
//! All of them are a [`Vehicle`], and a [`Model`] starts any of them.
//! [`Simulated`] adds the faults of a bus to those inside a vehicle ([`Fault`]).
//!
//! They are written from the standards and share no code with `decode`, so that
//! an error in one cannot hide in the other. No clock, socket or true randomness
//! inside: the same calls give the same bytes. Nothing grows with time, and
//! nothing is done before [`Vehicle::next_due`] but on a frame.

mod car;
mod drive;
mod dtc;
mod ev;
mod fault;
mod isotp;
mod j1939;
mod noise;
mod obd;
mod random;
mod schedule;
mod simulated;
mod tester;
mod trailer;
mod truck;
mod uds;
mod unit;
mod vehicle;

pub use car::{Car, CarConfig};
pub use dtc::Dtc;
pub use ev::{Ev, EvConfig};
pub use fault::{Fault, FaultError, Session};
pub use j1939::J1939Fault;
pub use simulated::{BURST_FRAMES, FRAME_MICROS, SLEEP_MICROS, Sent, Simulated};
pub use trailer::{Trailer, TrailerConfig};
pub use truck::{Truck, TruckConfig, TruckEquipment};
pub use unit::Answering;
pub use vehicle::{Kind, Model, NEVER, Vehicle};
