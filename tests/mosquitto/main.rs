//! A broker of another maker with our configuration and our rules: mosquitto as Debian has it, and clients that
//! know nothing of us, mosquitto's own (MQTT 3.1.1 and 5) and paho in Python.
//!
//! Each test has a broker on a free port, with certificates of an authority of its own. mosquitto
//! checks what it hands out, not what is subscribed to; so every filter is tried, and what counts is
//! what arrives. Without the programs each test says SKIPPED and passes.

mod broker;
mod certificates;
mod deletion;
mod foreign;
mod installation;
mod operators;
mod passwords;
mod refused;
mod revoked;
mod roster;
mod whole_path;
