//! The people: a registrar at the counter who writes down what owners and the workshop say, again
//! and again until central answers; and recipients who read.

use crate::{books::Recorded, clock::BEGINNING, history::Rule, play::Play};
use anyhow::{Context as _, Result, bail};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::time::sleep;
use vernport_api::{
    Certificate, Code, ErasureRequest, ErasureState, LedgerAnswer, LedgerRequest, ReadRequest,
};
use vernport_central::Role;
use vernport_registry::{
    Actor, ActorRole, Consent, ENTRY_FORMAT, Entry, Erasure, ErasureGround, Event, Ground, Method,
    OrderClosed, OrderOpened, OwnerChanged, ReceiptCode, RecipientKeyActivated, Restriction,
    RestrictionLifted, RestrictionLifting, StationRef, VoidReason, Voided, Whom, Withdrawal, WithdrawalScope,
};
use vernport_types::{AssetId, EntryHash, KeyId, OrderId, Slug, SubjectId, UtcMicros};
use vernport_uplink::{CallError, Client};

const REMINDER: &str = "maintenance-reminder";
const READ_LIMIT: u16 = 64;

/// What the counter knows: only what was answered.
pub(crate) struct Counter {
    play: Arc<Play>,
    client: Client,
    asset: AssetId,
    owners: [SubjectId; 2],
    owner: usize,
    form: Consent,
    /// The consents that stand, and whose they are.
    consents: BTreeMap<EntryHash, SubjectId>,
    /// All that were ever given, and when that was answered.
    given: Vec<(EntryHash, SubjectId, i64)>,
    order: Option<OrderId>,
    restriction: Option<EntryHash>,
    /// Orders to erase that are not done: the entry, when it was asked for, and what it is about.
    erasing: Vec<(EntryHash, i64, BTreeSet<EntryHash>)>,
    said: u64,
}

impl Counter {
    /// The first day: keys, the truck and its owner, the notice, the order, a consent. No storm yet.
    pub(crate) async fn open(play: &Arc<Play>) -> Result<Self> {
        let site = &play.site;
        let client = play.client(&"registrar".parse()?, Role::Registrar);
        let identity = site.identity()?;
        let world = &site.world;
        let owner = world.subject("owner").context("the world has an owner")?;
        let mut entries = Vec::new();
        for (number, key) in site.controller.recipient.iter().enumerate() {
            let event = RecipientKeyActivated {
                recipient: key.recipient.clone(),
                purpose: key.purpose.clone(),
                key: site.dev.opening_key(&site.controller, key)?.wrapping_key(),
            };
            let event = Event::RecipientKeyActivated(event);
            entries.push(entry(play, event, BEGINNING, &format!("key {number}"))?);
        }
        let of_world = world.entries(&site.controller.id, &identity, BEGINNING)?;
        let given = of_world.iter().find_map(|entry| match &entry.event {
            Event::ConsentGiven(consent) => Some((entry.external_ref.clone(), consent.clone())),
            _ => None,
        });
        let (reference, form) = given.context("the world has a consent")?;
        entries.extend(of_world);
        let answer = client.record(&LedgerRequest { entries, identifiers: Vec::new(), wait_ms: 0 }).await?;
        let result = answer.results.iter().find(|result| result.external_ref == reference.as_str());
        let consent = result.context("the consent was recorded")?.entry;
        Ok(Self {
            play: Arc::clone(play),
            client,
            asset: world.asset("truck").context("the world has a truck")?,
            owners: [owner, SubjectId::from_bytes([0x22; 16])],
            owner: 0,
            form,
            consents: BTreeMap::from([(consent, owner)]),
            given: vec![(consent, owner, play.time.micros())],
            order: Some(world.order("1017")),
            restriction: None,
            erasing: Vec::new(),
            said: 0,
        })
    }

    /// Says things as long as the storm lasts.
    pub(crate) async fn work(mut self) -> Result<Self> {
        while self.play.is_storm() {
            let pause = self.play.dice.between(500, 20_000);
            sleep(Duration::from_millis(pause)).await;
            self.say_something().await?;
            self.look_after_erasures().await?;
        }
        Ok(self)
    }

    async fn say_something(&mut self) -> Result<()> {
        match self.play.dice.below(100) {
            0..35 if self.consents.is_empty() => self.give_consent().await,
            0..20 => self.withdraw().await,
            20..26 => self.void().await,
            26..50 => self.order().await,
            50..72 => self.restrict().await,
            72..80 => self.sell().await,
            80..90 => self.order_erasure().await,
            _ => Ok(()),
        }
    }

    /// Asks until it is answered; none where central says that it cannot be.
    async fn record(&mut self, event: Event) -> Result<Option<LedgerAnswer>> {
        self.said += 1;
        let (kind, reference) = (event.kind().to_owned(), format!("said {}", self.said));
        let now = BEGINNING.plus_micros(self.play.time.micros());
        let entry = entry(&self.play, event, now, &reference)?;
        let wait_ms = self.play.dice.of(&[0, 0, 2_000]);
        let request = LedgerRequest { entries: vec![entry], identifiers: Vec::new(), wait_ms };
        loop {
            match self.client.record(&request).await {
                Ok(answer) => {
                    self.play.history.tell(format!("{kind}: answered"));
                    return Ok(Some(answer));
                }
                Err(error) if error.is_transient() => {
                    sleep(Duration::from_millis(self.play.dice.between(100, 3_000))).await;
                }
                // Central's clock is behind: until that is right. A copy that is late may come after it is.
                Err(CallError::Refused(problem)) if problem.to_string().contains("occurred_at") => {
                    sleep(Duration::from_secs(2)).await;
                }
                Err(CallError::Refused(problem)) => {
                    self.play.history.tell(format!("{kind}: refused, {problem}"));
                    return Ok(None);
                }
                Err(error) => bail!("central is not to be understood: {error}"),
            }
        }
    }

    fn owner(&self) -> SubjectId {
        self.owners[self.owner]
    }

    async fn give_consent(&mut self) -> Result<()> {
        let owner = self.owner();
        let mut code = [0; 7];
        code[..6].copy_from_slice(&self.play.dice.draw().to_be_bytes()[..6]);
        let now = BEGINNING.plus_micros(self.play.time.micros());
        let consent = Consent {
            subject: owner,
            receipt: ReceiptCode::from_bytes(code),
            valid_until: now.plus_seconds(300 * 86_400),
            ..self.form.clone()
        };
        if let Some(answer) = self.record(Event::ConsentGiven(consent)).await? {
            let entry = answer.results.first().context("one entry")?.entry;
            self.play.history.tell(format!("consent {entry} of owner {}", self.owner));
            self.consents.insert(entry, owner);
            self.given.push((entry, owner, self.play.time.micros()));
        }
        Ok(())
    }

    /// The owner withdraws every consent.
    pub(crate) async fn withdraw(&mut self) -> Result<()> {
        let owner = self.owner();
        let scope = WithdrawalScope::Subject {
            subject: owner,
            purpose: None,
            recipient: None,
            categories: BTreeSet::new(),
        };
        let ended = self.standing();
        let withdrawal = Withdrawal { scope, method: Method::Spoken, recorded_by: None };
        if self.record(Event::ConsentWithdrawn(withdrawal)).await?.is_some() {
            self.over(&ended).await?;
        }
        Ok(())
    }

    /// The owner's consents that stand.
    fn standing(&self) -> Vec<EntryHash> {
        let owner = self.owner();
        self.consents.iter().filter(|(_, of)| **of == owner).map(|(entry, _)| *entry).collect()
    }

    /// For controls: says that the consents are withdrawn, and tells central nothing.
    pub(crate) async fn claim_withdrawal(&mut self) -> Result<()> {
        let ended = self.standing();
        self.over(&ended).await
    }

    async fn void(&mut self) -> Result<()> {
        let Some(entry) = self.consents.keys().next().copied() else { return Ok(()) };
        let voided = Voided { entry, reason: VoidReason::Mistake };
        if self.record(Event::Voided(voided)).await?.is_some() {
            self.over(&[entry]).await?;
        }
        Ok(())
    }

    /// From here on nothing may be committed on these.
    async fn over(&mut self, consents: &[EntryHash]) -> Result<()> {
        let Recorded { batches, .. } = self.play.books.recorded().await?;
        self.play.watch.withdrawn(consents, &batches);
        self.consents.retain(|entry, _| !consents.contains(entry));
        Ok(())
    }

    async fn order(&mut self) -> Result<()> {
        if let Some(order) = self.order {
            if self.record(Event::OrderClosed(OrderClosed { order })).await?.is_some() {
                self.order = None;
            }
            return Ok(());
        }
        let order = OrderId::from_bytes(u128::from(self.play.dice.draw()).to_be_bytes());
        let station = StationRef {
            site: self.play.site.controller.site.clone(),
            station: self.play.site.controller.station.clone(),
        };
        let now = BEGINNING.plus_micros(self.play.time.micros());
        let opened = OrderOpened::new(order, self.asset, station, now);
        if self.record(Event::OrderOpened(opened)).await?.is_some() {
            self.order = Some(order);
        }
        Ok(())
    }

    async fn restrict(&mut self) -> Result<()> {
        let Some(restriction) = self.restriction else {
            let set = Restriction {
                whom: Whom::Asset(self.asset),
                purpose: None,
                ground: Ground::AccuracyDisputed,
                case: "case 7".parse()?,
            };
            if let Some(answer) = self.record(Event::RestrictionSet(set)).await? {
                self.restriction = Some(answer.results.first().context("one entry")?.entry);
            }
            return Ok(());
        };
        self.lift(restriction).await
    }

    async fn lift(&mut self, restriction: EntryHash) -> Result<()> {
        let told = RestrictionLifting { restriction, method: Method::Message, evidence: "letter 8".parse()? };
        self.record(Event::RestrictionLiftingAnnounced(told)).await?;
        if self.record(Event::RestrictionLifted(RestrictionLifted { restriction })).await?.is_some() {
            self.restriction = None;
        }
        Ok(())
    }

    async fn sell(&mut self) -> Result<()> {
        let owner = 1 - self.owner;
        let sold = OwnerChanged { asset: self.asset, owners: vec![self.owners[owner]] };
        if self.record(Event::OwnerChanged(sold)).await?.is_some() {
            self.owner = owner;
        }
        Ok(())
    }

    /// Orders to erase what rested on the owner's consents.
    pub(crate) async fn order_erasure(&mut self) -> Result<()> {
        let (asked, owner) = (self.play.time.micros(), self.owner());
        let erasure = Erasure {
            whom: Whom::Subject(owner),
            purpose: Some(REMINDER.parse()?),
            ground: ErasureGround::ConsentWithdrawn,
            case: "case 9".parse()?,
        };
        let about = self.given_before(asked);
        if let Some(answer) = self.record(Event::ErasureOrdered(erasure)).await? {
            self.erasing.push((answer.results.first().context("one entry")?.entry, asked, about));
        }
        Ok(())
    }

    /// What the owner had consented to by then.
    fn given_before(&self, asked: i64) -> BTreeSet<EntryHash> {
        let owner = self.owner();
        let given = self.given.iter().filter(|(_, of, at)| *of == owner && *at < asked);
        given.map(|(entry, ..)| *entry).collect()
    }

    /// For controls: says that it is erased, and tells central nothing.
    pub(crate) fn claim_erasure(&self) {
        let asked = self.play.time.micros();
        self.play.watch.erased(&[], asked, &self.given_before(asked));
    }

    /// Asks once what became of each order to erase.
    async fn look_after_erasures(&mut self) -> Result<()> {
        for (entry, asked, about) in std::mem::take(&mut self.erasing) {
            match self.client.erasure(&ErasureRequest { entry }).await {
                Ok(answer) if answer.state == ErasureState::Complete => {
                    let signed = answer.certificates.last().context("what is complete is certified")?;
                    let Certificate { epoch_hashes, .. } = signed.verify(&self.play.site.dev.head_key)?;
                    self.play.history.tell(format!("erased: {} epochs", epoch_hashes.len()));
                    self.play.watch.erased(&epoch_hashes, asked, &about);
                }
                Ok(_) => self.erasing.push((entry, asked, about)),
                Err(error) if error.is_transient() => self.erasing.push((entry, asked, about)),
                Err(error) => self.play.history.tell(format!("an erasure is not told of: {error}")),
            }
        }
        Ok(())
    }

    /// The storm is over: what is restricted is lifted, and what is to be erased is waited for.
    pub(crate) async fn tidy(&mut self) -> Result<()> {
        if let Some(restriction) = self.restriction {
            self.lift(restriction).await?;
        }
        for _ in 0..60 {
            self.look_after_erasures().await?;
            if self.erasing.is_empty() {
                return Ok(());
            }
            sleep(Duration::from_secs(5)).await;
        }
        self.play.history.broke(Rule::Stalled, "an erasure is not done five minutes after the storm");
        Ok(())
    }

    /// Whether what waits in the spool may wait on.
    pub(crate) fn is_restricted(&self) -> bool {
        self.restriction.is_some()
    }
}

/// One recipient reads everything that one of its keys opens.
pub(crate) async fn read_all(play: &Arc<Play>, recipient: &Slug, key: KeyId) -> Result<()> {
    let client = play.client(recipient, Role::Recipient);
    let mut after = None;
    loop {
        let request = ReadRequest {
            controller: play.site.controller.id.clone(),
            task: "simulation".parse()?,
            recipient_key: key,
            after,
            limit: READ_LIMIT,
        };
        let journaled = play.journaled_since();
        let answer = match client.read(&request).await {
            Ok(answer) => answer,
            Err(error) if error.is_transient() => {
                if play.is_storm() {
                    return Ok(());
                }
                sleep(Duration::from_secs(1)).await;
                continue;
            }
            Err(CallError::Refused(problem))
                if play.is_storm() || problem.code == Code::RecipientKeyUnknown =>
            {
                play.history.tell(format!("a read is refused: {problem}"));
                return Ok(());
            }
            Err(error) => bail!("a read is refused: {error}"),
        };
        play.watch.read_answered();
        // A central without its journal, on two old databases, knows of no erasure.
        let knows_erasures = journaled.is_some() && journaled == play.journaled_since();
        for bytes in &answer.envelopes {
            play.watch.opened(&*play.opened.open(&play.site, &bytes.0)?, knows_erasures);
        }
        after = answer.cursor;
        if answer.envelopes.len() < usize::from(READ_LIMIT) || after.is_none() {
            return Ok(());
        }
    }
}

/// Reads as long as the storm lasts.
pub(crate) async fn read_now_and_then(play: Arc<Play>) -> Result<()> {
    while play.is_storm() {
        sleep(Duration::from_millis(play.dice.between(5_000, 60_000))).await;
        let recipients: Vec<(Slug, KeyId)> =
            play.site.recipients().map(|(name, key)| (name.clone(), key)).collect();
        let place = usize::try_from(play.dice.below(recipients.len() as u64))?;
        let (recipient, key) = &recipients[place];
        read_all(&play, recipient, *key).await?;
    }
    Ok(())
}

fn entry(play: &Play, event: Event, at: UtcMicros, reference: &str) -> Result<Entry> {
    Ok(Entry {
        format: ENTRY_FORMAT,
        controller: play.site.controller.id.clone(),
        event,
        actor: Actor { role: ActorRole::Staff, id: "counter".parse()? },
        occurred_at: at,
        recorded_at: at,
        source: "counter".parse()?,
        external_ref: reference.parse()?,
    })
}
