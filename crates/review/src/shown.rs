//! Values and times in words.

use std::fmt;
use vernport_decode::obd::Code;
use vernport_types::{Fault, TroubleCode, UtcMicros, Value};

/// A value as trial files write it. For values that are invented, or whose reader may see them.
pub struct Shown(pub Value);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Integer(n) => write!(f, "{n}"),
            Value::Number(x) => write!(f, "{:?}", x.get()),
            Value::Flag(flag) => write!(f, "{flag}"),
            Value::Label(label) => write!(f, "\"{}\"", label.expose()),
            Value::Position(position) => {
                let (lat, lon) = position.degrees();
                write!(f, "{{ lat = {lat}, lon = {lon} }}")
            }
            Value::TroubleCode(TroubleCode { fault, .. }) => match fault {
                Fault::Obd(code) => write!(f, "\"{}\"", Code(code)),
                Fault::J1939 { spn, fmi, .. } => write!(f, "{{ spn = {spn}, fmi = {fmi} }}"),
                Fault::Uds { code, .. } => write!(f, "UDS code {code:06X}"),
            },
            Value::Nothing => f.write_str("{ none = true }"),
            Value::Cell(cell) => write!(f, "{{ h3 = \"{:x}\" }}", cell.0),
            Value::Bucket(from, to) => write!(f, "{{ from = {from}, to = {to} }}"),
            Value::Present => f.write_str("\"present\""),
        }
    }
}

/// A time in RFC 3339, UTC.
pub struct Time(pub UtcMicros);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0.0) {
            Ok(time) => write!(f, "{time}"),
            Err(_) => f.write_str("a time beyond the calendar"),
        }
    }
}
