//! The adapter against our own broker, which loses, doubles and delays
//! acknowledgements, cuts connections and forgets sessions on purpose; and
//! against a script of bytes.

mod failures;
mod fleet;
mod incoming;
mod operator;
mod outgoing;
mod script;
mod tools;
mod world;
