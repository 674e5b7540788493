//! Flows as checked rules: the unit of every decision.

use crate::{Minimiser, Period, RetentionGround, Sources};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use vernport_registry::{DisclosureGround, Role};
use vernport_types::{Category, Identification, LegalBasis, SignalId, Slug, UtcMicros};

/// The place of a flow in its bundle, below [`FlowIndex::COUNT_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowIndex(pub u8);

impl FlowIndex {
    /// How many flows a bundle may have: one bit each in 128.
    pub const COUNT_MAX: u8 = 128;

    /// The bit of this flow in a mask.
    pub(crate) const fn bit(self) -> u128 {
        1 << self.0
    }

    /// The first flow of a mask that is not empty.
    #[inline]
    pub(crate) const fn first_of(mask: u128) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "below 128")]
        Self(mask.trailing_zeros() as u8)
    }

    /// The place as a number to index with.
    pub const fn place(self) -> usize {
        self.0 as usize
    }
}

/// When a flow can be open at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Window {
    /// Between hand-in and hand-back.
    Order,
    /// As long as the asset is linked to the controller.
    Link,
    /// As long as an owner or orderer has an account.
    Account,
    /// While a disclosure to an authority is approved.
    Disclosure,
}

impl Window {
    /// The written form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Link => "link",
            Self::Account => "account",
            Self::Disclosure => "disclosure",
        }
    }
}

/// How often a flow takes a signal of an asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sampling {
    /// Each reading.
    Every,
    /// Once for each work order.
    PerOrder,
    /// Once in so many microseconds.
    Interval(i64),
}

/// How a topic message is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Payload {
    /// Readable for everyone whom the broker lets subscribe.
    Plain,
    /// An envelope for the recipient.
    Sealed,
}

/// The topics that a flow goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicForm {
    /// The fleet operator: the recipient of the flow.
    pub operator: Slug,
    /// How messages are written.
    pub payload: Payload,
}

/// Where releases of a flow go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deliver {
    /// To the central store.
    pub store: bool,
    /// To the fleet operator's topics.
    pub topic: Option<TopicForm>,
}

/// How long releases of a flow are kept.
#[derive(Debug, Clone)]
pub struct Retention {
    /// The rule of the bundle.
    pub rule: Slug,
    /// The event that the period starts with; central knows when it was.
    pub start: Slug,
    /// How long after that event.
    pub period: Period,
    /// Why it is kept.
    pub ground: RetentionGround,
    /// The cap: no later than this after the reading, whether the event came or not.
    pub at_most: Period,
    pub(crate) zone: TimeZone,
}

impl Retention {
    /// The latest time to which something read at `now` may be kept.
    pub fn latest_due(&self, now: UtcMicros) -> UtcMicros {
        self.at_most.after(now, &self.zone)
    }

    /// When something was read that has this latest time, as far as that can be told, from
    /// `earliest` to `latest`: it was read no earlier than this where the rule was the same.
    pub fn read_at(&self, latest_due: UtcMicros, earliest: UtcMicros, latest: UtcMicros) -> UtcMicros {
        let (mut low, mut high) = (earliest.0, latest.0.max(earliest.0));
        // The first moment whose latest time is no earlier: halved, since later readings are due no earlier.
        while low < high {
            let middle = low + (high - low) / 2;
            if self.latest_due(UtcMicros(middle)) < latest_due {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        UtcMicros(low)
    }
}

/// One flow: purpose, recipient, signals, how each is minimised, how long it is kept.
#[derive(Debug, Clone)]
pub struct Flow {
    /// Its place.
    pub index: FlowIndex,
    /// Its name.
    pub slug: Slug,
    /// The purpose of the bundle.
    pub purpose: Slug,
    /// The purpose as DPV 2.3 names it.
    pub purpose_iri: String,
    /// Whether the purpose is marketing: an objection against it is absolute.
    pub marketing: bool,
    /// Whether the purpose is profiling: an objection against it is absolute.
    pub profiling: bool,
    /// The recipient of the bundle.
    pub recipient: Slug,
    /// The legal basis of the purpose.
    pub basis: LegalBasis,
    /// The clauses that it follows.
    pub clauses: Vec<String>,
    /// Whether no notice states it.
    pub assumed: bool,
    /// The version of the notice that first told of it: closed until that one or a later one is served.
    pub notice: Slug,
    /// The place of that version among the notices.
    pub(crate) notice_place: usize,
    /// Where its data is taken from.
    pub sources: Sources,
    /// Whether an owner or orderer needs an account.
    pub account: bool,
    /// On which grounds something may be disclosed; none but for an authority.
    pub grounds: Vec<DisclosureGround>,
    /// Whether a station alone may open it.
    pub offline: bool,
    /// Where releases go.
    pub deliver: Deliver,
    /// How long they are kept.
    pub retention: Retention,
    /// The weakest identification that it accepts.
    pub weakest: Identification,
    /// When it can be open at all.
    pub window: Window,
    /// Whose consent counts: of each role at least one person, and all of them.
    pub roles: Vec<Role>,
    /// Whether private mode closes it.
    pub private_mode: bool,
    /// The signals and how each is minimised, by signal.
    pub signals: Vec<(SignalId, Minimiser)>,
    /// The categories of those signals, each once.
    pub categories: Vec<Category>,
    /// How often a signal is taken.
    pub sampling: Sampling,
    /// Times are cut down to whole multiples of this; 0 leaves them.
    pub time_step_micros: i64,
    /// How long an opening is believed after a head; none where the basis does not change from afar.
    pub lease_seconds: Option<u32>,
}

impl Flow {
    /// Whether it is open only while a work order is.
    pub fn needs_order(&self) -> bool {
        self.window == Window::Order
    }

    /// How a signal is minimised, if the flow names it.
    pub fn minimiser(&self, signal: SignalId) -> Option<Minimiser> {
        let found = self.signals.binary_search_by_key(&signal, |(id, _)| *id).ok()?;
        Some(self.signals[found].1)
    }
}

/// The longest lease that a basis allows, in seconds: our assumption.
pub(crate) const fn longest_lease_seconds(basis: LegalBasis) -> Option<u32> {
    match basis {
        LegalBasis::Consent
        | LegalBasis::LegitimateInterest
        | LegalBasis::PublicTask
        | LegalBasis::VitalInterest => Some(300),
        LegalBasis::Contract | LegalBasis::LegalObligation => None,
    }
}

/// Categories that tell of the driver, whoever owns the vehicle.
pub(crate) const fn tells_of_driver(category: Category) -> bool {
    matches!(category, Category::Location | Category::DrivingBehaviour | Category::DriverIdentity)
}
