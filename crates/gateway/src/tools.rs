//! Workshop tools: their messages come in, are checked, decided on, and are
//! answered only when the outcome is durable.

use crate::{
    chain,
    driver::{Input, ToolOutcome},
    status::Shared,
};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use vernport_crypto::IdentityKey;
use vernport_mqtt::{Inbound, MessageKey, ResultCode, ToolInbox, ToolMessage, ToolResult};
use vernport_spool::Spool;
use vernport_types::{Catalogue, Clock, Slug};

pub(crate) struct Tools {
    pub(crate) inbox: ToolInbox,
    pub(crate) catalogue: Arc<Catalogue>,
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
            let Some(Inbound { tool, payload, ack }) = message else { break };
            let result = match ToolMessage::from_json(&payload, &self.catalogue, self.clock.now().wall) {
                Err(refused) => refused.result(),
                Ok(message) => {
                    let id = message.id.clone();
                    match self.decide(tool.tool.clone(), message).await {
                        Some(code) => ToolResult::new(Some(&id), code),
                        // Unacknowledged: the broker keeps it and brings it again.
                        None => continue,
                    }
                }
            };
            if !result.accepted {
                tracing::warn!(%tool, code = result.code.as_str(), "a tool's message was refused");
                self.shared.refused();
            }
            self.shared.answered(result.code);
            self.inbox.answer(&tool, &result);
            ack.done();
        }
        self.inbox.stop().await;
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
        let text = format!("{tool}/{}", id.as_str());
        let index = self.identity.message(text.as_bytes());
        *index.first_chunk().expect("32 bytes begin with 16")
    }
}
