//! Certificates, keys, log capture and canaries for tests and benches.
