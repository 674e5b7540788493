//! The adapter against our own broker, which loses, doubles and delays
//! acknowledgements, cuts connections and forgets sessions on purpose.

mod fleet;
mod incoming;
mod outgoing;
mod tools;
mod world;
