//! Speaks to central as a controller's own system: records what people and firms
//! said, looks up vehicles, fetches what is sealed to its recipients.

use crate::dev::{Dev, DevController, DevRecipient};
use anyhow::Result;
use std::sync::Arc;
use vernport_api::{
    ClockRequest, ConsentsAnswer, ConsentsRequest, ErasureAnswer, ErasureRequest, EventsAnswer,
    EventsRequest, FindEntryRequest, FleetNumberAnswer, FleetNumberRequest, FoundEntry, GatewaysAnswer,
    IdempotencyKey, ImportAnswer, ImportQuery, InvitationAnswer, InvitationRequest, LedgerAnswer,
    LedgerRequest, ReadRequest,
    explain::{ExplainRequest, Explanation},
};
use vernport_crypto::{IdentityKey, random};
use vernport_registry::{
    Actor, ActorRole, AssetIdentified, ENTRY_FORMAT, Entry, Event, RecipientKeyActivated, Text,
};
use vernport_seal::{Body, ReceivedEnvelope};
use vernport_types::{AssetId, Clock, ControllerId, EntryHash, Identifier, Slug, UtcMicros};
use vernport_uplink::{Client, Config};

/// Envelopes asked for in one read.
const READ_LIMIT: u16 = 64;

/// How long a person at the counter waits for gateways to tell that they stopped.
const EFFECT_WAIT_MS: u32 = 2_000;

/// One controller's system at the counter.
pub struct Registrar {
    client: Client,
    controller: ControllerId,
    clock: Arc<dyn Clock>,
    /// The controller's identity key: identifiers leave here as blind indexes.
    pub identity: IdentityKey,
}

impl Registrar {
    /// Connects with the certificate of the set.
    ///
    /// # Errors
    /// If a file of the set cannot be used.
    pub fn new(dev: &Dev, controller: &DevController, clock: Arc<dyn Clock>) -> Result<Self> {
        let tls = dev.client_tls(controller, "registrar").client()?;
        let client = Client::new(&Config::new(&dev.central_url), tls)?;
        let identity = dev.identity_key(controller)?;
        Ok(Self { client, controller: controller.id.clone(), clock, identity })
    }

    /// Records one event that happens now.
    ///
    /// # Errors
    /// If central cannot be reached or refuses it.
    pub async fn say(&self, event: Event) -> Result<LedgerAnswer> {
        self.say_as(event, &hex::encode(random::<12>())).await
    }

    /// The same, under a reference of the controller's own; said twice, it counts once.
    ///
    /// # Errors
    /// As [`Self::say`], and if the reference is no short text.
    pub async fn say_as(&self, event: Event, reference: &str) -> Result<LedgerAnswer> {
        let entry = self.entry(event, self.clock.now().wall, reference.parse()?)?;
        Ok(self.client.record(&request(vec![entry], Vec::new())).await?)
    }

    /// Records events that happen now, all or none of them, and waits a moment for
    /// gateways to tell that they applied what stops.
    ///
    /// # Errors
    /// As [`Self::say`].
    pub async fn say_together(&self, events: Vec<Event>) -> Result<LedgerAnswer> {
        let now = self.clock.now().wall;
        let entry = |event| self.entry(event, now, hex::encode(random::<12>()).parse()?);
        let entries = events.into_iter().map(entry).collect::<Result<_>>()?;
        Ok(self
            .client
            .record(&LedgerRequest { wait_ms: EFFECT_WAIT_MS, ..request(entries, Vec::new()) })
            .await?)
    }

    /// Invites a gateway to enrol.
    ///
    /// # Errors
    /// If central cannot be reached or refuses.
    pub async fn invite(&self, asked: &InvitationRequest) -> Result<InvitationAnswer> {
        Ok(self.client.invite(asked).await?)
    }

    /// All gateways that were ever enrolled, and who is invited.
    ///
    /// # Errors
    /// If central cannot be reached.
    pub async fn gateways(&self) -> Result<GatewaysAnswer> {
        Ok(self.client.gateways().await?)
    }

    /// What became of an order to erase.
    ///
    /// # Errors
    /// If central cannot be reached or knows of no such order.
    pub async fn erasure(&self, entry: EntryHash) -> Result<ErasureAnswer> {
        Ok(self.client.erasure(&ErasureRequest { entry }).await?)
    }

    /// Says what a fleet operator calls a vehicle.
    ///
    /// # Errors
    /// If central cannot be reached or refuses.
    pub async fn fleet_number(&self, asked: &FleetNumberRequest) -> Result<FleetNumberAnswer> {
        Ok(self.client.fleet_number(asked).await?)
    }

    /// Confirms central's clock by this one; false if they differ.
    ///
    /// # Errors
    /// If central cannot be reached.
    pub async fn confirm_clock(&self) -> Result<bool> {
        Ok(self.client.confirm_clock(&ClockRequest { now: self.clock.now().wall }).await?.believed)
    }

    /// Which consents stand, of a receipt or of a vehicle.
    ///
    /// # Errors
    /// If central cannot be reached or refuses the question.
    pub async fn consents(&self, asked: &ConsentsRequest) -> Result<ConsentsAnswer> {
        Ok(self.client.consents(asked).await?)
    }

    /// What time it is at the counter.
    pub fn now(&self) -> UtcMicros {
        self.clock.now().wall
    }

    /// Enters a vehicle under a new id. Its identifier goes along to be kept sealed to the controller.
    ///
    /// # Errors
    /// As [`Self::say`].
    pub async fn enter_asset(&self, identifier: Identifier) -> Result<AssetId> {
        let asset = AssetId::from_bytes(random());
        let (identifier_kind, index) = (identifier.kind(), self.identity.index(&identifier));
        let event = Event::AssetIdentified(AssetIdentified { asset, identifier_kind, index });
        let reference: Text = hex::encode(random::<12>()).parse()?;
        let entry = self.entry(event, self.clock.now().wall, reference)?;
        self.client.record(&request(vec![entry], vec![identifier])).await?;
        Ok(asset)
    }

    /// Records entries that were made elsewhere (a world file).
    ///
    /// # Errors
    /// If central cannot be reached or refuses one of them.
    pub async fn record(&self, entries: Vec<Entry>) -> Result<()> {
        for part in entries.chunks(vernport_api::MAX_ENTRIES) {
            self.client.record(&request(part.to_vec(), Vec::new())).await?;
        }
        Ok(())
    }

    /// Activates the keys of all recipients of the set.
    ///
    /// # Errors
    /// As [`Self::say`], and if a key file cannot be read.
    pub async fn activate_keys(&self, dev: &Dev, controller: &DevController) -> Result<()> {
        for key in &controller.recipient {
            let event = RecipientKeyActivated {
                recipient: key.recipient.clone(),
                purpose: key.purpose.clone(),
                key: dev.opening_key(controller, key)?.wrapping_key(),
            };
            self.say(Event::RecipientKeyActivated(event)).await?;
        }
        Ok(())
    }

    /// The asset that bears an identifier now.
    ///
    /// # Errors
    /// If central cannot be reached or refuses the question.
    pub async fn find(&self, identifier: Identifier) -> Result<Option<AssetId>> {
        Ok(self.client.find_asset(identifier).await?)
    }

    /// Why signals of a vehicle pass or do not; none if no asset bears the identifier now.
    ///
    /// # Errors
    /// If central cannot be reached or refuses the question.
    pub async fn explain(&self, asked: &ExplainRequest) -> Result<Option<Explanation>> {
        Ok(self.client.explain(asked).await?)
    }

    /// Records entries, one a line, and says what became of each.
    ///
    /// # Errors
    /// If central cannot be reached or refuses the whole.
    pub async fn import(
        &self,
        lines: Vec<u8>,
        query: ImportQuery,
        key: Option<&IdempotencyKey>,
    ) -> Result<ImportAnswer> {
        Ok(self.client.import(lines, query, key).await?)
    }

    /// What was recorded behind a cursor.
    ///
    /// # Errors
    /// If central cannot be reached, or the cursor is of another state of the registry.
    pub async fn events(&self, asked: &EventsRequest) -> Result<EventsAnswer> {
        Ok(self.client.events(asked).await?)
    }

    /// What became of an entry, by its reference.
    ///
    /// # Errors
    /// If central cannot be reached or refuses the question.
    pub async fn find_entry(&self, asked: &FindEntryRequest) -> Result<Option<FoundEntry>> {
        Ok(self.client.find_entry(asked).await?)
    }

    /// Whose system this is.
    pub fn controller(&self) -> &ControllerId {
        &self.controller
    }

    /// How many batches central keeps of this controller.
    ///
    /// # Errors
    /// If central cannot be reached.
    pub async fn stored_batches(&self) -> Result<u64> {
        Ok(self.client.status().await?.batches)
    }

    fn entry(&self, event: Event, now: UtcMicros, external_ref: Text) -> Result<Entry> {
        Ok(Entry {
            format: ENTRY_FORMAT,
            controller: self.controller.clone(),
            event,
            actor: Actor { role: ActorRole::Staff, id: "counter".parse()? },
            occurred_at: now,
            recorded_at: now,
            source: "vernport-cli".parse()?,
            external_ref,
        })
    }
}

/// The person at the counter is told at once; when it took effect at each gateway is asked for later.
fn request(entries: Vec<Entry>, identifiers: Vec<Identifier>) -> LedgerRequest {
    LedgerRequest { entries, identifiers, wait_ms: 0 }
}

/// Everything that one recipient can read for one purpose.
///
/// # Errors
/// If central refuses the read, or an envelope is not whole, not signed by the
/// controller's gateway, or does not open.
pub async fn read_all(
    dev: &Dev,
    controller: &DevController,
    recipient: &DevRecipient,
    task: &str,
) -> Result<Vec<(Vec<u8>, Body)>> {
    let tls = dev.client_tls(controller, recipient.recipient.as_str()).client()?;
    let client = Client::new(&Config::new(&dev.central_url), tls)?;
    let key = dev.opening_key(controller, recipient)?;
    let task: Slug = task.parse()?;
    let mut read = Vec::new();
    let mut after = None;
    loop {
        let request = ReadRequest {
            controller: controller.id.clone(),
            task: task.clone(),
            recipient_key: recipient.key_id,
            after,
            limit: READ_LIMIT,
        };
        let answer = client.read(&request).await?;
        let count = answer.envelopes.len();
        for envelope in answer.envelopes {
            let bytes = envelope.0;
            let received = ReceivedEnvelope::parse(&bytes)?;
            received.verify(&controller.device_key)?;
            let body = received.open(&key)?;
            read.push((bytes, body));
        }
        after = answer.cursor;
        if count < usize::from(READ_LIMIT) || after.is_none() {
            return Ok(read);
        }
    }
}
