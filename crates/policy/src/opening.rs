//! What was opened, and whether its batches may still be sent (invariant 2).
//!
//! Central keeps an [`Opening`] by its grant id. It is judged by its own basis: an
//! order that ended or a role that changed hands closes a flow, but not what was
//! lawful when it was read.

use crate::{Flow, Rules, Window};
use serde::{Deserialize, Serialize};
use vernport_crypto::sha256;
use vernport_registry::{Against, ConsentQuestion, ConsentState, Facts, Objected, Role, Whom};
use vernport_types::{
    AssetId, Category, EntryHash, LegalBasis, OrderId, Reason, Slug, SubjectId, UtcMicros, VehicleAlias,
};

/// How much later by central's clock than by a counter's something is taken to have been open: a quarter of
/// an hour. What an order to erase that comes late is not about may go with it for so long.
const CLOCKS_DIFFER_SECONDS: i64 = 900;

/// What one opening of one flow rests on. Kept at central, by its grant id: it names persons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// The asset.
    pub asset: AssetId,
    /// The flow of the bundle.
    pub flow: Slug,
    /// The purpose of the bundle.
    pub purpose: Slug,
    /// The recipient of the bundle.
    pub recipient: Slug,
    /// On what ground.
    pub basis: LegalBasis,
    /// What it reads.
    pub categories: Vec<Category>,
    /// The work order, where it needs one.
    pub order: Option<OrderId>,
    /// What the asset is called towards the recipient.
    pub alias: VehicleAlias,
    /// Everybody linked to the asset, with their roles.
    pub subjects: Vec<(Role, SubjectId)>,
    /// The roles whose consent it rests on.
    pub consent_of: Vec<Role>,
    /// The ledger entries that it rests on, in the order of the questions.
    pub rests_on: Vec<EntryHash>,
    /// The erasures that came before it.
    pub erasures: Vec<EntryHash>,
}

impl Opening {
    /// SHA-256 over all of it: another key, another grant id.
    pub fn key(&self) -> [u8; 32] {
        sha256(&postcard::to_allocvec(self).expect("ids and lists always encode"))
    }
}

/// Whether batches of an opening may be sent and stored now, by its own basis
/// (invariant 2). An order that ended, a role that changed hands, a private trip
/// that began close the flow, but not this: it was lawful when it was read.
///
/// A restriction is asked for first: it suspends deletion, too, so what would destroy the
/// batch waits until it is lifted (invariant 4).
///
/// Ask it after every entry of the ledger and keep the first answer that closes for good. A consent
/// that ended and was given again is in force for new openings only, also where a restriction
/// kept anybody from asking in between.
///
/// # Errors
/// Why not; [`Reason::fate`] says whether the batch waits or is destroyed.
pub fn may_be_sent(facts: &Facts, rules: &Rules, opening: &Opening, now: UtcMicros) -> Result<(), Reason> {
    Opened { opening, since: None }.may_be_sent(facts, rules, now)
}

/// Whether what was committed lawfully may still be used: as [`may_be_sent`], but a consent
/// that ended since does not matter. Withdrawal is not retroactive, and retention says when it goes.
///
/// # Errors
/// Why not.
pub fn may_be_used(facts: &Facts, rules: &Rules, opening: &Opening, now: UtcMicros) -> Result<(), Reason> {
    Opened { opening, since: None }.may_be_used(facts, rules, now)
}

/// An opening, and since when it was open, where that is known: an order to erase
/// what was read up to an earlier time is not about it.
#[derive(Debug, Clone, Copy)]
pub struct Opened<'a> {
    /// The opening.
    pub opening: &'a Opening,
    /// Since when; none: every order counts that came after it in the ledger.
    pub since: Option<UtcMicros>,
}

impl Opened<'_> {
    /// As [`may_be_sent`].
    ///
    /// # Errors
    /// Why not.
    pub fn may_be_sent(&self, facts: &Facts, rules: &Rules, now: UtcMicros) -> Result<(), Reason> {
        not_stopped(facts, rules, *self, now)?;
        consented(facts, rules, self.opening, now)?;
        agreed(facts, rules, self.opening, now)
    }

    /// As [`may_be_used`].
    ///
    /// # Errors
    /// Why not.
    pub fn may_be_used(&self, facts: &Facts, rules: &Rules, now: UtcMicros) -> Result<(), Reason> {
        not_stopped(facts, rules, *self, now)?;
        agreed(facts, rules, self.opening, now)
    }

    /// As [`closing_reason`].
    pub fn closing_reason(&self, facts: &Facts, rules: &Rules, now: UtcMicros) -> Reason {
        match self.may_be_sent(facts, rules, now) {
            Err(reason) => reason,
            Ok(()) => ended(facts, rules, self.opening, now),
        }
    }

    /// The orders to erase that fence it: of each person and of the asset those behind the one that
    /// the opening came after, and none that is about an earlier time.
    pub fn fenced_by(&self, facts: &Facts, now: UtcMicros) -> Vec<EntryHash> {
        let opening = self.opening;
        let people = opening.subjects.iter().map(|(_, subject)| Whom::Subject(*subject));
        let whom = std::iter::once(Whom::Asset(opening.asset)).chain(people);
        let mut fences = Vec::new();
        for whom in whom {
            let orders = facts.erasures(whom, &opening.purpose, now);
            let known = orders.iter().rposition(|(entry, _)| opening.erasures.contains(entry));
            let later = &orders[known.map_or(0, |known| known + 1)..];
            let about = later.iter().filter(|(_, up_to)| self.is_before(facts, *up_to));
            fences.extend(about.map(|(entry, _)| *entry));
        }
        fences.sort_unstable();
        fences.dedup();
        fences
    }

    /// Whether it was open up to a time by the clock of who orders to erase, which central's may differ from.
    fn is_before(&self, facts: &Facts, up_to: UtcMicros) -> bool {
        self.since.is_none_or(|since| {
            let is_near = since <= up_to.plus_seconds(CLOCKS_DIFFER_SECONDS);
            since <= up_to || (is_near && self.by_word(facts, since) <= up_to)
        })
    }

    /// The earliest that something was read under it, by the clocks by which orders to erase are dated.
    pub fn read_since(&self, facts: &Facts) -> Option<UtcMicros> {
        self.since.map(|since| self.by_word(facts, since))
    }

    /// Since when it may have been open by the clocks of those who said what it rests on and who is linked.
    fn by_word(&self, facts: &Facts, since: UtcMicros) -> UtcMicros {
        let opening = self.opening;
        let linked = Role::ALL.iter().flat_map(|role| facts.subjects(opening.asset, *role, since));
        let linked =
            linked.filter(|linked| opening.subjects.iter().any(|(_, known)| *known == linked.subject));
        let said = opening.rests_on.iter().copied().chain(linked.map(|linked| linked.entry));
        let last = said.filter_map(|entry| facts.occurred_at(&entry)).max();
        last.map_or(since, |last| since.min(last))
    }
}

/// Restricted, a mistake, erased, or objected to.
fn not_stopped(facts: &Facts, rules: &Rules, opened: Opened<'_>, now: UtcMicros) -> Result<(), Reason> {
    let opening = opened.opening;
    excepted(facts, (&opening.flow, &opening.purpose, opening.asset), &opening.subjects, now)?;
    if opening.rests_on.iter().any(|entry| facts.voided_at(entry).is_some_and(|at| at <= now)) {
        return Err(Reason::EntryVoided);
    }
    if !opened.fenced_by(facts, now).is_empty() {
        return Err(Reason::Erased);
    }
    let flow = rules.find(&opening.flow).ok_or(Reason::NoBundle)?;
    objections(facts, flow, &opening.subjects, now)
}

/// Everybody's consent is in force, and was at each moment since all that the opening rests on
/// counted, where it rests on consent.
fn consented(facts: &Facts, rules: &Rules, opening: &Opening, now: UtcMicros) -> Result<(), Reason> {
    if opening.basis == LegalBasis::Consent {
        let since = opening.rests_on.iter().filter_map(|entry| facts.counts_from(entry)).max();
        for holder in opening.subjects.iter().filter(|(role, _)| opening.consent_of.contains(role)) {
            let whole = Consented {
                asset: opening.asset,
                purpose: &opening.purpose,
                recipient: &opening.recipient,
                categories: &opening.categories,
            };
            whole.of(facts, rules, *holder, now)?;
            if let Some(ended) = since.and_then(|since| whole.ended(facts, rules, *holder, (since, now))) {
                return Err(whole.of(facts, rules, *holder, ended).err().unwrap_or(Reason::ConsentWithdrawn));
            }
        }
    }
    Ok(())
}

/// Nothing unknown closed the asset, host and recipient have their agreements, and the recipient is not paused.
fn agreed(facts: &Facts, rules: &Rules, opening: &Opening, now: UtcMicros) -> Result<(), Reason> {
    if facts.closed_by_unknown(opening.asset, now).is_some() {
        return Err(Reason::RuleBroken);
    }
    if let Some(hosting) = rules.hosting() {
        hosting.allowed(now)?;
    }
    rules.recipient(&opening.recipient).ok_or(Reason::AgreementMissing)?.allowed(now)?;
    match facts.paused(&opening.recipient, &opening.purpose, now) {
        Some(_) => Err(Reason::RecipientPaused),
        None => Ok(()),
    }
}

/// Why an opening is over that no grant holds any more: what stops its batches,
/// else a reason that lets them go on.
pub fn closing_reason(facts: &Facts, rules: &Rules, opening: &Opening, now: UtcMicros) -> Reason {
    Opened { opening, since: None }.closing_reason(facts, rules, now)
}

/// Why a lawful opening is over.
fn ended(facts: &Facts, rules: &Rules, opening: &Opening, now: UtcMicros) -> Reason {
    if facts.private_mode(opening.asset, now).is_some() {
        return Reason::PrivateMode;
    }
    match rules.find(&opening.flow).map(|flow| flow.window) {
        Some(Window::Account) => Reason::AccountNotOpen,
        Some(Window::Disclosure) => Reason::DisclosureNotOpen,
        Some(Window::Order | Window::Link) | None => Reason::OrderNotOpen,
    }
}

/// What somebody has to consent to.
pub(crate) struct Consented<'a> {
    pub(crate) asset: AssetId,
    pub(crate) purpose: &'a Slug,
    pub(crate) recipient: &'a Slug,
    pub(crate) categories: &'a [Category],
}

impl Consented<'_> {
    /// The consents of one person in one role to all of it: entry and end of each.
    pub(crate) fn of(
        &self,
        facts: &Facts,
        rules: &Rules,
        (role, subject): (Role, SubjectId),
        now: UtcMicros,
    ) -> Result<Vec<(EntryHash, UtcMicros)>, Reason> {
        let Self { asset, purpose, recipient, categories } = *self;
        let given = |category: &Category| {
            let asked = ConsentQuestion { asset, subject, role, purpose, category: *category, recipient };
            match facts.consent(&asked, now) {
                ConsentState::Given { entry, until, form, at } => {
                    let until = held_by_form(rules, &form, (purpose, recipient, *category), (at, until))?;
                    if until <= now { Err(Reason::ConsentExpired) } else { Ok((entry, until)) }
                }
                ConsentState::Withdrawn { .. } => Err(Reason::ConsentWithdrawn),
                ConsentState::Expired { .. } => Err(Reason::ConsentExpired),
                ConsentState::Missing => Err(Reason::ConsentMissing),
            }
        };
        categories.iter().map(given).collect()
    }

    /// When the first of the consents of one person in one role ended since a moment.
    pub(crate) fn ended(
        &self,
        facts: &Facts,
        rules: &Rules,
        (role, subject): (Role, SubjectId),
        (since, now): (UtcMicros, UtcMicros),
    ) -> Option<UtcMicros> {
        let Self { asset, purpose, recipient, categories } = *self;
        let ended = |category: &Category| {
            let asked = ConsentQuestion { asset, subject, role, purpose, category: *category, recipient };
            // On a form that is about something else nothing was consented to.
            let end = |form: &Slug, at: UtcMicros, until: UtcMicros| {
                held_by_form(rules, form, (purpose, recipient, *category), (at, until)).unwrap_or(at)
            };
            facts.consent_ended(&asked, end, since, now)
        };
        categories.iter().filter_map(ended).min()
    }
}

/// Until when a consent holds that was given on a form. A form of the bundle binds: what was given
/// on it is about its purpose, recipient and categories only, and holds for no longer than it says.
pub(crate) fn held_by_form(
    rules: &Rules,
    form: &Slug,
    (purpose, recipient, category): (&Slug, &Slug, Category),
    (given_at, until): (UtcMicros, UtcMicros),
) -> Result<UtcMicros, Reason> {
    let Some(form) = rules.form(form) else { return Ok(until) };
    let about =
        form.purpose == *purpose && form.recipient == *recipient && form.categories.contains(&category);
    if about { Ok(until.min(form.valid.after(given_at, rules.zone()))) } else { Err(Reason::ConsentMissing) }
}

/// The exceptions that lift all restrictions of the asset and of anybody linked for a flow: entry
/// and end of each, each once. One restriction without an exception is enough to stop the flow.
pub(crate) fn excepted(
    facts: &Facts,
    (flow, purpose, asset): (&Slug, &Slug, AssetId),
    subjects: &[(Role, SubjectId)],
    now: UtcMicros,
) -> Result<Vec<(EntryHash, UtcMicros)>, Reason> {
    let mut exceptions = Vec::new();
    let people = subjects.iter().map(|(_, subject)| Whom::Subject(*subject));
    for whom in people.chain([Whom::Asset(asset)]) {
        for restriction in facts.restrictions(whom, purpose, now) {
            let lifted = facts.restriction_excepted(restriction, asset, purpose, flow, now);
            let exception = lifted.ok_or(Reason::Restricted)?;
            if !exceptions.contains(&exception) {
                exceptions.push(exception);
            }
        }
    }
    Ok(exceptions)
}

/// Objections of anybody linked. Against marketing and profiling they are absolute; against a
/// purpose they count where GDPR Art. 21 gives them: legitimate interest and public task.
pub(crate) fn objections(
    facts: &Facts,
    flow: &Flow,
    subjects: &[(Role, SubjectId)],
    now: UtcMicros,
) -> Result<(), Reason> {
    let mut against = Vec::new();
    if flow.marketing {
        against.push(Against::Marketing);
    }
    if flow.profiling {
        against.push(Against::Profiling);
    }
    if matches!(flow.basis, LegalBasis::LegitimateInterest | LegalBasis::PublicTask) {
        against.push(Against::Purpose(flow.purpose.clone()));
    }
    let mut pending = false;
    for (_, subject) in subjects {
        for against in &against {
            match facts.objection(*subject, against, now) {
                Objected::Upheld { .. } => return Err(Reason::ObjectionUpheld),
                Objected::Pending { .. } => pending = true,
                Objected::No => {}
            }
        }
    }
    if pending { Err(Reason::ObjectionPending) } else { Ok(()) }
}
