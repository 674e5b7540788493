//! Canonical JSON: one text for one entry, so that its hash is its name.
//!
//! RFC 8785 (JCS): no white space, members sorted by the UTF-16 code units of
//! their names, shortest string escapes. An entry holds whole numbers only, so
//! the part of the RFC on fractions is not needed. Members are sorted here and
//! not by the JSON library, whose order depends on its features.

use serde_json::{Map, Value};

/// The canonical text of a JSON value.
pub(crate) fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Object(members) => write_object(members, text),
        Value::Array(items) => {
            text.push('[');
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    text.push(',');
                }
                write(item, text);
            }
            text.push(']');
        }
        Value::String(string) => write_string(string, text),
        Value::Null | Value::Bool(_) | Value::Number(_) => text.push_str(&value.to_string()),
    }
}

fn write_object(members: &Map<String, Value>, text: &mut String) {
    let mut sorted: Vec<(&String, &Value)> = members.iter().collect();
    sorted.sort_by(|a, b| a.0.encode_utf16().cmp(b.0.encode_utf16()));
    text.push('{');
    for (n, (name, value)) in sorted.into_iter().enumerate() {
        if n > 0 {
            text.push(',');
        }
        write_string(name, text);
        text.push(':');
        write(value, text);
    }
    text.push('}');
}

/// RFC 8785, 3.2.2.2; the JSON library writes strings that way.
fn write_string(string: &str, text: &mut String) {
    if string.bytes().any(|b| b < 0x20 || b == b'"' || b == b'\\') {
        text.push_str(&Value::from(string).to_string());
    } else {
        text.push('"');
        text.push_str(string);
        text.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_sorted_by_utf16_and_strings_escaped_as_the_rfc_does() {
        // RFC 8785, 3.2.3: the member names of its sorting example.
        let value = serde_json::json!({
            "\u{20ac}": "Euro Sign", "\r": "Carriage Return", "\u{fb33}": "Hebrew Letter Dalet With Dagesh",
            "1": "One", "\u{1f600}": "Emoji: Grinning Face", "\u{80}": "Control", "\u{f6}": "o with Diaeresis",
        });
        let text = canonical(&value);
        let sorted = ["\\r", "1", "\u{80}", "\u{f6}", "\u{20ac}", "\u{1f600}", "\u{fb33}"];
        let places: Vec<_> = sorted.iter().map(|name| text.find(&format!("\"{name}\":"))).collect();
        assert!(places[0].is_some() && places.is_sorted(), "{text}");
        let value = serde_json::json!({"b": [1, true, null, -2], "a": {"z": "\u{1}\"\\/\u{7f}é", "y": {}}});
        assert_eq!(
            canonical(&value),
            "{\"a\":{\"y\":{},\"z\":\"\\u0001\\\"\\\\/\u{7f}é\"},\"b\":[1,true,null,-2]}"
        );
    }
}
