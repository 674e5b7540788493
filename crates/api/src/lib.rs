//! The contract between gateway and central.
