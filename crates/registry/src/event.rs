//! The events of the ledger: one table of kinds, and how each reads and writes.
//!
//! Written form (frozen, decision note 0005): a JSON object with `kind` and the
//! members of its payload. A kind never changes, not even by an optional
//! member: what needs another member becomes another kind.
//!
//! A kind that this version does not know is read as [`Unknown`], so that a
//! newer central and an older one can share a ledger: it opens nothing, and if
//! it says `"closes": true` it closes the asset that it names. It cannot be
//! written by this version.

mod asset;
mod consent;
mod disclosure;
mod gateway;
mod milestone;
mod objection;
mod order;
mod processor;
mod recipient;
mod restriction;
mod retention;

pub use asset::{AssetIdentified, IdentifierEnded, Link, Merge, OwnerChanged, PrivateMode, Role, Unlink};
pub use consent::{
    Consent, MAX_CONSENT_SECONDS, Method, NoticeServed, Renewal, TextHash, Withdrawal, WithdrawalScope,
};
pub use disclosure::{DisclosureApproved, DisclosureEnded, DisclosureGround, MAX_DISCLOSURE_SECONDS};
pub use gateway::{
    EnrolmentEnded, GatewayEnrolled, GatewayRevoked, RecipientKeyActivated, RecipientKeyRevoked, StationRef,
};
pub use milestone::{Milestone, MilestoneReached};
pub use objection::{Against, Objection, ObjectionOutcome};
pub use order::{MAX_ORDER_SECONDS, ORDER_SECONDS, OrderClosed, OrderOpened};
pub(crate) use processor::CLOSED_BY;
pub use processor::{MAX_AGREEMENT_SECONDS, PROCESSOR_KINDS, ProcessorAgreed, ProcessorEnded};
pub use recipient::{PauseGround, RecipientPaused, RecipientResumed};
pub use restriction::{
    Ground, MAX_EXCEPTION_SECONDS, Restriction, RestrictionExcepted, RestrictionException, RestrictionLifted,
    RestrictionLifting, Whom,
};
pub use retention::{
    Erasure, ErasureExcepted, ErasureException, ErasureGround, HoldGround, HoldLifted, HoldScope, HoldSet,
    MAX_HOLD_SECONDS, VoidReason, Voided,
};

use crate::quiet::quiet;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::Error as _};
use serde_json::{Map, Value};
use std::fmt;
use vernport_types::{AssetId, SubjectId, UtcMicros};

/// From when on an event counts, and what voiding it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// It lets something pass: counts from the later of `occurred_at` and
    /// `recorded_at`, because before that nobody could rest on it. Voided, it
    /// never counted.
    Opens,
    /// It stops something: counts from `occurred_at`, however late it is
    /// recorded. Voided, it counts until the voiding was recorded: what was
    /// stopped in good faith is not let through afterwards.
    Closes,
    /// It tells how the world is: counts from `occurred_at`. Voided, it never counted.
    States,
}

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident($payload:ty) = $kind:literal, $effect:ident;)*) => {
        /// What happened.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Event {
            $($(#[$doc])* $name($payload),)*
            /// A kind of a newer version.
            Unknown(Unknown),
        }

        impl Event {
            /// All kinds that this version can write, in the order of the table.
            pub const KINDS: &[&str] = &[$($kind,)*];

            /// The kind, as written.
            pub fn kind(&self) -> &str {
                match self {
                    $(Self::$name(_) => $kind,)*
                    Self::Unknown(unknown) => &unknown.kind,
                }
            }

            /// From when on the event counts.
            pub fn effect(&self) -> Effect {
                match self {
                    $(Self::$name(_) => Effect::$effect,)*
                    Self::Unknown(_) => Effect::Closes,
                }
            }

            /// All members but `kind`.
            fn payload(&self) -> Result<Value, serde_json::Error> {
                match self {
                    $(Self::$name(payload) => serde_json::to_value(payload),)*
                    Self::Unknown(unknown) => Ok(Value::Object(unknown.members.clone())),
                }
            }

            fn from_parts(kind: String, members: Map<String, Value>) -> Result<Self, serde_json::Error> {
                Ok(match kind.as_str() {
                    $($kind => Self::$name(serde_json::from_value(Value::Object(members))?),)*
                    _ => Self::Unknown(Unknown { kind, members }),
                })
            }
        }
    };
}

events! {
    /// A notice was served: from here on what it lists may be read.
    NoticeServed(NoticeServed) = "notice-served", Opens;
    /// A person consented.
    ConsentGiven(Consent) = "consent-given", Opens;
    /// A person consented again before or after the old consent ran out.
    ConsentRenewed(Renewal) = "consent-renewed", Opens;
    /// A person withdrew consent.
    ConsentWithdrawn(Withdrawal) = "consent-withdrawn", Closes;
    /// A person objected (GDPR Art. 21).
    ObjectionRaised(Objection) = "objection-raised", Closes;
    /// It was weighed, and the grounds of the controller prevail.
    ObjectionWeighed(ObjectionOutcome) = "objection-weighed", Opens;
    /// It was weighed and stands.
    ObjectionUpheld(ObjectionOutcome) = "objection-upheld", Closes;
    /// Processing was restricted (GDPR Art. 18).
    RestrictionSet(Restriction) = "restriction-set", Closes;
    /// The person was told that the restriction will be lifted.
    RestrictionLiftingAnnounced(RestrictionLifting) = "restriction-lifting-announced", Opens;
    /// The restriction was lifted.
    RestrictionLifted(RestrictionLifted) = "restriction-lifted", Opens;
    /// A vehicle was handed in: a work order is open.
    OrderOpened(OrderOpened) = "order-opened", Opens;
    /// It was handed back.
    OrderClosed(OrderClosed) = "order-closed", Closes;
    /// An asset has an identifier.
    AssetIdentified(AssetIdentified) = "asset-identified", States;
    /// It no longer has it (a plate was changed).
    IdentifierEnded(IdentifierEnded) = "identifier-ended", States;
    /// A person has a role towards an asset.
    Linked(Link) = "linked", States;
    /// A person no longer has it.
    Unlinked(Unlink) = "unlinked", States;
    /// An asset was sold: every link to it ends, the new owners are linked.
    OwnerChanged(OwnerChanged) = "owner-changed", States;
    /// Two pseudonyms turned out to be one person.
    SubjectMerged(Merge<SubjectId>) = "subject-merged", States;
    /// Two asset ids turned out to be one asset.
    AssetMerged(Merge<AssetId>) = "asset-merged", States;
    /// The driver switched to private.
    PrivateModeStarted(PrivateMode) = "private-mode-started", Closes;
    /// And back.
    PrivateModeEnded(PrivateMode) = "private-mode-ended", Opens;
    /// A gateway was enrolled at a station.
    GatewayEnrolled(GatewayEnrolled) = "gateway-enrolled", Opens;
    /// Its enrolment ended.
    EnrolmentEnded(EnrolmentEnded) = "enrolment-ended", Closes;
    /// A recipient's public key for one purpose is in use.
    RecipientKeyActivated(RecipientKeyActivated) = "recipient-key-activated", Opens;
    /// It is in use no longer, and never again.
    RecipientKeyRevoked(RecipientKeyRevoked) = "recipient-key-revoked", Closes;
    /// Something must not be deleted until a date.
    HoldSet(HoldSet) = "hold-set", Closes;
    /// The hold ended early.
    HoldLifted(HoldLifted) = "hold-lifted", Opens;
    /// What was kept about somebody or something up to now is to be erased.
    ErasureOrdered(Erasure) = "erasure-ordered", Closes;
    /// An entry was a mistake: what it opened never had a basis.
    Voided(Voided) = "voided", States;
    /// Something happened from which a period runs, or an account began or ended.
    MilestoneReached(MilestoneReached) = "milestone-reached", States;
    /// Two people approved that an authority gets something.
    DisclosureApproved(DisclosureApproved) = "disclosure-approved", Opens;
    /// The disclosure ended early.
    DisclosureEnded(DisclosureEnded) = "disclosure-ended", Closes;
    /// Something may be used in spite of a restriction (GDPR Art. 18(2)).
    RestrictionExcepted(RestrictionExcepted) = "restriction-excepted", Opens;
    /// Something is kept in spite of an order to erase (GDPR Art. 17(3)): it
    /// stops a deletion, as a hold does.
    ErasureExcepted(ErasureExcepted) = "erasure-excepted", Closes;
    /// Another firm's system may record for this controller (GDPR Art. 28).
    ProcessorAgreed(ProcessorAgreed) = "processor-agreed", Opens;
    /// It may do so no longer.
    ProcessorEnded(ProcessorEnded) = "processor-ended", Closes;
    /// A gateway is in wrong hands: its enrolment ended, and nothing that it says counts any more.
    GatewayRevoked(GatewayRevoked) = "gateway-revoked", Closes;
    /// A recipient gets nothing for a purpose until that is lifted.
    RecipientPaused(RecipientPaused) = "recipient-paused", Closes;
    /// It was lifted.
    RecipientResumed(RecipientResumed) = "recipient-resumed", Opens;
}

impl Event {
    /// The first moment at which what it says ends by itself, where it says when.
    pub fn ends(&self) -> Option<UtcMicros> {
        match self {
            Self::ConsentGiven(consent) => Some(consent.valid_until),
            Self::ConsentRenewed(renewal) => Some(renewal.consent.valid_until),
            Self::OrderOpened(order) => Some(order.expires_at),
            Self::Linked(link) => link.until,
            Self::HoldSet(hold) => Some(hold.until),
            Self::DisclosureApproved(approved) => Some(approved.until),
            Self::RestrictionExcepted(excepted) => Some(excepted.until),
            Self::ErasureExcepted(excepted) => Some(excepted.until),
            Self::ProcessorAgreed(agreed) => Some(agreed.until),
            Self::NoticeServed(_)
            | Self::ConsentWithdrawn(_)
            | Self::ObjectionRaised(_)
            | Self::ObjectionWeighed(_)
            | Self::ObjectionUpheld(_)
            | Self::RestrictionSet(_)
            | Self::RestrictionLiftingAnnounced(_)
            | Self::RestrictionLifted(_)
            | Self::OrderClosed(_)
            | Self::AssetIdentified(_)
            | Self::IdentifierEnded(_)
            | Self::Unlinked(_)
            | Self::OwnerChanged(_)
            | Self::SubjectMerged(_)
            | Self::AssetMerged(_)
            | Self::PrivateModeStarted(_)
            | Self::PrivateModeEnded(_)
            | Self::GatewayEnrolled(_)
            | Self::EnrolmentEnded(_)
            | Self::GatewayRevoked(_)
            | Self::RecipientKeyActivated(_)
            | Self::RecipientKeyRevoked(_)
            | Self::RecipientPaused(_)
            | Self::RecipientResumed(_)
            | Self::HoldLifted(_)
            | Self::ErasureOrdered(_)
            | Self::Voided(_)
            | Self::MilestoneReached(_)
            | Self::DisclosureEnded(_)
            | Self::ProcessorEnded(_)
            | Self::Unknown(_) => None,
        }
    }
}

/// An event of a kind that this version does not know. `Debug` shows the kind only.
#[derive(Clone, PartialEq, Eq)]
pub struct Unknown {
    kind: String,
    members: Map<String, Value>,
}

impl Unknown {
    /// Whether it closes something. A newer version writes `"closes": true`
    /// into every event that has to close something for older ones.
    pub fn closes(&self) -> bool {
        self.members.get("closes").is_some_and(|closes| *closes != Value::Bool(false))
    }

    /// What it closes: `"asset"`. None if it names no asset that can be read:
    /// then it closes every asset of the controller.
    pub fn asset(&self) -> Option<AssetId> {
        self.members.get("asset")?.as_str()?.parse().ok()
    }
}

impl fmt::Debug for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unknown").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut payload = self.payload().map_err(S::Error::custom)?;
        let members = payload.as_object_mut().ok_or_else(|| S::Error::custom("a payload is an object"))?;
        members.insert("kind".into(), self.kind().into());
        payload.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EventVisitor)
    }
}

/// Collects the members and refuses a second one of the same name, so that no
/// two readers of one text can see two different events.
struct EventVisitor;

impl<'de> de::Visitor<'de> for EventVisitor {
    type Value = Event;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event: an object with `kind`")
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Event, A::Error> {
        let mut members = Map::new();
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            if members.contains_key(&name) {
                return Err(de::Error::custom("an event has a member twice"));
            }
            members.insert(name, value);
        }
        match members.remove("kind") {
            Some(Value::String(kind)) => {
                // Fails for known kinds only, so the kind can be named.
                let context = kind.clone();
                Event::from_parts(kind, members)
                    .map_err(|e| de::Error::custom(format!("{context}: {}", quiet(&e.to_string()))))
            }
            _ => Err(de::Error::missing_field("kind")),
        }
    }
}
