//! Source URLs: `candump:FILE`, `virtual:NAME`, `can:IFACE`.

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
}

/// Where frames come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceUrl {
    /// A log in candump's format (`candump -l` or `-L`).
    Candump(PathBuf),
    /// A bus inside this process, by name.
    Virtual(Slug),
    /// A CAN interface of Linux.
    Can(String),
}

/// IFNAMSIZ - 1 of Linux.
const INTERFACE_MAX_BYTES: usize = 15;

impl FromStr for SourceUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = text.split_once(':').ok_or_else(|| UrlError::NoScheme { text: text.into() })?;
        match scheme {
            "candump" if rest.is_empty() => Err(UrlError::NoFile),
            "candump" => Ok(Self::Candump(rest.into())),
            "virtual" => rest.parse().map(Self::Virtual).map_err(|_| UrlError::BusName { name: rest.into() }),
            "can" => {
                let fits = (1..=INTERFACE_MAX_BYTES).contains(&rest.len())
                    && rest.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/' && byte != b':')
                    && rest != "."
                    && rest != "..";
                if fits { Ok(Self::Can(rest.into())) } else { Err(UrlError::Interface { name: rest.into() }) }
            }
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
        for text in
            ["candump:/data/drive one.log", "candump:a:b.log", "virtual:bay-1", "can:can0", "can:vcan10"]
        {
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
        ] {
            let error = text.parse::<SourceUrl>().expect_err(text).to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
