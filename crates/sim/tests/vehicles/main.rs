//! Simulated vehicles from outside: what each says and answers, byte by byte,
//! what each fault looks like, and that nothing heard can harm them.

mod anything;
mod car;
mod dbc;
mod ev;
mod faults;
mod harness;
mod trailer;
mod truck;
