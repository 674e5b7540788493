//! What must not compile: plaintext in the hands of spool, uplink, broker and log.
//! That releases and sealed things cannot be forged is in `crates/seal/tests/ui`.

#[test]
fn plaintext_is_not_queued_not_sent_not_published_and_not_shown() {
    trybuild::TestCases::new().compile_fail("tests/privacy/ui/*.rs");
}
