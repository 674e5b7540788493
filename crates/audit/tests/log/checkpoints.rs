//! Checkpoints, cosignatures, proof files, and what a witness lets pass.

use crate::naive;
use proptest::prelude::*;
use vernport_audit::{
    Advance, Broken, Checkpoint, CheckpointError, KeyKind, Leaf, LeafKind, Note, NoteError, NoteKey, Proof,
    ProofError, ProofFile, ProofFileError, SignedCheckpoint, advance, consistency, inclusion,
};
use vernport_crypto::SigningKey;

const ORIGIN: &str = "vernport.example/gateway/bay-1/0011223344556677";

fn key() -> SigningKey {
    SigningKey::from_seed([7; 32])
}

fn name(kind: KeyKind) -> NoteKey {
    NoteKey::new(ORIGIN, kind, key().verifying_key()).expect("a name")
}

fn signed(size: usize) -> SignedCheckpoint {
    let root = naive::root(&naive::leaves(size));
    Checkpoint { origin: ORIGIN.to_owned(), size: size as u64, root }.sign(&key()).expect("a name")
}

/// Frozen: the ids were made with Python's hashlib, the signatures with OpenSSL's Ed25519.
#[test]
fn a_checkpoint_and_a_cosignature_have_their_frozen_bytes() {
    let checkpoint = signed(3);
    let line = checkpoint.cosign("witness.example", &SigningKey::from_seed([9; 32]), 1_679_315_147);
    let both = checkpoint.with_line(&line.expect("a name")).expect("a line");
    assert_eq!(both.as_str(), include_str!("golden-checkpoint.txt"));
    let read = SignedCheckpoint::read(both.as_str().as_bytes(), &name(KeyKind::Note)).expect("ours");
    assert_eq!(read, both);
    let witness = SigningKey::from_seed([9; 32]).verifying_key();
    let witness = NoteKey::new("witness.example", KeyKind::Cosignature, witness).expect("a name");
    assert_eq!(read.cosigned_by(&witness), Ok(1_679_315_147));
    let stranger = NoteKey::new("witness.example/2", KeyKind::Cosignature, *witness.key()).expect("a name");
    assert!(matches!(read.cosigned_by(&stranger), Err(NoteError::Unsigned { .. })));
}

/// tlog-checkpoint and tlog-cosignature, their examples: form only, their keys are not published.
#[test]
fn the_published_checkpoint_reads() {
    let text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\u{2014} example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n\u{2014} witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";
    assert_eq!(SignedCheckpoint::origin_of(text.as_bytes()), Ok("example.com/behind-the-sofa".to_owned()));
}

#[test]
fn a_checkpoint_by_another_key_or_of_another_log_is_named() {
    let bytes = signed(5).as_str().to_owned();
    let other =
        NoteKey::new(ORIGIN, KeyKind::Note, SigningKey::from_seed([8; 32]).verifying_key()).expect("a name");
    let unsigned = CheckpointError::Note(NoteError::Unsigned { key: ORIGIN.to_owned() });
    assert_eq!(SignedCheckpoint::read(bytes.as_bytes(), &other), Err(unsigned));
    let another = NoteKey::new("another", KeyKind::Note, key().verifying_key()).expect("a name");
    assert!(matches!(
        SignedCheckpoint::read(bytes.as_bytes(), &another),
        Err(CheckpointError::Origin { .. })
    ));
    let larger = bytes.replacen("\n5\n", "\n6\n", 1);
    let forged = CheckpointError::Note(NoteError::Forged { key: ORIGIN.to_owned() });
    assert_eq!(SignedCheckpoint::read(larger.as_bytes(), &name(KeyKind::Note)), Err(forged));
}

#[test]
fn lines_that_are_no_checkpoint_are_refused() {
    let root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
    let line = signed(1).as_str().lines().last().expect("a line").to_owned();
    let read = |text: String| SignedCheckpoint::origin_of(format!("{text}\n{line}\n").as_bytes());
    assert_eq!(read(format!("a\n1\n{root}\n")), Ok("a".to_owned()));
    assert_eq!(read(format!("a\n1\n{root}\nmore\n")), Ok("a".to_owned()), "extension lines");
    for text in [
        format!("a\n01\n{root}\n"),
        format!("a\n+1\n{root}\n"),
        format!("a\n\n{root}\n"),
        format!("\n1\n{root}\n"),
        format!("a\n18446744073709551616\n{root}\n"),
        "a\n1\nAAAA\n".to_owned(),
        "a\n1\n".to_owned(),
        format!("a\n1\n{root}\n\nx\n"),
    ] {
        assert_eq!(read(text.clone()), Err(CheckpointError::Form), "{text:?}");
    }
    assert_eq!(read(format!("a\n0\n{root}\n")), Err(CheckpointError::Empty));
}

#[test]
fn a_line_that_would_move_the_text_is_not_added() {
    let checkpoint = signed(2);
    for line in ["\n\u{2014} a AAAAAAA=\n", "x", ""] {
        assert!(checkpoint.with_line(line).is_err() || line.is_empty(), "{line:?}");
    }
    let moved = format!("\n\n{}", checkpoint.as_str());
    assert_eq!(checkpoint.with_line(&moved), Err(NoteError::Form));
}

#[test]
fn a_witness_lets_growth_pass_and_names_a_fork_a_cut_and_a_forged_proof() {
    let (_, tiles, _) = naive::tiles(&naive::leaves(300));
    let (three, many) = (signed(3).checkpoint().clone(), signed(300).checkpoint().clone());
    let proof = consistency(3, 300, &tiles).expect("all tiles");
    assert_eq!(advance(None, &many, 0, &Proof::default()), Ok(Advance::First));
    assert_eq!(advance(Some(&three), &three, 0, &Proof::default()), Ok(Advance::Same));
    assert_eq!(advance(Some(&three), &many, 3, &proof), Ok(Advance::Grew { leaves: 297 }));
    assert_eq!(advance(Some(&three), &many, 2, &proof), Err(Broken::Elsewhere { known: 3, from: 2 }));
    assert_eq!(advance(Some(&many), &three, 300, &proof), Err(Broken::Shrunk { known: 300, found: 3 }));
    let fork = Checkpoint { root: [1; 32], ..many.clone() };
    assert_eq!(advance(Some(&many), &fork, 300, &Proof::default()), Err(Broken::Fork { size: 300 }));
    let unproven = Broken::Unproven { known: 3, found: 300, source: ProofError::Root };
    assert_eq!(advance(Some(&three), &fork, 3, &proof), Err(unproven));
    let renamed = Checkpoint { origin: "new".to_owned(), ..many };
    let error = advance(Some(&three), &renamed, 3, &proof).expect_err("another log");
    assert!(matches!(error, Broken::OtherLog { .. }) && error.is_alarm());
    assert!(!Broken::Elsewhere { known: 3, from: 2 }.is_alarm());
}

#[test]
fn a_proof_file_proves_its_leaf_and_no_other() {
    let things: Vec<Vec<u8>> = (0..300_u32).map(|number| number.to_be_bytes().to_vec()).collect();
    let leaves: Vec<Leaf> = things.iter().map(|thing| Leaf::new(LeafKind::Commit, [3; 16], thing)).collect();
    let hashes: Vec<_> = leaves.iter().map(Leaf::hash).collect();
    let (edge, tiles, _) = naive::tiles(&hashes);
    let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size: 300, root: edge.root() }.sign(&key());
    let file = ProofFile {
        leaf: leaves[123],
        index: 123,
        proof: inclusion(123, 300, &tiles).expect("all tiles"),
        checkpoint: checkpoint.expect("a name").as_str().to_owned(),
    };
    let read = ProofFile::read(file.to_string().as_bytes()).expect("ours");
    assert_eq!(read, file);
    assert_eq!(read.verify(&name(KeyKind::Note)).map(|checkpoint| checkpoint.size), Ok(300));
    assert!(read.leaf.commits_to(&things[123]) && !read.leaf.commits_to(&things[124]));
    let other = ProofFile { leaf: leaves[124], ..file.clone() };
    assert_eq!(other.verify(&name(KeyKind::Note)), Err(ProofFileError::Proof(ProofError::Root)));
    let elsewhere = ProofFile { index: 122, ..file };
    assert_eq!(elsewhere.verify(&name(KeyKind::Note)), Err(ProofFileError::Proof(ProofError::Root)));
}

proptest! {
    #[test]
    fn no_bytes_panic_and_what_reads_is_said_again(bytes: Vec<u8>, text in "[a-z0-9\n \u{2014}=+/]{0,200}") {
        for bytes in [&bytes[..], text.as_bytes()] {
            let _ = Note::read(bytes);
            let _ = SignedCheckpoint::origin_of(bytes);
            if let Ok(file) = ProofFile::read(bytes) {
                prop_assert_eq!(file.to_string().into_bytes(), bytes);
            }
        }
    }

    #[test]
    fn a_flipped_bit_of_a_checkpoint_is_no_checkpoint(at: usize, bit in 0_u8..8) {
        let whole = signed(9);
        let mut bytes = whole.as_str().as_bytes().to_vec();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        // The last character of base64 before its padding has bits that mean nothing; they are refused too.
        prop_assert!(SignedCheckpoint::read(&bytes, &name(KeyKind::Note)).is_err(), "byte {at}");
    }
}
