//! The frozen forms of erasures, deletions and the clock (decision note 0019). Where one of these
//! fails, mend the code, not the file: certificates are kept for years, and recipients' programs read the rest.

mod frozen;

use frozen::{frozen, slug};
use vernport_api::{
    Certificate, ClockAnswer, ClockRequest, ConfirmAnswer, ConfirmRequest, Deletion, DeletionState,
    DeletionsAnswer, DeletionsRequest, ErasureAnswer, ErasureRequest, ErasureState, Kept, KeptBy, NotReached,
    Notice, ReadBefore,
};
use vernport_crypto::SigningKey;
use vernport_types::{EntryHash, EpochId, UtcMicros};

const ORDERED_BY: EntryHash = EntryHash::from_bytes([0x11; 32]);

fn certificate() -> Certificate {
    let (epochs_hash, epoch_hashes) =
        Certificate::hashes(&[EpochId::from_bytes([0xE1; 16]), EpochId::from_bytes([0xE2; 16])]);
    let kept = |by, until, epochs, batches| Kept {
        by,
        entry: EntryHash::from_bytes([0x22; 32]),
        until,
        epochs,
        batches,
    };
    Certificate {
        format: Certificate::FORMAT,
        controller: "NO-900000001".parse().expect("a controller"),
        entry: ORDERED_BY,
        number: 2,
        issued_at: UtcMicros(1_795_132_800_000_000),
        complete: false,
        epochs: 2,
        batches: 31,
        epochs_hash,
        epoch_hashes,
        kept: vec![
            kept(KeptBy::Hold, Some(UtcMicros(1_826_668_800_000_000)), 1, 3),
            kept(KeptBy::Exception, Some(UtcMicros(1_953_072_000_000_000)), 1, 1),
            kept(KeptBy::Restriction, None, 2, 8),
        ],
        read_before: vec![ReadBefore {
            recipient: slug("workshop"),
            purpose: slug("service"),
            epochs: 1,
            batches: 9,
        }],
        not_reached: vec![
            NotReached::KeysUnwrappedBefore,
            NotReached::MessagesPublishedBefore,
            NotReached::BackupsOfErasureKeys,
            NotReached::Ledger,
        ],
    }
}

fn deletion(state: DeletionState) -> Deletion {
    let confirmed = state == DeletionState::Confirmed;
    Deletion {
        id: 17,
        recipient: slug("workshop"),
        purpose: slug("service"),
        flow: slug("odometer"),
        epoch: EpochId::from_bytes([0xE1; 16]),
        batches: 9,
        entry: ORDERED_BY,
        ordered_at: UtcMicros(1_795_132_800_000_000),
        confirm_by: UtcMicros(1_797_724_800_000_000),
        fetched_at: confirmed.then_some(UtcMicros(1_795_132_860_000_000)),
        confirmed_at: confirmed.then_some(UtcMicros(1_795_136_400_000_000)),
        state,
    }
}

#[test]
fn a_certificate_has_these_words() {
    frozen(include_str!("../golden/certificate.json"), &certificate());
}

/// What is signed is the text, so the text is what may never be written otherwise.
#[test]
fn an_erasure_is_asked_for_and_answered_like_this() {
    frozen(include_str!("../golden/erasure-request.json"), &ErasureRequest { entry: ORDERED_BY });
    let key = SigningKey::from_seed([1; 32]);
    let answer = ErasureAnswer {
        state: ErasureState::Kept,
        certificates: vec![certificate().sign(&key)],
        deletions: [DeletionState::Ordered, DeletionState::Confirmed, DeletionState::Late]
            .map(deletion)
            .into(),
        notices: vec![Notice {
            operator: slug("fjord-freight"),
            purpose: slug("service"),
            flow: slug("odometer"),
            from: UtcMicros(1_795_046_400_000_000),
            until: UtcMicros(1_795_132_860_000_000),
            ordered_at: UtcMicros(1_795_132_800_000_000),
            confirm_by: UtcMicros(1_797_724_800_000_000),
            told_at: Some(UtcMicros(1_795_132_801_000_000)),
            confirmed_at: None,
            state: DeletionState::Ordered,
        }],
    };
    frozen(include_str!("../golden/erasure-answer.json"), &answer);
    let signed = &answer.certificates[0];
    assert_eq!(signed.verify(&key.verifying_key()).expect("signed so"), certificate());
    let states = [ErasureState::UnderWay, ErasureState::Kept, ErasureState::Complete, ErasureState::Voided];
    let words = states.map(|state| serde_json::to_value(state).expect("a word"));
    assert_eq!(words, ["under-way", "kept", "complete", "voided"]);
}

#[test]
fn deletions_are_fetched_and_confirmed_like_this() {
    let request = DeletionsRequest { after: Some(16), limit: 256 };
    frozen(include_str!("../golden/deletions-request.json"), &request);
    let answer = DeletionsAnswer { deletions: vec![deletion(DeletionState::Ordered)], cursor: Some(17) };
    frozen(include_str!("../golden/deletions-answer.json"), &answer);
    frozen(include_str!("../golden/confirm-request.json"), &ConfirmRequest { deletions: vec![17] });
    frozen(include_str!("../golden/confirm-answer.json"), &ConfirmAnswer { confirmed: 1 });
}

#[test]
fn the_clock_is_confirmed_like_this() {
    let request = ClockRequest { now: UtcMicros(1_795_132_800_000_000) };
    frozen(include_str!("../golden/clock-request.json"), &request);
    frozen(include_str!("../golden/clock-answer.json"), &ClockAnswer { believed: true });
}
