//! What an entry has to fulfil by itself before it is written.

use crate::{
    Consent, DisclosureApproved, Entry, Event, HoldScope, MAX_AGREEMENT_SECONDS, MAX_CONSENT_SECONDS,
    MAX_DISCLOSURE_SECONDS, MAX_EXCEPTION_SECONDS, MAX_HOLD_SECONDS, MAX_ORDER_SECONDS, Milestone,
    MilestoneReached, PROCESSOR_KINDS, ProcessorAgreed, RestrictionExcepted, RestrictionException, Whom,
    canonical::canonical, event::CLOSED_BY, national_id::holds_national_id,
};
use serde_json::Value;
use thiserror::Error;
use vernport_types::{Slug, UtcMicros};

/// The largest entry, in bytes of its canonical text.
pub const MAX_ENTRY_BYTES: usize = 16 * 1_024;

/// How far an event may lie ahead of its recording: clocks differ. 5 minutes.
pub const MAX_FUTURE_SECONDS: i64 = 300;

/// The most assets of one order, and the most owners of one asset.
const MAX_PARTIES: usize = 8;

/// The most flows of one disclosure, and of one exception from a restriction.
const MAX_FLOWS: usize = 16;

/// What is wrong with an entry. Never repeats a value of it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Invalid {
    /// A kind that this version does not know.
    #[error(
        "this version does not know such an event and cannot write it; check the kind, or write it where it is known"
    )]
    UnknownKind,
    /// A member holds a national identity number.
    #[error(
        "`{member}` holds what looks like a Norwegian or Danish national identity number; use the person's \
         pseudonym (an order number that looks like one passes with a letter directly before it)"
    )]
    NationalId {
        /// The member, by its path in the entry.
        member: String,
    },
    /// Too large.
    #[error("the entry has {bytes} bytes; at most {MAX_ENTRY_BYTES} are accepted")]
    TooLarge {
        /// The size of its canonical text.
        bytes: usize,
    },
    /// It happens later than it was recorded.
    #[error(
        "`occurred_at` is more than {MAX_FUTURE_SECONDS} s after `recorded_at`; check the clock of the source"
    )]
    InFuture,
    /// A list is empty or too long.
    #[error("`{member}` needs 1 to {most} members")]
    Count {
        /// The list.
        member: &'static str,
        /// The most that is accepted.
        most: usize,
    },
    /// An end that lies before the beginning or too far away.
    #[error("`{member}` has to lie after `occurred_at`, and at most {most_days} days after it")]
    End {
        /// The end.
        member: &'static str,
        /// The longest time that is accepted.
        most_days: i64,
    },
    /// A disclosure that not exactly two people approved.
    #[error("`approvers` needs exactly two different people")]
    Approvers,
    /// An exception that somebody has to approve.
    #[error("an exception for the rights of another or the public interest needs `approver`")]
    ExceptionApprover,
    /// An exception by consent without its receipt, or another one with a receipt.
    #[error("an exception by consent needs the `receipt` of that consent, and no other has one")]
    ExceptionReceipt,
    /// A milestone of the wrong thing.
    #[error("accounts are of a `subject`, the end of a warranty or a vehicle is of an `asset`")]
    Milestone,
    /// A processor would get a kind of entries that it may not have.
    #[error("`scope` names kinds that stay with the controller; a processor may have {}", PROCESSOR_KINDS.join(", "))]
    ProcessorScope,
    /// A processor could open what it cannot close.
    #[error("a `scope` with {opens} needs {closes}, too: who takes the one has to be able to take the other")]
    ProcessorCloses {
        /// What it could record.
        opens: &'static str,
        /// What it could not.
        closes: &'static str,
    },
    /// A processor that is the controller itself.
    #[error("`processor` is the controller itself, who needs no agreement")]
    OwnProcessor,
    /// Not a language tag.
    #[error("`language` is a BCP 47 tag in small letters, as in nb, da, en")]
    Language,
}

impl Entry {
    /// Checks what can be checked of an entry alone.
    ///
    /// # Errors
    /// [`Invalid`] names the member and how to mend it.
    pub fn check(&self) -> Result<(), Invalid> {
        if matches!(self.event, Event::Unknown(_)) {
            return Err(Invalid::UnknownKind);
        }
        let json = self.to_json();
        let bytes = canonical(&json).len();
        if bytes > MAX_ENTRY_BYTES {
            return Err(Invalid::TooLarge { bytes });
        }
        if let Some(member) = find_national_id(&json, "") {
            return Err(Invalid::NationalId { member });
        }
        if self.occurred_at > self.recorded_at.plus_seconds(MAX_FUTURE_SECONDS) {
            return Err(Invalid::InFuture);
        }
        self.check_event()
    }

    fn check_event(&self) -> Result<(), Invalid> {
        match &self.event {
            Event::NoticeServed(served) => language(&served.language),
            Event::ConsentGiven(consent) => self.check_consent(consent),
            Event::ConsentRenewed(renewal) => self.check_consent(&renewal.consent),
            Event::OrderOpened(order) => {
                count("assets", order.assets.len(), MAX_PARTIES)?;
                self.ends("expires_at", order.expires_at, MAX_ORDER_SECONDS)
            }
            Event::OwnerChanged(change) => count("owners", change.owners.len(), MAX_PARTIES),
            Event::Linked(link) => match link.until {
                Some(until) => self.ends("until", until, MAX_CONSENT_SECONDS),
                None => Ok(()),
            },
            Event::HoldSet(hold) => {
                scope(&hold.scope)?;
                self.ends("until", hold.until, MAX_HOLD_SECONDS)
            }
            Event::MilestoneReached(reached) => milestone(reached),
            Event::DisclosureApproved(approved) => self.check_disclosure(approved),
            Event::RestrictionExcepted(excepted) => self.check_restriction_exception(excepted),
            Event::ErasureExcepted(excepted) => {
                scope(&excepted.scope)?;
                self.ends("until", excepted.until, MAX_HOLD_SECONDS)
            }
            Event::ProcessorAgreed(agreed) => self.check_agreement(agreed),
            _ => Ok(()),
        }
    }

    fn check_agreement(&self, agreed: &ProcessorAgreed) -> Result<(), Invalid> {
        let has = |kind: &str| agreed.scope.iter().any(|of| of.as_str() == kind);
        if agreed.processor == self.controller {
            return Err(Invalid::OwnProcessor);
        }
        count("scope", agreed.scope.len(), PROCESSOR_KINDS.len())?;
        if !agreed.scope.iter().all(|kind| PROCESSOR_KINDS.contains(&kind.as_str())) {
            return Err(Invalid::ProcessorScope);
        }
        if let Some((opens, closes)) =
            CLOSED_BY.into_iter().find(|(opens, closes)| has(opens) && !has(closes))
        {
            return Err(Invalid::ProcessorCloses { opens, closes });
        }
        self.ends("until", agreed.until, MAX_AGREEMENT_SECONDS)
    }

    fn check_consent(&self, consent: &Consent) -> Result<(), Invalid> {
        count("categories", consent.categories.len(), usize::MAX)?;
        language(&consent.language)?;
        self.ends("valid_until", consent.valid_until, MAX_CONSENT_SECONDS)
    }

    fn check_disclosure(&self, approved: &DisclosureApproved) -> Result<(), Invalid> {
        count("assets", approved.assets.len(), MAX_PARTIES)?;
        count("flows", approved.flows.len(), MAX_FLOWS)?;
        if approved.approvers.len() != 2 {
            return Err(Invalid::Approvers);
        }
        self.ends("until", approved.until, MAX_DISCLOSURE_SECONDS)
    }

    fn check_restriction_exception(&self, excepted: &RestrictionExcepted) -> Result<(), Invalid> {
        count("flows", excepted.flows.len(), MAX_FLOWS)?;
        let by_consent = excepted.exception == RestrictionException::Consent;
        if by_consent != excepted.receipt.is_some() {
            return Err(Invalid::ExceptionReceipt);
        }
        let approved = match excepted.exception {
            RestrictionException::Consent | RestrictionException::LegalClaim => true,
            RestrictionException::RightsOfAnother | RestrictionException::PublicInterest => {
                excepted.approver.is_some()
            }
        };
        if !approved {
            return Err(Invalid::ExceptionApprover);
        }
        self.ends("until", excepted.until, MAX_EXCEPTION_SECONDS)
    }

    fn ends(&self, member: &'static str, end: UtcMicros, most_seconds: i64) -> Result<(), Invalid> {
        let fits = self.occurred_at < end && end <= self.occurred_at.plus_seconds(most_seconds);
        if fits { Ok(()) } else { Err(Invalid::End { member, most_days: most_seconds / 86_400 }) }
    }
}

fn count(member: &'static str, found: usize, most: usize) -> Result<(), Invalid> {
    if (1..=most).contains(&found) { Ok(()) } else { Err(Invalid::Count { member, most }) }
}

fn scope(scope: &HoldScope) -> Result<(), Invalid> {
    match scope {
        HoldScope::Epochs(epochs) => count("epochs", epochs.len(), 256),
        HoldScope::Flows { flows, .. } => count("flows", flows.len(), 128),
    }
}

fn milestone(reached: &MilestoneReached) -> Result<(), Invalid> {
    let fits = match reached.milestone {
        Milestone::Interaction | Milestone::RelationshipEnded => true,
        Milestone::AccountOpened | Milestone::AccountClosed => matches!(reached.whom, Whom::Subject(_)),
        Milestone::WarrantyEnded | Milestone::VehicleEnded => matches!(reached.whom, Whom::Asset(_)),
    };
    if fits { Ok(()) } else { Err(Invalid::Milestone) }
}

fn language(tag: &Slug) -> Result<(), Invalid> {
    let first = tag.as_str().split('-').next().unwrap_or_default();
    let fits = (2..=3).contains(&first.len()) && first.bytes().all(|b| b.is_ascii_lowercase());
    if fits { Ok(()) } else { Err(Invalid::Language) }
}

/// The path of a text that holds a national identity number. Every text of the
/// entry is looked at, whatever it is meant for.
fn find_national_id(value: &Value, path: &str) -> Option<String> {
    match value {
        Value::String(text) => holds_national_id(text).then(|| path.to_owned()),
        Value::Array(items) => items.iter().find_map(|item| find_national_id(item, path)),
        Value::Object(members) => members.iter().find_map(|(name, value)| {
            let dot = if path.is_empty() { "" } else { "." };
            find_national_id(value, &format!("{path}{dot}{name}"))
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}
