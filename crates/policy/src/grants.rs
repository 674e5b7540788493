//! Facts and rules to grants: which flows are open for which asset now, and why
//! the others are not. Pure: ids and aliases are drawn by [`Tables`].
//!
//! The questions, in this order; the first that fails gives the reason:
//! 1. Does the notice in force tell of the flow, and list all that it reads?
//! 2. May the machines run and the recipient receive: agreements, transfer tool, no pause, active key?
//! 3. Does nobody stop it: restriction without an exception, objection, private mode?
//! 4. Is its window open: a work order, an account, a disclosure?
//! 5. Is the basis in force: for consent, of everybody in every role that the flow names?
//!
//! What was opened is remembered as an [`Opening`]; [`crate::may_be_sent`] asks again,
//! by its own basis, when its batches are to be sent or stored.

use crate::{
    Believe, ClosedGrant, Flow, FlowGrant, Grant, GrantId, Notice, Opening, RecipientKey, Rules, ServedWhen,
    Snapshot, Window,
    head::MAX_BELIEF_SECONDS,
    may_be_sent,
    opening::{Consented, excepted, objections},
};
use jiff::Timestamp;
use std::cmp::Reverse;
use vernport_crypto::WrappingKey;
use vernport_registry::{Facts, Linked, Role, StationRef, Whom};
use vernport_types::{
    AssetId, EntryHash, LegalBasis, OrderId, Reason, Slug, SubjectId, UtcMicros, VehicleAlias,
};

const DAY_MICROS: i64 = 86_400 * 1_000_000;

/// Where random values come from. The same question always gets the same answer.
pub trait Tables {
    /// The id of an opening, by [`Opening::key`]; drawn and kept with the opening when it is new.
    /// A state of things that comes back (a restriction was lifted) has the id that it had.
    fn grant_id(&mut self, opening: &Opening) -> GrantId;

    /// What an asset is called towards a recipient for a purpose in a calendar year.
    fn alias(&mut self, asset: AssetId, recipient: &Slug, purpose: &Slug, year: i16) -> VehicleAlias;
}

/// The grants of all assets that a station may meet: with an order open there,
/// or carrying a gateway that is enrolled there. By asset.
pub fn grants(
    facts: &Facts,
    rules: &Rules,
    at: &StationRef,
    now: UtcMicros,
    tables: &mut dyn Tables,
) -> Vec<Grant> {
    facts
        .assets_of_interest(at, now)
        .into_iter()
        .map(|asset| Asked { facts, rules, at, asset, now }.grant(tables))
        .collect()
}

/// Whom a snapshot is for.
#[derive(Debug, Clone)]
pub struct SnapshotFor {
    /// The gateway.
    pub gateway: Slug,
    /// Where it stands.
    pub at: StationRef,
    /// The controller's recovery key.
    pub recovery: WrappingKey,
    /// Openings that are over and may still have batches on the way, each with its [`crate::closing_reason`].
    pub closed: Vec<ClosedGrant>,
}

/// All that holds for a gateway now, as a head names it.
pub fn snapshot(
    facts: &Facts,
    rules: &Rules,
    whom: SnapshotFor,
    now: UtcMicros,
    tables: &mut dyn Tables,
) -> Snapshot {
    let grants = grants(facts, rules, &whom.at, now, tables);
    let mut recipient_keys = Vec::new();
    for flow in rules.flows() {
        for (key, _) in facts.recipient_keys(&flow.recipient, &flow.purpose, now) {
            let entry =
                RecipientKey { recipient: flow.recipient.clone(), purpose: flow.purpose.clone(), key };
            if !recipient_keys.contains(&entry) {
                recipient_keys.push(entry);
            }
        }
    }
    Snapshot {
        format: Snapshot::FORMAT,
        controller: rules.controller().clone(),
        gateway: whom.gateway,
        bundle_hash: rules.hash(),
        identify_open: identify_open(rules, &grants),
        grants,
        closed: whom.closed,
        recipient_keys,
        recovery: whom.recovery,
    }
}

/// One asset at one station at one time.
pub(crate) struct Asked<'a> {
    pub(crate) facts: &'a Facts,
    pub(crate) rules: &'a Rules,
    pub(crate) at: &'a StationRef,
    pub(crate) asset: AssetId,
    pub(crate) now: UtcMicros,
}

/// The earliest end of all that an opening rests on.
struct Ends {
    until: UtcMicros,
    as_reason: Reason,
}

impl Ends {
    fn by(&mut self, until: UtcMicros, as_reason: Reason) {
        if until < self.until {
            *self = Self { until, as_reason };
        }
    }
}

impl Asked<'_> {
    pub(crate) fn grant(&self, tables: &mut dyn Tables) -> Grant {
        let order = self.facts.open_order(self.asset, Some(self.at), self.now);
        let mut grant = Grant {
            asset: self.asset,
            identifiers: self.facts.identifiers(self.asset, self.now).into_iter().collect(),
            order: order.as_ref().map(|order| order.id),
            flows: Vec::new(),
            closed: Vec::new(),
        };
        for flow in self.rules.flows() {
            match self.open(flow, tables) {
                Ok(opened) => grant.flows.push(opened),
                Err(reason) => grant.closed.push((flow.slug.clone(), reason)),
            }
        }
        grant
    }

    pub(crate) fn open(&self, flow: &Flow, tables: &mut dyn Tables) -> Result<FlowGrant, Reason> {
        let Self { facts, rules, asset, now, .. } = *self;
        let mut ends =
            Ends { until: day(now).plus_seconds(MAX_BELIEF_SECONDS), as_reason: Reason::GrantStale };
        let linked = |role: &Role| {
            let role = *role;
            facts.subjects(asset, role, now).into_iter().map(move |linked| (role, linked))
        };
        let linked: Vec<_> = Role::ALL.iter().flat_map(linked).collect();
        let subjects: Vec<_> = linked.iter().map(|(role, linked)| (*role, linked.subject)).collect();
        let mut rests_on = self.notice(flow, &subjects)?;
        self.recipient(flow, &mut ends)?;
        // Asked before the window: a station may open an order by itself, and has to know what that does not open.
        let exceptions = self.stops(flow, &subjects)?;
        let order = self.window(flow, &linked, &mut ends, &mut rests_on)?;
        for (exception, until) in exceptions {
            ends.by(until, Reason::Restricted);
            rests_on.push(exception);
        }
        let consented = Consented {
            asset,
            purpose: &flow.purpose,
            recipient: &flow.recipient,
            categories: &flow.categories,
        };
        for role in &flow.roles {
            let mut held = linked.iter().filter(|(held, _)| held == role).peekable();
            held.peek().ok_or(Reason::RoleMissing)?;
            for (_, linked) in held {
                rests_on.push(linked.entry);
                if let Some(until) = linked.until {
                    ends.by(until, Reason::RoleMissing);
                }
                if flow.basis == LegalBasis::Consent {
                    for (entry, until) in consented.of(facts, rules, (*role, linked.subject), now)? {
                        ends.by(until, Reason::ConsentExpired);
                        if !rests_on.contains(&entry) {
                            rests_on.push(entry);
                        }
                    }
                }
            }
        }
        let whom = subjects.iter().map(|(_, subject)| Whom::Subject(*subject)).chain([Whom::Asset(asset)]);
        let erasures = whom.filter_map(|whom| facts.erasure(whom, &flow.purpose, now)).map(|(e, _)| e);
        let alias = tables.alias(asset, &flow.recipient, &flow.purpose, alias_year(rules, now));
        let opening = Opening {
            asset,
            flow: flow.slug.clone(),
            purpose: flow.purpose.clone(),
            recipient: flow.recipient.clone(),
            basis: flow.basis,
            categories: flow.categories.clone(),
            order,
            alias,
            consent_of: if flow.basis == LegalBasis::Consent { flow.roles.clone() } else { Vec::new() },
            erasures: erasures.collect(),
            subjects,
            rests_on,
        };
        debug_assert_eq!(may_be_sent(facts, rules, &opening, now), Ok(()), "what opens may be sent");
        Ok(FlowGrant {
            flow: flow.slug.clone(),
            id: tables.grant_id(&opening),
            basis: flow.basis,
            believe: Believe {
                lease_seconds: flow.lease_seconds,
                until: ends.until,
                ends_as: ends.as_reason,
            },
            alias,
            rests_on: opening.rests_on,
        })
    }

    /// The entries by which the notice in force was served: of the versions served, the newest.
    fn notice(&self, flow: &Flow, subjects: &[(Role, SubjectId)]) -> Result<Vec<EntryHash>, Reason> {
        let lists = |notice: &Notice| flow.categories.iter().all(|c| notice.categories.contains(c));
        let served = self.rules.notices().iter().enumerate().rev().find_map(|(place, notice)| {
            let entries = self.served(notice, subjects)?;
            Some((place, notice, entries))
        });
        match served {
            Some((place, notice, entries)) if flow.notice_place <= place && lists(notice) => Ok(entries),
            // A newer version tells of it, and waits to be served.
            _ if self.rules.notices().last().is_some_and(lists) => Err(Reason::NoticeNotServed),
            _ => Err(Reason::CategoryNotInNotice),
        }
    }

    /// The entries by which one version was served: published, or told to everybody linked.
    /// Where nobody is linked there is nobody to tell, and publishing it is enough.
    fn served(&self, notice: &Notice, subjects: &[(Role, SubjectId)]) -> Option<Vec<EntryHash>> {
        let version = notice.version.as_str();
        if notice.served_when == ServedWhen::Recorded || subjects.is_empty() {
            return self.facts.notice_served(version, self.now).map(|entry| vec![entry]);
        }
        let mut entries = Vec::new();
        for (_, subject) in subjects {
            let entry = self.facts.notice_told(version, *subject, self.now)?;
            if !entries.contains(&entry) {
                entries.push(entry);
            }
        }
        Some(entries)
    }

    /// Whether the flow can be open at all now; the work order, where it needs one.
    fn window(
        &self,
        flow: &Flow,
        linked: &[(Role, Linked)],
        ends: &mut Ends,
        rests_on: &mut Vec<EntryHash>,
    ) -> Result<Option<OrderId>, Reason> {
        let Self { facts, asset, now, .. } = *self;
        let mut order = None;
        match flow.window {
            Window::Order => {
                let open = facts.open_order(asset, Some(self.at), now).ok_or(Reason::OrderNotOpen)?;
                ends.by(open.expires, Reason::OrderNotOpen);
                rests_on.push(open.entry);
                order = Some(open.id);
            }
            Window::Disclosure => {
                let fits = |ground| flow.grounds.contains(&ground);
                let open =
                    facts.disclosure_on(asset, &flow.slug, fits, now).ok_or(Reason::DisclosureNotOpen)?;
                ends.by(open.until, Reason::DisclosureNotOpen);
                rests_on.push(open.entry);
            }
            Window::Link | Window::Account => {}
        }
        if flow.account {
            let holders = linked.iter().filter(|(role, _)| matches!(role, Role::Owner | Role::Orderer));
            let holder =
                |(_, linked): &(Role, Linked)| Some((facts.account(linked.subject, now)?, linked.until));
            // Of several the one that stays longest, then the first: what opens does not change with the asking.
            let held = holders
                .filter_map(holder)
                .max_by_key(|(entry, until)| (until.unwrap_or(UtcMicros(i64::MAX)), Reverse(*entry)));
            let (entry, until) = held.ok_or(Reason::AccountNotOpen)?;
            if let Some(until) = until {
                ends.by(until, Reason::AccountNotOpen);
            }
            rests_on.push(entry);
        }
        Ok(order)
    }

    fn recipient(&self, flow: &Flow, ends: &mut Ends) -> Result<(), Reason> {
        if let Some(agreement) = self.rules.hosting().and_then(|hosting| hosting.agreement.as_ref()) {
            agreement.allowed(self.now)?;
            ends.by(agreement.ends(), Reason::AgreementMissing);
        }
        let recipient = self.rules.recipient(&flow.recipient).ok_or(Reason::AgreementMissing)?;
        recipient.allowed(self.now)?;
        if let Some((until, reason)) = recipient.ends() {
            ends.by(until, reason);
        }
        if self.facts.paused(&flow.recipient, &flow.purpose, self.now).is_some() {
            return Err(Reason::RecipientPaused);
        }
        if self.facts.recipient_keys(&flow.recipient, &flow.purpose, self.now).is_empty() {
            return Err(Reason::RecipientKeyMissing);
        }
        Ok(())
    }

    /// What a person or a newer version has stopped. Gives the exceptions that lift restrictions,
    /// entry and end of each.
    fn stops(
        &self,
        flow: &Flow,
        subjects: &[(Role, SubjectId)],
    ) -> Result<Vec<(EntryHash, UtcMicros)>, Reason> {
        if self.facts.closed_by_unknown(self.asset, self.now).is_some() {
            return Err(Reason::RuleBroken);
        }
        let exceptions = excepted(self.facts, (&flow.slug, &flow.purpose, self.asset), subjects, self.now)?;
        objections(self.facts, flow, subjects, self.now)?;
        if flow.private_mode && self.facts.private_mode(self.asset, self.now).is_some() {
            return Err(Reason::PrivateMode);
        }
        Ok(exceptions)
    }
}

/// The calendar year at the controller, by which aliases change.
pub fn alias_year(rules: &Rules, now: UtcMicros) -> i16 {
    let local = Timestamp::from_microsecond(now.0).map(|now| now.to_zoned(rules.parts.zone.clone()));
    local.map_or(0, |local| local.year())
}

/// From when on what nothing is known to end is believed for [`MAX_BELIEF_SECONDS`]: counted in
/// whole days, so that a snapshot in which nothing changed stays the same for a day.
pub(crate) const fn day(now: UtcMicros) -> UtcMicros {
    now.truncated(DAY_MICROS)
}

/// Whether the VIN may be read: somebody waits for a vehicle, and the bundle says how it is recognised.
pub(crate) fn identify_open(rules: &Rules, grants: &[Grant]) -> bool {
    !grants.is_empty() && !rules.identify().is_empty()
}
