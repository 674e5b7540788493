//! Whatever is said, in whatever order: nothing opens but offline flows on a contract.

use crate::{
    ALL_FLOWS, Chain, STRANGER, laid, of_central, open, world,
    world::{NOON, ORDER, TRUCK},
};
use proptest::{prelude::*, sample::Index};
use std::collections::BTreeMap;
use vernport_crypto::BlindIndex;
use vernport_policy::{Flow, GrantId, Rules, Window};
use vernport_registry::{
    AssetIdentified, Event, Method, OrderClosed, PrivateMode, ReceiptCode, Withdrawal, WithdrawalScope,
};
use vernport_types::{AssetId, Fate, IdentifierKind, LegalBasis, OrderId, Slug, UtcMicros};

/// One thing that may be said.
#[derive(Debug, Clone)]
enum Say {
    Open { asset: usize, order: u8, flows: Vec<Index> },
    Close { order: u8 },
    WithdrawAsset { asset: usize },
    WithdrawReceipt,
    Private { asset: usize, on: bool },
    Name { asset: usize, stands_here: bool },
}

fn say() -> impl Strategy<Value = Say> {
    let asset = 0..3_usize;
    prop_oneof![
        3 => (asset.clone(), 0..4_u8, prop::collection::vec(any::<Index>(), 0..4))
            .prop_map(|(asset, order, flows)| Say::Open { asset, order, flows }),
        2 => (0..4_u8).prop_map(|order| Say::Close { order }),
        1 => asset.clone().prop_map(|asset| Say::WithdrawAsset { asset }),
        1 => Just(Say::WithdrawReceipt),
        2 => (asset.clone(), any::<bool>()).prop_map(|(asset, on)| Say::Private { asset, on }),
        1 => (asset, any::<bool>()).prop_map(|(asset, stands_here)| Say::Name { asset, stands_here }),
    ]
}

const ASSETS: [AssetId; 3] = [TRUCK, STRANGER, AssetId::from_bytes([0x58; 16])];

fn order_id(order: u8) -> OrderId {
    if order == 0 { ORDER } else { OrderId::from_bytes([order; 16]) }
}

impl Chain {
    fn take(&mut self, said: &Say, at: UtcMicros) {
        let withdrawn =
            |scope| Event::ConsentWithdrawn(Withdrawal { scope, method: Method::Station, recorded_by: None });
        match said {
            Say::Open { asset, order, flows } => {
                let flows: Vec<&str> = flows.iter().map(|flow| *flow.get(&ALL_FLOWS)).collect();
                self.order(ASSETS[*asset], order_id(*order), at, &flows);
            }
            Say::Close { order } => {
                self.say(Event::OrderClosed(OrderClosed { order: order_id(*order) }), at, vec![], false);
            }
            Say::WithdrawAsset { asset } => {
                self.say(withdrawn(WithdrawalScope::Asset(ASSETS[*asset])), at, vec![], false);
            }
            Say::WithdrawReceipt => {
                let receipt = ReceiptCode::from_bytes([7; 7]);
                self.say(withdrawn(WithdrawalScope::Receipt(receipt)), at, vec![], false);
            }
            Say::Private { asset, on } => {
                let private = PrivateMode { asset: ASSETS[*asset] };
                let event =
                    if *on { Event::PrivateModeStarted(private) } else { Event::PrivateModeEnded(private) };
                self.say(event, at, vec![], false);
            }
            Say::Name { asset, stands_here } => {
                let index = BlindIndex::from_bytes([u8::try_from(*asset).expect("three"); 32]);
                let identifier_kind = IdentifierKind::Plate;
                let named = AssetIdentified { asset: ASSETS[*asset], identifier_kind, index };
                self.say(Event::AssetIdentified(named), at, vec![], *stands_here);
            }
        }
    }
}

fn may_ever_open(rules: &Rules, flow: &Flow) -> bool {
    flow.offline
        && flow.basis == LegalBasis::Contract
        && flow.deliver.store
        && flow.deliver.topic.is_none()
        && flow.window == Window::Order
        && rules.find(&flow.slug).is_some()
}

fn strength(fate: Fate) -> u8 {
    match fate {
        Fate::Send => 0,
        Fate::Park => 1,
        Fate::Destroy => 2,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn nothing_opens_but_offline_contract_flows_and_what_closed_stays_closed(
        said in prop::collection::vec((say(), 0..100_i64), 0..12)
    ) {
        let mut world = world();
        let central = of_central(&mut world);
        let before = open(&central);
        let mut chain = Chain::new();
        let mut at = NOON;
        let mut last = before.clone();
        let mut fates: BTreeMap<GrantId, u8> = BTreeMap::new();
        for (said, minutes) in &said {
            at = at.plus_seconds(minutes * 60);
            chain.take(said, at);
            let here = laid(&world, &central, &chain);
            let now = open(&here.snapshot);
            for (id, (asset, flow)) in &now {
                if here.own.contains(id) {
                    let rule = world.rules.find(flow).expect("a flow of the bundle");
                    prop_assert!(may_ever_open(&world.rules, rule), "{flow}");
                    let link = chain.links.iter().find(|signed| {
                        signed.link.openings.iter().any(|opening| opening.grant == *id)
                    });
                    let link = &link.expect("somebody said so").link;
                    let Event::OrderOpened(order) = &link.entry.event else { panic!("an order opens") };
                    let grant = here.snapshot.grants.iter().find(|grant| grant.asset == *asset);
                    let opened = grant.and_then(|grant| grant.flows.iter().find(|o| o.id == *id));
                    prop_assert!(opened.expect("open").believe.until <= order.expires_at);
                } else {
                    prop_assert_eq!(before.get(id), Some(&(*asset, flow.clone())), "central opened it");
                }
                let fresh = matches!(said, Say::Open { .. }) && here.own.contains(id);
                prop_assert!(last.contains_key(id) || fresh, "what was closed opened again");
            }
            let basis = |flow: &Slug| world.rules.find(flow).expect("a flow").basis;
            match said {
                Say::Close { order } => prop_assert!(
                    here.snapshot.grants.iter().all(|grant| grant.order != Some(order_id(*order)))
                ),
                Say::WithdrawAsset { asset } => prop_assert!(
                    now.values().all(|(of, flow)| *of != ASSETS[*asset] || basis(flow) != LegalBasis::Consent)
                ),
                Say::WithdrawReceipt => {
                    prop_assert!(now.values().all(|(_, flow)| basis(flow) != LegalBasis::Consent));
                }
                Say::Private { asset, on: true } => {
                    let is_private = |flow: &Slug| world.rules.find(flow).expect("a flow").private_mode;
                    let stays = |(of, flow): &(AssetId, Slug)| *of == ASSETS[*asset] && is_private(flow);
                    prop_assert!(!now.values().any(stays));
                }
                _ => {}
            }
            // Every opening that ended says so, and is held back no less than before.
            for id in last.keys().filter(|id| !now.contains_key(*id)) {
                prop_assert!(here.snapshot.closed.iter().any(|closed| closed.id == *id));
            }
            for closed in &here.snapshot.closed {
                let now = strength(closed.reason.fate());
                let was = fates.insert(closed.id, now);
                prop_assert!(was.is_none_or(|was| was <= now), "it was held back more");
            }
            last = now;
        }
    }
}
