//! Workshop tools: their messages come in, are read in what the tool speaks,
//! checked, decided on, and are answered only when the outcome is durable.

use crate::{
    chain,
    driver::{Input, ToolOutcome},
    status::Shared,
};
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use vernport_crypto::IdentityKey;
use vernport_mqtt::{
    Dialect, Inbound, MessageKey, PayloadForm, Refused, ResultCode, Said, ToolAddress, ToolInbox,
    ToolMessage, ToolResult,
};
use vernport_spool::{RefusedToolMessage, Spool};
use vernport_types::{Catalogue, Clock, Slug};

pub(crate) struct Tools {
    pub(crate) inbox: ToolInbox,
    pub(crate) catalogue: Arc<Catalogue>,
    /// What tools speak that do not speak our contract, or not quite.
    pub(crate) dialects: BTreeMap<Slug, Dialect>,
    pub(crate) spool: Spool,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) inputs: mpsc::Sender<Input>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) identity: IdentityKey,
}

impl Tools {
    /// Takes messages until shutdown.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        self.shared.listens(self.inbox.status());
        loop {
            let message = tokio::select! {
                () = shutdown.cancelled() => break,
                message = self.inbox.next() => message,
            };
            let Some(Inbound { tool, form, payload, ack }) = message else { break };
            // Unacknowledged, the broker keeps it and brings it again.
            let Some(result) = self.result(&tool, form, &payload).await else { continue };
            self.shared.answered(result.code);
            self.inbox.answer(&tool, &result);
            ack.done();
        }
        self.inbox.stop().await;
    }

    /// What to answer to a payload; nothing where the outcome is not durable.
    async fn result(&self, tool: &ToolAddress, form: PayloadForm, payload: &[u8]) -> Option<ToolResult> {
        let refused = match self.read(&tool.tool, form, payload) {
            Err(refused) => refused,
            Ok(Said { message, passed_over }) => {
                self.shared.passed_over(passed_over);
                let id = message.id.clone();
                // Nothing in it is read here: nothing to decide, nothing to keep.
                let code = if message.readings.is_empty() {
                    ResultCode::Accepted
                } else {
                    self.decide(tool.tool.clone(), message).await?
                };
                if code.accepted() {
                    return Some(ToolResult::new(Some(&id), code));
                }
                Refused { id: Some(id), code }
            }
        };
        tracing::warn!(%tool, code = refused.code.as_str(), "a tool's message was refused");
        self.shared.refused();
        let digest = self.digest(payload);
        let (tool, code) = (tool.tool.clone(), refused.code.as_str().to_owned());
        let last_at = self.clock.now().wall;
        let message = RefusedToolMessage { tool, digest, code, count: 1, last_at };
        self.inputs.send(Input::Refused(message)).await.ok()?;
        Some(refused.result())
    }

    fn read(&self, tool: &Slug, form: PayloadForm, payload: &[u8]) -> Result<Said, Refused> {
        let own = Dialect::own();
        let dialect = self.dialects.get(tool).unwrap_or(&own);
        dialect.read(form, payload, &self.catalogue, self.clock.now().wall, &self.identity)
    }

    /// What to answer; nothing where the outcome is not durable.
    async fn decide(&self, tool: Slug, message: ToolMessage) -> Option<ResultCode> {
        let id = self.key_of(&tool, &message.id);
        match self.spool.seen_tool_message(&tool, &id).await {
            Ok(false) => {}
            Ok(true) => return Some(ResultCode::Duplicate),
            Err(error) => {
                tracing::error!(error = chain(&error), "the spool cannot be read; the tool's message waits");
                return None;
            }
        }
        let (reply, outcome) = oneshot::channel();
        let asked = Input::Tool { tool, id, message: Box::new(message), reply };
        self.inputs.send(asked).await.ok()?;
        Some(match outcome.await.ok()? {
            ToolOutcome::Durable => ResultCode::Accepted,
            ToolOutcome::UnknownVehicle => ResultCode::Vehicle,
        })
    }

    /// A tool might put a plate into its id, so only a keyed hash of it is kept.
    fn key_of(&self, tool: &Slug, id: &MessageKey) -> [u8; 16] {
        self.keyed(format!("{tool}/{}", id.as_str()).as_bytes())
    }

    /// What stands for a refused payload. No id begins as this does.
    fn digest(&self, payload: &[u8]) -> [u8; 16] {
        self.keyed(&[b"\0refused\0", payload].concat())
    }

    fn keyed(&self, bytes: &[u8]) -> [u8; 16] {
        *self.identity.message(bytes).first_chunk().expect("32 bytes begin with 16")
    }
}
