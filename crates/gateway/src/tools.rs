//! Workshop tools: their messages come in, are read in what the tool speaks,
//! checked, decided on, and are answered only when the outcome is durable.

use crate::{
    chain,
    driver::{Input, ToolOutcome},
    status::Shared,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use vernport_crypto::IdentityKey;
use vernport_mqtt::{
    AckHandle, Dialect, Inbound, MessageKey, PayloadForm, Refused, ResultCode, Said, ToolAddress, ToolInbox,
    ToolResult,
};
use vernport_spool::{RefusedToolMessage, Spool};
use vernport_types::{Catalogue, Clock, Slug};

/// Messages decided on at once, whose outcomes become durable together: a tool does not wait for the
/// commits of all that others sent before it.
const AT_ONCE: usize = 32;

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

/// A message that was handed on, and waits for its outcome.
struct Asked {
    tool: ToolAddress,
    id: MessageKey,
    key: [u8; 16],
    digest: [u8; 16],
    ack: AckHandle,
}

/// Messages whose outcome is not durable yet.
#[derive(Default)]
struct UnderWay {
    outcomes: JoinSet<(Asked, Option<ToolOutcome>)>,
    keys: BTreeSet<(Slug, [u8; 16])>,
}

impl UnderWay {
    fn push(&mut self, asked: Asked, outcome: oneshot::Receiver<ToolOutcome>) {
        self.keys.insert((asked.tool.tool.clone(), asked.key));
        self.outcomes.spawn(async move { (asked, outcome.await.ok()) });
    }

    /// The next that is decided; none where nothing is under way.
    async fn next(&mut self) -> Option<(Asked, Option<ToolOutcome>)> {
        let (asked, outcome) = self.outcomes.join_next().await?.expect("waiting does not panic");
        self.keys.remove(&(asked.tool.tool.clone(), asked.key));
        Some((asked, outcome))
    }
}

impl Tools {
    /// Takes messages until shutdown.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        self.shared.listens(self.inbox.status());
        let mut under_way = UnderWay::default();
        loop {
            let has_room = under_way.keys.len() < AT_ONCE;
            tokio::select! {
                () = shutdown.cancelled() => break,
                Some((asked, outcome)) = under_way.next() => self.settle(asked, outcome).await,
                message = self.inbox.next(), if has_room => {
                    let Some(message) = message else { break };
                    self.take(message, &mut under_way).await;
                }
            }
        }
        self.inbox.stop().await;
    }

    /// Answers a message, or hands it on: in the order in which they came.
    async fn take(&self, message: Inbound, under_way: &mut UnderWay) {
        let Inbound { tool, form, payload, ack } = message;
        let message = match self.read(&tool.tool, form, &payload) {
            Err(refused) => return self.refuse(&tool, refused, self.digest(&payload), ack).await,
            Ok(Said { message, passed_over }) => {
                self.shared.passed_over(passed_over);
                message
            }
        };
        let id = message.id.clone();
        // Nothing in it is read here: nothing to decide, nothing to keep.
        if message.readings.is_empty() {
            return self.answer(&tool, &ToolResult::new(Some(&id), ResultCode::Accepted), ack);
        }
        let key = self.key_of(&tool.tool, &id);
        // Whether the same one is seen shows when its first outcome is durable.
        while under_way.keys.contains(&(tool.tool.clone(), key)) {
            if let Some((asked, outcome)) = under_way.next().await {
                self.settle(asked, outcome).await;
            }
        }
        match self.spool.seen_tool_message(&tool.tool, &key).await {
            Ok(false) => {}
            Ok(true) => return self.answer(&tool, &ToolResult::new(Some(&id), ResultCode::Duplicate), ack),
            // Unacknowledged, the broker keeps it and brings it again.
            Err(error) => {
                return tracing::error!(
                    error = chain(&error),
                    "the spool cannot be read; the tool's message waits"
                );
            }
        }
        let (reply, outcome) = oneshot::channel();
        let input = Input::Tool { tool: tool.tool.clone(), id: key, message: Box::new(message), reply };
        if self.inputs.send(input).await.is_ok() {
            let digest = self.digest(&payload);
            under_way.push(Asked { tool, id, key, digest, ack }, outcome);
        }
    }

    /// Answers what was decided on. Without an outcome that is durable it comes again.
    async fn settle(&self, asked: Asked, outcome: Option<ToolOutcome>) {
        let Asked { tool, id, digest, ack, .. } = asked;
        match outcome {
            Some(ToolOutcome::Durable) => {
                self.answer(&tool, &ToolResult::new(Some(&id), ResultCode::Accepted), ack);
            }
            Some(ToolOutcome::UnknownVehicle) => {
                let refused = Refused { id: Some(id), code: ResultCode::Vehicle };
                self.refuse(&tool, refused, digest, ack).await;
            }
            None => {}
        }
    }

    async fn refuse(&self, tool: &ToolAddress, refused: Refused, digest: [u8; 16], ack: AckHandle) {
        tracing::warn!(%tool, code = refused.code.as_str(), "a tool's message was refused");
        self.shared.refused();
        let (of, code) = (tool.tool.clone(), refused.code.as_str().to_owned());
        let now = self.clock.now().wall;
        let message = RefusedToolMessage { tool: of, digest, code, count: 1, first_at: now, last_at: now };
        if self.inputs.send(Input::Refused(message)).await.is_ok() {
            self.answer(tool, &refused.result(), ack);
        }
    }

    fn answer(&self, tool: &ToolAddress, result: &ToolResult, ack: AckHandle) {
        self.shared.answered(result.code);
        self.inbox.answer(tool, result);
        ack.done();
    }

    fn read(&self, tool: &Slug, form: PayloadForm, payload: &[u8]) -> Result<Said, Refused> {
        let own = Dialect::own();
        let dialect = self.dialects.get(tool).unwrap_or(&own);
        dialect.read(form, payload, &self.catalogue, self.clock.now().wall, &self.identity)
    }

    /// A tool might put a plate into its id, so only a keyed hash of it is kept.
    fn key_of(&self, tool: &Slug, id: &MessageKey) -> [u8; 16] {
        keyed(&self.identity, format!("{tool}/{}", id.as_str()).as_bytes())
    }

    fn digest(&self, payload: &[u8]) -> [u8; 16] {
        refused_digest(&self.identity, payload)
    }
}

/// What a gateway with this identity key keeps of a payload that it refuses: enough to know it again, and for
/// nobody without the key enough to guess it.
pub fn refused_digest(identity: &IdentityKey, payload: &[u8]) -> [u8; 16] {
    // No id of a message begins as this does.
    keyed(identity, &[b"\0refused\0", payload].concat())
}

fn keyed(identity: &IdentityKey, bytes: &[u8]) -> [u8; 16] {
    *identity.message(bytes).first_chunk().expect("32 bytes begin with 16")
}
