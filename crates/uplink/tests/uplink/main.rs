//! The calls to central, against a double of it behind real TLS and HTTP/2.

mod callers;
mod double;
mod failures;
mod feed;
mod send;
mod tls;
