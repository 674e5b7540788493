//! Recording entries: facts, grants, store and gateways move together, and the
//! answer says what stopped where and what goes on.

use crate::{
    cache::{ATTEMPTS, NotAdopted, overtaken},
    caller::By,
    compute::Computed,
    config::Gateway,
    controller::{Controller, State},
    feed::{Awaited, Believed},
    keyed::Attempt,
    refusal::Refusal,
};
use std::{collections::BTreeMap, time::Duration};
use tokio::sync::MutexGuard;
use vernport_api::{
    Code, EntryResult, GatewayEffect, GoesOn, LedgerAnswer, LedgerEffect, LedgerRequest, MAX_WAIT_MS, Stopped,
};
use vernport_crypto::BlindIndex;
use vernport_policy::{HoldError, Rules, Snapshot};
use vernport_registry::{
    Actor, ActorRole, ENTRY_FORMAT, EnrolmentState, Entry, Event, Facts, GatewayEnrolled, Refused, StationRef,
};
use vernport_seal::seal_identifier;
use vernport_store::{Change, IdentifierRow, NewEntry, Place, Turn};
use vernport_types::{AssetId, ControllerId, EntryHash, Identifier, Slug, UtcMicros};

/// Identifiers sealed to the controller, by blind index.
pub(crate) type Sealed = BTreeMap<BlindIndex, Vec<u8>>;

/// What is asked together, and under which key.
struct Asked<'a> {
    entries: Vec<Entry>,
    sealed: Sealed,
    by: &'a By,
    keyed: Option<(&'a Attempt, [u8; 32])>,
}

/// What was recorded.
pub(crate) struct Entered {
    pub(crate) results: Vec<EntryResult>,
    effect: LedgerEffect,
    believed: Believed,
}

impl Controller {
    /// Records entries, all or none of them; under a key, with the digest of the request.
    pub(crate) async fn record(
        &self,
        asked: LedgerRequest,
        by: &By,
        keyed: Option<(&Attempt, [u8; 32])>,
    ) -> Result<LedgerAnswer, Refusal> {
        let sealed = self.seal_identifiers(&asked.entries, &asked.identifiers)?;
        let wait = Duration::from_millis(asked.wait_ms.min(MAX_WAIT_MS).into());
        let asked = Asked { entries: asked.entries, sealed, by, keyed };
        for _ in 0..ATTEMPTS {
            match self.try_record(&asked).await {
                Ok((results, effect, awaited)) => {
                    let new = results.iter().filter(|result| !result.duplicate).count();
                    self.counted.entries.fetch_add(new as u64, std::sync::atomic::Ordering::Relaxed);
                    let effect = self.in_effect(effect, &awaited, wait).await;
                    return Ok(LedgerAnswer { results, effect });
                }
                Err(NotAdopted::Stale) => {}
                Err(NotAdopted::Refused(refusal)) => return Err(refusal),
            }
        }
        Err(overtaken())
    }

    async fn try_record(
        &self,
        asked: &Asked<'_>,
    ) -> Result<(Vec<EntryResult>, LedgerEffect, Vec<Awaited>), NotAdopted> {
        let (mut state, turn, now) =
            self.taking_turn(asked.entries.iter().map(|entry| entry.occurred_at)).await?;
        // What counts is when it stood in this ledger, whatever the sender wrote.
        let entries = asked.entries.iter().map(|entry| Entry { recorded_at: now, ..entry.clone() });
        let entries: Vec<Entry> = entries.collect();
        self.admit(&state, &entries, asked.by, now)?;
        let entered = self.enter(&mut state, turn, &entries, &asked.sealed, asked.keyed, now).await?;
        let Entered { results, mut effect, believed } = entered;
        self.bound(&mut state, &believed, &mut effect.stopped).await;
        let awaited = awaited(&state, &effect);
        Ok((results, effect, awaited))
    }

    /// The state that nobody else changes, the turn to record, and the time that counts for what happened at these times.
    pub(crate) async fn taking_turn(
        &self,
        said: impl Iterator<Item = UtcMicros>,
    ) -> Result<(MutexGuard<'_, State>, Turn, UtcMicros), NotAdopted> {
        let mut state = self.locked().await?;
        let now = state.now(&*self.clock);
        self.refresh(&mut state, now).await?;
        let turn = self.turn(&mut state).await?;
        let now = state.now_for(said, &*self.clock);
        Ok((state, turn, now))
    }

    /// Records entries that may be written, with the answer to the keyed request that they are.
    pub(crate) async fn enter(
        &self,
        state: &mut State,
        turn: Turn,
        entries: &[Entry],
        sealed: &Sealed,
        keyed: Option<(&Attempt, [u8; 32])>,
        now: UtcMicros,
    ) -> Result<Entered, NotAdopted> {
        let mut change = Change::default();
        let mut results = Vec::with_capacity(entries.len());
        state.is_stored = false;
        for (at, entry) in entries.iter().enumerate() {
            let applied = state.facts.apply(entry).map_err(|refused| refusal(&refused).at_item(at))?;
            results.push(EntryResult {
                external_ref: entry.external_ref.as_str().into(),
                entry: applied.entry,
                duplicate: applied.duplicate,
            });
            if !applied.duplicate {
                note(&mut change, entry, applied.entry, sealed);
                state.note(&self.rules, entry, applied);
            }
        }
        state.pass(&self.rules, now);
        let computed = self.compute(state, now);
        let (mut effect, believed) = self.effect(state, &computed, now);
        let orders = entries.iter().zip(&results);
        let orders = orders.filter(|(entry, _)| matches!(entry.event, Event::ErasureOrdered(_)));
        effect.erasures = orders.map(|(_, result)| result.entry).collect();
        if let Some((attempt, request)) = keyed {
            // When each gateway stops is filled in later, where central lives to see it.
            let answer = LedgerAnswer { results: results.clone(), effect: effect.clone() };
            let answer = serde_json::to_vec(&answer).expect("an answer is plain data");
            change.answered = Some(attempt.answered(request, &answer));
        }
        self.adopt(state, Some(turn), computed, change, now).await?;
        Ok(Entered { results, effect, believed })
    }

    /// Whether an entry may be written by this caller; some: it was written before, under that name.
    pub(crate) fn admit_one(
        &self,
        facts: &Facts,
        entry: &Entry,
        by: &By,
        now: UtcMicros,
    ) -> Result<Option<EntryHash>, Refusal> {
        by.may_write(facts, entry, now)?;
        let known = facts.admit(entry).map_err(|refused| refusal(&refused))?;
        if known.is_none() {
            allowed(&self.rules, entry)?;
        }
        Ok(known)
    }

    /// Whether all entries may be written, one after the other. Changes nothing.
    fn admit(&self, state: &State, entries: &[Entry], by: &By, now: UtcMicros) -> Result<(), Refusal> {
        if let [entry] = entries {
            return self.admit_one(&state.facts, entry, by, now).map(drop).map_err(|no| no.at_item(0));
        }
        let mut trial = state.facts.clone();
        for (at, entry) in entries.iter().enumerate() {
            self.admit_one(&trial, entry, by, now).map_err(|no| no.at_item(at))?;
            trial.apply(entry).map_err(|refused| refusal(&refused).at_item(at))?;
        }
        Ok(())
    }

    /// Entries that enrol gateways of the configuration, for those that the
    /// ledger does not know so.
    pub(crate) fn enrolments(&self, state: &State, gateways: &[Gateway]) -> Vec<Entry> {
        let now = self.clock.now().wall;
        let known = |gateway: &Gateway| {
            state.facts.enrolment(&gateway.name, now).is_some_and(|known| {
                known.station == station(gateway) && known.device_key == gateway.device_key
            })
        };
        let news = gateways.iter().filter(|gateway| !known(gateway)).map(|gateway| {
            let enrolled = GatewayEnrolled {
                gateway: gateway.name.clone(),
                station: station(gateway),
                device_key: gateway.device_key,
                pinned: None,
            };
            let reference = format!("{} at {}", gateway.name, now.0);
            own_entry(&self.id, Event::GatewayEnrolled(enrolled), &reference, now)
        });
        news.collect()
    }

    /// Whether a gateway of the configuration may be enrolled by it: not a box in wrong hands again, nor one that
    /// has its certificates from here since.
    pub(crate) fn may_configure(
        &self,
        state: &State,
        gateway: &Gateway,
        issued: &[(Slug, UtcMicros)],
    ) -> bool {
        let now = self.clock.now().wall;
        let revoked =
            state.facts.gateway(&gateway.name, now).is_some_and(|of| of.state == EnrolmentState::Revoked)
                && state.places.get(&gateway.name).is_some_and(|of| of.device_key == gateway.device_key);
        let by_network = issued.iter().any(|(name, _)| *name == gateway.name);
        if revoked {
            tracing::warn!(gateway = %gateway.name, "was revoked: take it out of the configuration");
        } else if by_network {
            tracing::warn!(gateway = %gateway.name, "was enrolled over the network: take it out of the configuration");
        }
        !revoked && !by_network
    }

    /// Seals identifiers to the controller; each belongs to one of the entries.
    pub(crate) fn seal_identifiers(
        &self,
        entries: &[Entry],
        identifiers: &[Identifier],
    ) -> Result<Sealed, Refusal> {
        let mut sealed = Sealed::new();
        for named in identifiers {
            let index = self.identity_key.index(named);
            let is_of =
                |entry: &Entry| matches!(&entry.event, Event::AssetIdentified(of) if of.index == index);
            if !entries.iter().any(is_of) {
                let detail = "each identifier needs an asset-identified entry with its blind index";
                return Err(Refusal::new(Code::BadRequest, detail));
            }
            let row = seal_identifier(&self.id, &self.recovery_key, &index, named)
                .map_err(|_| Refusal::new(Code::Internal, "the controller's recovery key cannot be used"))?;
            sealed.insert(index, row);
        }
        Ok(sealed)
    }

    /// What stops and what goes on, held against what the gateways knew before.
    fn effect(&self, state: &State, computed: &Computed, now: UtcMicros) -> (LedgerEffect, Believed) {
        let mut believed = Believed::new();
        let stopped = computed.changes.closed.iter().filter_map(|(id, reason)| {
            let known = state.book.get(*id)?;
            let opening = &known.opening;
            let gateways = known.gateways.iter().map(|gateway| {
                if let Some(open) = state.watches.get(gateway).and_then(|watch| watch.open(*id)) {
                    believed.insert((*id, gateway.clone()), open.believe);
                }
                GatewayEffect { gateway: gateway.clone(), took_effect_at: None, at_the_latest: None }
            });
            let gateways = gateways.collect();
            Some(Stopped {
                grant: *id,
                asset: opening.asset,
                flow: opening.flow.clone(),
                reason: *reason,
                since: now,
                gateways,
            })
        });
        let stopped: Vec<Stopped> = stopped.collect();
        let assets: Vec<AssetId> = stopped.iter().map(|stopped| stopped.asset).collect();
        let goes_on = goes_on(&self.rules, computed.snapshots.iter().map(|(_, snapshot)| snapshot), &assets);
        let opened = computed.changes.newly_open.clone();
        (LedgerEffect { stopped, opened, goes_on, erasures: Vec::new() }, believed)
    }

    async fn in_effect(&self, mut effect: LedgerEffect, awaited: &[Awaited], wait: Duration) -> LedgerEffect {
        let mut told: Vec<_> = effect.stopped.iter_mut().flat_map(|stopped| &mut stopped.gateways).collect();
        self.await_effect(awaited, &mut told, wait).await;
        effect
    }
}

fn station(gateway: &Gateway) -> StationRef {
    StationRef { site: gateway.site.clone(), station: gateway.station.clone() }
}

/// What central itself says, now, under a short reference of its own.
pub(crate) fn own_entry(controller: &ControllerId, event: Event, reference: &str, now: UtcMicros) -> Entry {
    let central: Slug = "central".parse().expect("a slug");
    Entry {
        format: ENTRY_FORMAT,
        controller: controller.clone(),
        event,
        actor: Actor { role: ActorRole::System, id: central.clone() },
        occurred_at: now,
        recorded_at: now,
        source: central,
        external_ref: reference.parse().expect("short and printable"),
    }
}

/// Whether the bundle allows what an entry says.
fn allowed(rules: &Rules, entry: &Entry) -> Result<(), Refusal> {
    let Event::HoldSet(hold) = &entry.event else { return Ok(()) };
    let refused = |error: HoldError| Refusal::new(Code::EntryRefused, error.to_string());
    rules.may_hold(hold, entry.occurred_at).map_err(refused)
}

pub(crate) fn refusal(refused: &Refused) -> Refusal {
    let code = match refused {
        Refused::OtherController { .. } => Code::OtherController,
        Refused::ReferenceTaken { .. } => Code::ExternalRefReused,
        _ => Code::EntryRefused,
    };
    Refusal::new(code, vernport_types::chain(refused))
}

/// What the store keeps of a new entry.
pub(crate) fn note(change: &mut Change, entry: &Entry, hash: EntryHash, sealed: &Sealed) {
    let mut assets: Vec<AssetId> = Vec::new();
    let mut voids = None;
    match &entry.event {
        Event::AssetIdentified(identified) => {
            assets.push(identified.asset);
            change.identifiers.push(IdentifierRow {
                index: identified.index,
                asset: identified.asset,
                valid_from: entry.occurred_at,
                kind: identified.identifier_kind,
                sealed: sealed.get(&identified.index).cloned(),
            });
        }
        Event::IdentifierEnded(ended) => {
            change.ended_identifiers.push((ended.index, ended.asset, entry.occurred_at));
        }
        Event::Linked(link) => assets.push(link.asset),
        Event::OwnerChanged(sold) => assets.push(sold.asset),
        Event::OrderOpened(order) => assets.extend(&order.assets),
        Event::GatewayEnrolled(enrolled) => {
            assets.extend(enrolled.pinned);
            change.places.push(Place {
                site: enrolled.station.site.clone(),
                station: enrolled.station.station.clone(),
                gateway: enrolled.gateway.clone(),
                device_key: *enrolled.device_key.as_bytes(),
            });
        }
        Event::Voided(voided) => voids = Some(voided.entry),
        _ => {}
    }
    change.assets.extend(assets);
    change.entries.push(NewEntry {
        entry: hash,
        kind: entry.event.kind().into(),
        source: entry.source.clone(),
        external_ref: entry.external_ref.as_str().into(),
        recorded_at: entry.recorded_at,
        json: entry.canonical().into_bytes(),
        voids,
    });
}

/// What still runs for these assets, each flow once.
fn goes_on<'a>(
    rules: &Rules,
    snapshots: impl Iterator<Item = &'a Snapshot>,
    assets: &[AssetId],
) -> Vec<GoesOn> {
    let mut open: BTreeMap<(AssetId, Slug), GoesOn> = BTreeMap::new();
    for grant in snapshots.flat_map(|snapshot| &snapshot.grants).filter(|grant| assets.contains(&grant.asset))
    {
        for opened in &grant.flows {
            let Some(flow) = rules.find(&opened.flow) else { continue };
            open.entry((grant.asset, opened.flow.clone())).or_insert_with(|| GoesOn {
                asset: grant.asset,
                flow: opened.flow.clone(),
                purpose: flow.purpose.clone(),
                basis: opened.basis,
            });
        }
    }
    open.into_values().collect()
}

/// The gateways whose word on the snapshot that holds now is worth waiting for.
fn awaited(state: &State, effect: &LedgerEffect) -> Vec<Awaited> {
    let told = effect.stopped.iter().flat_map(|stopped| &stopped.gateways);
    let mut gateways: Vec<&Slug> = told.map(|told| &told.gateway).collect();
    gateways.sort();
    gateways.dedup();
    let awaited = gateways.into_iter().filter_map(|gateway| {
        Some(Awaited { gateway: gateway.clone(), since: state.watches.get(gateway)?.since })
    });
    awaited.collect()
}
