//! What a technician says at the station, whether or not the line to central is there:
//! it is written down and signed, then it counts here, then central hears of it.
//!
//! ```text
//! vernport station … ─► socket ─► Station::hear ─► chain (spool) ─► table, spool ─► answer
//!                                                     └────────────► tell ─► central
//! ```
//!
//! Promises:
//! - What closes is taken as long as a link can be written, on a full disk out of the
//!   spool's reserve, and is in effect before the answer.
//! - What opens is what [`vernport_policy::opens_offline`] says, and nothing else.
//! - Nothing counts before it is durable, and what is durable counts after a restart.

mod chain;
mod socket;
mod tell;
mod words;

pub use chain::ChainError;
pub use socket::SocketError;
pub use words::{Answered, Done, Said};

pub(crate) use chain::{Chain, Draft, Kept};
pub(crate) use socket::{open, serve};
pub(crate) use tell::tell;

use crate::{driver::Input, holds::Holds, settle::settle, status::Shared};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::sync::{Mutex, Notify, mpsc};
use tokio_util::sync::CancellationToken;
use vernport_api::{Blob, SealedIdentifier};
use vernport_crypto::{SigningKey, random};
use vernport_policy::{MAX_STATION_ORDER_SECONDS, StationOpening, opens_offline};
use vernport_registry::{
    Actor, ActorRole, AssetIdentified, ENTRY_FORMAT, Effect, Entry, Event, Method, OrderClosed, OrderOpened,
    PrivateMode, ReceiptCode, StationRef, Withdrawal, WithdrawalScope,
};
use vernport_seal::seal_identifier;
use vernport_spool::Spool;
use vernport_types::{
    AssetId, Clock, GrantId, Identifier, LegalBasis, OrderId, Reason, Slug, Stamp, TimeQuality, UtcMicros,
    VehicleAlias,
};

/// How often it is looked whether an order that was opened here is over.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How often an id is drawn anew whose digits look like somebody's number.
const MAX_DRAWS: usize = 8;

/// The station of a gateway.
pub(crate) struct Station {
    pub(crate) gateway: Slug,
    pub(crate) at: StationRef,
    pub(crate) device: Arc<SigningKey>,
    pub(crate) holds: Holds,
    pub(crate) spool: Spool,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) inputs: mpsc::Sender<Input>,
    /// Rung when something was said.
    pub(crate) said: Notify,
    /// One at a time says something.
    pub(crate) turn: Mutex<()>,
}

/// Why nothing was done: what the technician reads.
type Refusal = String;
/// The open flows of some vehicles.
type Open = BTreeMap<(AssetId, Slug), LegalBasis>;

impl Station {
    /// Takes what a technician says.
    pub(crate) async fn hear(&self, said: Said) -> Answered {
        let turn = self.turn.lock().await;
        let answer = match said {
            Said::OrderOpen { vehicle, hours } => self.open_order(&vehicle, hours).await,
            Said::OrderClose { vehicle } => self.close_order(&vehicle).await,
            Said::Private { on, vehicle } => self.private(on, vehicle.as_ref()).await,
            Said::Withdraw { vehicle: Some(vehicle), receipt: None } => self.withdraw(&vehicle).await,
            Said::Withdraw { vehicle: None, receipt: Some(receipt) } => self.withdraw_receipt(receipt).await,
            Said::Withdraw { .. } => Err("name either the vehicle or the receipt".into()),
            Said::Assert { vehicle } => self.assert(&vehicle).await,
        };
        drop(turn);
        match answer {
            Ok(done) => Answered::Done(done),
            Err(why) => Answered::Refused { why },
        }
    }

    /// Ends the orders that were opened here when they are over, until shutdown: so they are over
    /// after a restart too, whatever the clock says then.
    pub(crate) async fn end_orders(&self, shutdown: CancellationToken) {
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            let _turn = self.turn.lock().await;
            let now = self.time(self.clock.now());
            for order in self.holds.with_chain(|chain| over(chain, now)) {
                match self.say(Event::OrderClosed(OrderClosed { order }), Beside::default()).await {
                    Ok(()) => tracing::info!("an order that was opened here is over"),
                    Err(why) => tracing::error!(why, "the end of an order could not be written down"),
                }
            }
        }
    }

    async fn open_order(&self, vehicle: &Identifier, hours: u32) -> Result<Done, Refusal> {
        let seconds = i64::from(hours) * 3_600;
        if !(3_600..=MAX_STATION_ORDER_SECONDS).contains(&seconds) {
            return Err(format!(
                "an order at the station lasts 1 to {} hours; open a longer one at central",
                MAX_STATION_ORDER_SECONDS / 3_600
            ));
        }
        let now = self.clock.now();
        if now.quality == TimeQuality::Unset {
            return Err("the clock of this box is not set: an order would have no end; set it".into());
        }
        let known = self.holds.find(vehicle);
        if known.is_some_and(|asset| self.holds.is_in_order(asset, now)) {
            return Err("an order is open for this vehicle here already".into());
        }
        let asset = known.unwrap_or_else(|| AssetId::from_bytes(random()));
        let openings = self.draw(asset, self.time(now))?;
        let asset = match known {
            Some(asset) => asset,
            None => self.name(asset, vehicle, false).await?,
        };
        let before = self.open_flows(Some(asset));
        let order = OrderId::from_bytes(random());
        let at = self.time(self.clock.now());
        let until = at.plus_seconds(seconds);
        let mut opened = OrderOpened::new(order, asset, self.at.clone(), at);
        opened.expires_at = until;
        let beside = Beside { openings, at: Some(at), ..Beside::default() };
        self.say(Event::OrderOpened(opened), beside).await?;
        let later = "flows on another basis open when central has heard of the order";
        Ok(Done { order: Some(order), until: Some(until), ..self.effect(&before, Some(asset), Some(later)) })
    }

    /// Ids for the flows that an order for an asset opens now; at least one.
    fn draw(&self, asset: AssetId, at: UtcMicros) -> Result<Vec<StationOpening>, Refusal> {
        let table = self.holds.table();
        let Some(held) = table.snapshot() else {
            return Err("this box has never heard from central: it knows no key to seal with".into());
        };
        let mut aliases: BTreeMap<(Slug, Slug), VehicleAlias> = BTreeMap::new();
        let mut openings = Vec::new();
        let mut closed = Vec::new();
        for (flow, opens) in opens_offline(table.rules(), held, asset, at) {
            match opens {
                Ok(()) => {
                    let towards = (flow.recipient.clone(), flow.purpose.clone());
                    let alias = aliases.entry(towards).or_insert_with(|| VehicleAlias::from_bytes(random()));
                    let grant = GrantId::from_bytes(random());
                    openings.push(StationOpening { flow: flow.slug.clone(), grant, alias: *alias });
                }
                Err(reason) => closed.push(format!("{} ({reason})", flow.slug)),
            }
        }
        if !openings.is_empty() {
            return Ok(openings);
        }
        Err(if closed.is_empty() {
            "the bundle lets no flow be opened at a station alone; open the order at central".into()
        } else {
            format!("nothing would open here now: {}", closed.join(", "))
        })
    }

    async fn close_order(&self, vehicle: &Identifier) -> Result<Done, Refusal> {
        let asset = self.holds.find(vehicle);
        let found = asset.and_then(|asset| Some((asset, self.holds.order_of(asset)?)));
        let Some((asset, order)) = found else {
            return Err("no order is open for this vehicle here, so nothing was closed".into());
        };
        let before = self.open_flows(Some(asset));
        self.say(Event::OrderClosed(OrderClosed { order }), Beside::default()).await?;
        Ok(Done { order: Some(order), ..self.effect(&before, Some(asset), None) })
    }

    async fn private(&self, on: bool, vehicle: Option<&Identifier>) -> Result<Done, Refusal> {
        let asset = match vehicle {
            Some(vehicle) => self.named(vehicle).await?,
            None => self.holds.only_one().ok_or("say which vehicle: there is not exactly one here")?,
        };
        let before = self.open_flows(Some(asset));
        let private = PrivateMode { asset };
        let event = if on { Event::PrivateModeStarted(private) } else { Event::PrivateModeEnded(private) };
        self.say(event, Beside::default()).await?;
        let later = (!on).then_some("flows open again when central has heard of it");
        Ok(self.effect(&before, Some(asset), later))
    }

    async fn withdraw(&self, vehicle: &Identifier) -> Result<Done, Refusal> {
        let asset = self.named(vehicle).await?;
        let before = self.open_flows(Some(asset));
        self.say(withdrawal(WithdrawalScope::Asset(asset)), Beside::default()).await?;
        Ok(self.effect(&before, Some(asset), Some("central hears of it as soon as the line is there")))
    }

    async fn withdraw_receipt(&self, receipt: ReceiptCode) -> Result<Done, Refusal> {
        let before = self.open_flows(None);
        self.say(withdrawal(WithdrawalScope::Receipt(receipt)), Beside::default()).await?;
        let later =
            "only central knows whose receipt it is: until it has said so, all flows on consent pause here";
        Ok(self.effect(&before, None, Some(later)))
    }

    async fn assert(&self, vehicle: &Identifier) -> Result<Done, Refusal> {
        let asset = self.holds.find(vehicle).filter(|asset| self.holds.order_of(*asset).is_some());
        let asset = asset.ok_or("no order is open for this vehicle here; open one first")?;
        let before = self.open_flows(Some(asset));
        self.name(asset, vehicle, true).await?;
        Ok(self.effect(&before, Some(asset), None))
    }

    /// The asset of a vehicle; one that nobody expects here gets an id, which central joins with its own.
    async fn named(&self, vehicle: &Identifier) -> Result<AssetId, Refusal> {
        match self.holds.find(vehicle) {
            Some(asset) => Ok(asset),
            None => self.name(AssetId::from_bytes(random()), vehicle, false).await,
        }
    }

    /// Says that an asset has an identifier. The identifier goes along, sealed to the controller.
    async fn name(
        &self,
        mut asset: AssetId,
        vehicle: &Identifier,
        stands_here: bool,
    ) -> Result<AssetId, Refusal> {
        let index = self.holds.index(vehicle);
        let identifier = self.holds.recovery().and_then(|recovery| {
            let sealed = seal_identifier(self.holds.controller(), &recovery, &index, vehicle).ok()?;
            Some(SealedIdentifier { index, sealed: Blob(sealed) })
        });
        let event = |asset| {
            let identifier_kind = vehicle.kind();
            Event::AssetIdentified(AssetIdentified { asset, identifier_kind, index })
        };
        if !stands_here {
            // A random id may look like a national number, which no ledger takes.
            for _ in 0..MAX_DRAWS {
                if self.entry(event(asset), self.time(self.clock.now())).check().is_ok() {
                    break;
                }
                asset = AssetId::from_bytes(random());
            }
        }
        self.say(event(asset), Beside { stands_here, identifier, ..Beside::default() }).await?;
        Ok(asset)
    }

    /// Writes something down; when this returns, it is durable and in effect here.
    async fn say(&self, event: Event, beside: Beside) -> Result<(), Refusal> {
        let now = self.clock.now();
        let entry = self.entry(event, beside.at.unwrap_or_else(|| self.time(now)));
        entry.check().map_err(|invalid| invalid.to_string())?;
        // What tells which vehicle it is comes before what closes, and needs its room.
        let opens = entry.event.effect() == Effect::Opens || beside.stands_here;
        if !self.holds.with_chain(|chain| chain.has_room(!opens)) {
            return Err("too much waits for central: restore the line first".into());
        }
        let draft = Draft {
            entry,
            clock: now.quality,
            stands_here: beside.stands_here,
            openings: beside.openings,
            identifier: beside.identifier,
        };
        let kept = self.holds.with_chain(|chain| chain.next(&self.gateway, draft, &self.device));
        let (sequence, tip) = (kept.signed.link.sequence, kept.signed.link.tip());
        let written = serde_json::to_vec(&kept).and_then(|link| Ok((link, serde_json::to_vec(&tip)?)));
        let (link, tip) = written.expect("links are plain data");
        self.spool.append_link(sequence, link, tip).await.map_err(|error| {
            tracing::error!(error = crate::chain(&error), "what was said here could not be written down");
            "it could not be written down, so it does not count; make room on the disk and say it again"
        })?;
        self.holds.say(kept, now);
        settle(&self.holds, &self.spool, &*self.clock, &self.shared).await;
        self.said.notify_waiters();
        // The driver looks by itself soon; where it waits for room it must not hold us up.
        let _ = self.inputs.try_send(Input::Grants);
        Ok(())
    }

    fn entry(&self, event: Event, at: UtcMicros) -> Entry {
        let tip = self.holds.with_chain(|chain| chain.tip());
        Entry {
            format: ENTRY_FORMAT,
            controller: self.holds.controller().clone(),
            event,
            actor: Actor { role: ActorRole::Gateway, id: self.gateway.clone() },
            occurred_at: at,
            recorded_at: at,
            source: self.gateway.clone(),
            external_ref: format!("s{}-{}", tip.segment, tip.sequence + 1)
                .parse()
                .expect("short and printable"),
        }
    }

    /// The time that counts here.
    fn time(&self, now: Stamp) -> UtcMicros {
        self.holds.table().time(now)
    }

    fn open_flows(&self, of: Option<AssetId>) -> Open {
        self.holds.open_flows(of, self.clock.now())
    }

    /// What changed since `before`, and what goes on.
    fn effect(&self, before: &Open, of: Option<AssetId>, later: Option<&str>) -> Done {
        let after = self.open_flows(of);
        let opened = after.keys().filter(|key| !before.contains_key(*key));
        let stopped = before.keys().filter(|key| !after.contains_key(*key));
        let why = |(asset, flow): &(AssetId, Slug)| self.holds.why_closed(*asset, flow);
        let mut goes_on: Vec<_> = after
            .iter()
            .filter(|(key, _)| before.contains_key(*key))
            .map(|((_, flow), basis)| (flow.clone(), *basis))
            .collect();
        goes_on.dedup();
        let mut stopped: Vec<_> =
            stopped.map(|key| (key.1.clone(), why(key).unwrap_or(Reason::NoGrant))).collect();
        stopped.dedup();
        Done {
            opened: opened.map(|(_, flow)| flow.clone()).collect(),
            stopped,
            goes_on,
            later: later.map(Into::into),
            ..Done::default()
        }
    }
}

/// What stands beside an event in its link.
#[derive(Default)]
struct Beside {
    stands_here: bool,
    openings: Vec<StationOpening>,
    identifier: Option<SealedIdentifier>,
    /// When it is said, where that is in the event too.
    at: Option<UtcMicros>,
}

fn withdrawal(scope: WithdrawalScope) -> Event {
    Event::ConsentWithdrawn(Withdrawal { scope, method: Method::Station, recorded_by: None })
}

/// The orders of a chain that are past their end, and were not closed there.
fn over(chain: &Chain, now: UtcMicros) -> Vec<OrderId> {
    let events = || chain.waiting().iter().map(|kept| &kept.signed.link.entry.event);
    let is_closed =
        |order| events().any(|event| matches!(event, Event::OrderClosed(closed) if closed.order == order));
    let over = events().filter_map(|event| match event {
        Event::OrderOpened(opened) if opened.expires_at <= now => Some(opened.order),
        _ => None,
    });
    over.filter(|order| !is_closed(*order)).collect()
}
