//! Trouble codes as senders write them.

use super::{document::Node, file::Dtc, path::Path, path::Row, value::Scalar};
use crate::{fleet_value::dtc_code, shape::is_dtc, tool_result::ResultCode};
use std::collections::BTreeMap;
use vernport_types::{Fault, FaultState, TroubleCode, Value};

/// Most codes in one text or list.
const MAX_CODES: usize = 256;

/// What state the codes are in.
#[derive(Debug)]
pub(super) enum States {
    All(FaultState),
    /// By a word of the row.
    Table {
        at: Path,
        words: BTreeMap<Box<str>, FaultState>,
    },
}

/// How the sender writes trouble codes.
#[derive(Debug)]
pub(super) struct Codes {
    pub(super) form: Dtc,
    pub(super) states: States,
    /// Status byte of ISO 14229-1, where it is told.
    pub(super) status: Option<Path>,
    pub(super) split: Option<Box<str>>,
    /// Words for "asked, and there is none".
    pub(super) none: Vec<Box<str>>,
    pub(super) none_if_empty: bool,
    /// SPN, FMI and occurrence, each in a field of its own.
    pub(super) j1939: Option<(Path, Path, Option<Path>)>,
}

impl Codes {
    /// The values of a row: each code, or "none" where the sender says that.
    ///
    /// # Errors
    /// [`ResultCode::Value`] for what is no code.
    pub(super) fn read(
        &self,
        node: Option<&Node>,
        row: &Row<'_>,
        scalar: &Scalar,
    ) -> Result<Vec<Value>, ResultCode> {
        if self.j1939.is_some() {
            let Some(fault) = self.numbered(row, scalar)? else { return Ok(Vec::new()) };
            let state = self.state(row)?;
            return Ok(vec![Value::TroubleCode(TroubleCode { fault, state })]);
        }
        let Some(node) = node.filter(|node| **node != Node::Null) else { return Ok(Vec::new()) };
        let words = self.words(node)?;
        if let [word] = words.as_slice()
            && self.none.iter().any(|none| **none == **word)
        {
            return Ok(vec![Value::Nothing]);
        }
        if words.is_empty() {
            return Ok(if self.none_if_empty { vec![Value::Nothing] } else { Vec::new() });
        }
        let state = self.state(row)?;
        let status = self.status(row)?;
        let mut codes = Vec::new();
        for word in words.iter().filter(|word| !scalar.missing.iter().any(|missing| **missing == ***word)) {
            let fault = fault(self.form, word, status).ok_or(ResultCode::Value)?;
            // Two zero bytes fill up an answer of service 03.
            if fault != Fault::Obd(0) {
                codes.push(Value::TroubleCode(TroubleCode { fault, state }));
            }
        }
        Ok(codes)
    }

    fn words(&self, node: &Node) -> Result<Vec<Box<str>>, ResultCode> {
        let mut words: Vec<Box<str>> = Vec::new();
        let items = if let Node::List(items) = node { items.as_slice() } else { std::slice::from_ref(node) };
        for item in items {
            let word = item.word().ok_or(ResultCode::Value)?;
            match self.split.as_deref() {
                Some(split) => words.extend(word.split(split).map(|part| part.trim().into())),
                None => words.push(word.trim().into()),
            }
            if words.len() > MAX_CODES {
                return Err(ResultCode::Value);
            }
        }
        words.retain(|word| !word.is_empty());
        Ok(words)
    }

    fn state(&self, row: &Row<'_>) -> Result<FaultState, ResultCode> {
        match &self.states {
            States::All(state) => Ok(*state),
            States::Table { at, words } => {
                let node = at.find(row).ok_or(ResultCode::Value)?;
                let word = node.word().ok_or(ResultCode::Value)?;
                words.get(word.trim()).copied().ok_or(ResultCode::Value)
            }
        }
    }

    /// The status byte: a number, or two hexadecimal digits. 0 where it is not told.
    fn status(&self, row: &Row<'_>) -> Result<u8, ResultCode> {
        let Some(path) = &self.status else { return Ok(0) };
        match path.find(row).as_deref() {
            None | Some(Node::Null) => Ok(0),
            Some(Node::Number(number)) => {
                number.as_u64().and_then(|n| u8::try_from(n).ok()).ok_or(ResultCode::Value)
            }
            Some(Node::Text(text)) => {
                hex(text, 2).and_then(|status| u8::try_from(status).ok()).ok_or(ResultCode::Value)
            }
            Some(_) => Err(ResultCode::Value),
        }
    }

    fn numbered(&self, row: &Row<'_>, scalar: &Scalar) -> Result<Option<Fault>, ResultCode> {
        let Some((spn, fmi, occurrence)) = &self.j1939 else { return Ok(None) };
        let whole = |path: &Path, max: u32| -> Result<Option<u32>, ResultCode> {
            let Some(node) = path.find(row).filter(|node| !scalar.is_missing(node)) else { return Ok(None) };
            let word = node.word().ok_or(ResultCode::Value)?;
            let number: u32 = word.trim().parse().map_err(|_| ResultCode::Value)?;
            if number <= max { Ok(Some(number)) } else { Err(ResultCode::Value) }
        };
        let (Some(spn), Some(fmi)) = (whole(spn, 0x7_FFFF)?, whole(fmi, 31)?) else { return Ok(None) };
        // 127 on the wire means that nobody counts.
        let occurrence = match occurrence {
            Some(path) => whole(path, 127)?.filter(|count| *count < 127),
            None => None,
        };
        let narrow = |number: u32| u8::try_from(number).map_err(|_| ResultCode::Value);
        let occurrence = occurrence.map(narrow).transpose()?;
        Ok(Some(Fault::J1939 { spn, fmi: narrow(fmi)?, occurrence }))
    }
}

/// So many bytes' worth of hexadecimal digits, `0x` before them or not.
fn hex(text: &str, digits: usize) -> Option<u32> {
    let text = text.trim();
    let text = text.strip_prefix("0x").or(text.strip_prefix("0X")).unwrap_or(text);
    let fits = text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit());
    fits.then(|| u32::from_str_radix(text, 16).ok()).flatten()
}

fn fault(form: Dtc, word: &str, status: u8) -> Option<Fault> {
    match form {
        Dtc::Sae => {
            let word = word.to_ascii_uppercase();
            let (code, failure) = word.split_at_checked(5)?;
            let code = is_dtc(code.as_bytes()).then(|| dtc_code(code)).flatten()?;
            let failure = failure.strip_prefix(['-', ':']).unwrap_or(failure);
            if failure.is_empty() {
                return Some(Fault::Obd(code));
            }
            // SAE J2012-DA: the failure type byte is the third of the code.
            Some(Fault::Uds { code: u32::from(code) << 8 | hex(failure, 2)?, status })
        }
        Dtc::Hex2 => hex(word, 4).and_then(|code| u16::try_from(code).ok()).map(Fault::Obd),
        Dtc::Hex3 => hex(word, 6).map(|code| Fault::Uds { code, status }),
        Dtc::Number => word.parse().ok().map(Fault::Obd),
        Dtc::J1939 => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(form: Dtc) -> Codes {
        let states = States::All(FaultState::Present);
        Codes {
            form,
            states,
            status: None,
            split: Some(",".into()),
            none: vec!["NONE".into()],
            none_if_empty: true,
            j1939: None,
        }
    }

    fn read(codes: &Codes, json: &str, at: &str) -> Result<Vec<Value>, ResultCode> {
        let document = Node::from_json(json.as_bytes()).expect("JSON");
        let row = Row::document(&document);
        let node = Path::to_one(at).expect("a path").find(&row);
        codes.read(node.as_deref(), &row, &Scalar { missing: vec!["-".into()], ..Scalar::default() })
    }

    fn present(fault: Fault) -> Value {
        Value::TroubleCode(TroubleCode { fault, state: FaultState::Present })
    }

    #[test]
    fn codes_come_as_texts_and_in_hexadecimal_alone_and_in_lists() {
        let list = r#"{"x":"P0420, u0420,,-"}"#;
        let both = vec![present(Fault::Obd(0x0420)), present(Fault::Obd(0xC420))];
        assert_eq!(read(&codes(Dtc::Sae), list, "x"), Ok(both.clone()));
        assert_eq!(read(&codes(Dtc::Sae), r#"["P0420","U0420"]"#, "."), Ok(both.clone()));
        assert_eq!(read(&codes(Dtc::Hex2), r#""0420,0xc420,0000""#, "."), Ok(both.clone()));
        assert_eq!(read(&codes(Dtc::Number), "[1056,50208,0]", "."), Ok(both));
        let three = |code| Ok(vec![present(Fault::Uds { code, status: 0 })]);
        assert_eq!(read(&codes(Dtc::Hex3), r#""AAA123""#, "."), three(0xAA_A123));
        assert_eq!(read(&codes(Dtc::Sae), r#""P0420-11""#, "."), three(0x04_2011));
        for bad in [r#""P420""#, r#""P0420-1""#, r#""Ø0420""#, r#"{"a":1}"#, r#"[["P0420"]]"#, "true"] {
            assert_eq!(read(&codes(Dtc::Sae), bad, "."), Err(ResultCode::Value), "{bad}");
        }
        let many = format!("\"{}\"", vec!["P0420"; MAX_CODES + 1].join(","));
        assert_eq!(read(&codes(Dtc::Sae), &many, "."), Err(ResultCode::Value));
    }

    #[test]
    fn asked_and_none_is_told_from_not_asked() {
        for none in ["[]", r#""""#, r#""NONE""#] {
            assert_eq!(read(&codes(Dtc::Sae), none, "."), Ok(vec![Value::Nothing]), "{none}");
        }
        assert_eq!(read(&codes(Dtc::Sae), "null", "."), Ok(vec![]));
        assert_eq!(read(&codes(Dtc::Sae), "{}", "x"), Ok(vec![]));
        let silent = Codes { none_if_empty: false, ..codes(Dtc::Sae) };
        assert_eq!(read(&silent, "[]", "."), Ok(vec![]));
    }

    #[test]
    fn state_and_status_come_from_the_row() {
        let path = |text| Path::to_one(text).expect("a path");
        let words = BTreeMap::from([("active".into(), FaultState::Present)]);
        let told = Codes {
            states: States::Table { at: path("s"), words },
            status: Some(path("status")),
            ..codes(Dtc::Hex3)
        };
        let code = Ok(vec![present(Fault::Uds { code: 0x01_2345, status: 0x2F })]);
        assert_eq!(read(&told, r#"{"s":"active","status":"2F","c":"012345"}"#, "c"), code);
        assert_eq!(read(&told, r#"{"s":"active","status":47,"c":"012345"}"#, "c"), code);
        assert_eq!(read(&told, r#"{"s":"gone","c":"012345"}"#, "c"), Err(ResultCode::Value));
        assert_eq!(read(&told, r#"{"c":"012345"}"#, "c"), Err(ResultCode::Value));
    }

    #[test]
    fn numbers_of_j1939_are_bounded() {
        let path = |text| Path::to_one(text).expect("a path");
        let fields = Some((path("spn"), path("fmi"), Some(path("oc"))));
        let numbered = Codes { j1939: fields, ..codes(Dtc::J1939) };
        let one = |occurrence| Ok(vec![present(Fault::J1939 { spn: 629, fmi: 12, occurrence })]);
        assert_eq!(read(&numbered, r#"{"spn":629,"fmi":"12","oc":3}"#, "."), one(Some(3)));
        assert_eq!(read(&numbered, r#"{"spn":629,"fmi":12,"oc":127}"#, "."), one(None));
        assert_eq!(read(&numbered, r#"{"fmi":12}"#, "."), Ok(vec![]));
        for bad in [r#"{"spn":524288,"fmi":1}"#, r#"{"spn":1,"fmi":32}"#, r#"{"spn":-1,"fmi":1}"#] {
            assert_eq!(read(&numbered, bad, "."), Err(ResultCode::Value), "{bad}");
        }
    }
}
