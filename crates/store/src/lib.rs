//! Central tables: batches, ledger, aliases, erasure keys behind a second database.
