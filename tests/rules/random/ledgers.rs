//! Random ledgers: all kinds of events, out of order, voided, merged, at equal moments.

use super::dice::{Dice, NOON};
use crate::reference::{
    ASSETS, Against, Asset, Bundle, Consent, DAY, Entry, EntryId, Event, Ground, Micros, Milestone, Name,
    PEOPLE, Person, Role, SECOND, Whom, Window, Withdrawal,
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
            1..3 => occurred + self.grid.0 * self.dice.between(1, 6),
            _ => occurred,
        };
        let id = EntryId::try_from(self.entries.len()).expect("few");
        self.entries.push(Entry { id, occurred, recorded, name: [0; 32], event });
    }

    fn prologue(&mut self) {
        for notice in self.bundle.notices.clone() {
            if self.dice.percent(90) {
                self.say(Event::NoticeServed { notice: notice.version, to: None }, -14, -8);
            }
        }
        let mut pairs: Vec<_> = self.bundle.flows.iter().map(|flow| (flow.recipient, flow.purpose)).collect();
        pairs.sort_unstable();
        pairs.dedup();
        for (recipient, purpose) in pairs {
            if self.dice.percent(96) {
                let event = self.key(recipient, purpose);
                self.say(event, -14, -8);
            }
        }
        if self.dice.percent(85) {
            let event = self.order(STATION);
            self.say(event, -10, -4);
        }
        if self.dice.percent(75) {
            let event = Event::GatewayEnrolled { gateway: "box-1", station: STATION, pinned: Some(0) };
            self.say(event, -10, -6);
        }
        self.windows();
        let mut wanted: Vec<Role> = self.bundle.flows.iter().flat_map(|flow| flow.roles.clone()).collect();
        wanted.sort_unstable();
        wanted.dedup();
        for role in wanted {
            if self.dice.percent(95) {
                let person = self.person();
                let until = self.end(20);
                if self.dice.percent(75) {
                    self.tell(person);
                }
                self.say(Event::Linked { asset: 0, person, role, until }, -12, -8);
                for flow in self.bundle.flows.clone() {
                    if flow.roles.contains(&role) && self.dice.percent(94) {
                        let consent = self.consent(person, role);
                        let categories = self.categories_of(flow.id);
                        let (purpose, recipient) = (flow.purpose, flow.recipient);
                        let form = if self.dice.percent(50) { self.form_of(flow.id) } else { None };
                        let consent = Consent { purpose, recipient, categories, form, ..consent };
                        self.say(Event::ConsentGiven(consent), -10, -4);
                    }
                }
            }
        }
    }

    /// One person is told of every version that counts so.
    fn tell(&mut self, person: Person) {
        for notice in self.bundle.notices.clone() {
            if notice.told {
                self.say(Event::NoticeServed { notice: notice.version, to: Some(person) }, -14, -8);
            }
        }
    }

    /// What the windows of the flows ask for beside an order.
    fn windows(&mut self) {
        let flows = self.bundle.flows.clone();
        if flows.iter().any(|flow| flow.account || flow.window == Window::Account) && self.dice.percent(85) {
            let person = self.person();
            let role = self.dice.one_of(&[Role::Owner, Role::Orderer]);
            let until = self.end(30);
            self.say(Event::Linked { asset: 0, person, role, until }, -12, -8);
            self.tell(person);
            self.say(Event::MilestoneReached(Milestone::AccountOpened(person)), -10, -4);
        }
        if flows.iter().any(|flow| flow.window == Window::Disclosure) && self.dice.percent(80) {
            let event = self.disclosure();
            self.say(event, -10, -4);
        }
    }

    fn disclosure(&mut self) -> Event {
        let mut flows = Vec::new();
        for flow in &self.bundle.flows {
            if flow.window == Window::Disclosure || self.dice.percent(20) {
                flows.push(flow.id);
            }
        }
        if flows.is_empty() {
            flows.push(self.bundle.flows[0].id);
        }
        let ground = self.dice.one_of(&[Ground::CourtOrder, Ground::LegalDuty, Ground::Security]);
        let assets = if self.dice.percent(20) { vec![0, 1] } else { vec![self.asset()] };
        let until = self.grid.moment(self.dice, 1, 14).min(NOON + 40 * DAY);
        Event::DisclosureApproved { name: "case-1", ground, assets, flows, until }
    }

    /// One consequence after the other, as offices work: a restriction that is announced and
    /// lifted, or excepted; an objection that is weighed.
    fn story(&mut self, person: Person) {
        let from = self.dice.between(-6, 2);
        let last = |ledger: &Self| ledger.entries.last().expect("just said").id;
        if self.dice.percent(40) {
            let purpose = self.dice.one_of(&self.bundle.flows).purpose;
            self.say(Event::ObjectionRaised(person, Against::Purpose(purpose)), from, from);
            let objection = last(self);
            let outcome = if self.dice.percent(50) {
                Event::ObjectionWeighed(objection)
            } else {
                Event::ObjectionUpheld(objection)
            };
            self.say(outcome, from, from + 5);
            return;
        }
        let (whom, purpose) = (self.whom(), self.purpose());
        self.say(Event::RestrictionSet { whom, purpose }, from, from);
        let restriction = last(self);
        if self.dice.percent(50) {
            let event = self.exception(restriction);
            self.say(event, from, from + 3);
            return;
        }
        self.say(Event::RestrictionLiftingAnnounced(restriction), from, from + 3);
        let announced = last(self);
        self.say(Event::RestrictionLifted(restriction), from + 1, from + 6);
        if self.dice.percent(60) {
            self.say(Event::Voided(announced), from + 2, from + 8);
        }
    }

    fn exception(&mut self, restriction: EntryId) -> Event {
        let ids: Vec<Name> = self.bundle.flows.iter().map(|flow| flow.id).collect();
        let flows = self.dice.some_of(&ids, 60);
        let by_consent = !self.receipts.is_empty() && self.dice.percent(40);
        let receipt = by_consent.then(|| self.dice.one_of(&self.receipts));
        Event::RestrictionExcepted { restriction, flows, receipt, until: self.grid.moment(self.dice, 1, 12) }
    }

    fn form_of(&self, flow: Name) -> Option<Name> {
        let flow = self.bundle.flows.iter().find(|one| one.id == flow).expect("a flow");
        let mut forms = self.bundle.forms.iter();
        forms
            .find(|form| form.purpose == flow.purpose && form.recipient == flow.recipient)
            .map(|form| form.id)
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
        let far = self.grid.moment(self.dice, 1, 24).min(NOON + 40 * DAY);
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
        let form = match self.dice.below(10) {
            0 => self.bundle.forms.last().map(|form| form.id),
            1..6 => self.form_of(flow.id),
            _ => None,
        };
        let (purpose, recipient) = (flow.purpose, flow.recipient);
        Consent { person, role, purpose, recipient, categories, receipt, form, until }
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
        Some(match self.dice.below(52) {
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
            37 | 38 => {
                self.story(person);
                return None;
            }
            39 | 40 => Event::MilestoneReached(match self.dice.below(8) {
                0..3 => Milestone::AccountOpened(person),
                3..6 => Milestone::AccountClosed(person),
                6 => Milestone::RelationshipEnded(self.whom()),
                _ => Milestone::VehicleEnded(asset),
            }),
            41 => self.disclosure(),
            42 => {
                let approved = self.earlier(|event| matches!(event, Event::DisclosureApproved { .. }))?;
                Event::DisclosureEnded(approved.id)
            }
            43 | 44 => {
                let of = self.earlier(restriction)?.id;
                self.exception(of)
            }
            45 => {
                let of = self.earlier(|event| matches!(event, Event::ErasureOrdered { .. }))?;
                let until = self.grid.moment(self.dice, 11, 14);
                Event::ErasureExcepted { erasure: of.id, flow: flow.id, until }
            }
            46 => Event::RecipientPaused { recipient: flow.recipient, purpose: flow.purpose },
            47 => {
                let pause = self.earlier(|event| matches!(event, Event::RecipientPaused { .. }))?;
                Event::RecipientResumed(pause.id)
            }
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
