//! Where a daemon may be asked: on this machine only.

use serde::{Deserialize, Serialize};
use std::{
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
    str::FromStr,
};
use thiserror::Error;

/// Section `[status]` of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// `127.0.0.1:PORT`, `[::1]:PORT` or `unix:PATH`; port 0 takes a free one.
    pub address: Address,
}

/// An address of this machine: loopback, or a local socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Address {
    /// TCP on loopback.
    Loopback(SocketAddr),
    /// A local socket, for its owner and group.
    Unix(PathBuf),
}

/// Why it is no such address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AddressError {
    /// It reaches beyond this machine.
    #[error(
        "only a loopback address may be given here, such as 127.0.0.1:9750: what runs on this machine asks it"
    )]
    NotLoopback,
    /// It is none.
    #[error("write 127.0.0.1:PORT, [::1]:PORT or unix:PATH")]
    Malformed,
}

impl Address {
    /// With the path of a socket taken from `folder`, where it is relative.
    pub fn below(&mut self, folder: &Path) {
        if let Self::Unix(path) = self {
            *path = folder.join(&*path);
        }
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let text = text.strip_prefix("http://").map_or(text, |rest| rest.trim_end_matches('/'));
        if let Some(path) = text.strip_prefix("unix:").filter(|path| !path.is_empty()) {
            return Ok(Self::Unix(path.into()));
        }
        let text = text.replace("localhost:", "127.0.0.1:");
        let address: SocketAddr = text.parse().map_err(|_| AddressError::Malformed)?;
        if address.ip().is_loopback() { Ok(Self::Loopback(address)) } else { Err(AddressError::NotLoopback) }
    }
}

impl TryFrom<String> for Address {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_string()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loopback(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_can_be_named() {
        for good in ["127.0.0.1:9750", "[::1]:9750", "unix:/run/vernport/status.sock", "127.9.9.9:1"] {
            assert_eq!(good.parse::<Address>().map(|address| address.to_string()).as_deref(), Ok(good));
        }
        assert_eq!("http://localhost:9750/".parse::<Address>(), "127.0.0.1:9750".parse());
        for wide in ["0.0.0.0:9750", "[::]:9750", "192.168.1.2:9750", "[::ffff:10.0.0.1]:1"] {
            assert_eq!(wide.parse::<Address>(), Err(AddressError::NotLoopback), "{wide}");
        }
        for none in ["", "unix:", "9750", "example.net:9750", "127.0.0.1"] {
            assert_eq!(none.parse::<Address>(), Err(AddressError::Malformed), "{none}");
        }
    }
}
