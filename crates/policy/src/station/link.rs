//! Links: what was said at a station, each signed by the gateway and tied to the
//! one before; and central's signed word on how many of them a snapshot knows.
//! Frozen bytes (decision note 0015).
//!
//! Signed bytes of a link: `"vernport link v1" 00`, then postcard of format,
//! controller, gateway, segment, sequence, previous, clock, SHA-256 of the entry's
//! canonical JSON, `stands_here` and the openings, in this order. Its name is their SHA-256.
//! Signed bytes of [`Merged`]: `"vernport merged v1" 00`, then its postcard.

use crate::GrantId;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use vernport_crypto::{Signature, SigningKey, VerifyError, VerifyingKey, hash_text, sha256};
use vernport_registry::{ActorRole, Entry, Event, StationRef, WithdrawalScope};
use vernport_types::{
    ControllerId, EntryHash, LinkHash, SegmentId, Slug, TimeQuality, UtcMicros, VehicleAlias,
};

/// The form that this version writes and reads.
const FORMAT: u16 = 1;
const LINK_TAG: &[u8] = b"vernport link v1\0";
const MERGED_TAG: &[u8] = b"vernport merged v1\0";

/// The longest order that a station opens by itself: 7 days.
pub const MAX_STATION_ORDER_SECONDS: i64 = 7 * 86_400;
/// The most flows that one link opens: as many as a bundle has.
const MAX_OPENINGS: usize = 128;

/// One flow that a station opened by itself. The gateway draws the ids: central is not there to ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StationOpening {
    /// The flow of the bundle.
    pub flow: Slug,
    /// This opening.
    pub grant: GrantId,
    /// What the asset is called towards the recipient until central says otherwise.
    pub alias: VehicleAlias,
}

/// One thing that was said at a station.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// 1 for this form.
    pub format: u16,
    /// The gateway that wrote it down.
    pub gateway: Slug,
    /// The chain it belongs to.
    pub segment: SegmentId,
    /// Its place there, from 1.
    pub sequence: u64,
    /// The link before it; zeros for the first.
    pub previous: LinkHash,
    /// How far the gateway's clock could be trusted when it was said.
    pub clock: TimeQuality,
    /// What was said, as it goes into the ledger.
    pub entry: Entry,
    /// Whether the technician says that the vehicle of the entry is the one that stands here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stands_here: bool,
    /// What it opens at once; with an order only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub openings: Vec<StationOpening>,
}

/// What is signed: the entry stands in it by its hash.
#[derive(Serialize)]
struct Signed<'a> {
    format: u16,
    controller: &'a ControllerId,
    gateway: &'a Slug,
    segment: SegmentId,
    sequence: u64,
    previous: LinkHash,
    clock: TimeQuality,
    entry: EntryHash,
    stands_here: bool,
    openings: &'a [StationOpening],
}

/// Where a chain ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tip {
    /// Which chain.
    pub segment: SegmentId,
    /// Its last place; 0: nothing was said yet.
    pub sequence: u64,
    /// Its last link; zeros where there is none.
    pub link: LinkHash,
}

impl Tip {
    /// A chain in which nothing was said yet.
    pub const fn of_new(segment: SegmentId) -> Self {
        Self { segment, sequence: 0, link: LinkHash::from_bytes([0; 32]) }
    }
}

/// Why a link says what no station may say. Repeats nothing that it says about anybody.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LinkError {
    /// A form that this version cannot read.
    #[error("link of format {0}; this version reads format 1")]
    Format(u16),
    /// Its entry does not say that this gateway wrote it down.
    #[error("the entry of a link has the gateway as its actor and as its source")]
    Actor,
    /// A station cannot say this.
    #[error("a station does not say {kind}; record it at central")]
    Kind {
        /// The kind of the event.
        kind: Box<str>,
    },
    /// An order for several vehicles, of another station, or for too long.
    #[error("a station opens orders for one vehicle, at itself, for at most {most_days} days")]
    Order {
        /// The longest order.
        most_days: i64,
    },
    /// Openings without an order, or too many, or one twice.
    #[error("a link opens at most 128 flows, each once, and with an order only")]
    Openings,
}

impl Link {
    /// The form that this version writes and reads.
    pub const FORMAT: u16 = FORMAT;

    /// The bytes that are signed.
    pub fn signed_bytes(&self) -> Vec<u8> {
        let signed = Signed {
            format: self.format,
            controller: &self.entry.controller,
            gateway: &self.gateway,
            segment: self.segment,
            sequence: self.sequence,
            previous: self.previous,
            clock: self.clock,
            entry: self.entry.hash(),
            stands_here: self.stands_here,
            openings: &self.openings,
        };
        postcard::to_extend(&signed, LINK_TAG.to_vec()).expect("ids, numbers and lists always encode")
    }

    /// Its name.
    pub fn hash(&self) -> LinkHash {
        LinkHash::from_bytes(sha256(&self.signed_bytes()))
    }

    /// The end of a chain whose last link this is.
    pub fn tip(&self) -> Tip {
        Tip { segment: self.segment, sequence: self.sequence, link: self.hash() }
    }

    /// Whether it is the next one after the end of its chain.
    pub fn follows(&self, tip: &Tip) -> bool {
        self.segment == tip.segment
            && Some(self.sequence) == tip.sequence.checked_add(1)
            && self.previous == tip.link
    }

    /// Signs it.
    pub fn sign(self, key: &SigningKey) -> SignedLink {
        SignedLink { signature: key.sign(&self.signed_bytes()), link: self }
    }

    /// Whether it says what a gateway that stands `at` a station may say.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn check(&self, at: &StationRef) -> Result<(), LinkError> {
        if self.format != FORMAT {
            return Err(LinkError::Format(self.format));
        }
        let entry = &self.entry;
        if entry.actor.role != ActorRole::Gateway
            || entry.actor.id != self.gateway
            || entry.source != self.gateway
        {
            return Err(LinkError::Actor);
        }
        let mut flows: Vec<&Slug> = self.openings.iter().map(|opening| &opening.flow).collect();
        let mut grants: Vec<GrantId> = self.openings.iter().map(|opening| opening.grant).collect();
        flows.sort_unstable();
        flows.dedup();
        grants.sort_unstable();
        grants.dedup();
        let once = flows.len() == self.openings.len() && grants.len() == self.openings.len();
        let opens = matches!(entry.event, Event::OrderOpened(_));
        if !once || self.openings.len() > MAX_OPENINGS || (!opens && !self.openings.is_empty()) {
            return Err(LinkError::Openings);
        }
        match &entry.event {
            Event::OrderOpened(order) => {
                let last = entry.occurred_at.plus_seconds(MAX_STATION_ORDER_SECONDS);
                let fits = order.assets.len() == 1 && order.station == *at && order.expires_at <= last;
                let most_days = MAX_STATION_ORDER_SECONDS / 86_400;
                if fits { Ok(()) } else { Err(LinkError::Order { most_days }) }
            }
            Event::ConsentWithdrawn(withdrawal) => match withdrawal.scope {
                WithdrawalScope::Receipt(_) | WithdrawalScope::Asset(_) => Ok(()),
                WithdrawalScope::Subject { .. } => Err(self.unsayable()),
            },
            Event::OrderClosed(_)
            | Event::AssetIdentified(_)
            | Event::PrivateModeStarted(_)
            | Event::PrivateModeEnded(_) => Ok(()),
            _ => Err(self.unsayable()),
        }
    }

    fn unsayable(&self) -> LinkError {
        LinkError::Kind { kind: self.entry.event.kind().into() }
    }

    /// When it was said.
    pub const fn said_at(&self) -> UtcMicros {
        self.entry.occurred_at
    }
}

/// A link and its signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedLink {
    /// The link.
    pub link: Link,
    /// By the gateway's device key over [`Link::signed_bytes`].
    pub signature: Signature,
}

impl SignedLink {
    /// Checks the signature.
    ///
    /// # Errors
    /// [`VerifyError`] if it is not by this key, or the link was changed.
    pub fn verify(&self, key: &VerifyingKey) -> Result<(), VerifyError> {
        key.verify(&self.link.signed_bytes(), &self.signature)
    }
}

/// Central's word that a snapshot was computed with all links of a gateway up to one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Merged {
    /// Whose links.
    pub gateway: Slug,
    /// The last one that the snapshot knows.
    pub tip: Tip,
    /// Which snapshot.
    #[serde(with = "hash_text")]
    pub snapshot_hash: [u8; 32],
}

impl Merged {
    /// The bytes that are signed.
    pub fn signed_bytes(&self) -> Vec<u8> {
        postcard::to_extend(self, MERGED_TAG.to_vec()).expect("ids and numbers always encode")
    }

    /// Signs it.
    pub fn sign(self, key: &SigningKey) -> SignedMerged {
        SignedMerged { signature: key.sign(&self.signed_bytes()), merged: self }
    }
}

/// Central's word and its signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedMerged {
    /// The word.
    pub merged: Merged,
    /// By the key of central's heads over [`Merged::signed_bytes`].
    pub signature: Signature,
}

impl SignedMerged {
    /// The end of the chain up to which a snapshot knows it, if central signed that of this snapshot.
    ///
    /// # Errors
    /// [`VerifyError`] if it is not signed by this key.
    pub fn verify(&self, key: &VerifyingKey) -> Result<&Merged, VerifyError> {
        key.verify(&self.merged.signed_bytes(), &self.signature)?;
        Ok(&self.merged)
    }
}
