//! Proofs of any hashes for any sizes, and proof files: nothing panics, nothing foreign proves anything.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vernport_audit::{Proof, ProofFile};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(file) = ProofFile::read(bytes) {
        assert_eq!(file.to_string().as_bytes(), bytes);
    }
    let Some((sizes, hashes)) = bytes.split_first_chunk::<16>() else { return };
    let (first, second) = sizes.split_at(8);
    let size = |part: &[u8]| u64::from_le_bytes(part.try_into().expect("8 bytes"));
    let (first, second) = (size(first), size(second));
    let proof = Proof(hashes.as_chunks().0.to_vec());
    assert!(proof.includes(&[7; 32], first, second, &[9; 32]).is_err());
    let extends = proof.extends((first, &[7; 32]), (second, &[9; 32]));
    assert!(extends.is_err());
});
