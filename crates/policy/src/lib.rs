//! Bundles to rules, facts to grants, readings to releases. Pure: time comes in
//! as an argument, and there is no file, socket, clock or chance inside.
//!
//! Promises:
//! - Default is deny. What no open flow names does not pass, and every refusal
//!   is a [`vernport_types::Reason`] with the clause it follows.
//! - Only this crate builds [`Released`]; what is released is as coarse as its flow says.
//! - [`Table::decide`] allocates nothing and cannot fail.
//! - [`Snapshot`], [`Head`] and [`Grant`] have frozen bytes (`tests/golden.rs`, decision note 0004).

mod anew;
mod bundle;
mod check;
mod compile;
mod decide;
mod diff;
mod due;
mod era;
mod error;
mod flow;
mod grant;
mod grants;
mod head;
mod message;
mod minimise;
mod opening;
mod period;
mod released;
mod rules;
mod sampler;
mod signature;
mod standing;
mod station;
mod table;
mod words;

pub use anew::{Agenda, Anew};
pub use bundle::{Bundle, BundleFile, ReadBase};
pub use diff::{Change, Diff, Effect, diff};
pub use due::{Due, Kept, due};
pub use era::{Era, SignedEra};
pub use error::BundleError;
pub use flow::{Deliver, Flow, FlowIndex, Payload, Retention, Sampling, TopicForm, Window};
pub use grant::{Believe, FlowGrant, Grant, Wider, no_wider};
pub use grants::{SnapshotFor, Tables, alias_year, grants, snapshot};
pub use head::{
    ClosedGrant, Head, HeadError, MAX_BELIEF_SECONDS, RecipientKey, SignedHead, Snapshot, SnapshotError,
};
pub use message::{MessageBasis, may_send};
pub use minimise::{Minimiser, MinimiserError};
pub use opening::{Opened, Opening, closing_reason, may_be_sent, may_be_used};
pub use period::{Period, PeriodError};
pub use released::{How, Outcomes, Released, Withheld};
pub use rules::{
    Acknowledged, Agreement, ControllerInfo, ControllerRole, Elsewhere, Form, HoldError, HoldRule, Hosting,
    Identify, Message, MessageClass, Notice, Parameter, Proof, Purpose, Recipient, RecipientRole, Refusal,
    RetentionGround, RetentionRule, Right, RightRule, RulePath, Rules, ServedWhen, SourceClass, Sources,
    StartEvent, Transfer, TransferTool,
};
pub use sampler::{Sample, SampleKey, Sampler};
pub use signature::{SignatureError, sign_bundle, verify_bundle};
pub use standing::{Applied, ApplyError, Standing};
pub use station::{
    AtStation, Judged, Link, LinkError, MAX_STATION_ORDER_SECONDS, Merged, SignedLink, SignedMerged,
    StationOpening, Tip, at_station, judge_opening, opens_offline,
};
pub use table::Table;
pub use vernport_registry::{Role, StationRef};
pub use vernport_types::GrantId;
