//! Ledger events to facts. Pure.
