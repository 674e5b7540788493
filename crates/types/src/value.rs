//! Values as copy types: what a reading holds before and after minimising.
//!
//! Every value is small and `Copy`, so that deciding and minimising allocate
//! nothing. None of them shows its content under `Debug`.
//!
//! Stored form (frozen, decision note 0001): postcard of [`Value`]; variants
//! and fields grow only at their end.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{cmp::Ordering, fmt};
use thiserror::Error;

/// Why something is not a value. Never repeats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ValueError {
    /// Infinite or not a number.
    #[error("a number must be finite")]
    NotFinite,
    /// Over 40 bytes, or with control characters.
    #[error("a label has at most 40 bytes and no control characters")]
    Label,
    /// Outside of -90 to 90 degrees north or -180 to 180 degrees east.
    #[error("a position lies within -90..=90 degrees north and -180..=180 degrees east")]
    Position,
}

/// One value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Value {
    /// A whole number, in the unit of the catalogue.
    Integer(i64),
    /// A finite number, in the unit of the catalogue.
    Number(Number),
    /// Yes or no.
    Flag(bool),
    /// A short text: an enumeration, a part number, a VIN.
    Label(Label),
    /// An exact position.
    Position(Position),
    /// A trouble code.
    TroubleCode(TroubleCode),
    /// It was asked for, and the vehicle has none (no trouble code, say).
    Nothing,
    /// A position coarsened to a cell.
    Cell(Cell),
    /// A number coarsened to a bucket: at least the first, less than the second.
    Bucket(i64, i64),
    /// Coarsened to the fact that there was a value.
    Present,
}

impl Value {
    /// The name of the variant, safe to log.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Integer(_) => "integer",
            Self::Number(_) => "number",
            Self::Flag(_) => "flag",
            Self::Label(_) => "label",
            Self::Position(_) => "position",
            Self::TroubleCode(_) => "trouble-code",
            Self::Nothing => "nothing",
            Self::Cell(_) => "cell",
            Self::Bucket(..) => "bucket",
            Self::Present => "present",
        }
    }

    /// The value as a number, where it is one.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "readings stay far below 2^53")]
            Self::Integer(n) => Some(*n as f64),
            Self::Number(n) => Some(n.get()),
            _ => None,
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Value({}, <redacted>)", self.kind())
    }
}

/// A finite number with a total order; minus zero is zero.
#[derive(Clone, Copy, PartialEq)]
pub struct Number(f64);

impl Number {
    /// Takes a finite number.
    ///
    /// # Errors
    /// [`ValueError::NotFinite`] for an infinity or NaN.
    pub fn new(number: f64) -> Result<Self, ValueError> {
        if number.is_finite() { Ok(Self(number + 0.0)) } else { Err(ValueError::NotFinite) }
    }

    /// The number.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl Eq for Number {}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl std::hash::Hash for Number {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Number(<redacted>)")
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(f64::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// A short text, held in place.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label {
    len: u8,
    bytes: [u8; Label::MAX_BYTES],
}

impl Label {
    /// The longest label, in bytes of UTF-8.
    pub const MAX_BYTES: usize = 40;

    /// Takes a short text.
    ///
    /// # Errors
    /// [`ValueError::Label`] if it is longer than [`Self::MAX_BYTES`] or has control characters.
    pub fn new(text: &str) -> Result<Self, ValueError> {
        if text.len() > Self::MAX_BYTES || text.chars().any(char::is_control) {
            return Err(ValueError::Label);
        }
        let mut bytes = [0; Self::MAX_BYTES];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Ok(Self { len: u8::try_from(text.len()).expect("at most 40"), bytes })
    }

    /// The text. The caller answers for where it goes.
    pub fn expose(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.len)]).expect("a label was made from a text")
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Label(<redacted>)")
    }
}

impl Serialize for Label {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.expose())
    }
}

impl<'de> Deserialize<'de> for Label {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::new(&text).map_err(D::Error::custom)
    }
}

/// An exact position (WGS 84), in units of 1e-7 degree as SAE J1939-71 SPN 584 and 585 send it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Position {
    latitude_e7: i32,
    longitude_e7: i32,
}

impl Position {
    /// Takes degrees times ten million.
    ///
    /// # Errors
    /// [`ValueError::Position`] outside of the globe.
    pub fn from_e7(latitude_e7: i32, longitude_e7: i32) -> Result<Self, ValueError> {
        let inside =
            latitude_e7.unsigned_abs() <= 900_000_000 && longitude_e7.unsigned_abs() <= 1_800_000_000;
        if inside { Ok(Self { latitude_e7, longitude_e7 }) } else { Err(ValueError::Position) }
    }

    /// Takes degrees north and east.
    ///
    /// # Errors
    /// [`ValueError::Position`] outside of the globe.
    pub fn from_degrees(latitude: f64, longitude: f64) -> Result<Self, ValueError> {
        if !(latitude.abs() <= 90.0 && longitude.abs() <= 180.0) {
            return Err(ValueError::Position);
        }
        #[expect(clippy::cast_possible_truncation, reason = "bounded just above")]
        Self::from_e7((latitude * 1e7).round() as i32, (longitude * 1e7).round() as i32)
    }

    /// Degrees north times ten million.
    pub const fn latitude_e7(self) -> i32 {
        self.latitude_e7
    }

    /// Degrees east times ten million.
    pub const fn longitude_e7(self) -> i32 {
        self.longitude_e7
    }

    /// Degrees north and east.
    pub fn degrees(self) -> (f64, f64) {
        (f64::from(self.latitude_e7) / 1e7, f64::from(self.longitude_e7) / 1e7)
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Position(<redacted>)")
    }
}

impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename = "Position")]
        struct Raw {
            latitude_e7: i32,
            longitude_e7: i32,
        }
        let raw = Raw::deserialize(deserializer)?;
        Self::from_e7(raw.latitude_e7, raw.longitude_e7).map_err(D::Error::custom)
    }
}

/// An H3 cell index; the resolution is part of the index.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cell(pub u64);

impl Cell {
    /// The H3 resolution, 0 (about 1 100 km across) to 15 (about half a metre).
    pub const fn resolution(self) -> u8 {
        // H3 index layout: bits 52 to 55 hold the resolution.
        ((self.0 >> 52) & 0xF) as u8
    }
}

impl fmt::Debug for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cell(r{}, <redacted>)", self.resolution())
    }
}

/// A trouble code and its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TroubleCode {
    /// The code.
    pub fault: Fault,
    /// Whether it is there now.
    pub state: FaultState,
}

/// Which fault, in the words of the protocol that reported it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Fault {
    /// SAE J1939-73: suspect parameter number, failure mode, occurrence count (none = not available).
    J1939 {
        /// Suspect parameter number, 19 bits.
        spn: u32,
        /// Failure mode identifier, 5 bits.
        fmi: u8,
        /// Occurrence count, 7 bits; 127 on the wire means not available.
        occurrence: Option<u8>,
    },
    /// SAE J2012 two-byte code, as services 03, 07 and 0A send it.
    Obd(u16),
    /// ISO 14229-1 three-byte code with its status byte.
    Uds {
        /// Three bytes, high byte first.
        code: u32,
        /// Status byte (ISO 14229-1, annex D.2).
        status: u8,
    },
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fault(<redacted>)")
    }
}

/// Whether a fault is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FaultState {
    /// There now (DM1, service 03 confirmed).
    Present,
    /// Was there before (DM2).
    Stored,
    /// Seen, not yet confirmed (service 07).
    Pending,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minus_zero_and_zero_are_one_number() {
        assert_eq!(Number::new(-0.0).expect("finite").get().to_bits(), 0);
        assert_eq!(Number::new(f64::NAN), Err(ValueError::NotFinite));
    }

    #[test]
    fn a_position_outside_of_the_globe_is_refused_also_when_read_back() {
        assert_eq!(Position::from_degrees(90.1, 0.0), Err(ValueError::Position));
        assert_eq!(Position::from_degrees(f64::NAN, 0.0), Err(ValueError::Position));
        let bytes = postcard::to_allocvec(&(900_000_001_i32, 0_i32)).expect("encodes");
        assert!(postcard::from_bytes::<Position>(&bytes).is_err());
    }

    #[test]
    fn no_value_prints_its_content() {
        let values = [
            Value::Integer(158_910_600),
            Value::Number(Number::new(81.6).expect("finite")),
            Value::Label(Label::new("WDB9634031L738001").expect("short")),
            Value::Position(Position::from_e7(599_100_000, 107_500_000).expect("on the globe")),
            Value::Bucket(158_910_000, 158_911_000),
            Value::Cell(Cell(0x0861_f1d4_8fff_ffff)),
        ];
        for value in values {
            let shown = format!("{value:?}");
            assert!(!shown.chars().any(|c| c.is_ascii_digit()), "{shown}");
        }
    }
}
