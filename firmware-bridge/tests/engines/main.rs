//! Both engines joined by a line that the test holds: what comes out, in which
//! order and at which time, when the line is good and when it is not.

#[path = "../strategies/mod.rs"]
mod strategies;

mod lossy;
mod session;
mod time;
mod world;
