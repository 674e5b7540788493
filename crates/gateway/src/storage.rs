//! What waits for the fleet's broker, held against the storage keys: after a
//! start with a key that was drawn anew, or while a key is changed.

use thiserror::Error;
use vernport_crypto::StorageKeys;
use vernport_seal::opens_from_storage;
use vernport_spool::{Item, Page, Settlement, Spool};
use vernport_types::UtcMicros;

/// How many messages are looked at in one go, and how many bytes of them.
const PAGE: Page = Page::front(256, 4 << 20);

/// Messages by the key that opens them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Survey {
    /// Under the key that seals now.
    pub current: u64,
    /// Under the key before it, which has to stay as long.
    pub before: u64,
    /// Under neither: they can never be sent.
    pub unreadable: u64,
}

/// Why what waits could not be looked through.
#[derive(Debug, Error)]
pub enum SurveyError {
    /// The spool cannot be read.
    #[error("what waits in the spool cannot be looked through")]
    Read(#[from] vernport_spool::ReadError),
    /// What cannot be read could not be put aside.
    #[error("what cannot be read could not be put aside")]
    Settle(#[from] vernport_spool::SettleError),
}

/// Looks through all messages that wait or are parked, and puts those aside that no key opens.
/// What is sealed to recipients is not touched.
///
/// # Errors
/// [`SurveyError`].
pub async fn survey(spool: &Spool, keys: &StorageKeys, now: UtcMicros) -> Result<Survey, SurveyError> {
    let mut survey = Survey::default();
    let mut page = PAGE;
    loop {
        let messages = spool.messages(page).await?;
        let Some(last) = messages.last() else { return Ok(survey) };
        page.after = last.row;
        let mut aside = Vec::new();
        for stored in &messages {
            if opens_from_storage(keys.current(), &stored.sealed) {
                survey.current += 1;
            } else if keys.before().is_some_and(|key| opens_from_storage(key, &stored.sealed)) {
                survey.before += 1;
            } else {
                survey.unreadable += 1;
                aside.push((Item::Topic(stored.message), Settlement::Quarantined));
            }
        }
        if !aside.is_empty() {
            spool.settle(aside, now).await?;
        }
    }
}
