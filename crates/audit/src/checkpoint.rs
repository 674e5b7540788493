//! Checkpoints (C2SP tlog-checkpoint): which log, how many leaves, which root, as a
//! signed note; and cosignatures (tlog-cosignature, "Ed25519 signed message"): that
//! somebody saw it hold all that they saw before.

use crate::{KeyKind, Note, NoteError, NoteKey, NoteKeyError, empty_root, tile::decimal};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use thiserror::Error;
use vernport_crypto::{Signature, SigningKey};

/// The head of a log: the three lines that are signed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Checkpoint {
    /// Which log; the name of its key too.
    pub origin: String,
    /// How many leaves it has.
    pub size: u64,
    /// The root of their tree.
    pub root: [u8; 32],
}

/// A checkpoint whose signature by its log was checked, with all that stands under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    note: Note,
    bytes: String,
}

/// Why bytes are no checkpoint of the log that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CheckpointError {
    /// No signed note, or not one by the log's key.
    #[error("not a checkpoint by its log's key")]
    Note(#[from] NoteError),
    /// The three lines are not there.
    #[error(
        "the note is no checkpoint: expected lines with the name of a log, a number of leaves and a root hash"
    )]
    Form,
    /// Of another log.
    #[error("a checkpoint of the log {found}, not of {expected}")]
    Origin {
        /// The log that was asked for.
        expected: String,
        /// The one that it names.
        found: String,
    },
    /// No leaves, and yet a root hash of some.
    #[error("a checkpoint of no leaves whose root hash is not that of no leaves")]
    Empty,
    /// A name that cannot stand in a line.
    #[error("the name cannot stand in a checkpoint")]
    Name(#[from] NoteKeyError),
}

impl Checkpoint {
    /// The text that is signed.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, BASE64.encode(self.root))
    }

    fn read(text: &str) -> Result<Self, CheckpointError> {
        let mut lines = text.strip_suffix('\n').ok_or(CheckpointError::Form)?.split('\n');
        let mut line = || lines.next().filter(|line| !line.is_empty()).ok_or(CheckpointError::Form);
        let origin = line()?.to_owned();
        let size = decimal(line()?).ok_or(CheckpointError::Form)?;
        let root =
            BASE64.decode(line()?).ok().and_then(|root| root.try_into().ok()).ok_or(CheckpointError::Form)?;
        // Extension lines may follow; they mean nothing to us, and none may be empty.
        if lines.any(str::is_empty) {
            return Err(CheckpointError::Form);
        }
        if size == 0 && root != empty_root() {
            return Err(CheckpointError::Empty);
        }
        Ok(Self { origin, size, root })
    }

    /// Signs it with the key of its log.
    ///
    /// # Errors
    /// [`CheckpointError::Name`] where the origin cannot be the name of a key.
    pub fn sign(self, key: &SigningKey) -> Result<SignedCheckpoint, CheckpointError> {
        let name = NoteKey::new(&self.origin, KeyKind::Note, key.verifying_key())?;
        let text = self.text();
        let line = name.line(key.sign(text.as_bytes()).as_bytes());
        let bytes = format!("{text}\n{line}");
        let note = Note::read(bytes.as_bytes())?;
        Ok(SignedCheckpoint { checkpoint: self, note, bytes })
    }
}

impl SignedCheckpoint {
    /// Reads a checkpoint of the log that `key` names, and checks that it signed it.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn read(bytes: &[u8], key: &NoteKey) -> Result<Self, CheckpointError> {
        let note = Note::read(bytes)?;
        let checkpoint = Checkpoint::read(note.text())?;
        if checkpoint.origin != key.name() {
            return Err(CheckpointError::Origin {
                expected: key.name().to_owned(),
                found: checkpoint.origin,
            });
        }
        note.verify(key)?;
        // A note is text, so this loses nothing.
        Ok(Self { checkpoint, note, bytes: String::from_utf8_lossy(bytes).into_owned() })
    }

    /// What a note says, whoever signed it: for showing, not for believing.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn unsigned(note: &str) -> Result<Checkpoint, CheckpointError> {
        Checkpoint::read(Note::read(note.as_bytes())?.text())
    }

    /// Which log a note names, before any key of it is known.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn origin_of(bytes: &[u8]) -> Result<String, CheckpointError> {
        Checkpoint::read(Note::read(bytes)?.text()).map(|checkpoint| checkpoint.origin)
    }

    /// What it says.
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The whole note.
    pub fn as_str(&self) -> &str {
        &self.bytes
    }

    /// A line that says: seen at `unix_s` to hold all that was seen before. Only for what [`advance`](crate::advance)
    /// let pass.
    ///
    /// # Errors
    /// [`NoteKeyError::Name`].
    pub fn cosign(&self, name: &str, key: &SigningKey, unix_s: u64) -> Result<String, NoteKeyError> {
        let named = NoteKey::new(name, KeyKind::Cosignature, key.verifying_key())?;
        let signature = key.sign(&cosigned(unix_s, self.note.text()));
        Ok(named.line(&[&unix_s.to_be_bytes()[..], signature.as_bytes()].concat()))
    }

    /// The same checkpoint with a line more under it.
    ///
    /// # Errors
    /// [`NoteError`] where the line is no signature.
    pub fn with_line(&self, line: &str) -> Result<Self, NoteError> {
        let bytes = format!("{}{line}", self.bytes);
        let note = Note::read(bytes.as_bytes())?;
        // A line with an empty line in it would move the end of the text.
        if note.text() != self.note.text() {
            return Err(NoteError::Form);
        }
        Ok(Self { checkpoint: self.checkpoint.clone(), note, bytes })
    }

    /// When a witness cosigned it last, in seconds since 1970.
    ///
    /// # Errors
    /// [`NoteError::Unsigned`], [`NoteError::Forged`].
    pub fn cosigned_by(&self, witness: &NoteKey) -> Result<u64, NoteError> {
        let forged = || NoteError::Forged { key: witness.name().to_owned() };
        let mut latest = None;
        for line in self.note.by(witness) {
            let (time, signature) = line.split_first_chunk().ok_or_else(forged)?;
            let unix_s = u64::from_be_bytes(*time);
            let signature = Signature::from_bytes(signature.try_into().map_err(|_| forged())?);
            let message = cosigned(unix_s, self.note.text());
            witness.key().verify(&message, &signature).map_err(|_| forged())?;
            latest = latest.max(Some(unix_s));
        }
        latest.ok_or_else(|| NoteError::Unsigned { key: witness.name().to_owned() })
    }
}

/// What a cosigner signs.
fn cosigned(unix_s: u64, text: &str) -> Vec<u8> {
    format!("cosignature/v1\ntime {unix_s}\n{text}").into_bytes()
}
