//! A box is stolen while it runs: every file on its disk is tried with every key
//! on its disk, for each place where the storage key may live.
//!
//! What a thief may find is stated in [`table`]; everything else must stay closed.

mod daemons;
mod disk;
mod planted;
mod restart;
mod table;
mod theft;
mod thief;
