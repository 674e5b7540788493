//! Values as a trial file writes them, held against those of readings.

use toml::{Table, Value as Toml};
use vernport_decode::obd::Code;
use vernport_types::{Cell, Fault, FaultState, Label, Number, Position, TroubleCode, Value, ValueKind};

/// A value as it is written; what it means depends on the kind of its signal.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Written {
    Integer(i64),
    Float(Number),
    Flag(bool),
    Text(Label),
    Place(Position),
    Fault(TroubleCode),
    Nothing,
    Bucket(i64, i64),
    Cell(Cell),
    Present,
}

impl Written {
    pub(super) fn from_toml(value: Toml) -> Option<Self> {
        Some(match value {
            Toml::Integer(n) => Self::Integer(n),
            Toml::Float(x) => Self::Float(Number::new(x).ok()?),
            Toml::Boolean(flag) => Self::Flag(flag),
            Toml::String(text) if text == "present" => Self::Present,
            Toml::String(text) => Self::Text(Label::new(&text).ok()?),
            Toml::Table(table) => Self::from_table(&table)?,
            Toml::Array(_) | Toml::Datetime(_) => return None,
        })
    }

    fn from_table(table: &Table) -> Option<Self> {
        let mut keys: Vec<&str> = table.keys().map(String::as_str).collect();
        keys.sort_unstable();
        let integer = |key: &str| table.get(key)?.as_integer();
        Some(match keys[..] {
            ["lat", "lon"] => Self::Place(
                Position::from_degrees(degrees(table.get("lat")?)?, degrees(table.get("lon")?)?).ok()?,
            ),
            ["from", "to"] => Self::Bucket(integer("from")?, integer("to")?),
            ["h3"] => {
                let text = table.get("h3")?.as_str()?;
                let plain = text.bytes().all(|digit| digit.is_ascii_hexdigit());
                Self::Cell(Cell(u64::from_str_radix(text, 16).ok().filter(|_| plain)?))
            }
            ["none"] => table.get("none")?.as_bool().filter(|none| *none).map(|_| Self::Nothing)?,
            ["fmi", "spn"] => {
                let spn = u32::try_from(integer("spn")?).ok().filter(|spn| *spn < 1 << 19)?;
                let fmi = u8::try_from(integer("fmi")?).ok().filter(|fmi| *fmi < 1 << 5)?;
                let fault = Fault::J1939 { spn, fmi, occurrence: None };
                Self::Fault(TroubleCode { fault, state: FaultState::Present })
            }
            _ => return None,
        })
    }

    /// The value of a signal of this kind; none if it cannot be one, minimised or not.
    pub(super) fn of_kind(&self, kind: ValueKind) -> Option<Value> {
        Some(match (self, kind) {
            (Self::Integer(n), ValueKind::Integer) => Value::Integer(*n),
            #[expect(clippy::cast_precision_loss, reason = "readings stay far below 2^53")]
            (Self::Integer(n), ValueKind::Number) => Value::Number(Number::new(*n as f64).ok()?),
            (Self::Float(x), ValueKind::Number) => Value::Number(*x),
            (Self::Flag(flag), ValueKind::Flag) => Value::Flag(*flag),
            (Self::Text(text), ValueKind::Label) => Value::Label(*text),
            (Self::Text(text), ValueKind::TroubleCode) => {
                let fault = Fault::Obd(text.expose().parse::<Code>().ok()?.0);
                Value::TroubleCode(TroubleCode { fault, state: FaultState::Present })
            }
            (Self::Fault(code), ValueKind::TroubleCode) => Value::TroubleCode(*code),
            (Self::Place(position), ValueKind::Position) => Value::Position(*position),
            (Self::Cell(cell), ValueKind::Position) => Value::Cell(*cell),
            (Self::Bucket(from, to), ValueKind::Integer | ValueKind::Number) => Value::Bucket(*from, *to),
            (Self::Nothing, _) => Value::Nothing,
            (Self::Present, _) => Value::Present,
            _ => return None,
        })
    }
}

fn degrees(value: &Toml) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "degrees are below 180")]
    value.as_float().or_else(|| value.as_integer().map(|n| n as f64))
}
