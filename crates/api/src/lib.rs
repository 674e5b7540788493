//! The contract between central and those who call it: gateways, registrars
//! (the workshop's own system) and recipients. HTTP/2 over mutual TLS.
//!
//! Promises:
//! - Bodies are JSON, but for `POST /v1/batches`, whose byte table stands in
//!   [`batch`]. Everything frozen here has a golden file under `golden/`
//!   (decision note 0006).
//! - Every refusal is a problem document (RFC 9457) with a code out of one
//!   closed list ([`Code`]); no document repeats what the caller sent.
//! - Identifiers of vehicles travel in request bodies only, never in a URL.
//! - Every length has a bound here that both sides check.

mod answer;
mod audit;
pub mod batch;
mod blob;
mod certificate_request;
mod consents;
mod enrolment;
mod erasure;
mod events;
pub mod explain;
mod feed;
mod fleet_numbers;
mod headers;
mod import;
mod ledger;
mod lines;
mod problem;
mod reads;
mod segment;

pub use answer::{Answer, BatchAnswer, BatchAnswers};
pub use audit::{LogAlarm, LogHash, MAX_CHECKPOINT_BYTES, MAX_PROOF_HASHES, WitnessAnswer, WitnessRequest};
pub use blob::Blob;
pub use certificate_request::{RequestError, RequestedKey};
pub use consents::{Consented, ConsentsAnswer, ConsentsRequest, Person};
pub use enrolment::{
    CertificateAnswer, EnrolmentAnswer, EnrolmentRequest, GatewayListed, GatewayState, GatewaysAnswer,
    InvitationAnswer, InvitationListed, InvitationRequest, MAX_CSR_BYTES, MAX_ENROLMENT_BYTES,
    MAX_TOKEN_HOURS, RenewalRequest, TOKEN_PREFIX, Token, TokenError,
};
pub use erasure::{
    Certificate, CertificateError, ClockAnswer, ClockRequest, ConfirmAnswer, ConfirmRequest, Deletion,
    DeletionState, DeletionsAnswer, DeletionsRequest, ErasureAnswer, ErasureRequest, ErasureState, Kept,
    KeptBy, MAX_DELETIONS, MAX_LISTED_EPOCHS, NotReached, Notice, ReadBefore, SignedCertificate,
};
pub use events::{
    Cursor, CursorError, EventEntry, EventsAnswer, EventsRequest, FindEntryAnswer, FindEntryRequest,
    FoundEntry, LedgerEvent, MAX_EVENTS,
};
pub use feed::{Feed, FeedNonce, FeedRequest, MAX_WAIT_MS, ServedNotice};
pub use fleet_numbers::{FleetNumberAnswer, FleetNumberRequest};
pub use headers::{HEADER_CONTROLLER, HEADER_IDEMPOTENCY_KEY, HEADER_REPLAYED, IdempotencyKey, KeyError};
pub use import::{
    ImportAnswer, ImportLine, ImportQuery, ImportStop, ImportedLine, LineOutcome, MAX_IMPORT_BYTES,
    MAX_IMPORT_LINES, MAX_LINE_BYTES, NDJSON, OnError,
};
pub use ledger::{
    EntryResult, GatewayEffect, GoesOn, LedgerAnswer, LedgerEffect, LedgerRequest, MAX_ENTRIES, Stopped,
};
pub use lines::{ImportLines, LineError, NextLine, TooMuch};
pub use problem::{Code, PROBLEM_JSON, Problem};
pub use reads::{FindAnswer, FindRequest, MAX_READ_LIMIT, ReadAnswer, ReadRequest, Status};
pub use segment::{LinkOutcome, LinkResult, MAX_LINKS, SealedIdentifier, SegmentAnswer, SegmentRequest};

/// The version of this contract, the first part of every path.
pub const VERSION: u16 = 1;

/// Where a gateway delivers sealed batches: [`batch::Encoder`] in, [`BatchAnswers`] out.
pub const PATH_BATCHES: &str = "/v1/batches";
/// Where a gateway waits for grants: [`FeedRequest`] in, [`Feed`] out.
pub const PATH_FEED: &str = "/v1/feed";
/// Where a registrar records what people and firms said: [`LedgerRequest`] in, [`LedgerAnswer`] out.
pub const PATH_LEDGER: &str = "/v1/ledger";
/// Where a registrar brings many entries: [`ImportLine`] a line in, [`ImportAnswer`] out.
pub const PATH_IMPORT: &str = "/v1/ledger/import";
/// Where a registrar follows what is recorded: [`EventsRequest`] in, [`EventsAnswer`] out.
pub const PATH_EVENTS: &str = "/v1/ledger/events";
/// Where a registrar asks what became of an entry: [`FindEntryRequest`] in, [`FindEntryAnswer`] out.
pub const PATH_FIND_ENTRY: &str = "/v1/ledger/find";
/// Where a gateway brings what was said at its station: [`SegmentRequest`] in, [`SegmentAnswer`] out.
pub const PATH_SEGMENTS: &str = "/v1/segments";
/// Where a gateway shows the head of its log and sees central's: [`WitnessRequest`] in, [`WitnessAnswer`] out.
pub const PATH_WITNESS: &str = "/v1/audit/witness";
/// Where a recipient fetches what is sealed to it: [`ReadRequest`] in, [`ReadAnswer`] out.
pub const PATH_READS: &str = "/v1/reads";
/// Where a registrar looks up an asset: [`FindRequest`] in, [`FindAnswer`] out.
pub const PATH_FIND_ASSET: &str = "/v1/assets/find";
/// Where a registrar says what a fleet operator calls a vehicle: [`FleetNumberRequest`] in,
/// [`FleetNumberAnswer`] out.
pub const PATH_FLEET_NUMBERS: &str = "/v1/fleet-numbers";
/// Where a registrar asks which consents stand: [`ConsentsRequest`] in, [`ConsentsAnswer`] out.
pub const PATH_CONSENTS: &str = "/v1/consents";
/// Where a registrar asks why something passes or does not: [`explain::ExplainRequest`] in,
/// [`explain::ExplainAnswer`] out.
pub const PATH_EXPLAIN: &str = "/v1/explain";
/// Where a registrar asks what became of an order to erase: [`ErasureRequest`] in, [`ErasureAnswer`] out.
pub const PATH_ERASURES: &str = "/v1/erasures";
/// Where a recipient asks what it has to delete: [`DeletionsRequest`] in, [`DeletionsAnswer`] out.
pub const PATH_DELETIONS: &str = "/v1/deletions";
/// Where a recipient says that it deleted: [`ConfirmRequest`] in, [`ConfirmAnswer`] out.
pub const PATH_CONFIRM_DELETIONS: &str = "/v1/deletions/confirm";
/// Where a registrar confirms central's clock: [`ClockRequest`] in, [`ClockAnswer`] out.
pub const PATH_CLOCK: &str = "/v1/clock";
/// Whether central serves: [`Status`] out.
pub const PATH_STATUS: &str = "/v1/status";
/// The description of this contract for programs: [`OPENAPI`].
pub const PATH_OPENAPI: &str = "/v1/openapi.json";

/// The description of this contract for programs (OpenAPI 3.1), JSON.
pub const OPENAPI: &str = include_str!("../openapi/central-v1.json");
/// Where a registrar invites a gateway: [`InvitationRequest`] in, [`InvitationAnswer`] out.
pub const PATH_INVITATIONS: &str = "/v1/gateways/invitations";
/// A controller's gateways: [`GatewaysAnswer`] out.
pub const PATH_GATEWAYS: &str = "/v1/gateways";
/// Where a gateway asks for its next certificate: [`RenewalRequest`] in, [`CertificateAnswer`] out.
pub const PATH_RENEW: &str = "/v1/gateways/renew";
/// Where a gateway enrols, at the listener for that alone: [`EnrolmentRequest`] in, [`EnrolmentAnswer`] out.
pub const PATH_ENROLMENTS: &str = "/v1/enrolments";
