//! Whether a message of a class may be sent to a person now.
//!
//! The questions, in this order; the first that fails gives the reason:
//! 1. Does the bundle know such messages, and does a notice that is served list the data they use?
//! 2. Does the person stop it? An objection to marketing stops every marketing message and no
//!    administrative one (CARS-9.1 to 9.3); a restriction stops the use of what it is about.
//! 3. On what does it rest? Marketing on the consent that its form asks for, else, for goods similar
//!    to what an existing customer bought, on that relationship (CARS-4.12).
//!
//! What the law tells a controller to say (that a restriction will be lifted, what
//! became of a request) is no message class and is not asked here.

use crate::{Message, MessageClass, Purpose, Rules, ServedWhen, opening::held_by_form};
use vernport_registry::{Against, ConsentState, Facts, Objected, Whom};
use vernport_types::{EntryHash, LegalBasis, Reason, Slug, SubjectId, UtcMicros};

/// What a message rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageBasis {
    /// The person needs it for an order, an account or a service.
    Administrative,
    /// The person consented.
    Consent {
        /// The entry by which: of several categories, the one whose consent ends first.
        entry: EntryHash,
        /// The first moment at which it is no longer valid.
        until: UtcMicros,
    },
    /// The person is a customer, and it is about similar goods.
    SimilarGoods {
        /// The entry that makes the person a customer.
        customer: EntryHash,
    },
}

/// Whether a message of a class of the bundle may be sent to a person now.
/// `similar` says that it is about goods similar to what the person bought.
///
/// # Errors
/// Why not.
pub fn may_send(
    facts: &Facts,
    rules: &Rules,
    message: &Slug,
    to: SubjectId,
    similar: bool,
    now: UtcMicros,
) -> Result<MessageBasis, Reason> {
    let known = rules.messages().iter().find(|known| known.slug == *message);
    let message = known.ok_or(Reason::NoPurpose)?;
    let purpose = rules.purposes().iter().find(|purpose| purpose.slug == message.purpose);
    let purpose = purpose.ok_or(Reason::NoPurpose)?;
    let asked = Asked { facts, rules, message, purpose, to, now };
    asked.notice()?;
    asked.stops()?;
    let basis = asked.basis(similar)?;
    asked.not_erased(&basis)?;
    Ok(basis)
}

/// One message to one person at one time.
struct Asked<'a> {
    facts: &'a Facts,
    rules: &'a Rules,
    message: &'a Message,
    purpose: &'a Purpose,
    to: SubjectId,
    now: UtcMicros,
}

impl Asked<'_> {
    /// The newest notice that was served, to this person where each is told, lists what is used.
    fn notice(&self) -> Result<(), Reason> {
        let lists = |notice: &crate::Notice| {
            self.message.categories.iter().all(|category| notice.categories.contains(category))
        };
        let served = self.rules.notices().iter().rev().find(|notice| {
            let version = notice.version.as_str();
            let by = match notice.served_when {
                ServedWhen::Recorded => self.facts.notice_served(version, self.now),
                ServedWhen::Told => self.facts.notice_told(version, self.to, self.now),
            };
            by.is_some()
        });
        match served {
            Some(notice) if lists(notice) => Ok(()),
            _ if self.rules.notices().last().is_some_and(lists) => Err(Reason::NoticeNotServed),
            _ => Err(Reason::CategoryNotInNotice),
        }
    }

    fn stops(&self) -> Result<(), Reason> {
        let mut against = Vec::new();
        if self.message.class == MessageClass::Marketing || self.purpose.marketing {
            against.push(Against::Marketing);
        }
        if self.purpose.profiling {
            against.push(Against::Profiling);
        }
        if matches!(self.purpose.basis, LegalBasis::LegitimateInterest | LegalBasis::PublicTask) {
            against.push(Against::Purpose(self.purpose.slug.clone()));
        }
        let mut pending = false;
        for against in &against {
            match self.facts.objection(self.to, against, self.now) {
                Objected::Upheld { .. } => return Err(Reason::ObjectionUpheld),
                Objected::Pending { .. } => pending = true,
                Objected::No => {}
            }
        }
        let whom = Whom::Subject(self.to);
        if self.facts.restriction(whom, &self.purpose.slug, self.now).is_some() {
            return Err(Reason::Restricted);
        }
        if pending { Err(Reason::ObjectionPending) } else { Ok(()) }
    }

    fn basis(&self, similar: bool) -> Result<MessageBasis, Reason> {
        let administrative = self.message.class == MessageClass::Administrative;
        if administrative && self.purpose.basis != LegalBasis::Consent {
            return Ok(MessageBasis::Administrative);
        }
        let consent = self.consent();
        match consent {
            // Who took a consent back wants no more of it, as a customer neither.
            Ok(_) | Err(Reason::ConsentWithdrawn) => consent,
            Err(reason) => {
                let customer = || self.facts.customer(self.to, self.now);
                match (self.message.similar_goods && similar).then(customer).flatten() {
                    Some(customer) => Ok(MessageBasis::SimilarGoods { customer }),
                    None => Err(reason),
                }
            }
        }
    }

    /// The consent that the form of the message asks for, to all that it uses.
    fn consent(&self) -> Result<MessageBasis, Reason> {
        let named = |form: &&crate::Form| self.message.form.as_ref() == Some(&form.slug);
        let form = self.rules.forms().iter().find(named).ok_or(Reason::ConsentMissing)?;
        let mut first_end: Option<(UtcMicros, EntryHash)> = None;
        for category in &self.message.categories {
            let state =
                self.facts.person_consent(self.to, &form.purpose, *category, &form.recipient, self.now);
            let (until, entry) = match state {
                ConsentState::Given { entry, until, form: on, at } => {
                    let asked = (&form.purpose, &form.recipient, *category);
                    (held_by_form(self.rules, &on, asked, (at, until))?, entry)
                }
                ConsentState::Withdrawn { .. } => return Err(Reason::ConsentWithdrawn),
                ConsentState::Expired { .. } => return Err(Reason::ConsentExpired),
                ConsentState::Missing => return Err(Reason::ConsentMissing),
            };
            if until <= self.now {
                return Err(Reason::ConsentExpired);
            }
            first_end = Some(first_end.map_or((until, entry), |known| known.min((until, entry))));
        }
        let (until, entry) = first_end.ok_or(Reason::ConsentMissing)?;
        Ok(MessageBasis::Consent { entry, until })
    }

    /// What was known of the person before an order to erase is gone: what the
    /// message rests on has to be younger.
    fn not_erased(&self, basis: &MessageBasis) -> Result<(), Reason> {
        let whom = Whom::Subject(self.to);
        let Some((_, up_to)) = self.facts.erasure(whom, &self.purpose.slug, self.now) else { return Ok(()) };
        let rests_on = match basis {
            MessageBasis::Administrative => self.facts.customer(self.to, self.now),
            MessageBasis::Consent { entry, .. } => Some(*entry),
            MessageBasis::SimilarGoods { customer } => Some(*customer),
        };
        let since = rests_on.and_then(|entry| self.facts.occurred_at(&entry));
        if since.is_some_and(|since| up_to < since) { Ok(()) } else { Err(Reason::Erased) }
    }
}
