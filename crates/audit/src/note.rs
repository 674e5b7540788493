//! Signed notes (C2SP signed-note): a text, and lines with signatures under it.
//!
//! Ed25519 only, of two kinds: `01` over the text, `04` a cosignature (tlog-cosignature).
//! A signature of a key that nobody asked for is passed over; one of a key that was asked for and
//! does not verify refuses the note.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use std::{fmt, str::FromStr};
use thiserror::Error;
use vernport_crypto::{Signature, VerifyingKey, sha256};

/// The longest note that is read, in bytes.
pub const MAX_NOTE_BYTES: usize = 64 << 10;
/// The most signatures of a note; the specification asks for 16 at least.
pub const MAX_SIGNATURES: usize = 64;
/// What a line with a signature begins with: em dash, space.
const LINE: &str = "\u{2014} ";

/// What a key signs (signed-note, "Signature types").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// The text of a note.
    Note,
    /// A checkpoint that was seen to be consistent, with a time.
    Cosignature,
}

/// The public half of a key with its name: a verifier key. Its text is
/// `<name>+<key id>+<base64 of kind and key>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NoteKey {
    name: String,
    kind: KeyKind,
    key: VerifyingKey,
}

/// Why something is no verifier key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NoteKeyError {
    /// A name that cannot stand in a line.
    #[error("the name of a key has one character at least, no space, no line end and no plus")]
    Name,
    /// Not three parts, or not the right ones.
    #[error("not a verifier key: expected <name>+<8 hexadecimal digits>+<base64> of an Ed25519 key")]
    Form,
    /// The id does not belong to this name and key.
    #[error("the id of this verifier key is not that of its name and key: one of them was changed")]
    Id,
}

/// A text and its signatures, as they were read; none is checked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    lines: Vec<Line>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    name: String,
    id: [u8; 4],
    signature: Vec<u8>,
}

/// Why bytes are no note, or no note by this key.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NoteError {
    /// Longer than is read.
    #[error("{found} bytes are longer than the longest note of {MAX_NOTE_BYTES}")]
    TooLong {
        /// How many bytes there are.
        found: usize,
    },
    /// Not UTF-8, or with control characters.
    #[error("not a signed note: it holds bytes that are no text")]
    Text,
    /// No text, no empty line, or no signature under it.
    #[error("not a signed note: a text, an empty line and lines with signatures are expected")]
    Form,
    /// A line under the text that is no signature, counted from 1.
    #[error("line {line} under the note is no signature")]
    Line {
        /// Which.
        line: usize,
    },
    /// More signatures than are read.
    #[error("a note of more than {MAX_SIGNATURES} signatures")]
    TooMany,
    /// Nobody who was asked for signed it.
    #[error("the note is not signed by {key}")]
    Unsigned {
        /// The key that was asked for.
        key: String,
    },
    /// A signature that ought to be by this key is not.
    #[error(
        "the note bears a signature in the name of {key} that is not by that key: it was changed or forged"
    )]
    Forged {
        /// The key that was asked for.
        key: String,
    },
}

impl NoteKey {
    /// A key and its name.
    ///
    /// # Errors
    /// [`NoteKeyError::Name`].
    pub fn new(name: &str, kind: KeyKind, key: VerifyingKey) -> Result<Self, NoteKeyError> {
        if is_name(name) { Ok(Self { name: name.to_owned(), kind, key }) } else { Err(NoteKeyError::Name) }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it signs.
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The public key.
    pub const fn key(&self) -> &VerifyingKey {
        &self.key
    }

    /// Its id: four bytes of SHA-256 of name, kind and key.
    pub fn id(&self) -> [u8; 4] {
        let bytes = [self.name.as_bytes(), &[b'\n', self.kind.number()], self.key.as_bytes()].concat();
        let [a, b, c, d, ..] = sha256(&bytes);
        [a, b, c, d]
    }

    /// The line that bears a signature of this key.
    pub(crate) fn line(&self, signature: &[u8]) -> String {
        format!("{LINE}{} {}\n", self.name, BASE64.encode([&self.id()[..], signature].concat()))
    }
}

impl KeyKind {
    const fn number(self) -> u8 {
        match self {
            Self::Note => 1,
            Self::Cosignature => 4,
        }
    }
}

impl fmt::Display for NoteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = BASE64.encode([&[self.kind.number()][..], self.key.as_bytes()].concat());
        write!(f, "{}+{}+{key}", self.name, hex::encode(self.id()))
    }
}

impl FromStr for NoteKey {
    type Err = NoteKeyError;

    fn from_str(text: &str) -> Result<Self, NoteKeyError> {
        // Base64 may hold a plus, so from the left.
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteKeyError::Form);
        };
        let mut found = [0; 4];
        hex::decode_to_slice(id, &mut found).map_err(|_| NoteKeyError::Form)?;
        let bytes = BASE64.decode(key).map_err(|_| NoteKeyError::Form)?;
        let (kind, key) = bytes.split_first().ok_or(NoteKeyError::Form)?;
        let kind = match kind {
            1 => KeyKind::Note,
            4 => KeyKind::Cosignature,
            _ => return Err(NoteKeyError::Form),
        };
        let key = VerifyingKey::from_bytes(key.try_into().map_err(|_| NoteKeyError::Form)?);
        let key = Self::new(name, kind, key)?;
        if key.id() == found { Ok(key) } else { Err(NoteKeyError::Id) }
    }
}

impl Note {
    /// Reads a note; its signatures are not checked by that.
    ///
    /// # Errors
    /// [`NoteError`].
    pub fn read(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > MAX_NOTE_BYTES {
            return Err(NoteError::TooLong { found: bytes.len() });
        }
        let all = std::str::from_utf8(bytes).map_err(|_| NoteError::Text)?;
        if all.chars().any(|c| c < ' ' && c != '\n') {
            return Err(NoteError::Text);
        }
        let middle = all.rfind("\n\n").ok_or(NoteError::Form)?;
        let (text, under) = (&all[..=middle], &all[middle + 2..]);
        let under = under.strip_suffix('\n').ok_or(NoteError::Form)?;
        let mut lines = Vec::new();
        for (number, line) in under.split('\n').enumerate() {
            if number == MAX_SIGNATURES {
                return Err(NoteError::TooMany);
            }
            lines.push(Line::read(line).ok_or(NoteError::Line { line: number + 1 })?);
        }
        Ok(Self { text: text.to_owned(), lines })
    }

    /// The text that is signed, with its last line end.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Checks that a key of kind [`KeyKind::Note`] signed the text.
    ///
    /// # Errors
    /// [`NoteError::Unsigned`], [`NoteError::Forged`].
    pub fn verify(&self, key: &NoteKey) -> Result<(), NoteError> {
        let unsigned = || NoteError::Unsigned { key: key.name.clone() };
        let forged = || NoteError::Forged { key: key.name.clone() };
        let mut seen = self.by(key).peekable();
        seen.peek().ok_or_else(unsigned)?;
        for signature in seen {
            let signature = Signature::from_bytes(signature.try_into().map_err(|_| forged())?);
            key.key.verify(self.text.as_bytes(), &signature).map_err(|_| forged())?;
        }
        Ok(())
    }

    /// The signatures in the name of a key.
    pub(crate) fn by(&self, key: &NoteKey) -> impl Iterator<Item = &[u8]> {
        let id = key.id();
        self.lines
            .iter()
            .filter(move |line| line.name == key.name && line.id == id)
            .map(|line| line.signature.as_slice())
    }
}

impl Line {
    fn read(line: &str) -> Option<Self> {
        let (name, signature) = line.strip_prefix(LINE)?.split_once(' ')?;
        let bytes = BASE64.decode(signature).ok()?;
        let (id, signature) = bytes.split_first_chunk()?;
        let known = is_name(name) && !signature.is_empty();
        known.then(|| Self { name: name.to_owned(), id: *id, signature: signature.to_vec() })
    }
}

/// Whether a name can stand in a line.
fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// C2SP signed-note, "Example".
    const KEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    const NOTE: &str = "This is an example message.\n\n\u{2014} example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

    #[test]
    fn the_published_note_verifies_with_its_published_key() {
        let key: NoteKey = KEY.parse().expect("the published key");
        assert_eq!(key.to_string(), KEY);
        let note = Note::read(NOTE.as_bytes()).expect("the published note");
        assert_eq!(note.text(), "This is an example message.\n");
        assert_eq!(note.verify(&key), Ok(()));
        let unnamed = NoteKey::new("example.com/bar", KeyKind::Note, *key.key()).expect("a name");
        assert_eq!(note.verify(&unnamed), Err(NoteError::Unsigned { key: "example.com/bar".into() }));
        let changed = Note::read(NOTE.replace("an example", "no example").as_bytes()).expect("a note");
        assert_eq!(changed.verify(&key), Err(NoteError::Forged { key: "example.com/foo".into() }));
    }

    /// Keys of transparency-dev/formats, note_cosigv1_test.go, and of the Go checksum database.
    #[test]
    fn published_keys_of_both_kinds_read_and_a_changed_one_does_not() {
        let notes = "TEST+7997405c+AQcC+FTVKf0jlTdHDY3rbevmnKxxPjigCXlVtGe6RIr6";
        let cosigns = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2";
        let sums = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
        for (text, kind) in [(notes, KeyKind::Note), (cosigns, KeyKind::Cosignature), (sums, KeyKind::Note)] {
            let key: NoteKey = text.parse().expect(text);
            assert_eq!((key.kind(), key.to_string().as_str()), (kind, text));
        }
        assert_eq!(notes.replace("TEST", "TESS").parse::<NoteKey>(), Err(NoteKeyError::Id));
        for text in
            ["", "a+b", "TEST+7997405c+AwEB", "TEST+79974+AQcC", "TEST+7997405c+A_", "a b+00000000+AQ=="]
        {
            assert_eq!(text.parse::<NoteKey>(), Err(NoteKeyError::Form), "{text}");
        }
    }

    #[test]
    fn what_is_no_note_is_refused_with_where() {
        let line = NOTE.lines().last().expect("a signature");
        assert_eq!(Note::read(b"\xff"), Err(NoteError::Text));
        assert_eq!(Note::read(b"a\r\n\nb"), Err(NoteError::Text));
        for text in ["", "\n", "a\n", "a\n\n", &NOTE[..NOTE.len() - 1]] {
            assert_eq!(Note::read(text.as_bytes()), Err(NoteError::Form), "{text:?}");
        }
        for under in ["x", "\u{2014} a", "\u{2014} a+b AAAAAAA=", "\u{2014} a AAAA", "- a AAAAAAA=", ""] {
            let text = format!("a\n\n{line}\n{under}\n");
            let expected =
                if under.is_empty() { Err(NoteError::Form) } else { Err(NoteError::Line { line: 2 }) };
            // An empty line under the signatures parts text and signatures anew.
            let read = Note::read(text.as_bytes()).map(|_| ());
            assert!(read == expected || under.is_empty() && read.is_err(), "{under:?}: {read:?}");
        }
        let many = format!("a\n\n{}", format!("{line}\n").repeat(MAX_SIGNATURES + 1));
        assert_eq!(Note::read(many.as_bytes()), Err(NoteError::TooMany));
        let long = vec![b'a'; MAX_NOTE_BYTES + 1];
        assert_eq!(Note::read(&long), Err(NoteError::TooLong { found: MAX_NOTE_BYTES + 1 }));
    }
}
