//! From here to central, over mutual TLS and HTTP/2: sealed batches up, signed
//! grants down ([`Uplink`]); and the calls of registrars and recipients ([`Client`]).
//!
//! Promises:
//! - Only [`Sealed`](vernport_seal::Sealed) batches go up.
//! - No state comes down unless central signed it, it answers our nonce, and it is not
//!   older than what was seen before ([`HeadGuard`]).
//! - Each wait has an end, each answer a bound in bytes; no redirect is followed.
//! - No error repeats the body of an answer.
//!
//! What to do about a failure is the caller's: [`CallError::is_transient`] and
//! [`Backoff`] say whether and when to try again.

mod backoff;
mod certificate;
mod client;
mod enrol;
mod head;
mod held;
mod http;
mod tls;
mod transport;
mod uplink;

pub use backoff::Backoff;
pub use certificate::{Certificate, Validity};
pub use client::Client;
pub use enrol::{EnrolError, enrol};
pub use head::{HeadGuard, StateError};
pub use held::Held;
pub use http::{CallError, Config, SetupError};
pub use tls::{TlsError, TlsFiles};
pub use transport::{Broken, Call, Carried, Carrying, Headers, Method, Transport};
pub use uplink::{FeedError, SendError, Uplink};
