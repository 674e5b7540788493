//! Gateways at their stations, and keys of recipients.

use super::{
    Facts,
    history::{Book, Filed, Item},
};
use crate::{
    EnrolmentEnded, GatewayEnrolled, GatewayRevoked, RecipientKeyActivated, RecipientKeyRevoked, StationRef,
};
use std::collections::BTreeMap;
use vernport_crypto::{VerifyingKey, WrappingKey};
use vernport_types::{AssetId, EntryHash, KeyId, Slug, UtcMicros};

/// How many days a device key counts on after the gateway was enrolled with another: what it signed
/// before may wait in a queue or be parked.
pub const DEVICE_KEY_OVERLAP_DAYS: i64 = 30;

/// Enrolments by gateway, keys by recipient and purpose.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places {
    enrolled: Book<Slug, Said>,
    keys: Book<(Slug, Slug), WrappingKey>,
    revoked: Book<KeyId, ()>,
}

/// What was said of a gateway.
#[derive(Debug, Clone)]
enum Said {
    Enrolled(GatewayEnrolled),
    Ended,
    Revoked,
}

/// How the enrolment of a gateway stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnrolmentState {
    /// It is enrolled.
    Enrolled,
    /// Its enrolment ended: what it sealed before is still taken.
    Ended,
    /// It is in wrong hands: nothing is taken from it.
    Revoked,
}

/// A gateway that was enrolled at some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayFacts {
    /// How its enrolment stands.
    pub state: EnrolmentState,
    /// Where it stands, or stood last.
    pub station: StationRef,
    /// The entry that enrolled it last.
    pub entry: EntryHash,
    /// When that happened.
    pub enrolled_at: UtcMicros,
    /// When the last thing about it was recorded.
    pub said_at: UtcMicros,
}

/// A gateway that is enrolled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolmentFacts {
    /// Which gateway.
    pub gateway: Slug,
    /// Where it stands.
    pub station: StationRef,
    /// The key it signs with.
    pub device_key: VerifyingKey,
    /// The asset it is mounted in.
    pub pinned: Option<AssetId>,
    /// The entry that enrolled it.
    pub entry: EntryHash,
}

impl Places {
    pub(crate) fn enrol(&mut self, enrolled: &GatewayEnrolled, filed: &Filed) {
        self.enrolled.file(enrolled.gateway.clone(), filed.item(Said::Enrolled(enrolled.clone())));
    }

    pub(crate) fn end(&mut self, ended: &EnrolmentEnded, filed: &Filed) {
        self.enrolled.file(ended.gateway.clone(), filed.item(Said::Ended));
    }

    pub(crate) fn revoke_gateway(&mut self, revoked: &GatewayRevoked, filed: &Filed) {
        self.enrolled.file(revoked.gateway.clone(), filed.item(Said::Revoked));
    }

    pub(crate) fn activate(&mut self, key: &RecipientKeyActivated, filed: &Filed) {
        self.keys.file((key.recipient.clone(), key.purpose.clone()), filed.item(key.key));
    }

    pub(crate) fn revoke(&mut self, key: &RecipientKeyRevoked, filed: &Filed) {
        self.revoked.file(key.key, filed.item(()));
    }
}

impl Facts {
    /// The enrolment of a gateway, if it is enrolled now.
    pub fn enrolment(&self, gateway: &Slug, now: UtcMicros) -> Option<EnrolmentFacts> {
        let last = self
            .places
            .enrolled
            .of(gateway)
            .filter(|item| self.voids.counts(item, now))
            .max_by_key(|item| item.place())?;
        let Said::Enrolled(enrolled) = last.says.clone() else { return None };
        Some(EnrolmentFacts {
            gateway: enrolled.gateway,
            station: enrolled.station,
            device_key: enrolled.device_key,
            pinned: enrolled.pinned,
            entry: last.entry,
        })
    }

    /// A gateway, if it was ever enrolled.
    pub fn gateway(&self, gateway: &Slug, now: UtcMicros) -> Option<GatewayFacts> {
        let said = || self.places.enrolled.of(gateway).filter(|item| self.voids.counts(item, now));
        let last = said().max_by_key(|item| item.place())?;
        let enrolments = said().filter_map(|item| match &item.says {
            Said::Enrolled(enrolled) => Some((item, enrolled)),
            Said::Ended | Said::Revoked => None,
        });
        let (item, enrolled) = enrolments.max_by_key(|(item, _)| item.place())?;
        let state = match last.says {
            Said::Enrolled(_) => EnrolmentState::Enrolled,
            Said::Ended => EnrolmentState::Ended,
            Said::Revoked => EnrolmentState::Revoked,
        };
        Some(GatewayFacts {
            state,
            station: enrolled.station.clone(),
            entry: item.entry,
            enrolled_at: item.occurred,
            said_at: said().map(|item| item.recorded).max()?,
        })
    }

    /// The keys whose signatures count as those of a gateway now, the present one first: the key of its last
    /// enrolment, whether or not that has ended, and those before it that another took the place of
    /// at most [`DEVICE_KEY_OVERLAP_DAYS`] ago. An enrolment that was ended takes the keys before the
    /// next one with it at once; a gateway that was revoked has none.
    pub fn device_keys(&self, gateway: &Slug, now: UtcMicros) -> Vec<VerifyingKey> {
        let enrolled = self.places.enrolled.of(gateway).filter(|item| self.voids.counts(item, now));
        let mut items: Vec<_> = enrolled.collect();
        items.sort_by_key(|item| std::cmp::Reverse(item.place()));
        let mut keys = Vec::new();
        let mut replaced: Option<UtcMicros> = None;
        for item in items {
            match (&item.says, replaced) {
                (Said::Ended, None) => {}
                (Said::Revoked, _) | (Said::Ended, Some(_)) => break,
                (Said::Enrolled(enrolled), None) => keys.push(enrolled.device_key),
                (Said::Enrolled(enrolled), Some(at)) => {
                    let until = at.plus_seconds(DEVICE_KEY_OVERLAP_DAYS * 24 * 3600);
                    if now < until && !keys.contains(&enrolled.device_key) {
                        keys.push(enrolled.device_key);
                    }
                }
            }
            if matches!(item.says, Said::Enrolled(_)) {
                replaced = Some(item.recorded);
            }
        }
        keys
    }

    /// The gateways that are enrolled at a station now, by name.
    pub fn enrolments_at(&self, station: &StationRef, now: UtcMicros) -> Vec<EnrolmentFacts> {
        let mut at: Vec<_> = self.enrolments(now).filter(|enrolment| enrolment.station == *station).collect();
        at.sort_by(|one, other| one.gateway.cmp(&other.gateway));
        at
    }

    /// All gateways that are enrolled now, in no telling order.
    pub(super) fn enrolments(&self, now: UtcMicros) -> impl Iterator<Item = EnrolmentFacts> {
        self.places.enrolled.keys().filter_map(move |gateway| self.enrolment(gateway, now))
    }

    /// Whether a key was revoked, at whatever time.
    pub(super) fn is_revoked(&self, key: &KeyId) -> bool {
        self.places.revoked.of(key).any(|item| self.voids.at(&item.entry).is_none())
    }

    /// The keys of a recipient that are in use for a purpose now, with the
    /// entries that activated them, by key id. A revoked key never comes back.
    pub fn recipient_keys(
        &self,
        recipient: &Slug,
        purpose: &Slug,
        now: UtcMicros,
    ) -> Vec<(WrappingKey, EntryHash)> {
        let mut active = self.active_keys(recipient, purpose, now);
        active.sort_by_key(|item| std::cmp::Reverse(item.place()));
        let keys: BTreeMap<_, _> =
            active.into_iter().map(|item| (item.says.key_id(), (item.says, item.entry))).collect();
        keys.into_values().collect()
    }

    fn active_keys(&self, recipient: &Slug, purpose: &Slug, now: UtcMicros) -> Vec<&Item<WrappingKey>> {
        let revoked = |key: &KeyId| self.places.revoked.of(key).any(|item| self.voids.counts(item, now));
        let keys = self.places.keys.of(&(recipient.clone(), purpose.clone()));
        keys.filter(|item| self.voids.counts(item, now) && !revoked(&item.says.key_id())).collect()
    }

    /// The key of a recipient that was taken into use last, of those that are in use for a purpose now.
    pub fn newest_recipient_key(
        &self,
        recipient: &Slug,
        purpose: &Slug,
        now: UtcMicros,
    ) -> Option<WrappingKey> {
        let active = self.active_keys(recipient, purpose, now).into_iter();
        active.max_by_key(|item| item.place()).map(|item| item.says)
    }
}
