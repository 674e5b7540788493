//! The questions: drawn, always the same, about a shipped bundle.

use anyhow::{Context as _, Result, ensure};
use std::sync::Arc;
use vernport_crypto::OpeningKey;
use vernport_policy::{Believe, Bundle, Flow, FlowGrant, Grant, Head, Rules, Snapshot, SourceClass, Table};
use vernport_types::{
    AssetId, BootMicros, Catalogue, EntryHash, GrantId, Identification, OrderId, Reason, SignalId, Slug,
    Stamp, TimeQuality, UtcMicros, VehicleAlias,
};

/// Noon of 20 November 2026, UTC.
pub(crate) const NOON: UtcMicros = UtcMicros(1_795_176_000_000_000);
/// How old the head is when all is asked: some leases are shorter.
pub(crate) const HEAD_AGE_SECONDS: u32 = 200;
const ASSETS: usize = 64;
const QUESTIONS: usize = 1_024;

/// All identifications, weakest first: their places are what the engines compare.
pub(crate) const IDENTIFICATIONS: [Identification; 4] =
    [Identification::Pinned, Identification::Tool, Identification::Asserted, Identification::BusVin];

/// One question.
pub(crate) struct Question {
    /// The place of the asset among the grants.
    pub(crate) asset: usize,
    pub(crate) signal: SignalId,
    pub(crate) recipient: Slug,
    pub(crate) purpose: Slug,
    pub(crate) by: Identification,
    pub(crate) from: SourceClass,
    /// As ours is asked.
    pub(crate) ask: Ask,
}

/// The question as ours takes it, built before it is timed as the requests of the engines are.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Ask {
    asset: AssetId,
    signal: SignalId,
    recognised: (Identification, SourceClass),
    /// The flows from this purpose to this recipient.
    flows: u128,
}

/// What is asked, and of what.
pub(crate) struct Asked {
    pub(crate) rules: Arc<Rules>,
    pub(crate) catalogue: Catalogue,
    pub(crate) grants: Vec<Grant>,
    pub(crate) now: Stamp,
    pub(crate) questions: Vec<Question>,
    /// As ours is asked, in their order.
    pub(crate) asks: Vec<Ask>,
    /// The same, asset by asset.
    pub(crate) in_runs: Vec<Ask>,
    table: Table,
}

impl Asked {
    pub(crate) fn build() -> Result<Self> {
        let (rules, catalogue) = rules(include_str!("../../../config/bundles/cars-software/bundle.toml"))?;
        let mut drawn = Drawn(1);
        let grants: Vec<Grant> = (0..ASSETS).map(|n| grant(&rules, n, &mut drawn)).collect();
        let questions: Vec<_> =
            (0..QUESTIONS).map(|_| question(&rules, &catalogue, &grants, &mut drawn)).collect();
        let (table, now) = table(&rules, grants.clone())?;
        let asks: Vec<Ask> = questions.iter().map(|one| one.ask).collect();
        let mut in_runs = asks.clone();
        in_runs.sort_by_key(|ask| ask.asset);
        Ok(Self { rules, catalogue, grants, now, questions, asks, in_runs, table })
    }

    /// Ours: one look-up, one mask.
    #[inline]
    pub(crate) fn ask(&self, ask: &Ask) -> bool {
        self.table.open_flows(ask.asset, ask.signal, ask.recognised, self.now) & ask.flows != 0
    }

    /// The answers, from the prose and not from the table.
    pub(crate) fn expected(&self) -> Vec<bool> {
        self.questions.iter().map(|one| self.expect(one)).collect()
    }

    fn expect(&self, one: &Question) -> bool {
        self.rules.flows().iter().any(|flow| {
            let opened = self.grants[one.asset].flows.iter().find(|opened| opened.flow == flow.slug);
            flow.recipient == one.recipient
                && flow.purpose == one.purpose
                && flow.minimiser(one.signal).is_some()
                && one.by >= flow.weakest
                && flow.sources.contains(one.from)
                && opened.is_some_and(|opened| {
                    opened.basis == flow.basis
                        && self.now.wall < opened.believe.until
                        && opened.believe.lease_seconds.is_none_or(|lease| HEAD_AGE_SECONDS <= lease)
                })
        })
    }
}

/// A shipped bundle with the shipped catalogue.
pub(crate) fn rules(bundle: &str) -> Result<(Arc<Rules>, Catalogue)> {
    let signals = include_str!("../../../config/signals/vehicle.toml");
    let catalogue = Catalogue::from_toml([("vehicle.toml", signals)])?;
    let bundle = Bundle::from_toml("bundle.toml", bundle)?;
    Ok((Arc::new(Rules::compile(&bundle, &catalogue)?), catalogue))
}

/// A table in which those grants hold, and the time at which it is asked.
pub(crate) fn table(rules: &Arc<Rules>, grants: Vec<Grant>) -> Result<(Table, Stamp)> {
    let opened = grants.iter().map(|grant| grant.flows.len()).sum::<usize>();
    let snapshot = Snapshot {
        format: 1,
        controller: rules.controller().clone(),
        gateway: "box-1".parse()?,
        bundle_hash: rules.hash(),
        identify_open: false,
        grants,
        closed: Vec::new(),
        recipient_keys: Vec::new(),
        recovery: OpeningKey::from_bytes([2; 32]).wrapping_key(),
    };
    let head = Head { era: 1, sequence: 1, at: NOON, nonce: [0; 16], snapshot_hash: snapshot.hash() };
    let received = Stamp { wall: NOON, boot: BootMicros(0), quality: TimeQuality::Synced };
    let mut table = Table::new(Arc::clone(rules));
    let applied = table.apply(snapshot, &head, received)?;
    ensure!(applied.opened == opened, "a grant goes beyond the bundle: {:?}", applied.refused);
    let wall = NOON.plus_seconds(i64::from(HEAD_AGE_SECONDS));
    let boot = BootMicros(u64::from(HEAD_AGE_SECONDS) * 1_000_000);
    Ok((table, Stamp { wall, boot, ..received }))
}

/// An opening of a flow for an asset, as the bundle allows it.
pub(crate) fn opened(flow: &Flow, until: UtcMicros, lease_seconds: Option<u32>, n: u64) -> FlowGrant {
    let bytes = (u128::from(n) << 8 | u128::from(flow.index.0)).to_be_bytes();
    FlowGrant {
        flow: flow.slug.clone(),
        id: GrantId::from_bytes(bytes),
        basis: flow.basis,
        believe: Believe { lease_seconds, until, ends_as: Reason::GrantStale },
        alias: VehicleAlias::from_bytes(bytes.map(|byte| byte ^ 0x5A)),
        rests_on: vec![EntryHash::from_bytes([1; 32])],
    }
}

/// A grant for an asset, with the openings given.
pub(crate) fn grant_of(asset: AssetId, flows: Vec<FlowGrant>) -> Grant {
    let order = Some(OrderId::from_bytes([3; 16]));
    Grant { asset, identifiers: Vec::new(), order, flows, closed: Vec::new() }
}

/// Most flows open. For one asset in eight some of those are over by time, and of some the lease is.
fn grant(rules: &Rules, n: usize, drawn: &mut Drawn) -> Grant {
    let mut flows = Vec::new();
    let late = n % 8 == 0;
    for flow in rules.flows() {
        if drawn.one_in(5) {
            continue;
        }
        let over = late && drawn.one_in(3);
        let until = if over { NOON.plus_seconds(100) } else { NOON.plus_seconds(3_600) };
        let stale = late && drawn.one_in(3);
        let lease = flow.lease_seconds.map(|most| if stale { 100 } else { most });
        flows.push(opened(flow, until, lease, n as u64));
    }
    grant_of(drawn.asset(), flows)
}

fn question(rules: &Rules, catalogue: &Catalogue, grants: &[Grant], drawn: &mut Drawn) -> Question {
    let asset = drawn.below(grants.len());
    let flow = &rules.flows()[drawn.below(rules.flows().len())];
    let (mut signal, mut recipient) = (flow.signals[drawn.below(flow.signals.len())].0, &flow.recipient);
    if drawn.one_in(6) {
        signal = SignalId(u16::try_from(drawn.below(catalogue.len())).expect("a signal"));
    }
    if drawn.one_in(12) {
        recipient = &rules.recipients()[drawn.below(rules.recipients().len())].slug;
    }
    let by = if drawn.one_in(4) { IDENTIFICATIONS[drawn.below(4)] } else { Identification::BusVin };
    let from = SourceClass::ALL[if drawn.one_in(3) { drawn.below(3) } else { 0 }];
    let meant = |other: &&Flow| other.recipient == *recipient && other.purpose == flow.purpose;
    let flows = rules.flows().iter().filter(meant);
    Question {
        asset,
        signal,
        recipient: recipient.clone(),
        purpose: flow.purpose.clone(),
        by,
        from,
        ask: Ask {
            asset: grants[asset].asset,
            signal,
            recognised: (by, from),
            flows: flows.map(|flow| 1_u128 << flow.index.0).sum(),
        },
    }
}

/// Numbers that look drawn and are the same in every run (SplitMix64).
pub(crate) struct Drawn(pub(crate) u64);

impl Drawn {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from((u128::from(self.next()) * bound as u128) >> 64).expect("below the bound")
    }

    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn asset(&mut self) -> AssetId {
        let bytes = u128::from(self.next()) << 64 | u128::from(self.next());
        AssetId::from_bytes(bytes.to_be_bytes())
    }
}

/// The signal of a path.
pub(crate) fn signal(catalogue: &Catalogue, path: &str) -> Result<SignalId> {
    catalogue.find(path).with_context(|| format!("{path} is not in the catalogue"))
}
