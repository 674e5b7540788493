//! Simulated vehicles and tools as pure state machines.
