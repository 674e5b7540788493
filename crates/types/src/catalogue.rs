//! The signal catalogue: a closed world of what may be read at all.
//!
//! Read from `config/signals/*.toml`. A signal that is not listed does not
//! exist for vernport. Paths follow VSS 6.0 (COVESA); where VSS 6.0 has none,
//! the path stands below `Vehicle.Extension` and the entry says so.

use serde::{Deserialize, Serialize};
use std::{collections::HashMap, fmt};
use thiserror::Error;

/// A catalogue entry's number within the loaded catalogue. Not stable between
/// catalogues: what is stored or sent names the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SignalId(pub u16);

/// What kind of personal data a signal is: our automotive extension of W3C DPV.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Category {
    /// How far the vehicle has gone.
    Odometer,
    /// State of components and functions, trouble codes among them.
    ComponentStatus,
    /// How a body's functions are used: power take-off, tail lift, crane.
    BodyFunction,
    /// Where the vehicle is.
    Location,
    /// VIN, plate, serial number.
    Identifier,
    /// What a workshop has done to the vehicle.
    ServiceHistory,
    /// How a driver drives: speed, braking, hours.
    DrivingBehaviour,
    /// Who drives: card numbers, driver ids.
    DriverIdentity,
    /// Name, address, telephone, e-mail.
    Contact,
    /// Employer, title, position.
    Employment,
    /// Login, user name, password.
    Credential,
    /// Which products and services somebody likes.
    Preference,
    /// What somebody ordered or bought.
    Order,
    /// Invoices and payments.
    Invoice,
    /// A person's device: type, browser, IP address.
    Technical,
    /// How somebody uses sites and products.
    Usage,
    /// Passport, driving licence.
    IdentityDocument,
    /// What somebody asked, in words of their own.
    Enquiry,
}

impl Category {
    /// All categories.
    pub const ALL: &[Self] = &[
        Self::Odometer,
        Self::ComponentStatus,
        Self::BodyFunction,
        Self::Location,
        Self::Identifier,
        Self::ServiceHistory,
        Self::DrivingBehaviour,
        Self::DriverIdentity,
        Self::Contact,
        Self::Employment,
        Self::Credential,
        Self::Preference,
        Self::Order,
        Self::Invoice,
        Self::Technical,
        Self::Usage,
        Self::IdentityDocument,
        Self::Enquiry,
    ];

    /// The written form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Odometer => "odometer",
            Self::ComponentStatus => "component-status",
            Self::BodyFunction => "body-function",
            Self::Location => "location",
            Self::Identifier => "identifier",
            Self::ServiceHistory => "service-history",
            Self::DrivingBehaviour => "driving-behaviour",
            Self::DriverIdentity => "driver-identity",
            Self::Contact => "contact",
            Self::Employment => "employment",
            Self::Credential => "credential",
            Self::Preference => "preference",
            Self::Order => "order",
            Self::Invoice => "invoice",
            Self::Technical => "technical",
            Self::Usage => "usage",
            Self::IdentityDocument => "identity-document",
            Self::Enquiry => "enquiry",
        }
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which variant of [`crate::Value`] a signal has before it is minimised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ValueKind {
    /// Whole number.
    Integer,
    /// Finite number.
    Number,
    /// Yes or no.
    Flag,
    /// Short text.
    Label,
    /// Position.
    Position,
    /// Trouble code, or "asked, none".
    TroubleCode,
}

/// One signal.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signal {
    /// VSS path.
    pub path: Box<str>,
    /// Unit as VSS writes it; empty for none.
    #[serde(default)]
    pub unit: Box<str>,
    /// What kind of value it has.
    pub kind: ValueKind,
    /// What kind of personal data it is.
    pub category: Category,
    /// Smallest value that is believed, in `unit`.
    pub min: Option<f64>,
    /// Largest value that is believed, in `unit`.
    pub max: Option<f64>,
}

/// Why a catalogue cannot be used.
#[derive(Debug, Error)]
pub enum CatalogueError {
    /// Not TOML of the expected shape.
    #[error("{file}: not a signal catalogue: {message}")]
    Syntax {
        /// Which file.
        file: String,
        /// Where and what, from the TOML reader.
        message: String,
    },
    /// Two entries of one path.
    #[error("{file}: {path} is listed twice; keep one entry")]
    Twice {
        /// Which file.
        file: String,
        /// The path.
        path: String,
    },
    /// A format this version cannot read.
    #[error("{file}: format {format} is not known here; this version reads format 1")]
    Format {
        /// Which file.
        file: String,
        /// The number found.
        format: u32,
    },
    /// More signals than ids.
    #[error("more than 65535 signals")]
    TooMany,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    #[serde(default)]
    signal: Vec<Signal>,
}

/// All signals, found by path or by id.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    signals: Vec<Signal>,
    by_path: HashMap<Box<str>, SignalId>,
}

impl Catalogue {
    /// Reads the catalogue out of `(file name, text)` pairs. Ids follow the
    /// order of the paths, whatever the order of the files.
    ///
    /// # Errors
    /// [`CatalogueError`] names the file and what to mend.
    pub fn from_toml<'a>(
        files: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, CatalogueError> {
        let mut entries: Vec<(String, Signal)> = Vec::new();
        for (name, text) in files {
            let file: File = toml::from_str(text)
                .map_err(|e| CatalogueError::Syntax { file: name.into(), message: e.to_string() })?;
            if file.format != 1 {
                return Err(CatalogueError::Format { file: name.into(), format: file.format });
            }
            entries.extend(file.signal.into_iter().map(|signal| (name.to_owned(), signal)));
        }
        entries.sort_by(|a, b| a.1.path.cmp(&b.1.path));
        let mut catalogue = Self::default();
        for (file, signal) in entries {
            let id = SignalId(u16::try_from(catalogue.signals.len()).map_err(|_| CatalogueError::TooMany)?);
            if catalogue.by_path.insert(signal.path.clone(), id).is_some() {
                return Err(CatalogueError::Twice { file, path: signal.path.into() });
            }
            catalogue.signals.push(signal);
        }
        Ok(catalogue)
    }

    /// The signal of a path.
    pub fn find(&self, path: &str) -> Option<SignalId> {
        self.by_path.get(path).copied()
    }

    /// The entry of an id of this catalogue.
    ///
    /// # Panics
    /// If the id is of another catalogue and beyond this one.
    pub fn signal(&self, id: SignalId) -> &Signal {
        &self.signals[usize::from(id.0)]
    }

    /// All signals with their ids, by path.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (SignalId, &Signal)> {
        self.signals
            .iter()
            .enumerate()
            .map(|(n, signal)| (SignalId(u16::try_from(n).expect("checked")), signal))
    }

    /// How many signals there are.
    pub fn len(&self) -> usize {
        self.signals.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.signals.is_empty()
    }

    /// The bytes whose SHA-256 is the catalogue hash: one line per signal, by path.
    pub fn normal_form(&self) -> Vec<u8> {
        let mut text = String::new();
        for s in &self.signals {
            let bound = |b: Option<f64>| b.map_or_else(|| "-".into(), |b| b.to_string());
            text += &format!(
                "{}\t{}\t{:?}\t{}\t{}\t{}\n",
                s.path,
                s.unit,
                s.kind,
                s.category,
                bound(s.min),
                bound(s.max)
            );
        }
        text.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = r#"
format = 1
[[signal]]
path = "Vehicle.TraveledDistance"
unit = "m"
kind = "integer"
category = "odometer"
[[signal]]
path = "Vehicle.CurrentLocation"
kind = "position"
category = "location"
"#;

    #[test]
    fn ids_follow_the_paths() {
        let catalogue = Catalogue::from_toml([("a.toml", TWO)]).expect("valid");
        assert_eq!(catalogue.find("Vehicle.CurrentLocation"), Some(SignalId(0)));
        assert_eq!(catalogue.find("Vehicle.TraveledDistance"), Some(SignalId(1)));
        assert_eq!(catalogue.find("Vehicle.Speed"), None);
    }

    #[test]
    fn a_broken_catalogue_is_refused_with_its_file() {
        let twice = Catalogue::from_toml([("a.toml", TWO), ("b.toml", TWO)]).expect_err("twice");
        assert!(twice.to_string().contains("listed twice"), "{twice}");
        let key = Catalogue::from_toml([("c.toml", "format = 1\nsignals = []")]).expect_err("unknown key");
        assert!(key.to_string().starts_with("c.toml:"), "{key}");
        let newer = Catalogue::from_toml([("d.toml", "format = 2")]).expect_err("newer");
        assert!(newer.to_string().contains("format 2"), "{newer}");
    }
}
