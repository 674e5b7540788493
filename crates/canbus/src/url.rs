//! Source URLs: `candump:FILE`, `virtual:NAME`, `can:IFACE`.

use crate::interface::CanInterface;
use std::{fmt, path::PathBuf, str::FromStr};
use thiserror::Error;
use vernport_types::Slug;

/// Why a text is not the URL of a frame source.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UrlError {
    /// There is no `:`.
    #[error("'{text}' names no kind of source; write candump:FILE, virtual:NAME or can:IFACE")]
    NoScheme {
        /// What was given.
        text: String,
    },
    /// The part before `:` is none that we know.
    #[error("'{scheme}:' is not a kind of source; write candump:FILE, virtual:NAME or can:IFACE")]
    Scheme {
        /// The part before the `:`.
        scheme: String,
    },
    /// `candump:` without a file.
    #[error("candump: needs the path of a log, as in candump:drive.log")]
    NoFile,
    /// The name of a virtual bus is not a slug.
    #[error("'{name}' cannot name a virtual bus; use 1 to 32 characters out of a-z, 0-9 and '-'")]
    BusName {
        /// What was given.
        name: String,
    },
    /// Not what Linux takes as the name of an interface.
    #[error(
        "'{name}' cannot name a CAN interface; use 1 to 15 characters without space, '/' or ':', as in can:can0"
    )]
    Interface {
        /// What was given.
        name: String,
    },
    /// Neither a place on USB nor a serial number, or a channel that is no number.
    #[error(
        "'{text}' cannot name a CAN adapter; write usb=1-1.2 or serial=0042, and ,channel=1 after it for its second interface"
    )]
    Adapter {
        /// What was given.
        text: String,
    },
}

/// Where frames come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceUrl {
    /// A log in candump's format (`candump -l` or `-L`).
    Candump(PathBuf),
    /// A bus inside this process, by name.
    Virtual(Slug),
    /// A CAN interface of Linux.
    Can(CanInterface),
}

impl FromStr for SourceUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = text.split_once(':').ok_or_else(|| UrlError::NoScheme { text: text.into() })?;
        match scheme {
            "candump" if rest.is_empty() => Err(UrlError::NoFile),
            "candump" => Ok(Self::Candump(rest.into())),
            "virtual" => rest.parse().map(Self::Virtual).map_err(|_| UrlError::BusName { name: rest.into() }),
            "can" => rest.parse().map(Self::Can),
            _ => Err(UrlError::Scheme { scheme: scheme.into() }),
        }
    }
}

impl fmt::Display for SourceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Candump(path) => write!(f, "candump:{}", path.display()),
            Self::Virtual(name) => write!(f, "virtual:{name}"),
            Self::Can(interface) => write!(f, "can:{interface}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_and_written_one_way() {
        for text in [
            "candump:/data/drive one.log",
            "candump:a:b.log",
            "virtual:bay-1",
            "can:can0",
            "can:vcan10",
            "can:usb=1-1.2",
            "can:serial=00:42-A,channel=255",
        ] {
            let url: SourceUrl = text.parse().expect("a source URL");
            assert_eq!(url.to_string(), text);
        }
    }

    #[test]
    fn a_bad_url_says_how_to_mend_it() {
        for (text, part) in [
            ("drive.log", "write candump:FILE"),
            ("elm:/dev/ttyUSB0", "'elm:' is not a kind of source"),
            ("CAN:can0", "'CAN:' is not"),
            ("candump:", "path of a log"),
            ("virtual:", "'' cannot name a virtual bus"),
            ("virtual:Bay 1", "a-z, 0-9 and '-'"),
            ("can:", "'' cannot name a CAN interface"),
            ("can:an-interface-too-long", "1 to 15 characters"),
            ("can:a/b", "without space, '/'"),
            ("can:..", "'..' cannot"),
            ("can:usb=", "write usb=1-1.2 or serial=0042"),
            ("can:usb=../1-1", "'usb=../1-1' cannot name"),
            ("can:serial=1,channel=256", "cannot name a CAN adapter"),
            ("can:serial=1,port=2", "cannot name a CAN adapter"),
        ] {
            let error = text.parse::<SourceUrl>().expect_err(text).to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
