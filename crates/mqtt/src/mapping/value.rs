//! What a sender's value means: numbers into the catalogue's unit, words of a
//! table, positions out of two numbers.

use super::{document::Node, path::Path, path::Row};
use crate::{
    tool_message::{converted, numeric},
    tool_result::ResultCode,
};
use std::collections::BTreeMap;
use vernport_types::{Label, Position, Signal, SignalId, Value, ValueKind};

/// What a word of a table stands for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Meant {
    Flag(bool),
    Number(f64),
    Label(Label),
}

/// How the sender writes a scalar.
#[derive(Debug, Default)]
pub(super) struct Scalar {
    /// In our words; where a row names its own, that one holds.
    pub(super) unit: Option<Box<str>>,
    pub(super) scale: f64,
    pub(super) offset: f64,
    pub(super) hex: bool,
    pub(super) decimal_comma: bool,
    pub(super) suffix: Option<Box<str>>,
    /// The sign between groups of digits.
    pub(super) thousands: Option<char>,
    /// Which bit of a whole number a flag is, from 0.
    pub(super) bit: Option<u32>,
    pub(super) values: BTreeMap<Box<str>, Meant>,
    pub(super) missing: Vec<Box<str>>,
}

impl Scalar {
    /// Whether the sender says that it has no value.
    pub(super) fn is_missing(&self, node: &Node) -> bool {
        match node {
            Node::Null => true,
            Node::List(_) | Node::Object(_) => false,
            node => node.word().is_some_and(|word| {
                let word = word.trim();
                word.is_empty() || self.missing.iter().any(|missing| **missing == *word)
            }),
        }
    }

    /// The value of a signal; `unit` is what the row says it is in.
    ///
    /// # Errors
    /// [`ResultCode::Value`] or [`ResultCode::Unit`].
    pub(super) fn value(
        &self,
        node: &Node,
        unit: Option<&str>,
        signal: &Signal,
    ) -> Result<Value, ResultCode> {
        let unit = unit.or(self.unit.as_deref());
        if !self.values.is_empty() {
            let word = node.word().ok_or(ResultCode::Value)?;
            return match self.values.get(word.trim()).ok_or(ResultCode::Value)? {
                Meant::Flag(flag) => Ok(Value::Flag(*flag)),
                Meant::Label(label) => Ok(Value::Label(*label)),
                Meant::Number(number) => numeric(converted(*number, unit, signal)?, signal),
            };
        }
        match signal.kind {
            ValueKind::Integer | ValueKind::Number => {
                numeric(converted(self.number(node)?, unit, signal)?, signal)
            }
            ValueKind::Flag if self.bit.is_some() => {
                let number = self.number(node)?;
                if number.fract() != 0.0 || !(0.0..=9e15).contains(&number) {
                    return Err(ResultCode::Value);
                }
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "checked just above"
                )]
                Ok(Value::Flag((number as u64) >> self.bit.unwrap_or(0) & 1 == 1))
            }
            ValueKind::Flag => match (node, node.word().as_deref()) {
                (Node::Flag(flag), _) => Ok(Value::Flag(*flag)),
                (_, Some("true")) => Ok(Value::Flag(true)),
                (_, Some("false")) => Ok(Value::Flag(false)),
                _ => Err(ResultCode::Value),
            },
            ValueKind::Label => {
                let word = node.word().ok_or(ResultCode::Value)?;
                Label::new(word.trim()).map(Value::Label).map_err(|_| ResultCode::Value)
            }
            // Built from other fields.
            ValueKind::Position | ValueKind::TroubleCode => Err(ResultCode::Value),
        }
    }

    /// A number as sent, scaled.
    pub(super) fn number(&self, node: &Node) -> Result<f64, ResultCode> {
        let sent = match node {
            Node::Number(number) if !self.hex => number.as_f64(),
            Node::Text(text) => self.written(text),
            Node::Number(_) => self.written(&node.word().unwrap_or_default()),
            _ => None,
        };
        let number = sent.ok_or(ResultCode::Value)? * self.scale + self.offset;
        if number.is_finite() { Ok(number) } else { Err(ResultCode::Value) }
    }

    /// Degrees, with the letter of a half of the globe behind them or a sign before.
    pub(super) fn degrees(&self, node: &Node) -> Result<f64, ResultCode> {
        if let Node::Text(text) = node {
            let text = text.trim();
            for (letter, sign) in [('N', 1.0), ('E', 1.0), ('S', -1.0), ('W', -1.0)] {
                if let Some(bare) = text.strip_suffix([letter, letter.to_ascii_lowercase()]) {
                    return self.number(&Node::text(bare)).map(|degrees| sign * degrees);
                }
            }
        }
        self.number(node)
    }

    fn written(&self, text: &str) -> Option<f64> {
        let text = text.trim();
        let text = self.suffix.as_deref().and_then(|suffix| text.strip_suffix(suffix)).unwrap_or(text).trim();
        if self.hex {
            let digits = text.strip_prefix("0x").or(text.strip_prefix("0X")).unwrap_or(text);
            let is_hex = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
            #[expect(clippy::cast_precision_loss, reason = "beyond 2^53 it is refused as a value")]
            return is_hex.then(|| u64::from_str_radix(digits, 16).ok()).flatten().map(|whole| whole as f64);
        }
        let grouped = self.thousands.map(|sign| text.replace(sign, ""));
        let text = grouped.as_deref().unwrap_or(text);
        // Rust would also read "inf" and "nan".
        let is_number = text.bytes().all(|b| b.is_ascii_digit() || b"+-.,eE".contains(&b));
        if !is_number || (text.contains(',') && !self.decimal_comma) {
            return None;
        }
        if self.decimal_comma { text.replace(',', ".").parse().ok() } else { text.parse().ok() }
    }
}

/// Two rows that make one position.
#[derive(Debug, Clone)]
pub(super) struct Halves {
    pub(super) within_micros: i64,
}

/// Where latitude and longitude stand.
#[derive(Debug)]
pub(super) enum Degrees {
    Fields { latitude: Path, longitude: Path },
    Both { at: Path, longitude_first: bool },
    Rows(Halves),
}

impl Degrees {
    /// The position that a row says, `None` where it says none.
    ///
    /// # Errors
    /// [`ResultCode::Value`] for what is none on the globe.
    pub(super) fn read(&self, row: &Row<'_>, scalar: &Scalar) -> Result<Option<Value>, ResultCode> {
        let (latitude, longitude) = match self {
            Self::Rows(_) => return Ok(None),
            Self::Fields { latitude, longitude } => {
                let (latitude, longitude) = (latitude.find(row), longitude.find(row));
                let said = |node: Option<&Node>| node.is_some_and(|node| !scalar.is_missing(node));
                if !said(latitude.as_deref()) || !said(longitude.as_deref()) {
                    return Ok(None);
                }
                (
                    scalar.degrees(latitude.as_deref().unwrap_or(&Node::Null))?,
                    scalar.degrees(longitude.as_deref().unwrap_or(&Node::Null))?,
                )
            }
            Self::Both { at, longitude_first } => {
                let Some(node) = at.find(row).filter(|node| !scalar.is_missing(node)) else {
                    return Ok(None);
                };
                let (first, second) = pair(&node, scalar)?;
                if *longitude_first { (second, first) } else { (first, second) }
            }
        };
        position(latitude, longitude)
    }
}

/// A position; `None` for 0, 0, which receivers say that have none.
pub(super) fn position(latitude: f64, longitude: f64) -> Result<Option<Value>, ResultCode> {
    if latitude == 0.0 && longitude == 0.0 {
        return Ok(None);
    }
    let position = Position::from_degrees(latitude, longitude).map_err(|_| ResultCode::Value)?;
    Ok(Some(Value::Position(position)))
}

fn pair(node: &Node, scalar: &Scalar) -> Result<(f64, f64), ResultCode> {
    if let (Some(first), Some(second)) = (node.item(0), node.item(1)) {
        return Ok((scalar.degrees(first)?, scalar.degrees(second)?));
    }
    let Node::Text(text) = node else { return Err(ResultCode::Value) };
    let sign = [';', ',', ' '].into_iter().find(|sign| text.trim().contains(*sign));
    let mut parts = text.split(sign.unwrap_or(' ')).map(str::trim).filter(|part| !part.is_empty());
    let mut next = || parts.next().map(Node::text).ok_or(ResultCode::Value);
    let (first, second) = (next()?, next()?);
    if parts.next().is_some() {
        return Err(ResultCode::Value);
    }
    Ok((scalar.degrees(&first)?, scalar.degrees(&second)?))
}

/// Halves of positions that wait for the other one, by signal.
#[derive(Default)]
pub(super) struct Waiting(BTreeMap<SignalId, (bool, f64, i64)>);

impl Waiting {
    /// How many wait.
    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    /// Takes a half; gives latitude and longitude once both came close enough to one another.
    pub(super) fn take(
        &mut self,
        signal: SignalId,
        is_latitude: bool,
        degrees: f64,
        at: i64,
        halves: &Halves,
    ) -> Option<(f64, f64)> {
        match self.0.remove(&signal) {
            Some((other_is_latitude, other, since))
                if other_is_latitude != is_latitude
                    && at.saturating_sub(since).saturating_abs() <= halves.within_micros =>
            {
                Some(if is_latitude { (degrees, other) } else { (other, degrees) })
            }
            _ => {
                self.0.insert(signal, (is_latitude, degrees, at));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vernport_types::{Category, Number};

    fn signal(kind: ValueKind, unit: &str) -> Signal {
        let path = "Vehicle.X".into();
        Signal { path, unit: unit.into(), kind, category: Category::Odometer, min: Some(0.0), max: Some(1e9) }
    }

    fn scalar(unit: &str) -> Scalar {
        Scalar { unit: Some(unit.into()), scale: 1.0, ..Scalar::default() }
    }

    fn node(json: &str) -> Node {
        Node::from_json(json.as_bytes()).expect("JSON")
    }

    #[test]
    fn numbers_come_as_numbers_as_texts_and_in_hexadecimal() {
        let metres = signal(ValueKind::Integer, "m");
        for (json, expected) in
            [("12.5", 12_500), ("\"12.5\"", 12_500), ("\" 7 \"", 7_000), ("\"1e2\"", 100_000)]
        {
            assert_eq!(
                scalar("km").value(&node(json), None, &metres),
                Ok(Value::Integer(expected)),
                "{json}"
            );
        }
        let hex = Scalar { hex: true, scale: 5.0, ..scalar("m") };
        assert_eq!(hex.value(&node("\"1F4\""), None, &metres), Ok(Value::Integer(2500)));
        assert_eq!(hex.value(&node("\"0x10\""), None, &metres), Ok(Value::Integer(80)));
        assert_eq!(hex.value(&node("10"), None, &metres), Ok(Value::Integer(80)));
        let comma = Scalar { decimal_comma: true, suffix: Some("km".into()), ..scalar("km") };
        assert_eq!(comma.value(&node("\"12,5 km\""), None, &metres), Ok(Value::Integer(12_500)));
        let grouped = Scalar { thousands: Some(' '), ..comma };
        assert_eq!(grouped.value(&node("\"158 910,5 km\""), None, &metres), Ok(Value::Integer(158_910_500)));
        assert_eq!(scalar("km").value(&node("3"), Some("mi"), &metres), Ok(Value::Integer(4828)));
        for bad in ["\"inf\"", "\"12,5\"", "\"--\"", "\"0x1\"", "true", "[1]", "\"12 km\"", "-1", "1e12"] {
            assert_eq!(scalar("km").value(&node(bad), None, &metres), Err(ResultCode::Value), "{bad}");
        }
        assert_eq!(scalar("km").value(&node("1"), Some("parsec"), &metres), Err(ResultCode::Unit));
    }

    #[test]
    fn words_of_a_table_are_taken_and_no_others() {
        let mut on = Scalar { scale: 1.0, ..Scalar::default() };
        on.values.insert("1".into(), Meant::Flag(true));
        on.values.insert("OFF".into(), Meant::Flag(false));
        let flag = signal(ValueKind::Flag, "");
        assert_eq!(on.value(&node("1"), None, &flag), Ok(Value::Flag(true)));
        assert_eq!(on.value(&node("1.0"), None, &flag), Ok(Value::Flag(true)));
        assert_eq!(on.value(&node("\"OFF\""), None, &flag), Ok(Value::Flag(false)));
        assert_eq!(on.value(&node("2"), None, &flag), Err(ResultCode::Value));
        let bit = Scalar { bit: Some(2), scale: 1.0, ..Scalar::default() };
        assert_eq!(bit.value(&node("5"), None, &flag), Ok(Value::Flag(true)));
        assert_eq!(bit.value(&node("\"11\""), None, &flag), Ok(Value::Flag(false)));
        assert_eq!(bit.value(&node("-4"), None, &flag), Err(ResultCode::Value));
        let plain = Scalar::default();
        assert_eq!(plain.value(&node("\"true\""), None, &flag), Ok(Value::Flag(true)));
        assert_eq!(plain.value(&node("1"), None, &flag), Err(ResultCode::Value));
        let mut level = Scalar { scale: 1.0, unit: Some("percent".into()), ..Scalar::default() };
        level.values.insert("half".into(), Meant::Number(50.0));
        let half = Number::new(50.0).expect("finite");
        let percent = signal(ValueKind::Number, "percent");
        assert_eq!(level.value(&node("\"half\""), None, &percent), Ok(Value::Number(half)));
    }

    #[test]
    fn what_stands_for_no_value_is_known() {
        let scalar = Scalar { missing: vec!["255".into(), "N/A".into()], ..Scalar::default() };
        for none in ["null", "255", "255.0", "\"N/A\"", "\"\"", "\" \""] {
            assert!(scalar.is_missing(&node(none)), "{none}");
        }
        assert!(!scalar.is_missing(&node("0")) && !scalar.is_missing(&node("[]")));
    }

    #[test]
    fn positions_come_from_two_fields_a_pair_or_two_rows() {
        let path = |text| Path::to_one(text).expect("a path");
        let there = |lat, lon| Ok(position(lat, lon).expect("on the globe"));
        let document = node(
            r#"{"lat":599100000,"lon":"107500000","pair":[10.75,59.91],"text":"59.91, 10.75","off":[200,1],"halves":"59.91 S; 10.75e","zero":"0,0"}"#,
        );
        let row = Row::document(&document);
        let fields = Degrees::Fields { latitude: path("lat"), longitude: path("lon") };
        let e7 = Scalar { scale: 1e-7, ..Scalar::default() };
        assert_eq!(fields.read(&row, &e7), there(59.91, 10.75));
        let plain = Scalar { scale: 1.0, ..Scalar::default() };
        let both = |at, longitude_first| Degrees::Both { at: path(at), longitude_first };
        assert_eq!(both("pair", true).read(&row, &plain), there(59.91, 10.75));
        assert_eq!(both("text", false).read(&row, &plain), there(59.91, 10.75));
        assert_eq!(both("halves", false).read(&row, &plain), there(-59.91, 10.75));
        assert_eq!(both("zero", false).read(&row, &plain), Ok(None));
        assert_eq!(both("nowhere", false).read(&row, &plain), Ok(None));
        assert_eq!(both("off", true).read(&row, &plain), Err(ResultCode::Value));
        let halves = Halves { within_micros: 1000 };
        let mut waiting = Waiting::default();
        let id = SignalId(3);
        assert_eq!(waiting.take(id, true, 59.91, 0, &halves), None);
        assert_eq!(waiting.take(id, true, 59.92, 500, &halves), None);
        assert_eq!(waiting.take(id, false, 10.75, 1500, &halves), Some((59.92, 10.75)));
        assert_eq!(waiting.take(id, false, 10.76, 1500, &halves), None);
        assert_eq!(waiting.take(id, true, 59.93, 9000, &halves), None);
    }
}
