//! The wire between a CAN adapter and the gateway.
#![no_std]
