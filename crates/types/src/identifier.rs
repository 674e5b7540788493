//! What the world calls a vehicle: VIN, plate, serial number. Personal data,
//! so none of these types prints its content.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use std::{fmt, str::FromStr};
use thiserror::Error;

/// Why a text is not an identifier. Never repeats the text.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IdentifierError {
    /// Not 17 characters out of `A-H J-N P R-Z 0-9` (ISO 3779:2009, 5).
    #[error("a VIN has 17 characters out of A-Z and 0-9 without I, O and Q")]
    Vin,
    /// Not a country code and 1 to 12 letters or digits.
    #[error("a plate is a two-letter country code and 1 to 12 letters or digits")]
    Plate,
    /// A serial number with no or too many characters.
    #[error("a serial number has 1 to 40 printable characters")]
    Serial,
}

/// A vehicle identification number (ISO 3779), upper case.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Vin([u8; 17]);

impl Vin {
    /// Reads a VIN out of bytes from a vehicle.
    ///
    /// # Errors
    /// [`IdentifierError::Vin`] unless it is 17 characters of the VIN alphabet.
    pub fn from_ascii(bytes: &[u8]) -> Result<Self, IdentifierError> {
        let mut vin: [u8; 17] = bytes.try_into().map_err(|_| IdentifierError::Vin)?;
        vin.make_ascii_uppercase();
        let allowed = |b: &u8| (b.is_ascii_uppercase() && !b"IOQ".contains(b)) || b.is_ascii_digit();
        if vin.iter().all(allowed) { Ok(Self(vin)) } else { Err(IdentifierError::Vin) }
    }

    /// The 17 characters. The caller answers for where they go.
    pub fn expose(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a VIN holds checked ASCII only")
    }
}

impl FromStr for Vin {
    type Err = IdentifierError;

    fn from_str(text: &str) -> Result<Self, IdentifierError> {
        Self::from_ascii(text.as_bytes())
    }
}

impl fmt::Debug for Vin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vin(<redacted>)")
    }
}

/// A registration plate with its country.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Plate {
    country: [u8; 2],
    number: Box<str>,
}

impl Plate {
    /// Makes a plate; spaces and dashes in the number are taken out, letters made upper case.
    ///
    /// # Errors
    /// [`IdentifierError::Plate`] for anything but a country code and 1 to 12 letters or digits.
    pub fn new(country: &str, number: &str) -> Result<Self, IdentifierError> {
        let country: [u8; 2] =
            country.to_ascii_uppercase().into_bytes().try_into().map_err(|_| IdentifierError::Plate)?;
        let number: String =
            number.chars().filter(|c| !matches!(c, ' ' | '-')).flat_map(char::to_uppercase).collect();
        let number_ok =
            (1..=12).contains(&number.chars().count()) && number.chars().all(char::is_alphanumeric);
        if !country.iter().all(u8::is_ascii_uppercase) || !number_ok {
            return Err(IdentifierError::Plate);
        }
        Ok(Self { country, number: number.into() })
    }

    /// `NO AB12345`. The caller answers for where it goes.
    pub fn expose(&self) -> String {
        format!(
            "{} {}",
            char::from(self.country[0]).to_string() + &char::from(self.country[1]).to_string(),
            self.number
        )
    }
}

impl fmt::Debug for Plate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Plate(<redacted>)")
    }
}

/// Which kind of identifier: it takes part in the blind index, so that a plate
/// never matches a serial number of the same letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IdentifierKind {
    /// ISO 3779.
    Vin,
    /// Registration plate.
    Plate,
    /// Serial number of a body or trailer.
    Serial,
}

/// One identifier of an asset.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Identifier {
    /// ISO 3779.
    Vin(Vin),
    /// Registration plate.
    Plate(Plate),
    /// Serial number of a body or trailer.
    Serial(Box<str>),
}

impl Identifier {
    /// A serial number of a body or trailer.
    ///
    /// # Errors
    /// [`IdentifierError::Serial`] if empty, over 40 characters or not printable.
    pub fn serial(text: &str) -> Result<Self, IdentifierError> {
        let text = text.trim();
        let ok = (1..=40).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        if ok { Ok(Self::Serial(text.into())) } else { Err(IdentifierError::Serial) }
    }

    /// The kind of this identifier.
    pub fn kind(&self) -> IdentifierKind {
        match self {
            Self::Vin(_) => IdentifierKind::Vin,
            Self::Plate(_) => IdentifierKind::Plate,
            Self::Serial(_) => IdentifierKind::Serial,
        }
    }

    /// The normal form that goes into the blind index: kind, a NUL, the text.
    pub fn normal_form(&self) -> Vec<u8> {
        let (kind, text): (&str, String) = match self {
            Self::Vin(vin) => ("vin", vin.expose().into()),
            Self::Plate(plate) => ("plate", plate.expose()),
            Self::Serial(serial) => ("serial", serial.to_string()),
        };
        [kind.as_bytes(), &[0], text.as_bytes()].concat()
    }
}

impl fmt::Debug for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identifier({:?}, <redacted>)", self.kind())
    }
}

/// The written form: `{"vin":"…"}`, `{"plate":{"country":"NO","number":"…"}}`, `{"serial":"…"}`.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum Written {
    Vin(String),
    Plate { country: String, number: String },
    Serial(String),
}

impl Serialize for Identifier {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let written = match self {
            Self::Vin(vin) => Written::Vin(vin.expose().into()),
            Self::Plate(plate) => {
                let text = plate.expose();
                Written::Plate { country: text[..2].into(), number: text[3..].into() }
            }
            Self::Serial(serial) => Written::Serial(serial.to_string()),
        };
        written.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Identifier {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = match Written::deserialize(deserializer)? {
            Written::Vin(text) => text.parse().map(Self::Vin),
            Written::Plate { country, number } => Plate::new(&country, &number).map(Self::Plate),
            Written::Serial(text) => Self::serial(&text),
        };
        read.map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plate_is_the_same_however_the_counter_types_it() {
        let plate = Plate::new("no", "ab 123-45").expect("valid");
        assert_eq!(plate, Plate::new("NO", "AB12345").expect("valid"));
        assert_eq!(plate.expose(), "NO AB12345");
    }

    #[test]
    fn a_vin_with_letters_outside_the_alphabet_is_refused() {
        assert_eq!("WDB9634031L73800O".parse::<Vin>(), Err(IdentifierError::Vin));
        assert_eq!(Vin::from_ascii(b"short"), Err(IdentifierError::Vin));
        assert!("wdb9634031l738001".parse::<Vin>().is_ok());
    }

    #[test]
    fn identifiers_never_print_themselves() {
        let vin: Vin = "WDB9634031L738001".parse().expect("valid");
        let plate = Plate::new("NO", "AB12345").expect("valid");
        let shown =
            format!("{vin:?} {plate:?} {:?} {:?}", Identifier::Vin(vin), Identifier::Plate(plate.clone()));
        assert!(!shown.contains("WDB") && !shown.contains("AB12345"), "{shown}");
    }
}
