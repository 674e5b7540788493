//! Which messages a payload holds, which each of them is, and of which vehicle.

use super::{
    document::Node,
    path::{Each, Path, Row},
    rules::{Country, IdRule, Lined, Rules, VehicleRule},
    trouble::{Step, Trouble},
};
use crate::{MessageKey, VehicleRef, tool_result::ResultCode};
use vernport_crypto::IdentityKey;
use vernport_types::{Identifier, Plate, UtcMicros};

/// Most messages of one payload.
const MAX_MESSAGES: usize = 256;

/// The bytes that came, and what makes ids of them.
#[derive(Clone, Copy)]
pub(super) struct Payload<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) key: &'a IdentityKey,
}

impl Payload<'_> {
    /// An id out of the bytes, of one message of several, and of when it came.
    pub(super) fn derived(self, part: Option<usize>, arrived: Option<UtcMicros>) -> MessageKey {
        match part {
            None => derived(self.key, self.bytes, arrived),
            // No payload of its own begins so.
            Some(part) => {
                let number = u32::try_from(part).unwrap_or(u32::MAX).to_le_bytes();
                derived(self.key, &[b"\0part\0", &number[..], self.bytes].concat(), arrived)
            }
        }
    }
}

/// One message: the documents, or the row of one of them.
pub(super) struct Part<'a> {
    pub(super) rows: Vec<Row<'a>>,
    /// Which of several it is, from 0; none where there is one.
    pub(super) number: Option<usize>,
}

/// The messages of a payload: one, unless the file says where several stand.
pub(super) fn parts<'a>(rules: &Rules, documents: &'a [Node]) -> Result<Vec<Part<'a>>, Trouble> {
    let numbered = documents.iter().enumerate();
    let rows: Vec<Row<'a>> = numbered.map(|(number, node)| Row::numbered(node, number)).collect();
    let Some(Lined { line, of: path }) = &rules.messages else {
        return Ok(vec![Part { rows, number: None }]);
    };
    let mut parts = Vec::new();
    for document in &rows {
        path.each(document, &mut |each| {
            if let Each::Row(row) = each {
                parts.push(Part { rows: vec![row], number: Some(parts.len()) });
            }
            parts.len() <= MAX_MESSAGES
        });
    }
    let wrong = |code| Trouble::new(code, Step::Messages).in_line(*line);
    if parts.len() > MAX_MESSAGES {
        return Err(wrong(ResultCode::TooLarge));
    }
    Ok(parts)
}

/// An id out of the bytes. Keyed, since a short payload could be guessed from its hash.
fn derived(key: &IdentityKey, payload: &[u8], arrived: Option<UtcMicros>) -> MessageKey {
    // No id of a tool begins so: in it a slug stands before a '/'.
    let mut bytes = b"\0payload\0".to_vec();
    bytes.extend(arrived.map_or(0, |at| at.0).to_le_bytes());
    bytes.extend_from_slice(payload);
    let hash = key.message(&bytes);
    let hex: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    MessageKey::new(&hex).expect("hexadecimal digits")
}

impl Part<'_> {
    /// Where it stands in the payload; none where it is the whole.
    pub(super) fn shown(&self, rules: &Rules) -> Option<String> {
        let path = &rules.messages.as_ref()?.of;
        let shown = self.rows.first().map(|row| path.shown(row))?;
        Some(if shown.is_empty() { format!("message {}", self.number.unwrap_or(0) + 1) } else { shown })
    }

    /// The id that the sender gave; none where it is to be derived. One that is no
    /// key of ours stands for itself as a hash; documents with several share one of the whole.
    pub(super) fn said_id(
        &self,
        rule: &Lined<IdRule>,
        whole: Payload<'_>,
    ) -> Result<Option<MessageKey>, Trouble> {
        let IdRule::Fields(paths) = &rule.of else { return Ok(None) };
        let mut said = Vec::new();
        for path in paths {
            let words = all_words(path, &self.rows);
            let words =
                words.ok_or_else(|| Trouble::new(ResultCode::Malformed, Step::Id).in_line(rule.line))?;
            if words.iter().any(|word| *word != words[0]) {
                return Ok(Some(whole.derived(self.number, None)));
            }
            said.push(words[0].clone());
        }
        let said = said.join(":");
        Ok(Some(MessageKey::new(&said).unwrap_or_else(|| derived(whole.key, said.as_bytes(), None))))
    }

    /// The vehicle that the first rule finds which finds anything.
    pub(super) fn vehicle(&self, rules: &Lined<Vec<VehicleRule>>) -> Result<VehicleRef, Trouble> {
        let found = vehicle(&rules.of, &self.rows);
        found.ok_or_else(|| Trouble::new(ResultCode::Vehicle, Step::Vehicle).in_line(rules.line))
    }
}

/// The words at a path in all documents, at least one; `None` where a document has none.
fn all_words(path: &Path, documents: &[Row<'_>]) -> Option<Vec<String>> {
    let mut words = Vec::new();
    for document in documents {
        if path.is_mark() {
            words.push(path.find(document)?.word()?.into_owned());
            continue;
        }
        let before = words.len();
        let whole = path.each(document, &mut |each| {
            let Each::Row(row) = each else { return true };
            let found = Path::row().find(&row);
            let word = found.as_deref().and_then(|node| node.word().map(|word| word.trim().to_owned()));
            let has = word.as_ref().is_some_and(|word| !word.is_empty());
            words.extend(word);
            has
        });
        let found = words.len() - before;
        if !whole || found == 0 || found != path.places(document) {
            return None;
        }
    }
    Some(words)
}

/// The first rule that finds something in every document, where all of it is the same.
fn vehicle(rules: &[VehicleRule], documents: &[Row<'_>]) -> Option<VehicleRef> {
    let the_same = |path: &Path| {
        let words = all_words(path, documents)?;
        let same = words.iter().all(|word| *word == words[0]);
        Some(same.then(|| words[0].clone()))
    };
    let is_said = |path: &Path| {
        documents.iter().any(|document| {
            let mut found = false;
            path.each(document, &mut |each| {
                let Each::Row(row) = each else { return true };
                let node = Path::row().find(&row);
                found |= node.as_deref().is_some_and(|node| {
                    !matches!(node, Node::Null) && node.word().is_none_or(|word| !word.trim().is_empty())
                });
                true
            });
            found
        })
    };
    for rule in rules {
        let path = match rule {
            VehicleRule::Visit => return Some(VehicleRef::Visit),
            VehicleRule::Vin(path) | VehicleRule::Order(path) | VehicleRule::Plate(path, _) => path,
        };
        if !is_said(path) {
            continue;
        }
        // Said in part, or of two vehicles: that is nobody's.
        let word = the_same(path)??;
        return match rule {
            VehicleRule::Visit => Some(VehicleRef::Visit),
            VehicleRule::Vin(_) => Some(VehicleRef::Identifier(Identifier::Vin(word.parse().ok()?))),
            VehicleRule::Order(_) => Some(VehicleRef::Order(word.parse().ok()?)),
            VehicleRule::Plate(_, country) => {
                let country = match country {
                    Country::Fixed(country) => country.to_string(),
                    Country::At(path) => the_same(path)??,
                };
                Some(VehicleRef::Identifier(Identifier::Plate(Plate::new(&country, &word).ok()?)))
            }
        };
    }
    None
}
