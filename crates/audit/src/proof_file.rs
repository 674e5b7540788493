//! Proof files (C2SP tlog-proof): one leaf, its place, the proof and the checkpoint, so
//! that it can be checked without the log.
//!
//! The extra data is the leaf itself: its salt and commitment. Who holds the thing can
//! tell that the leaf commits to it; nobody else learns anything from it.

use crate::{
    Checkpoint, CheckpointError, Leaf, LeafError, MAX_PROOF_HASHES, NoteKey, Proof, ProofError,
    SignedCheckpoint, tile::decimal,
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use thiserror::Error;

/// The first line.
const HEAD: &str = "c2sp.org/tlog-proof@v1";

/// What such a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofFile {
    /// The leaf.
    pub leaf: Leaf,
    /// Its place in the log, from 0.
    pub index: u64,
    /// That it is there.
    pub proof: Proof,
    /// A signed checkpoint, with cosignatures where there are some; a note.
    pub checkpoint: String,
}

/// Why a file proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProofFileError {
    /// Not such a file, or another version. Lines count from 1.
    #[error("line {line} is not as a proof file has it: expected {expected}")]
    Line {
        /// Which.
        line: usize,
        /// What ought to stand there.
        expected: &'static str,
    },
    /// The extra data are no leaf.
    #[error("the proof's leaf does not read")]
    Leaf(#[from] LeafError),
    /// The checkpoint does not verify.
    #[error("the proof's checkpoint does not hold")]
    Checkpoint(#[from] CheckpointError),
    /// The hashes do not lead from leaf to root.
    #[error("the proof does not lead from its leaf to the root of its checkpoint")]
    Proof(#[from] ProofError),
}

impl ProofFile {
    /// Reads a file; nothing is checked by that.
    ///
    /// # Errors
    /// [`ProofFileError::Line`], [`ProofFileError::Leaf`].
    pub fn read(bytes: &[u8]) -> Result<Self, ProofFileError> {
        let broken = |line, expected| ProofFileError::Line { line, expected };
        let text = std::str::from_utf8(bytes).map_err(|_| broken(1, HEAD))?;
        let (head, checkpoint) = text.split_once("\n\n").ok_or(broken(1, HEAD))?;
        let mut lines = head.split('\n');
        if lines.next() != Some(HEAD) {
            return Err(broken(1, HEAD));
        }
        let extra = lines.next().and_then(|line| BASE64.decode(line.strip_prefix("extra ")?).ok());
        let leaf = Leaf::from_bytes(&extra.ok_or(broken(2, "extra and a leaf in base64"))?)?;
        let index = lines.next().and_then(|line| decimal(line.strip_prefix("index ")?));
        let index = index.ok_or(broken(3, "index and the place of the leaf"))?;
        let mut hashes = Vec::new();
        for (line, number) in lines.zip(4..) {
            let hash = BASE64.decode(line).ok().and_then(|hash| hash.try_into().ok());
            let hash = hash.filter(|_| hashes.len() < MAX_PROOF_HASHES);
            hashes.push(hash.ok_or(broken(number, "a hash in base64, at most 63 of them"))?);
        }
        Ok(Self { leaf, index, proof: Proof(hashes), checkpoint: checkpoint.to_owned() })
    }

    /// Checks that the log of `key` signed the checkpoint and holds the leaf; what was signed.
    ///
    /// # Errors
    /// [`ProofFileError`].
    pub fn verify(&self, key: &NoteKey) -> Result<Checkpoint, ProofFileError> {
        let signed = SignedCheckpoint::read(self.checkpoint.as_bytes(), key)?;
        let Checkpoint { size, root, .. } = signed.checkpoint();
        self.proof.includes(&self.leaf.hash(), self.index, *size, root)?;
        Ok(signed.checkpoint().clone())
    }
}

impl std::fmt::Display for ProofFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{HEAD}\nextra {}\nindex {}", BASE64.encode(self.leaf.to_bytes()), self.index)?;
        for hash in &self.proof.0 {
            writeln!(f, "{}", BASE64.encode(hash))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}
