//! The calls of those who are not gateways: a registrar records and looks up, a
//! recipient reads.

use crate::{CallError, Config, SetupError, http::Http};
use std::time::Duration;
use vernport_api::{
    ClockAnswer, ClockRequest, ConfirmAnswer, ConfirmRequest, ConsentsAnswer, ConsentsRequest,
    DeletionsAnswer, DeletionsRequest, ErasureAnswer, ErasureRequest, FindAnswer, FindRequest,
    GatewaysAnswer, InvitationAnswer, InvitationRequest, LedgerAnswer, LedgerRequest, PATH_CLOCK,
    PATH_CONFIRM_DELETIONS, PATH_CONSENTS, PATH_DELETIONS, PATH_ERASURES, PATH_EXPLAIN, PATH_FIND_ASSET,
    PATH_GATEWAYS, PATH_INVITATIONS, PATH_LEDGER, PATH_READS, PATH_STATUS, ReadAnswer, ReadRequest, Status,
    explain::{ExplainAnswer, ExplainRequest, Explanation},
};
use vernport_types::{AssetId, Identifier};

/// The longest answers, in bytes. A read brings 64 envelopes of 1 MiB, in base64.
const MAX_ANSWER_BYTES: usize = 8 << 20;
const MAX_READ_BYTES: usize = 96 << 20;

/// A registrar or recipient, whichever its certificate says.
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

    /// Records entries, all or none, and answers what each changed. Recording an entry again is harmless.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn record(&self, request: &LedgerRequest) -> Result<LedgerAnswer, CallError> {
        self.post(PATH_LEDGER, request, MAX_ANSWER_BYTES).await
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
