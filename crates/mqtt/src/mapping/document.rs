//! A sender's document as a tree, whatever it was written in.
//!
//! Promises: at most [`MAX_DEPTH`] levels; nothing is allocated by a claimed
//! length; a member given twice says nothing, since nobody can tell which holds.

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use std::{borrow::Cow, fmt};

/// Levels of lists and objects.
pub(super) const MAX_DEPTH: usize = 32;

/// One value of a document. No `Debug`: it holds what a vehicle said.
#[derive(Clone, PartialEq)]
pub(super) enum Node {
    Null,
    Flag(bool),
    Number(Number),
    Text(Box<str>),
    List(Vec<Node>),
    /// By name, each once.
    Object(Vec<(Box<str>, Node)>),
}

impl Node {
    /// Reads one JSON document and nothing behind it.
    pub(super) fn from_json(bytes: &[u8]) -> Option<Self> {
        let mut deserializer = serde_json::Deserializer::from_slice(bytes);
        let node = Seed(MAX_DEPTH).deserialize(&mut deserializer).ok()?;
        deserializer.end().ok()?;
        Some(node)
    }

    /// Reads JSON documents one after the other, with nothing but white space between them.
    pub(super) fn from_json_stream(bytes: &[u8]) -> Option<Vec<Self>> {
        let mut deserializer = serde_json::Deserializer::from_slice(bytes);
        let mut nodes = Vec::new();
        while deserializer.end().is_err() {
            nodes.push(Seed(MAX_DEPTH).deserialize(&mut deserializer).ok()?);
        }
        Some(nodes)
    }

    pub(super) fn text(text: &str) -> Self {
        Self::Text(text.into())
    }

    /// An object of members in any order.
    pub(super) fn object(mut members: Vec<(Box<str>, Self)>) -> Self {
        members.sort_by(|a, b| a.0.cmp(&b.0));
        members.dedup_by(|later, first| {
            let same = later.0 == first.0;
            if same {
                first.1 = Self::Null;
            }
            same
        });
        Self::Object(members)
    }

    pub(super) fn member(&self, name: &str) -> Option<&Self> {
        let Self::Object(members) = self else { return None };
        let place = members.binary_search_by(|(key, _)| (**key).cmp(name)).ok()?;
        Some(&members[place].1)
    }

    pub(super) fn item(&self, index: usize) -> Option<&Self> {
        let Self::List(items) = self else { return None };
        items.get(index)
    }

    /// A scalar as a word to compare: whole numbers without a fraction, whatever they were written like.
    pub(super) fn word(&self) -> Option<Cow<'_, str>> {
        Some(match self {
            Self::Flag(flag) => if *flag { "true" } else { "false" }.into(),
            Self::Number(number) => number_word(number).into(),
            Self::Text(text) => Cow::Borrowed(text),
            Self::Null | Self::List(_) | Self::Object(_) => return None,
        })
    }
}

fn number_word(number: &Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 1e15 => format!("{float:.0}"),
        _ => number.to_string(),
    }
}

/// How many levels may still come.
#[derive(Clone, Copy)]
struct Seed(usize);

impl<'de> DeserializeSeed<'de> for Seed {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Seed {
    fn below<E: de::Error>(self) -> Result<Self, E> {
        self.0.checked_sub(1).map(Self).ok_or_else(|| E::custom("too deep"))
    }
}

impl<'de> Visitor<'de> for Seed {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Node, E> {
        Ok(Node::Flag(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Node, E> {
        Ok(Node::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Node, E> {
        Ok(Node::Number(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Node, E> {
        Ok(Number::from_f64(number).map_or(Node::Null, Node::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
        let below = self.below()?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(below)? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let below = self.below()?;
        let mut members = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            members.push((key.into_boxed_str(), map.next_value_seed(below)?));
        }
        Ok(Node::object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_read_whole_or_not() {
        let node = Node::from_json(br#"{"b":[1,2.0,"x",null,true],"a":{}}"#).expect("JSON");
        let words: Vec<_> = (0..5).map(|n| node.member("b").and_then(|b| b.item(n)?.word())).collect();
        let said = |text: &'static str| Some(Cow::Borrowed(text));
        assert_eq!(words, [said("1"), said("2"), said("x"), None, said("true")]);
        for bad in ["", "{", "{} {}", "[1,]", "nope"] {
            assert!(Node::from_json(bad.as_bytes()).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_member_given_twice_says_nothing_and_takes_nothing_from_the_others() {
        let node = Node::from_json(br#"{"odo":8,"x":1,"odo":4294967295,"odo":8}"#).expect("JSON");
        assert!(node.member("odo") == Some(&Node::Null));
        assert!(node.member("x").is_some());
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |n: usize| [vec![b'['; n], vec![b']'; n]].concat();
        assert!(Node::from_json(&nested(MAX_DEPTH)).is_some());
        assert!(Node::from_json(&nested(MAX_DEPTH + 1)).is_none());
        assert!(Node::from_json(&nested(60_000)).is_none());
    }
}
