//! Random ledgers: all kinds of events, out of order, voided, merged, at equal moments.

use super::dice::{Dice, NOON};
use crate::reference::{
    ASSETS, Against, Asset, Bundle, Consent, DAY, Entry, EntryId, Event, Micros, Name, PEOPLE, Person, Role,
    SECOND, Whom, Withdrawal,
};

/// Where the gateway of all worlds stands.
pub(super) const STATION: Name = "main/bay-1";
const ELSEWHERE: Name = "main/bay-2";
const ROLES: [Role; 4] = [Role::Owner, Role::Driver, Role::Deliverer, Role::Orderer];

/// The steps in which time goes in a world: so that moments meet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grid(pub(super) Micros);

impl Grid {
    pub(super) fn draw(dice: &mut Dice) -> Self {
        Self(dice.one_of(&[1, 30, 60, 300, 3_600, 3_600, 21_600, 86_400, 86_400, 10 * 86_400]) * SECOND)
    }

    /// A moment near the middle of the world.
    pub(super) fn moment(self, dice: &mut Dice, from: i64, to: i64) -> Micros {
        let beside = if dice.percent(4) { dice.one_of(&[-1, 1]) } else { 0 };
        NOON + self.0 * dice.between(from, to) + beside
    }
}

struct Ledger<'a> {
    dice: &'a mut Dice,
    bundle: &'a Bundle,
    grid: Grid,
    entries: Vec<Entry>,
    keys: Vec<u32>,
    orders: Vec<u32>,
    receipts: Vec<u32>,
}

/// Draws a ledger: what is needed to open something, more often than not, and up to 12 events more.
pub(super) fn ledger(dice: &mut Dice, bundle: &Bundle, grid: Grid) -> Vec<Entry> {
    let mut ledger =
        Ledger { dice, bundle, grid, entries: Vec::new(), keys: vec![], orders: vec![], receipts: vec![] };
    if ledger.dice.percent(92) {
        ledger.prologue();
    }
    for _ in 0..ledger.dice.below(13) {
        if let Some(event) = ledger.event() {
            ledger.say(event, -8, 10);
        }
    }
    ledger.entries
}

impl Ledger<'_> {
    fn say(&mut self, event: Event, from: i64, to: i64) {
        let occurred = self.grid.moment(self.dice, from, to);
        let recorded = match self.dice.below(10) {
            0 => occurred - self.dice.between(0, 300) * SECOND,
            1..4 => occurred + self.grid.0 * self.dice.between(1, 6),
            _ => occurred,
        };
        let id = EntryId::try_from(self.entries.len()).expect("few");
        self.entries.push(Entry { id, occurred, recorded, name: [0; 32], event });
    }

    fn prologue(&mut self) {
        for notice in self.bundle.notices.clone() {
            if self.dice.percent(80) {
                self.say(Event::NoticeServed { notice: notice.version, to: None }, -12, -6);
            }
        }
        let mut pairs: Vec<_> = self.bundle.flows.iter().map(|flow| (flow.recipient, flow.purpose)).collect();
        pairs.sort_unstable();
        pairs.dedup();
        for (recipient, purpose) in pairs {
            if self.dice.percent(92) {
                let event = self.key(recipient, purpose);
                self.say(event, -12, -6);
            }
        }
        if self.dice.percent(75) {
            let event = self.order(STATION);
            self.say(event, -8, -2);
        }
        if self.dice.percent(40) {
            let event = Event::GatewayEnrolled { gateway: "box-1", station: STATION, pinned: Some(0) };
            self.say(event, -10, -6);
        }
        let mut wanted: Vec<Role> = self.bundle.flows.iter().flat_map(|flow| flow.roles.clone()).collect();
        wanted.sort_unstable();
        wanted.dedup();
        for role in wanted {
            if self.dice.percent(90) {
                let person = self.person();
                let until = self.end(30);
                self.say(Event::Linked { asset: 0, person, role, until }, -10, -5);
                for flow in self.bundle.flows.clone() {
                    if flow.roles.contains(&role) && self.dice.percent(85) {
                        let consent = self.consent(person, role);
                        let categories = self.categories_of(flow.id);
                        let consent = Consent {
                            purpose: flow.purpose,
                            recipient: flow.recipient,
                            categories,
                            ..consent
                        };
                        self.say(Event::ConsentGiven(consent), -8, -2);
                    }
                }
            }
        }
    }

    fn categories_of(&self, flow: Name) -> Vec<Name> {
        let flow = self.bundle.flows.iter().find(|one| one.id == flow).expect("a flow");
        let mut categories: Vec<Name> = super::bundles::CATALOGUE
            .iter()
            .filter(|signal| flow.signals.iter().any(|(path, _)| *path == signal.path))
            .map(|signal| signal.category)
            .collect();
        categories.sort_unstable();
        categories.dedup();
        categories
    }

    fn key(&mut self, recipient: Name, purpose: Name) -> Event {
        let key = u32::try_from(self.keys.len()).expect("few");
        self.keys.push(key);
        Event::RecipientKeyActivated { recipient, purpose, key }
    }

    fn order(&mut self, station: Name) -> Event {
        let order = u32::try_from(self.orders.len()).expect("few");
        self.orders.push(order);
        let both = self.dice.percent(20);
        let assets = if both { vec![0, 1] } else { vec![self.asset()] };
        // After `occurred`, whichever that will be, and within 92 days of it.
        let far = self.grid.moment(self.dice, 1, 14).min(NOON + 40 * DAY);
        Event::OrderOpened { order, assets, station, expires: far }
    }

    fn consent(&mut self, person: Person, role: Role) -> Consent {
        let receipt = u32::try_from(self.receipts.len()).expect("few");
        self.receipts.push(receipt);
        let flow = self.dice.one_of(&self.bundle.flows);
        let mut categories = self.categories_of(flow.id);
        if categories.len() > 1 && self.dice.percent(15) {
            categories.remove(0);
        }
        let until = if self.dice.percent(60) {
            NOON + 300 * DAY
        } else {
            self.grid.moment(self.dice, 0, 12).max(NOON + 1)
        };
        Consent { person, role, purpose: flow.purpose, recipient: flow.recipient, categories, receipt, until }
    }

    fn end(&mut self, percent: usize) -> Option<Micros> {
        self.dice.percent(percent).then(|| self.grid.moment(self.dice, -2, 12))
    }

    fn person(&mut self) -> Person {
        if self.dice.percent(6) { PEOPLE.len() - 1 } else { self.dice.below(PEOPLE.len() - 1) }
    }

    fn asset(&mut self) -> Asset {
        match self.dice.below(20) {
            0 => ASSETS.len() - 1,
            1..5 => 1,
            _ => 0,
        }
    }

    /// An entry of a kind that was drawn before.
    fn earlier(&mut self, wanted: impl Fn(&Event) -> bool) -> Option<Entry> {
        let found: Vec<Entry> = self.entries.iter().filter(|entry| wanted(&entry.event)).cloned().collect();
        if found.is_empty() { None } else { Some(self.dice.one_of(&found)) }
    }

    fn purpose(&mut self) -> Option<Name> {
        self.dice.percent(60).then(|| self.dice.one_of(&self.bundle.flows).purpose)
    }

    fn whom(&mut self) -> Whom {
        if self.dice.percent(60) { Whom::Person(self.person()) } else { Whom::Asset(self.asset()) }
    }

    fn event(&mut self) -> Option<Event> {
        let (asset, person, role) = (self.asset(), self.person(), self.dice.one_of(&ROLES));
        let restriction = |event: &Event| matches!(event, Event::RestrictionSet { .. });
        let objection = |event: &Event| matches!(event, Event::ObjectionRaised(_, Against::Purpose(_)));
        let flow = self.dice.one_of(&self.bundle.flows);
        Some(match self.dice.below(40) {
            0 => {
                let to = self.dice.percent(40).then_some(person);
                Event::NoticeServed { notice: self.dice.one_of(&self.bundle.notices).version, to }
            }
            1..3 => {
                let role = if flow.roles.is_empty() { role } else { self.dice.one_of(&flow.roles) };
                Event::ConsentGiven(self.consent(person, role))
            }
            3 => {
                let of = self.earlier(|event| matches!(event, Event::ConsentGiven(_)))?;
                let Event::ConsentGiven(old) = of.event else { return None };
                let new = self.consent(old.person, old.role);
                Event::ConsentRenewed(of.id, Consent { receipt: new.receipt, until: new.until, ..old })
            }
            4..8 => Event::ConsentWithdrawn(match self.dice.below(4) {
                0 if !self.receipts.is_empty() => Withdrawal::Receipt(self.dice.one_of(&self.receipts)),
                1 => Withdrawal::Asset(asset),
                _ => Withdrawal::Person {
                    person,
                    purpose: self.dice.percent(40).then_some(flow.purpose),
                    recipient: self.dice.percent(20).then_some(flow.recipient),
                    categories: if self.dice.percent(20) {
                        vec![self.dice.one_of(&self.categories_of(flow.id))]
                    } else {
                        Vec::new()
                    },
                },
            }),
            8..11 => Event::ObjectionRaised(
                person,
                match self.dice.below(4) {
                    0 => Against::Marketing,
                    1 => Against::Profiling,
                    _ => Against::Purpose(flow.purpose),
                },
            ),
            11 => Event::ObjectionWeighed(self.earlier(objection)?.id),
            12 => Event::ObjectionUpheld(self.earlier(objection)?.id),
            13..16 => Event::RestrictionSet { whom: self.whom(), purpose: self.purpose() },
            16..18 => Event::RestrictionLiftingAnnounced(self.earlier(restriction)?.id),
            18..20 => Event::RestrictionLifted(self.earlier(restriction)?.id),
            20..22 => {
                let station = self.dice.one_of(&[STATION, STATION, ELSEWHERE]);
                self.order(station)
            }
            22..24 => Event::OrderClosed(self.earlier_order()?),
            24..26 => Event::Linked { asset, person, role, until: self.end(40) },
            26..28 => match self.earlier(|event| matches!(event, Event::Linked { .. }))?.event {
                Event::Linked { asset, person, role, .. } => Event::Unlinked { asset, person, role },
                _ => return None,
            },
            28 => {
                let second = self.person();
                let owners = if second == person { vec![person] } else { vec![person, second] };
                Event::OwnerChanged { asset, owners }
            }
            29 => {
                let into = self.dice.below(PEOPLE.len());
                Event::SubjectMerged { from: self.dice.below(PEOPLE.len()), into }
            }
            30 => Event::AssetMerged { from: ASSETS.len() - 1, into: self.dice.below(2) },
            31 => Event::PrivateModeStarted(asset),
            32 => Event::PrivateModeEnded(asset),
            33 => self.place(),
            34 => self.a_key()?,
            35 => Event::ErasureOrdered { whom: self.whom(), purpose: self.purpose() },
            36 if self.dice.percent(50) => {
                Event::HoldSet { flow: flow.id, until: self.grid.moment(self.dice, 11, 14) }
            }
            36 => Event::HoldLifted(self.earlier(|event| matches!(event, Event::HoldSet { .. }))?.id),
            _ => Event::Voided(self.earlier(|event| !matches!(event, Event::Voided(_)))?.id),
        })
    }

    fn earlier_order(&mut self) -> Option<u32> {
        if self.orders.is_empty() { None } else { Some(self.dice.one_of(&self.orders)) }
    }

    fn place(&mut self) -> Event {
        let gateway = self.dice.one_of(&["box-1", "box-2"]);
        if self.dice.percent(40) {
            return Event::EnrolmentEnded(gateway);
        }
        let pinned = self.dice.percent(60).then(|| self.asset());
        Event::GatewayEnrolled { gateway, station: self.dice.one_of(&[STATION, ELSEWHERE]), pinned }
    }

    fn a_key(&mut self) -> Option<Event> {
        if self.dice.percent(40) {
            let flow = self.dice.one_of(&self.bundle.flows);
            return Some(self.key(flow.recipient, flow.purpose));
        }
        if self.keys.is_empty() {
            None
        } else {
            Some(Event::RecipientKeyRevoked(self.dice.one_of(&self.keys)))
        }
    }
}
