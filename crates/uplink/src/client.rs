//! The calls of those who are not gateways: a registrar, or a processor for a
//! controller, records and looks up, a recipient reads.

use crate::{
    CallError, Config, SetupError, Transport,
    http::{Http, Sent},
};
use std::{sync::Arc, time::Duration};
use vernport_api::{
    ClockAnswer, ClockRequest, ConfirmAnswer, ConfirmRequest, ConsentsAnswer, ConsentsRequest,
    DeletionsAnswer, DeletionsRequest, ErasureAnswer, ErasureRequest, EventsAnswer, EventsRequest,
    FindAnswer, FindEntryAnswer, FindEntryRequest, FindRequest, FleetNumberAnswer, FleetNumberRequest,
    FoundEntry, GatewaysAnswer, IdempotencyKey, ImportAnswer, ImportQuery, InvitationAnswer,
    InvitationRequest, LedgerAnswer, LedgerRequest, MAX_WAIT_MS, NDJSON, OnError, PATH_CLOCK,
    PATH_CONFIRM_DELETIONS, PATH_CONSENTS, PATH_DELETIONS, PATH_ERASURES, PATH_EVENTS, PATH_EXPLAIN,
    PATH_FIND_ASSET, PATH_FIND_ENTRY, PATH_FLEET_NUMBERS, PATH_GATEWAYS, PATH_IMPORT, PATH_INVITATIONS,
    PATH_LEDGER, PATH_READS, PATH_STATUS, ReadAnswer, ReadRequest, Status,
    explain::{ExplainAnswer, ExplainRequest, Explanation},
};
use vernport_types::{AssetId, ControllerId, Identifier};

/// The longest answers, in bytes. A read brings 64 envelopes of 1 MiB, in base64.
const MAX_ANSWER_BYTES: usize = 8 << 20;
const MAX_READ_BYTES: usize = 96 << 20;
/// 500 entries of 16 KiB, with their escapes.
const MAX_EVENTS_BYTES: usize = 32 << 20;
/// How long an import may take at central.
const IMPORT_WITHIN: Duration = Duration::from_secs(660);

/// A registrar, processor or recipient, whichever its certificate says.
#[derive(Debug, Clone)]
pub struct Client {
    http: Http,
}

impl Client {
    /// A client of the central in `config`, with the certificate in `tls`. Connects at the first call.
    ///
    /// # Errors
    /// [`SetupError`] for an address that is none.
    pub fn new(config: &Config, tls: rustls::ClientConfig) -> Result<Self, SetupError> {
        Http::new(config, tls).map(|http| Self { http })
    }

    /// A client over a transport that is there already and says who calls.
    pub fn over(transport: Arc<dyn Transport>) -> Self {
        Self { http: Http::over(transport) }
    }

    /// Records entries, all or none, and answers what each changed. Recording an entry again is harmless.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn record(&self, request: &LedgerRequest) -> Result<LedgerAnswer, CallError> {
        self.post(PATH_LEDGER, request, MAX_ANSWER_BYTES).await
    }

    /// The same for one controller, as a processor asks.
    #[must_use]
    pub fn on(&self, controller: ControllerId) -> Self {
        Self { http: self.http.on(controller) }
    }

    /// As [`record`](Self::record), under a key: the same request again within 24 hours gets the first answer.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn record_keyed(
        &self,
        request: &LedgerRequest,
        key: &IdempotencyKey,
    ) -> Result<LedgerAnswer, CallError> {
        let sent = Sent { key: Some(key), ..Sent::json(request) };
        self.http.send(PATH_LEDGER, sent, Duration::ZERO, MAX_ANSWER_BYTES).await
    }

    /// Records entries, one a line (NDJSON), and answers what became of each line. Sending the whole again is harmless.
    ///
    /// # Errors
    /// [`CallError`]; what was recorded until then stays.
    pub async fn import(
        &self,
        lines: Vec<u8>,
        query: ImportQuery,
        key: Option<&IdempotencyKey>,
    ) -> Result<ImportAnswer, CallError> {
        let on_error = match query.on_error {
            OnError::Stop => "stop",
            OnError::Continue => "continue",
        };
        let path = format!("{PATH_IMPORT}?dry_run={}&on_error={on_error}", query.dry_run);
        let sent = Sent { content_type: NDJSON, body: lines.into(), key };
        self.http.send(&path, sent, IMPORT_WITHIN, MAX_ANSWER_BYTES).await
    }

    /// What was recorded behind a cursor; waits for it as long as the request says.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn events(&self, request: &EventsRequest) -> Result<EventsAnswer, CallError> {
        let patience = Duration::from_millis(request.wait_ms.min(MAX_WAIT_MS).into());
        self.http.post(PATH_EVENTS, request, patience, MAX_EVENTS_BYTES).await
    }

    /// What became of the entry that a source recorded under its reference.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn find_entry(&self, request: &FindEntryRequest) -> Result<Option<FoundEntry>, CallError> {
        let answer: FindEntryAnswer = self.post(PATH_FIND_ENTRY, request, MAX_ANSWER_BYTES).await?;
        Ok(answer.found)
    }

    /// Fetches envelopes for a task. Central logs the read before it answers.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn read(&self, request: &ReadRequest) -> Result<ReadAnswer, CallError> {
        self.post(PATH_READS, request, MAX_READ_BYTES).await
    }

    /// The asset that bears an identifier now.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn find_asset(&self, identifier: Identifier) -> Result<Option<AssetId>, CallError> {
        let answer: FindAnswer =
            self.post(PATH_FIND_ASSET, &FindRequest { identifier }, MAX_ANSWER_BYTES).await?;
        Ok(answer.asset)
    }

    /// Why signals of a vehicle pass or do not; none if no asset bears the identifier now.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn explain(&self, request: &ExplainRequest) -> Result<Option<Explanation>, CallError> {
        let answer: ExplainAnswer = self.post(PATH_EXPLAIN, request, MAX_ANSWER_BYTES).await?;
        Ok(answer.explanation)
    }

    /// Which consents stand, of a receipt or of a vehicle.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn consents(&self, request: &ConsentsRequest) -> Result<ConsentsAnswer, CallError> {
        self.post(PATH_CONSENTS, request, MAX_ANSWER_BYTES).await
    }

    /// What became of an order to erase, with its certificates.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn erasure(&self, request: &ErasureRequest) -> Result<ErasureAnswer, CallError> {
        self.post(PATH_ERASURES, request, MAX_ANSWER_BYTES).await
    }

    /// Says what a fleet operator calls a vehicle.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn fleet_number(&self, request: &FleetNumberRequest) -> Result<FleetNumberAnswer, CallError> {
        self.post(PATH_FLEET_NUMBERS, request, MAX_ANSWER_BYTES).await
    }

    /// What this recipient has to delete and has not confirmed. Central notes that it was told.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn deletions(&self, request: &DeletionsRequest) -> Result<DeletionsAnswer, CallError> {
        self.post(PATH_DELETIONS, request, MAX_ANSWER_BYTES).await
    }

    /// Tells that this recipient deleted. Telling it again is harmless.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn confirm_deletions(&self, request: &ConfirmRequest) -> Result<ConfirmAnswer, CallError> {
        self.post(PATH_CONFIRM_DELETIONS, request, MAX_ANSWER_BYTES).await
    }

    /// Confirms central's clock by another one.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn confirm_clock(&self, request: &ClockRequest) -> Result<ClockAnswer, CallError> {
        self.post(PATH_CLOCK, request, MAX_ANSWER_BYTES).await
    }

    /// Invites a gateway to enrol. The token is told this once.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn invite(&self, request: &InvitationRequest) -> Result<InvitationAnswer, CallError> {
        self.post(PATH_INVITATIONS, request, MAX_ANSWER_BYTES).await
    }

    /// All gateways that were ever enrolled, and who is invited.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn gateways(&self) -> Result<GatewaysAnswer, CallError> {
        self.http.get(PATH_GATEWAYS, MAX_ANSWER_BYTES).await
    }

    /// Whether central serves.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn status(&self) -> Result<Status, CallError> {
        self.http.get(PATH_STATUS, MAX_ANSWER_BYTES).await
    }

    async fn post<Q: serde::Serialize, A: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        question: &Q,
        max_bytes: usize,
    ) -> Result<A, CallError> {
        self.http.post(path, question, Duration::ZERO, max_bytes).await
    }
}
