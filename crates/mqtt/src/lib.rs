//! The one adapter around rumqttc: readings of workshop tools in, messages for
//! fleet operators out.
//!
//! Promises:
//! - In: a message is acknowledged only when the caller's decision is durable;
//!   an acknowledgement never reaches another connection than its own.
//! - Out: what is sent comes out of `Sealed<Storage>`, and only [`publisher`]
//!   opens it; a message counts as delivered on its PUBACK and on nothing else;
//!   nothing is kept for later, so that nothing is sent without being asked for.
//! - Topics and payloads are frozen: [`topic`], [`tool_message`],
//!   [`tool_postcard`], [`tool_result`], [`fleet_message`], [`deletion`], [`roster`], the JSON Schemas in `schema/`, decision note 0010.
//! - Only the status of a gateway is ever retained.
//! - No input panics, every bound is a number, and no log line or error holds a
//!   topic, a payload, a value or an identifier of a vehicle.
//!
//! Nothing else in the house imports rumqttc's client; how its five known
//! failures are kept out is told in `wire`, `inbox` and `outbox`.

pub mod acl;
mod backoff;
pub mod deletion;
mod dialect;
mod endpoint;
pub mod fleet_message;
mod fleet_value;
mod inbox;
mod limits;
pub mod mapping;
mod notices;
mod operator;
mod outbox;
mod probe;
pub mod publisher;
pub mod roster;
pub mod schema;
mod section;
mod shape;
mod status;
mod streams;
mod time;
pub mod tool_message;
pub mod tool_postcard;
pub mod tool_result;
mod tools;
pub mod topic;
mod units;
mod wire;

pub use backoff::Backoff;
pub use deletion::{DeletionConfirmed, DeletionNotice};
pub use dialect::{Dialect, Said, ZoneError};
pub use endpoint::{Endpoint, Protocol, UrlError};
pub use fleet_message::{FleetContext, FleetMessage, sealed_message, value_message};
pub use fleet_value::FleetValue;
pub use inbox::{AckHandle, Inbox, InboxConfig, Message};
pub use limits::{ToolLimits, ToolRate};
pub use mapping::{Mapping, MappingError, PassedOver, Step, Trouble};
pub use notices::{Answer, Confirmer, NoticeLink};
pub use operator::{Delivery, Heard, Interest, Listed, Subscription, SubscriptionConfig, ToDelete};
pub use outbox::{Outcome, Receipt};
pub use probe::probe;
pub use publisher::{FleetLink, Numbers, PublishError, Publisher, PublisherConfig};
pub use roster::{Roster, RosterVehicle};
pub use section::{Section, SectionError};
pub use status::{LinkState, LinkStatus};
pub use streams::{Counts, News, NotSaved, Noted, Numbered, StreamLimits, Streams};
pub use tool_message::{MessageKey, ToolMessage, ToolReading, VehicleRef};
pub use tool_result::{Refused, ResultCode, ToolResult};
pub use tools::{Inbound, ToolClient, ToolInbox};
pub use topic::{PayloadForm, Stream, ToolAddress};
pub use wire::Cause;
