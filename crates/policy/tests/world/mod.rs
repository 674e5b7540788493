//! A small world for the tests: shipped bundles, a ledger in memory, and tables
//! that draw ids by counting.

#![allow(dead_code, reason = "every test file takes what it needs")]

use std::{collections::HashMap, str::FromStr};
use vernport_crypto::{OpeningKey, WrappingKey};
use vernport_policy::{Bundle, Grant, GrantId, Opening, Role, Rules, StationRef, Tables, grants};
use vernport_registry::{
    Actor, ActorRole, Consent, ENTRY_FORMAT, Entry, Event, Facts, Link, Method, NoticeServed, OrderClosed,
    OrderOpened, ReceiptCode, RecipientKeyActivated, TextHash, Unlink, VoidReason, Voided, Withdrawal,
    WithdrawalScope,
};
use vernport_types::{
    AssetId, Catalogue, Category, EntryHash, OrderId, Reason, Slug, SubjectId, UtcMicros, VehicleAlias,
};

/// Noon of 20 November 2026, UTC.
pub(crate) const NOON: UtcMicros = UtcMicros(1_795_176_000_000_000);
pub(crate) const HOUR: i64 = 3_600;
pub(crate) const DAY: i64 = 86_400;

pub(crate) const BUNDLES: [(&str, &str); 4] = [
    ("cars-software", include_str!("../../../../config/bundles/cars-software/bundle.toml")),
    ("westrum", include_str!("../../../../config/bundles/westrum/bundle.toml")),
    ("car-special", include_str!("../../../../config/bundles/car-special/bundle.toml")),
    ("example-fleet", include_str!("../../../../config/bundles/example-fleet/bundle.toml")),
];

/// Fixed bundles, each like the shipped one of its name was: tests change them.
pub(crate) const EXAMPLES: [(&str, &str); 4] = [
    ("cars-software", include_str!("../bundles/cars-software.toml")),
    ("westrum", include_str!("../bundles/westrum.toml")),
    ("car-special", include_str!("../bundles/car-special.toml")),
    ("example-fleet", include_str!("../bundles/example-fleet.toml")),
];

pub(crate) fn id<T: FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("a constant of the test")
}

pub(crate) fn catalogue() -> Catalogue {
    let text = include_str!("../../../../config/signals/vehicle.toml");
    Catalogue::from_toml([("vehicle.toml", text)]).expect("the shipped catalogue")
}

pub(crate) fn shipped(name: &str) -> &'static str {
    BUNDLES.iter().find(|(known, _)| *known == name).expect("a shipped bundle").1
}

pub(crate) fn example(name: &str) -> &'static str {
    EXAMPLES.iter().find(|(known, _)| *known == name).expect("an example").1
}

pub(crate) fn compile(text: &str) -> Rules {
    let bundle = Bundle::from_toml("bundle.toml", text).expect("a bundle");
    Rules::compile(&bundle, &catalogue()).expect("rules")
}

/// Draws ids by counting, and remembers every opening.
#[derive(Default)]
pub(crate) struct Counting {
    pub(crate) openings: HashMap<[u8; 32], (GrantId, Opening)>,
    aliases: HashMap<(AssetId, Slug, Slug, i16), VehicleAlias>,
}

impl Tables for Counting {
    fn grant_id(&mut self, opening: &Opening) -> GrantId {
        let next = GrantId::from_bytes(number(self.openings.len()));
        self.openings.entry(opening.key()).or_insert((next, opening.clone())).0
    }

    fn alias(&mut self, asset: AssetId, recipient: &Slug, purpose: &Slug, year: i16) -> VehicleAlias {
        let next = VehicleAlias::from_bytes(number(self.aliases.len()));
        *self.aliases.entry((asset, recipient.clone(), purpose.clone(), year)).or_insert(next)
    }
}

impl Counting {
    pub(crate) fn opening(&self, grant: GrantId) -> &Opening {
        &self.openings.values().find(|(id, _)| *id == grant).expect("it was drawn here").1
    }
}

pub(crate) fn number(n: usize) -> [u8; 16] {
    u128::try_from(n + 1).expect("small").to_be_bytes()
}

/// One controller's ledger, with a station where one vehicle stands.
pub(crate) struct World {
    pub(crate) rules: Rules,
    pub(crate) facts: Facts,
    pub(crate) tables: Counting,
    pub(crate) now: UtcMicros,
    entries: usize,
}

pub(crate) const TRUCK: AssetId = AssetId::from_bytes([0xA5; 16]);
pub(crate) const ORDER: OrderId = OrderId::from_bytes([0x0D; 16]);
pub(crate) const ANNE: SubjectId = SubjectId::from_bytes([0x0A; 16]);
pub(crate) const BENT: SubjectId = SubjectId::from_bytes([0x0B; 16]);

pub(crate) fn bay() -> StationRef {
    StationRef { site: id("furnes"), station: id("bay-1") }
}

pub(crate) fn key(recipient: &str, purpose: &str) -> WrappingKey {
    let seed = vernport_crypto::sha256(format!("{recipient}/{purpose}").as_bytes());
    OpeningKey::from_bytes(seed).wrapping_key()
}

impl World {
    /// Nothing said yet.
    pub(crate) fn empty(text: &str) -> Self {
        let rules = compile(text);
        let facts = Facts::new(rules.controller().clone());
        Self { rules, facts, tables: Counting::default(), now: NOON, entries: 0 }
    }

    /// The notice served, keys of all recipients in use, the truck handed in.
    pub(crate) fn ready(text: &str) -> Self {
        let mut world = Self::empty(text);
        world.serve_notices();
        world.activate_keys();
        world.open_order();
        world
    }

    pub(crate) fn say(&mut self, event: Event) -> EntryHash {
        self.say_at(event, self.now)
    }

    pub(crate) fn say_at(&mut self, event: Event, occurred_at: UtcMicros) -> EntryHash {
        self.entries += 1;
        let entry = Entry {
            format: ENTRY_FORMAT,
            controller: self.rules.controller().clone(),
            event,
            actor: Actor { role: ActorRole::Staff, id: id("staff-7") },
            occurred_at,
            recorded_at: self.now,
            source: id("test"),
            external_ref: id(&format!("ref-{}", self.entries)),
        };
        self.facts.apply(&entry).expect("an entry that may be written").entry
    }

    pub(crate) fn serve_notices(&mut self) {
        for version in self.rules.notices().iter().map(|n| n.version.clone()).collect::<Vec<_>>() {
            self.serve(version.as_str());
        }
    }

    pub(crate) fn serve(&mut self, version: &str) -> EntryHash {
        self.say(Event::NoticeServed(NoticeServed {
            notice: id(version),
            text_hash: TextHash([7; 32]),
            language: id("nb"),
            method: Method::Web,
            subject: None,
            evidence: None,
        }))
    }

    pub(crate) fn activate_keys(&mut self) {
        let mut pairs: Vec<_> =
            self.rules.flows().iter().map(|f| (f.recipient.clone(), f.purpose.clone())).collect();
        pairs.sort();
        pairs.dedup();
        for (recipient, purpose) in pairs {
            let key = key(recipient.as_str(), purpose.as_str());
            self.say(Event::RecipientKeyActivated(RecipientKeyActivated { recipient, purpose, key }));
        }
    }

    pub(crate) fn open_order(&mut self) -> EntryHash {
        self.say(Event::OrderOpened(OrderOpened::new(ORDER, TRUCK, bay(), self.now)))
    }

    pub(crate) fn close_order(&mut self) {
        self.say(Event::OrderClosed(OrderClosed { order: ORDER }));
    }

    pub(crate) fn link(&mut self, subject: SubjectId, role: Role) -> EntryHash {
        self.say(Event::Linked(Link { asset: TRUCK, subject, role, until: None }))
    }

    pub(crate) fn unlink(&mut self, subject: SubjectId, role: Role) {
        self.say(Event::Unlinked(Unlink { asset: TRUCK, subject, role }));
    }

    /// Consent of a person to all that a flow reads, for 30 days.
    pub(crate) fn consent(&mut self, subject: SubjectId, role: Role, flow: &str) -> EntryHash {
        let flow = self.rules.find(&id(flow)).expect("a flow of the bundle").clone();
        let mut receipt = [0; 7];
        receipt[..2].copy_from_slice(&u16::try_from(self.entries).expect("few").to_be_bytes());
        self.say(Event::ConsentGiven(Consent {
            subject,
            role,
            purpose: flow.purpose.clone(),
            categories: flow.categories.iter().copied().collect(),
            recipient: flow.recipient.clone(),
            processing: id("as the form says"),
            form: id("form-1"),
            text_hash: TextHash([8; 32]),
            language: id("nb"),
            method: Method::Screen,
            recorded_by: id("staff-7"),
            evidence: None,
            receipt: ReceiptCode::from_bytes(receipt),
            valid_until: self.now.plus_seconds(30 * DAY),
        }))
    }

    pub(crate) fn withdraw(&mut self, subject: SubjectId) -> EntryHash {
        self.say(Event::ConsentWithdrawn(Withdrawal {
            scope: WithdrawalScope::Subject {
                subject,
                purpose: None,
                recipient: None,
                categories: std::collections::BTreeSet::<Category>::new(),
            },
            method: Method::Spoken,
            recorded_by: Some(id("staff-7")),
        }))
    }

    pub(crate) fn void(&mut self, entry: EntryHash) {
        self.say(Event::Voided(Voided { entry, reason: VoidReason::Mistake }));
    }

    pub(crate) fn later(&mut self, seconds: i64) -> &mut Self {
        self.now = self.now.plus_seconds(seconds);
        self
    }

    /// What holds for the truck now.
    pub(crate) fn grant(&mut self) -> Option<Grant> {
        let grants = grants(&self.facts, &self.rules, &bay(), self.now, &mut self.tables);
        grants.into_iter().find(|grant| grant.asset == TRUCK)
    }

    /// Why a flow is closed for the truck now; none if it is open.
    pub(crate) fn closed(&mut self, flow: &str) -> Option<Reason> {
        let grant = self.grant().expect("an asset of interest");
        let slug: Slug = id(flow);
        let open = grant.flows.iter().any(|opened| opened.flow == slug);
        let closed = grant.closed.iter().find(|(closed, _)| *closed == slug).map(|(_, reason)| *reason);
        assert_ne!(open, closed.is_some(), "a flow is either open or closed");
        closed
    }

    /// The id of the opening of a flow now.
    pub(crate) fn open_id(&mut self, flow: &str) -> GrantId {
        let slug: Slug = id(flow);
        let grant = self.grant().expect("an asset of interest");
        grant.flows.iter().find(|opened| opened.flow == slug).expect("an open flow").id
    }
}
