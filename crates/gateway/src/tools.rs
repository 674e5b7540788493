//! Workshop tools: their messages come in, are read in what the tool speaks,
//! checked, decided on, and are answered only when the outcome is durable. What
//! holds messages of several vehicles is decided on one by one and answered once.

use crate::{
    arrivals::Arrivals,
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
    ToolMessage, ToolResult,
};
use vernport_spool::{RefusedToolMessage, Spool};
use vernport_types::{Catalogue, Clock, Slug, UtcMicros};

/// Messages decided on at once, whose outcomes become durable together: a tool does not wait for the
/// commits of all that others sent before it. The last of them may bring as many as one payload holds.
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

/// What was handed on, and waits for its outcome.
struct Asked {
    tool: ToolAddress,
    id: MessageKey,
    /// Of its messages that were not taken before.
    keys: Vec<[u8; 16]>,
    digest: [u8; 16],
    ack: AckHandle,
}

/// What has an outcome that is not durable yet.
#[derive(Default)]
struct UnderWay {
    outcomes: JoinSet<(Asked, Option<ToolOutcome>)>,
    keys: BTreeSet<(Slug, [u8; 16])>,
    arrivals: Arrivals,
}

impl UnderWay {
    fn push(&mut self, asked: Asked, outcomes: Vec<oneshot::Receiver<ToolOutcome>>) {
        let tool = &asked.tool.tool;
        self.keys.extend(asked.keys.iter().map(|key| (tool.clone(), *key)));
        self.outcomes.spawn(async move { (asked, together(outcomes).await) });
    }

    /// The next that is decided; none where nothing is under way.
    async fn next(&mut self) -> Option<(Asked, Option<ToolOutcome>)> {
        let (asked, outcome) = self.outcomes.join_next().await?.expect("waiting does not panic");
        for key in &asked.keys {
            self.keys.remove(&(asked.tool.tool.clone(), *key));
        }
        Some((asked, outcome))
    }
}

/// The outcome of all messages of one payload: none while one has none, so that it comes again; then those
/// that were taken are known.
async fn together(outcomes: Vec<oneshot::Receiver<ToolOutcome>>) -> Option<ToolOutcome> {
    let mut all = ToolOutcome::Durable;
    for outcome in outcomes {
        match outcome.await.ok()? {
            ToolOutcome::Durable => {}
            ToolOutcome::UnknownVehicle => all = ToolOutcome::UnknownVehicle,
        }
    }
    Some(all)
}

impl Tools {
    /// Takes messages until shutdown.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        self.shared.listens(self.inbox.status(), self.inbox.limited());
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

    /// Answers a payload, or hands its messages on: in the order in which they came.
    async fn take(&self, message: Inbound, under_way: &mut UnderWay) {
        let Inbound { tool, form, payload, packet, repeated, ack } = message;
        let digest = self.digest(&payload);
        let now = self.clock.now().wall;
        let arrived = under_way.arrivals.of(packet, repeated, digest, now);
        let (id, messages) = match self.read(&tool.tool, form, &payload, arrived) {
            Err(refused) => return self.refuse(&tool, refused, digest, ack).await,
            Ok(Said { id, messages, passed_over }) => {
                self.shared.passed_over(passed_over);
                (id, messages)
            }
        };
        let (mut seen, mut fresh) = (0_usize, Vec::new());
        // One without readings has nothing to decide and nothing to keep.
        for message in messages.into_iter().filter(|message| !message.readings.is_empty()) {
            let key = self.key_of(&tool.tool, &message.id);
            match self.is_seen(&tool.tool, key, under_way).await {
                Some(true) => seen += 1,
                Some(false) => fresh.push((key, message)),
                // Unacknowledged, the broker keeps it and brings it again: whole, so nothing of it is handed on.
                None => return,
            }
        }
        let (mut keys, mut outcomes) = (Vec::new(), Vec::new());
        for (key, message) in fresh {
            let Some(outcome) = self.hand_on(&tool.tool, key, message).await else { return };
            keys.push(key);
            outcomes.push(outcome);
        }
        if outcomes.is_empty() {
            let code = if seen > 0 { ResultCode::Duplicate } else { ResultCode::Accepted };
            return self.answer(&tool, &ToolResult::new(Some(&id), code), ack);
        }
        under_way.push(Asked { tool, id, keys, digest, ack }, outcomes);
    }

    /// Whether a message was taken before; none where that cannot be told.
    async fn is_seen(&self, tool: &Slug, key: [u8; 16], under_way: &mut UnderWay) -> Option<bool> {
        // Whether the same one is seen shows when its first outcome is durable.
        while under_way.keys.contains(&(tool.clone(), key)) {
            if let Some((asked, outcome)) = under_way.next().await {
                self.settle(asked, outcome).await;
            }
        }
        let seen = self.spool.seen_tool_message(tool, &key).await;
        seen.inspect_err(|error| {
            tracing::error!(error = chain(error), "the spool cannot be read; the tool's message waits");
        })
        .ok()
    }

    /// Where its outcome comes; none when the gateway stops.
    async fn hand_on(
        &self,
        tool: &Slug,
        id: [u8; 16],
        message: ToolMessage,
    ) -> Option<oneshot::Receiver<ToolOutcome>> {
        let (reply, outcome) = oneshot::channel();
        let input = Input::Tool { tool: tool.clone(), id, message: Box::new(message), reply };
        self.inputs.send(input).await.ok().map(|()| outcome)
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

    fn read(
        &self,
        tool: &Slug,
        form: PayloadForm,
        payload: &[u8],
        arrived: UtcMicros,
    ) -> Result<Said, Refused> {
        let own = Dialect::own();
        let dialect = self.dialects.get(tool).unwrap_or(&own);
        dialect.read(form, payload, &self.catalogue, arrived, &self.identity)
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
