//! The forms that senders write in, each made into the same trees.
//!
//! | `input` | Is | Document |
//! |---|---|---|
//! | `json` | one JSON document | itself |
//! | `json-lines` | JSON documents one after the other, on a line each or not | each of them |
//! | `form` | `a=1&b=2`, as web forms and trackers send it | an object of texts |
//! | `influx` | line protocol of InfluxDB | `{"measurement":…,"tags":{…},"fields":{…},"time":…}` a line |
//! | `text` | one value in words | a text |
//! | `csv` | a line of names, then lines of values, between `,` `;` or tabs | an object of texts a line |
//!
//! One line that cannot be read refuses all of them: a message is taken whole.

use super::{document::Node, file::Input};

/// All documents of a payload, at least one; `None` if it is not of this form.
pub(super) fn documents(input: Input, payload: &[u8]) -> Option<Vec<Node>> {
    let payload = payload.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(payload);
    // Some senders end a message as C ends a text.
    let payload = payload.strip_suffix(b"\0").unwrap_or(payload);
    match input {
        Input::Json => return Node::from_json(payload).map(|node| vec![node]),
        Input::JsonLines => return Node::from_json_stream(payload).filter(|nodes| !nodes.is_empty()),
        Input::Form | Input::Influx | Input::Csv | Input::Text => {}
    }
    let text = std::str::from_utf8(payload).ok()?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let documents: Vec<Node> = match input {
        Input::Json | Input::JsonLines | Input::Form => vec![form(text.trim())?],
        Input::Text => vec![Node::text(text.trim())],
        Input::Influx => lines.filter(|line| !line.starts_with('#')).map(influx).collect::<Option<_>>()?,
        Input::Csv => csv(text.lines().filter(|line| !line.trim().is_empty()))?,
    };
    (!documents.is_empty()).then_some(documents)
}

fn form(text: &str) -> Option<Node> {
    let text = text.strip_prefix('?').unwrap_or(text);
    let mut members = Vec::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=')?;
        members.push((decoded(name)?.into_boxed_str(), Node::Text(decoded(value)?.into_boxed_str())));
    }
    (!members.is_empty()).then(|| Node::object(members))
}

/// Percent-decoding, with '+' for a space.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match first {
            b'+' => bytes.push(b' '),
            b'%' => {
                let (digits, tail) = rest.split_at_checked(2)?;
                let digits =
                    std::str::from_utf8(digits).ok().filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
                bytes.push(u8::from_str_radix(digits, 16).ok()?);
                rest = tail;
            }
            other => bytes.push(*other),
        }
    }
    String::from_utf8(bytes).ok()
}

/// One line of the line protocol.
fn influx(line: &str) -> Option<Node> {
    let (head, rest) = unescaped_split(line, ' ', false)?;
    let (fields, time) = unescaped_split(rest.trim_start(), ' ', true).unwrap_or((rest.trim(), ""));
    let mut parts = list(head, false).into_iter();
    let measurement = unescape(parts.next()?);
    let mut tags = Vec::new();
    for part in parts {
        let (name, value) = unescaped_split(part, '=', false)?;
        tags.push((unescape(name), Node::Text(unescape(value))));
    }
    let mut values = Vec::new();
    for part in list(fields, true) {
        let (name, value) = unescaped_split(part, '=', false)?;
        values.push((unescape(name), influx_value(value)?));
    }
    let mut members = vec![
        ("measurement".into(), Node::Text(measurement)),
        ("tags".into(), Node::object(tags)),
        ("fields".into(), Node::object(values)),
    ];
    if !time.trim().is_empty() {
        let nanos: i64 = time.trim().parse().ok()?;
        members.push(("time".into(), Node::Number(nanos.into())));
    }
    Some(Node::object(members))
}

fn influx_value(text: &str) -> Option<Node> {
    if let Some(inside) = text.strip_prefix('"') {
        let inside = inside.strip_suffix('"')?;
        return Some(Node::text(&inside.replace("\\\"", "\"").replace("\\\\", "\\")));
    }
    Some(match text {
        "t" | "T" | "true" | "True" | "TRUE" => Node::Flag(true),
        "f" | "F" | "false" | "False" | "FALSE" => Node::Flag(false),
        number => {
            let whole = number.strip_suffix(['i', 'u']);
            Node::from_json(whole.unwrap_or(number).as_bytes())
                .filter(|node| matches!(node, Node::Number(_)))?
        }
    })
}

/// The parts between commas that are neither escaped nor in quotes.
fn list(text: &str, quotes: bool) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((part, behind)) = unescaped_split(rest, ',', quotes) {
        parts.push(part);
        rest = behind;
    }
    parts.push(rest);
    parts
}

/// What stands before and behind the first such sign that is neither escaped nor in quotes.
fn unescaped_split(text: &str, sign: char, quotes: bool) -> Option<(&str, &str)> {
    let (mut escaped, mut quoted) = (false, false);
    for (place, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' if quotes => quoted = !quoted,
            c if c == sign && !quoted => return Some((&text[..place], &text[place + c.len_utf8()..])),
            _ => {}
        }
    }
    None
}

fn unescape(text: &str) -> Box<str> {
    let mut plain = String::with_capacity(text.len());
    let mut signs = text.chars().peekable();
    while let Some(sign) = signs.next() {
        match (sign, signs.peek()) {
            ('\\', Some(',' | ' ' | '=' | '\\')) => plain.extend(signs.next()),
            _ => plain.push(sign),
        }
    }
    plain.into_boxed_str()
}

fn csv<'a>(mut lines: impl Iterator<Item = &'a str>) -> Option<Vec<Node>> {
    let head = lines.next()?;
    let sign = [';', '\t'].into_iter().find(|sign| head.contains(*sign)).unwrap_or(',');
    let names = cells(head, sign)?;
    let row = |line| {
        let cells = cells(line, sign)?;
        if cells.len() > names.len() {
            return None;
        }
        let cells = cells.into_iter().map(|cell| Node::Text(cell.into_boxed_str()));
        Some(Node::object(names.iter().map(|name| name.as_str().into()).zip(cells).collect()))
    };
    lines.map(row).collect()
}

fn cells(line: &str, sign: char) -> Option<Vec<String>> {
    let mut cells = Vec::new();
    let mut rest = line;
    loop {
        let start = rest.trim_start_matches(' ');
        let (cell, behind) = if let Some(inside) = start.strip_prefix('"') {
            quoted(inside)?
        } else {
            let end = rest.find(sign).unwrap_or(rest.len());
            (rest[..end].trim().to_owned(), &rest[end..])
        };
        cells.push(cell);
        let behind = behind.trim_start_matches(' ');
        if behind.is_empty() {
            return Some(cells);
        }
        rest = behind.strip_prefix(sign)?;
    }
}

/// A cell in quotes, doubled quotes within; and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut cell = String::new();
    let mut rest = text;
    loop {
        let (part, behind) = rest.split_once('"')?;
        cell.push_str(part);
        match behind.strip_prefix('"') {
            Some(more) => {
                cell.push('"');
                rest = more;
            }
            None => return Some((cell, behind)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: Input, payload: &str) -> Option<Vec<Node>> {
        documents(input, payload.as_bytes())
    }

    fn node(json: &str) -> Node {
        Node::from_json(json.as_bytes()).expect("JSON")
    }

    fn same(read: Option<Vec<Node>>, json: &[&str]) -> bool {
        read.is_some_and(|read| read == json.iter().map(|json| node(json)).collect::<Vec<_>>())
    }

    #[test]
    fn every_line_is_a_document_and_one_bad_line_refuses_all() {
        assert!(same(
            read(Input::JsonLines, "\u{feff}{\"a\":1}\n\n {\"a\":2}\r\n"),
            &[r#"{"a":1}"#, r#"{"a":2}"#]
        ));
        assert!(same(read(Input::JsonLines, "{\n\"a\":\n1}{\"a\":2}\0"), &[r#"{"a":1}"#, r#"{"a":2}"#]));
        assert!(read(Input::JsonLines, "{\"a\":1}\n{\"a\":").is_none());
        for input in [Input::Json, Input::JsonLines, Input::Form, Input::Influx, Input::Csv] {
            assert!(documents(input, b"").is_none(), "{input:?}");
            assert!(documents(input, b"\xFF\xFE").is_none(), "{input:?}");
        }
    }

    #[test]
    fn forms_are_decoded() {
        assert!(same(
            read(Input::Form, "?kff1006=59.91&v=%C3%A6+1&x="),
            &[r#"{"kff1006":"59.91","v":"æ 1","x":""}"#]
        ));
        for bad in ["a", "a=%4", "a=%zz", "a=%FF", "&"] {
            assert!(read(Input::Form, bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn lines_of_influx_are_read_with_their_escapes() {
        let line =
            r#"can\ bus,vin=W\,1,bay=2 odo=158910i,soc=81.5,name="a, \"b\" c",on=t 1795165200000000000"#;
        let json = r#"{"measurement":"can bus","tags":{"vin":"W,1","bay":"2"},
            "fields":{"odo":158910,"soc":81.5,"name":"a, \"b\" c","on":true},"time":1795165200000000000}"#;
        assert!(same(read(Input::Influx, line), &[json]));
        let bare = r#"{"measurement":"m","tags":{},"fields":{"a":1},"time":5}"#;
        assert!(same(read(Input::Influx, "# note\nm a=1 5\n"), &[bare]));
        for bad in ["m", "m a", "m a=x", "m a=1 soon", "m,t a=1", r#"m a="x"#] {
            assert!(read(Input::Influx, bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn tables_have_a_line_of_names() {
        let json = [r#"{"odo":"1","fuel, left":"2 \"l\""}"#, r#"{"odo":"3"}"#];
        assert!(same(read(Input::Csv, "odo,\"fuel, left\"\n1, \"2 \"\"l\"\"\"\n\n3\n"), &json));
        assert!(same(read(Input::Csv, "a;b\n1,5;2"), &[r#"{"a":"1,5","b":"2"}"#]));
        for bad in ["a,b\n1,2,3", "a\n\"1", "a\n\"1\"2", "a,b"] {
            assert!(read(Input::Csv, bad).is_none(), "{bad}");
        }
    }
}
