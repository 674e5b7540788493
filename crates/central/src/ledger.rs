//! Recording entries: facts, grants, store and gateways move together, and the
//! answer says what stopped where and what goes on.

use crate::{
    cache::{ATTEMPTS, NotAdopted, overtaken},
    compute::Computed,
    config::Gateway,
    controller::{Controller, State},
    feed::{Awaited, Believed},
    refusal::Refusal,
};
use std::{collections::BTreeMap, time::Duration};
use vernport_api::{
    Code, EntryResult, GatewayEffect, GoesOn, LedgerAnswer, LedgerEffect, LedgerRequest, MAX_WAIT_MS, Stopped,
};
use vernport_crypto::BlindIndex;
use vernport_policy::{HoldError, Rules, Snapshot};
use vernport_registry::{Actor, ActorRole, ENTRY_FORMAT, Entry, Event, GatewayEnrolled, Refused, StationRef};
use vernport_seal::seal_identifier;
use vernport_store::{Change, IdentifierRow, NewEntry, Place};
use vernport_types::{AssetId, EntryHash, Slug, UtcMicros};

/// Identifiers sealed to the controller, by blind index.
pub(crate) type Sealed = BTreeMap<BlindIndex, Vec<u8>>;

impl Controller {
    /// Records entries, all or none of them.
    pub(crate) async fn record(&self, asked: LedgerRequest) -> Result<LedgerAnswer, Refusal> {
        let sealed = self.seal_identifiers(&asked)?;
        let wait = Duration::from_millis(asked.wait_ms.min(MAX_WAIT_MS).into());
        for _ in 0..ATTEMPTS {
            match self.try_record(&asked, &sealed).await {
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
        asked: &LedgerRequest,
        sealed: &Sealed,
    ) -> Result<(Vec<EntryResult>, LedgerEffect, Vec<Awaited>), NotAdopted> {
        let mut state = self.locked().await?;
        let now = state.now(&*self.clock);
        self.refresh(&mut state, now).await?;
        let turn = self.turn(&mut state).await?;
        let now = state.now(&*self.clock);
        // What counts is when it stood in this ledger, whatever the sender wrote.
        let entries = asked.entries.iter().map(|entry| Entry { recorded_at: now, ..entry.clone() });
        let entries: Vec<Entry> = entries.collect();
        admit(&self.rules, &state, &entries)?;

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
        let computed = self.compute(&state, now);
        let (mut effect, believed) = self.effect(&state, &computed, now);
        let orders = entries.iter().zip(&results);
        let orders = orders.filter(|(entry, _)| matches!(entry.event, Event::ErasureOrdered(_)));
        effect.erasures = orders.map(|(_, result)| result.entry).collect();
        self.adopt(&mut state, Some(turn), computed, change, now).await?;
        self.bound(&mut state, &believed, &mut effect.stopped).await;
        let awaited = awaited(&state, &effect);
        Ok((results, effect, awaited))
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
        let news = gateways.iter().filter(|gateway| !known(gateway)).map(|gateway| Entry {
            format: ENTRY_FORMAT,
            controller: self.id.clone(),
            event: Event::GatewayEnrolled(GatewayEnrolled {
                gateway: gateway.name.clone(),
                station: station(gateway),
                device_key: gateway.device_key,
                pinned: None,
            }),
            actor: Actor { role: ActorRole::System, id: own_name() },
            occurred_at: now,
            recorded_at: now,
            source: own_name(),
            external_ref: format!("{} at {}", gateway.name, now.0).parse().expect("short and printable"),
        });
        news.collect()
    }

    fn seal_identifiers(&self, asked: &LedgerRequest) -> Result<Sealed, Refusal> {
        let mut sealed = Sealed::new();
        for named in &asked.identifiers {
            let index = self.identity_key.index(named);
            let is_of =
                |entry: &Entry| matches!(&entry.event, Event::AssetIdentified(of) if of.index == index);
            if !asked.entries.iter().any(is_of) {
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

/// Under which name central itself says something.
pub(crate) fn own_name() -> Slug {
    "central".parse().expect("a slug")
}

/// Whether all entries may be written, one after the other. Changes nothing.
fn admit(rules: &Rules, state: &State, entries: &[Entry]) -> Result<(), Refusal> {
    if let [entry] = entries {
        let known = state.facts.admit(entry).map_err(|refused| refusal(&refused).at_item(0))?;
        return if known.is_none() { allowed(rules, entry, 0) } else { Ok(()) };
    }
    let mut trial = state.facts.clone();
    for (at, entry) in entries.iter().enumerate() {
        let applied = trial.apply(entry).map_err(|refused| refusal(&refused).at_item(at))?;
        if !applied.duplicate {
            allowed(rules, entry, at)?;
        }
    }
    Ok(())
}

/// Whether the bundle allows what an entry says.
fn allowed(rules: &Rules, entry: &Entry, item: usize) -> Result<(), Refusal> {
    let Event::HoldSet(hold) = &entry.event else { return Ok(()) };
    let refused = |error: HoldError| Refusal::new(Code::EntryRefused, error.to_string()).at_item(item);
    rules.may_hold(hold, entry.occurred_at).map_err(refused)
}

fn refusal(refused: &Refused) -> Refusal {
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
