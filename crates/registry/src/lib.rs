//! The registry: what people and firms said, and what follows from it.
//!
//! ```text
//! Entry { event, actor, occurred_at, recorded_at, … }   what was said      event, entry, canonical, check
//!    │ Facts::apply                                     may it be written  facts/admit
//!    ▼
//! Facts                                                 what holds now     facts
//! ```
//!
//! Promises:
//! - Pure: no clock, no randomness, no I/O. Every question brings its own `now`.
//! - The facts are a function of the set of entries: the order in which they
//!   arrive changes no answer (`tests/model.rs`).
//! - What opens counts only from when it was recorded, what closes counts from
//!   when it occurred, however late it is recorded ([`Effect`]).
//! - National identity numbers are refused, implied consent cannot be written,
//!   and identifiers of vehicles are in the ledger as blind indexes only.
//! - The written form of an entry is frozen (decision note 0005, `golden/`).

mod canonical;
mod check;
mod entry;
mod event;
mod facts;
mod national_id;
mod quiet;
mod receipt;
mod text;
pub mod world;

pub use check::{Invalid, MAX_ENTRY_BYTES, MAX_FUTURE_SECONDS};
pub use entry::{Actor, ActorRole, ENTRY_FORMAT, Entry, EntryError};
pub use event::{
    Against, AssetIdentified, Consent, DisclosureApproved, DisclosureEnded, DisclosureGround, Effect,
    EnrolmentEnded, Erasure, ErasureExcepted, ErasureException, ErasureGround, Event, GatewayEnrolled,
    GatewayRevoked, Ground, HoldGround, HoldLifted, HoldScope, HoldSet, IdentifierEnded, Link,
    MAX_AGREEMENT_SECONDS, MAX_CONSENT_SECONDS, MAX_DISCLOSURE_SECONDS, MAX_EXCEPTION_SECONDS,
    MAX_HOLD_SECONDS, MAX_ORDER_SECONDS, Merge, Method, Milestone, MilestoneReached, NoticeServed,
    ORDER_SECONDS, Objection, ObjectionOutcome, OrderClosed, OrderOpened, OwnerChanged, PROCESSOR_KINDS,
    PauseGround, PrivateMode, ProcessorAgreed, ProcessorEnded, RecipientKeyActivated, RecipientKeyRevoked,
    RecipientPaused, RecipientResumed, Renewal, Restriction, RestrictionExcepted, RestrictionException,
    RestrictionLifted, RestrictionLifting, Role, StationRef, TextHash, Unknown, Unlink, VoidReason, Voided,
    Whom, Withdrawal, WithdrawalScope,
};
pub use facts::{
    Agreement, Applied, ConsentFacts, ConsentQuestion, ConsentState, DEVICE_KEY_OVERLAP_DAYS, Disclosed,
    EnrolmentFacts, EnrolmentState, EntryState, Facts, GatewayFacts, HoldFacts, Linked, Objected, OrderFacts,
    Refused, Touched,
};
pub use receipt::{ReceiptCode, ReceiptError};
pub use text::{Text, TextError};
