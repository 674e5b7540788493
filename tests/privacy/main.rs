//! What must never be found where it does not belong: values and identifiers on
//! disks and in logs, a purpose behind another purpose's key, one name of a
//! vehicle at two recipients, another operator's messages, plaintext in the
//! hands of parts that carry sealed things only.
//!
//! All but `compile_fail` look at what one visit left behind ([`visit`]).

mod aliases;
mod canaries;
mod compile_fail;
mod evidence;
mod keys;
mod operators;
mod planted;
mod visit;
