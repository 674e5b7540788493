//! Invariant 9, keys: a purpose opens with its own key and with no other.

use crate::evidence::{Batch, Holder, evidence};
use vernport_seal::ReceivedEnvelope;
use vernport_testkit::canary::Canaries;

/// Whether this key is meant to open this batch.
fn may_open(holder: &Holder, batch: &Batch) -> bool {
    match holder {
        Holder::Recipient { controller, recipient, purpose } => {
            (controller, recipient, purpose) == (&batch.controller, &batch.recipient, &batch.purpose)
        }
        Holder::Controller(controller) => *controller == batch.controller,
        Holder::Machine(_) => false,
    }
}

#[test]
fn invariant_9_a_recipient_s_key_opens_its_own_purpose_and_nothing_else() {
    let evidence = evidence();
    let purposes = evidence.aliases().len();
    assert!(purposes >= 8, "the visit served {purposes} purposes only");
    let (mut opened, mut refused) = (0, 0);
    for batch in &evidence.batches {
        let envelope = ReceivedEnvelope::parse(&batch.envelope).expect("an envelope");
        for key in &evidence.keys {
            let opens = envelope.open(&key.key);
            assert_eq!(
                opens.is_ok(),
                may_open(&key.holder, batch),
                "{:?} {}",
                key.holder,
                envelope.header().flow
            );
            match opens {
                Ok(body) => {
                    assert_eq!(body, batch.body);
                    opened += 1;
                }
                Err(_) => refused += 1,
            }
        }
    }
    // Its recipient and its controller.
    assert_eq!(opened, 2 * evidence.batches.len());
    assert!(refused > 10 * opened, "{refused} refusals");
}

#[test]
fn invariant_9_neither_central_nor_a_spool_holds_a_key_that_opens_a_body() {
    let evidence = evidence();
    let mut opening = Canaries::default();
    let mut own = 0;
    for key in &evidence.keys {
        match key.holder {
            Holder::Machine(_) => own += 1,
            Holder::Recipient { .. } | Holder::Controller(_) => {
                opening = opening.bytes("opening key", &*key.key.to_bytes());
            }
        }
    }
    // Of central two, of each of four gateways four: `a_recipient_s_key…` has tried them all.
    assert_eq!(own, 2 + 4 * 4);
    let kept = |path: &str| path.contains("/central/") || path.contains("/data/");
    let searched: Vec<_> = evidence.files.iter().filter(|file| kept(&file.path)).collect();
    assert!(searched.len() > 10, "{} files", searched.len());
    for file in searched {
        assert_eq!(opening.search(&file.bytes), [], "{}", file.path);
    }
    assert_eq!(opening.search(&evidence.logs), [], "log");
    // The recipients' own files do hold them: so it could be found.
    assert!(evidence.files.iter().any(|file| !opening.search(&file.bytes).is_empty()));
}
