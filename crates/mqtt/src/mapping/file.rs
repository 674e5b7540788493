//! A mapping file as it is written; `build` checks it.

use serde::{
    Deserialize, Deserializer,
    de::{
        Error, IntoDeserializer as _, MapAccess, SeqAccess, Visitor,
        value::{MapAccessDeserializer, SeqAccessDeserializer},
    },
};
use std::{collections::BTreeMap, fmt, marker::PhantomData};
use toml::Spanned;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) format: u32,
    /// Who sends this: for people only.
    #[serde(default, rename = "sender")]
    pub(super) _sender: String,
    #[serde(default)]
    pub(super) input: Input,
    pub(super) max_readings: Option<Spanned<usize>>,
    pub(super) id: Spanned<Id>,
    pub(super) messages: Option<Spanned<String>>,
    pub(super) vehicle: Option<Spanned<OneOrMany<Vehicle>>>,
    pub(super) time: Option<Spanned<OneOrMany<Time>>>,
    #[serde(default)]
    pub(super) embedded: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) require: Vec<Spanned<Condition>>,
    /// The sender's name of a unit → ours.
    #[serde(default)]
    pub(super) units: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    pub(super) readings: Vec<Spanned<Group>>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Input {
    #[default]
    Json,
    JsonLines,
    Form,
    Influx,
    Csv,
    Text,
}

pub(super) enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

/// By hand, so that what is wrong with one is told in its own words.
impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Either<T> {
            type Value = OneOrMany<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("one, or a list of them")
            }

            fn visit_bool<E: Error>(self, flag: bool) -> Result<Self::Value, E> {
                T::deserialize(flag.into_deserializer()).map(OneOrMany::One)
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
                T::deserialize(number.into_deserializer()).map(OneOrMany::One)
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
                T::deserialize(number.into_deserializer()).map(OneOrMany::One)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                T::deserialize(text.into_deserializer()).map(OneOrMany::One)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(OneOrMany::One)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq)).map(OneOrMany::Many)
            }
        }
        deserializer.deserialize_any(Either(PhantomData))
    }
}

impl<T> OneOrMany<T> {
    pub(super) fn into_vec(self) -> Vec<T> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected \"payload\" or { at = \"path\" }")]
pub(super) enum Id {
    Word(String),
    Field(Place),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Place {
    pub(super) at: OneOrMany<String>,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected \"visit\", { vin = \"path\" }, { order = \"path\" } or { plate = \"path\", country = \"NO\" }"
)]
pub(super) enum Vehicle {
    Word(String),
    Field(VehicleField),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VehicleField {
    pub(super) vin: Option<String>,
    pub(super) plate: Option<String>,
    pub(super) order: Option<String>,
    pub(super) country: Option<String>,
    pub(super) country_at: Option<String>,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected \"arrival\" or { at = \"path\", unit = \"s|ms|us|ns\" | pattern = \"%d.%m.%Y %H:%M\", zone = \"Europe/Oslo\" }"
)]
pub(super) enum Time {
    Word(String),
    Field(TimeField),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TimeField {
    pub(super) at: OneOrMany<String>,
    pub(super) unit: Option<String>,
    pub(super) base: Option<String>,
    pub(super) pattern: Option<String>,
    pub(super) zone: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Condition {
    pub(super) at: String,
    pub(super) is: Option<OneOrMany<Word>>,
    pub(super) is_not: Option<OneOrMany<Word>>,
    pub(super) present: Option<bool>,
}

/// A text, number or flag, compared as a word.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a text, a number or true/false")]
pub(super) enum Word {
    Flag(bool),
    Integer(i64),
    Number(f64),
    Text(String),
}

impl Word {
    pub(super) fn text(&self) -> Box<str> {
        match self {
            Self::Flag(flag) => flag.to_string().into(),
            Self::Integer(number) => number.to_string().into(),
            Self::Number(number) if number.fract() == 0.0 && number.abs() < 1e15 => {
                format!("{number:.0}").into()
            }
            Self::Number(number) => number.to_string().into(),
            Self::Text(text) => text.as_str().into(),
        }
    }
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Otherwise {
    Skip,
    #[default]
    Refuse,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Group {
    pub(super) each: Option<String>,
    #[serde(default)]
    pub(super) when: Vec<Condition>,
    pub(super) name: Option<String>,
    pub(super) value: Option<String>,
    pub(super) unit_at: Option<String>,
    pub(super) time: Option<OneOrMany<Time>>,
    pub(super) unlisted: Option<Otherwise>,
    #[serde(default)]
    pub(super) bad_values: Otherwise,
    #[serde(default)]
    pub(super) signal: Vec<Spanned<Signal>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Signal {
    /// Path in the catalogue.
    pub(super) path: Spanned<String>,
    pub(super) name: Option<OneOrMany<Word>>,
    pub(super) at: Option<String>,
    pub(super) time: Option<OneOrMany<Time>>,

    pub(super) unit: Option<String>,
    pub(super) scale: Option<f64>,
    pub(super) offset: Option<f64>,
    #[serde(default)]
    pub(super) hex: bool,
    #[serde(default)]
    pub(super) decimal_comma: bool,
    pub(super) suffix: Option<String>,
    pub(super) thousands: Option<char>,
    pub(super) bit: Option<u32>,
    pub(super) unit_at: Option<String>,
    #[serde(default)]
    pub(super) values: BTreeMap<String, Word>,
    #[serde(default)]
    pub(super) missing: Vec<Word>,

    pub(super) latitude: Option<String>,
    pub(super) longitude: Option<String>,
    pub(super) latitude_name: Option<Word>,
    pub(super) longitude_name: Option<Word>,
    pub(super) within_ms: Option<u32>,
    pub(super) both: Option<String>,
    pub(super) order: Option<Order>,

    pub(super) dtc: Option<Dtc>,
    pub(super) state: Option<String>,
    pub(super) state_at: Option<String>,
    #[serde(default)]
    pub(super) states: BTreeMap<String, String>,
    pub(super) status_at: Option<String>,
    pub(super) split: Option<String>,
    #[serde(default)]
    pub(super) none: Vec<Word>,
    #[serde(default)]
    pub(super) none_if_empty: bool,
    pub(super) spn: Option<String>,
    pub(super) fmi: Option<String>,
    pub(super) occurrence: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Order {
    LatitudeLongitude,
    LongitudeLatitude,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Dtc {
    /// SAE J2012 text, `P0420`; with a failure type byte behind it, a code of ISO 14229-1.
    Sae,
    /// Two bytes in hexadecimal digits.
    Hex2,
    /// Three bytes in hexadecimal digits (ISO 14229-1).
    Hex3,
    /// Two bytes as a decimal number.
    Number,
    /// SAE J1939-73: numbers of their own.
    J1939,
}
