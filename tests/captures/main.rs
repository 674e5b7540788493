//! Real captures against what other tools read in them.
//!
//! The captures are not part of this repository. `VERNPORT_CAPTURES` names their
//! folder: candump logs, and for each `expected/<log>.json` with counts and
//! values that tools of others gave (tshark, python-can, cantools, python-OBD).
//! Without it every test of this suite says SKIPPED and passes.

mod captures;
mod dbc;
mod decode;
mod formats;
mod j1939;
mod logs;
mod obd;
mod tools;
mod uds;
mod visit;
