//! The real thing beside a story: the ledger, central's openings, and one gateway.

use super::story::{DAY, FLOWS, Flow, ORDER, PEOPLE, Person, Story, Told, VALID, What};
use std::sync::Arc;
use vernport_crypto::OpeningKey;
use vernport_policy::{
    Bundle, ClosedGrant, GrantId, Head, Opening, Outcomes, Rules, Sampler, SnapshotFor, Standing, StationRef,
    Table, Tables, closing_reason, grants, may_be_sent, snapshot,
};
use vernport_registry::{
    Actor, ActorRole, Against, Consent, ENTRY_FORMAT, Entry, Event, Facts, GatewayEnrolled, Ground as Cause,
    Link, Method, NoticeServed, Objection, OrderClosed, OrderOpened, PrivateMode, ReceiptCode,
    RecipientKeyActivated, Refused, Restriction, RestrictionLifted, RestrictionLifting, Role, TextHash,
    Unlink, VoidReason, Voided, Whom, Withdrawal, WithdrawalScope,
};
use vernport_types::{
    AssetId, BootMicros, Catalogue, Category, EntryHash, Fate, Identification, Number, OrderId, Reading,
    Reason, SignalId, Slug, Source, Stamp, SubjectId, TimeQuality, UtcMicros, Value, VehicleAlias,
};

pub(super) const CAR: AssetId = AssetId::from_bytes([0xCA; 16]);
const STRANGER: AssetId = AssetId::from_bytes([0x57; 16]);

/// Rules and signals: the same for every ledger.
#[derive(Clone)]
pub(super) struct Ground {
    pub(super) rules: Arc<Rules>,
    /// By flow, and one that no flow names.
    signals: [SignalId; 5],
}

impl Ground {
    pub(super) fn new() -> Self {
        let text = include_str!("../../../config/signals/vehicle.toml");
        let catalogue = Catalogue::from_toml([("vehicle.toml", text)]).expect("the shipped catalogue");
        let bundle = Bundle::from_toml("bundle.toml", include_str!("bundle.toml")).expect("a bundle");
        let rules = Rules::compile(&bundle, &catalogue).expect("rules");
        assert!(rules.flows().iter().map(|flow| flow.slug.as_str()).eq(FLOWS.map(Flow::name)));
        let signals = [
            "Vehicle.TraveledDistance",
            "Vehicle.Powertrain.FuelSystem.RelativeLevel",
            "Vehicle.Speed",
            "Vehicle.LowVoltageBattery.CurrentVoltage",
            "Vehicle.Diagnostics.DTCList",
        ];
        let signals = signals.map(|path| catalogue.find(path).expect("of the catalogue"));
        Self { rules: Arc::new(rules), signals }
    }
}

impl Flow {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Work => "work",
            Self::Upkeep => "upkeep",
            Self::Coaching => "coaching",
            Self::Offers => "offers",
        }
    }

    fn of(slug: &Slug) -> Self {
        FLOWS.into_iter().find(|flow| flow.name() == slug.as_str()).expect("a flow of the bundle")
    }
}

/// Whom a release is about, and within which order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Under {
    pub(super) drivers: Vec<Person>,
    /// The place of the order in the story.
    pub(super) order: Option<usize>,
}

/// What became of a reading of each flow's signal.
pub(super) type Answers = [Result<Under, Reason>; 4];

/// What was read under one opening and is on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) flow: Flow,
    /// The place in the story after which it was read first.
    pub(super) born: usize,
    pub(super) drivers: Vec<Person>,
    /// Whether more is read under the same opening now.
    pub(super) open: bool,
    /// What central says when it comes.
    pub(super) central: Standing,
    /// What the gateway does with it.
    pub(super) gateway: Standing,
}

/// All that can be seen after an entry.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    /// Directly after it, with a fresh head.
    pub(super) now: Answers,
    /// With a clock that is not set.
    pub(super) unset: Answers,
    /// Six minutes after the last head.
    pub(super) unheard: Answers,
    /// When the clock says 31 days later.
    pub(super) later: Answers,
    /// When it was set back to now.
    pub(super) back: Answers,
    /// The same readings of another car, now.
    pub(super) stranger: Answers,
    /// Whether anything passed of a signal that no flow names.
    pub(super) nameless: bool,
    pub(super) batches: Vec<Batch>,
}

/// One opening, its batches included.
#[derive(Clone)]
struct Life {
    id: GrantId,
    opening: Opening,
    key: [u8; 32],
    flow: Flow,
    born: usize,
    open: bool,
    closed: Option<Reason>,
}

/// How a line differs from what was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum As {
    /// Not at all.
    Told,
    /// Consents hold for years, and each is withdrawn at the moment at which it would have run out.
    Withdrawn,
    /// Nobody objected.
    Unobjected,
}

/// One ledger with central and gateway.
#[derive(Clone)]
pub(super) struct Line {
    said: As,
    facts: Facts,
    /// The names of the entries, by their place in the story.
    hashes: Vec<EntryHash>,
    lives: Vec<Life>,
}

/// Opens as central does: what was closed for good, or went on its way, is never opened again.
struct Draft<'a> {
    lives: &'a mut Vec<Life>,
    born: usize,
}

impl Tables for Draft<'_> {
    fn grant_id(&mut self, opening: &Opening) -> GrantId {
        let key = opening.key();
        let can_open = |life: &&mut Life| {
            life.key == key && life.closed.is_none_or(|reason| reason.fate() == Fate::Park)
        };
        if let Some(life) = self.lives.iter_mut().find(can_open) {
            (life.open, life.closed) = (true, None);
            return life.id;
        }
        let id = GrantId::from_bytes(number(self.lives.len()));
        let (opening, flow, born) = (opening.clone(), Flow::of(&opening.flow), self.born);
        self.lives.push(Life { id, opening, key, flow, born, open: true, closed: None });
        id
    }

    fn alias(&mut self, _: AssetId, _: &Slug, purpose: &Slug, _: i16) -> VehicleAlias {
        VehicleAlias::from_bytes(number(Flow::of(purpose) as usize))
    }
}

fn number(n: usize) -> [u8; 16] {
    u128::try_from(n + 1).expect("small").to_be_bytes()
}

fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("a constant of the test")
}

fn bay(station: &str) -> StationRef {
    StationRef { site: id("main"), station: id(station) }
}

fn subject(person: Person) -> SubjectId {
    SubjectId::from_bytes([person as u8 + 1; 16])
}

fn order(place: usize) -> OrderId {
    OrderId::from_bytes(number(place))
}

fn receipt(place: usize) -> ReceiptCode {
    let number = number(place);
    ReceiptCode::from_bytes(std::array::from_fn(|n| number[15 - n]))
}

/// What central says of each flow of what stands at the station: open, or why not.
pub(super) fn said(facts: &Facts, ground: &Ground, story: &Story) -> Vec<String> {
    let mut lives = Vec::new();
    let (mut draft, now) = (Draft { lives: &mut lives, born: 0 }, UtcMicros(story.now().at()));
    let grants = grants(facts, &ground.rules, &bay("bay-1"), now, &mut draft);
    let grant = grants.first().expect("the car stands there");
    let open = grant.flows.iter().map(|open| format!("{} open, order {}", open.flow, grant.order.is_some()));
    open.chain(grant.closed.iter().map(|(flow, reason)| format!("{flow} {reason}"))).collect()
}

impl Line {
    /// Nothing said yet.
    pub(super) fn new(ground: &Ground, said: As) -> Self {
        let facts = Facts::new(ground.rules.controller().clone());
        Self { said, facts, hashes: Vec::new(), lives: Vec::new() }
    }

    /// The ledger.
    pub(super) const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The same line, from which on nothing counts of an objection.
    pub(super) fn unobjected(&self) -> Self {
        Self { said: As::Unobjected, ..self.clone() }
    }

    /// Writes what happens next into the ledger.
    ///
    /// # Errors
    /// Why the ledger does not take it. Nothing changed then.
    pub(super) fn tell(&mut self, ground: &Ground, story: &Story, told: Told) -> Result<(), Refused> {
        let objection = |what| what == What::Object;
        let of_objection = told.of.is_some_and(|of| objection(story.told()[of].what));
        let left_out = objection(told.what) || told.what == What::Void && of_objection;
        if told.what == What::Expire {
            if self.said == As::Withdrawn {
                self.withdraw_what_ran_out(ground, story, told);
            }
        } else if self.said != As::Unobjected || !left_out {
            let place = self.hashes.len();
            for (n, event) in self.events(story, told).into_iter().enumerate() {
                let hash = self.write(ground, event, told.at, told.at, &format!("e{place}-{n}"))?;
                if n == 0 {
                    self.hashes.push(hash);
                }
            }
            return Ok(());
        }
        self.hashes.push(EntryHash::from_bytes([0; 32]));
        Ok(())
    }

    fn write(
        &mut self,
        ground: &Ground,
        event: Event,
        occurred_at: i64,
        recorded_at: i64,
        reference: &str,
    ) -> Result<EntryHash, Refused> {
        let entry = Entry {
            format: ENTRY_FORMAT,
            controller: ground.rules.controller().clone(),
            event,
            actor: Actor { role: ActorRole::System, id: id("world") },
            occurred_at: UtcMicros(occurred_at),
            recorded_at: UtcMicros(recorded_at),
            source: id("world"),
            external_ref: id(reference),
        };
        self.facts.apply(&entry).map(|applied| applied.entry)
    }

    /// Withdraws each consent at the very moment at which it ran out.
    fn withdraw_what_ran_out(&mut self, ground: &Ground, story: &Story, expire: Told) {
        let before = story.now().at();
        for (place, told) in story.told().iter().enumerate() {
            let end = told.at + VALID;
            if matches!(told.what, What::Give(_)) && before < end && end <= expire.at {
                let scope = WithdrawalScope::Receipt(receipt(place));
                let event =
                    Event::ConsentWithdrawn(Withdrawal { scope, method: Method::Web, recorded_by: None });
                self.write(ground, event, end, expire.at, &format!("end-{place}")).expect("a known receipt");
            }
        }
    }

    /// The hash of an entry of the story; of none if there is none.
    fn hash(&self, place: Option<usize>) -> EntryHash {
        place.map_or(EntryHash::from_bytes([0; 32]), |place| self.hashes[place])
    }

    /// The entries that say it; none but the setting up has more than one.
    fn events(&self, story: &Story, told: Told) -> Vec<Event> {
        let (place, at) = (story.told().len(), UtcMicros(told.at));
        let linked =
            |asset, person| Link { asset, subject: subject(person), role: Role::Driver, until: None };
        let opened = |asset, station: &str| OrderOpened {
            order: order(place),
            assets: vec![asset],
            station: bay(station),
            expires_at: at.plus_micros(ORDER),
        };
        let consent = |person, purpose: Flow, category, valid| {
            let form = format!("{}-1", purpose.name());
            Event::ConsentGiven(Consent {
                subject: subject(person),
                role: Role::Driver,
                purpose: id(purpose.name()),
                categories: [category].into(),
                recipient: id("small"),
                processing: id("as the form says"),
                form: id(&form),
                text_hash: TextHash([0; 32]),
                language: id("en"),
                method: Method::Paper,
                recorded_by: id("world"),
                evidence: None,
                receipt: receipt(place),
                valid_until: at.plus_micros(valid),
            })
        };
        let private = PrivateMode { asset: CAR };
        let event = match told.what {
            What::Enrolled => Event::GatewayEnrolled(GatewayEnrolled {
                gateway: id("box-1"),
                station: bay("bay-1"),
                device_key: vernport_crypto::SigningKey::from_seed([1; 32]).verifying_key(),
                pinned: Some(CAR),
            }),
            What::Key(flow) => Event::RecipientKeyActivated(RecipientKeyActivated {
                recipient: id("small"),
                purpose: id(flow.name()),
                key: OpeningKey::from_bytes([2; 32]).wrapping_key(),
            }),
            What::Stranger => {
                let link = Event::Linked(linked(STRANGER, Person::Anna));
                return vec![Event::OrderOpened(opened(STRANGER, "bay-2")), link];
            }
            What::Offers => consent(Person::Anna, Flow::Offers, Category::ComponentStatus, 3_000 * DAY),
            What::Served => Event::NoticeServed(NoticeServed {
                notice: id("small-1"),
                text_hash: TextHash([0; 32]),
                language: id("en"),
                method: Method::Web,
                subject: None,
                evidence: None,
            }),
            What::Give(person) => {
                let valid = if self.said == As::Withdrawn { 3_000 * DAY } else { VALID };
                consent(person, Flow::Coaching, Category::DrivingBehaviour, valid)
            }
            What::Withdraw(person) => {
                let (subject, purpose) = (subject(person), Some(id("coaching")));
                let categories = std::collections::BTreeSet::new();
                let scope = WithdrawalScope::Subject { subject, purpose, recipient: None, categories };
                Event::ConsentWithdrawn(Withdrawal { scope, method: Method::Web, recorded_by: None })
            }
            What::Restrict => Event::RestrictionSet(Restriction {
                whom: Whom::Subject(subject(Person::Anna)),
                purpose: None,
                ground: Cause::AccuracyDisputed,
                case: id("case"),
            }),
            What::Announce => Event::RestrictionLiftingAnnounced(RestrictionLifting {
                restriction: self.hash(told.of),
                method: Method::Message,
                evidence: id("letter"),
            }),
            What::Lift => Event::RestrictionLifted(RestrictionLifted { restriction: self.hash(told.of) }),
            What::Link(person) => Event::Linked(linked(CAR, person)),
            What::Unlink(person) => {
                Event::Unlinked(Unlink { asset: CAR, subject: subject(person), role: Role::Driver })
            }
            What::OpenOrder => Event::OrderOpened(opened(CAR, "bay-1")),
            What::CloseOrder => {
                Event::OrderClosed(OrderClosed { order: told.of.map_or(order(place), order) })
            }
            What::Void => Event::Voided(Voided { entry: self.hash(told.of), reason: VoidReason::Mistake }),
            What::PrivateOn => Event::PrivateModeStarted(private),
            What::PrivateOff => Event::PrivateModeEnded(private),
            What::Object => Event::ObjectionRaised(Objection {
                subject: subject(Person::Anna),
                against: Against::Marketing,
                method: Method::Spoken,
                recorded_by: None,
            }),
            What::Expire => return Vec::new(),
        };
        vec![event]
    }

    /// What holds after the last of the story, at central and at a gateway that was told so.
    pub(super) fn look(&mut self, ground: &Ground, story: &Story) -> Seen {
        let (born, now) = (story.now().last, UtcMicros(story.now().at()));
        self.lives.iter_mut().for_each(|life| life.open = false);
        let whom = SnapshotFor {
            gateway: id("box-1"),
            at: bay("bay-1"),
            recovery: OpeningKey::from_bytes([1; 32]).wrapping_key(),
            closed: Vec::new(),
        };
        let mut draft = Draft { lives: &mut self.lives, born };
        let mut snapshot = snapshot(&self.facts, &ground.rules, whom, now, &mut draft);
        for life in self.lives.iter_mut().filter(|life| !life.open) {
            if life.closed.is_none_or(|reason| reason.fate() != Fate::Destroy) {
                life.closed = Some(closing_reason(&self.facts, &ground.rules, &life.opening, now));
            }
        }
        let over =
            self.lives.iter().filter_map(|life| Some(ClosedGrant { id: life.id, reason: life.closed? }));
        snapshot.closed = over.collect();
        let head = Head { era: 1, sequence: 1, at: now, nonce: [0; 16], snapshot_hash: snapshot.hash() };
        let mut table = Table::new(Arc::clone(&ground.rules));
        let applied = table.apply(snapshot, &head, stamp(now, 0, TimeQuality::Synced)).expect("it fits");
        assert!(applied.refused.is_empty(), "central's grants are no wider than the bundle");
        let batches = self.lives.iter().map(|life| self.batch(ground, life, &table, now)).collect();
        self.read(ground, &table, now, batches)
    }

    fn batch(&self, ground: &Ground, life: &Life, table: &Table, now: UtcMicros) -> Batch {
        let sent = match life.closed.filter(|reason| reason.fate() == Fate::Destroy) {
            Some(reason) => Err(reason),
            None => may_be_sent(&self.facts, &ground.rules, &life.opening, now),
        };
        let central = match sent.map_err(|reason| (reason.fate(), reason)) {
            Ok(()) | Err((Fate::Send, _)) => Standing::Send,
            Err((Fate::Park, reason)) => Standing::Park(reason),
            Err((Fate::Destroy, reason)) => Standing::Destroy(reason),
        };
        Batch {
            flow: life.flow,
            born: life.born,
            drivers: self.under(life).drivers,
            open: life.open,
            central,
            gateway: table.standing(life.id, stamp(now, 0, TimeQuality::Synced)),
        }
    }

    fn under(&self, life: &Life) -> Under {
        let linked = |person: &Person| life.opening.subjects.contains(&(Role::Driver, subject(*person)));
        let place = |wanted: OrderId| (0..self.hashes.len()).find(|place| order(*place) == wanted);
        let drivers = PEOPLE.into_iter().filter(linked).collect();
        Under { drivers, order: life.opening.order.map(|order| place(order).expect("told")) }
    }

    fn read(&self, ground: &Ground, table: &Table, now: UtcMicros, batches: Vec<Batch>) -> Seen {
        let (mut sampler, mut out) = (Sampler::default(), Outcomes::new());
        let mut nameless = false;
        let mut all = |asset: AssetId, at: Stamp| -> Answers {
            let read = |flow: usize, out: &mut Outcomes, sampler: &mut Sampler| {
                let reading = Reading {
                    asset,
                    signal: ground.signals[flow],
                    value: match flow {
                        0 => Value::Integer(158_910_605),
                        4 => Value::Nothing,
                        _ => Value::Number(Number::new(12.3).expect("finite")),
                    },
                    at: stamp(now, 0, TimeQuality::Synced),
                    source: Source::J1939 { pgn: 65_217, sa: 0 },
                    identified_by: Identification::BusVin,
                };
                table.decide(&reading, at, sampler, out);
            };
            read(4, &mut out, &mut sampler);
            nameless |= !out.released().is_empty();
            std::array::from_fn(|flow| {
                read(flow, &mut out, &mut sampler);
                match (out.released(), out.withheld()) {
                    ([released], []) => {
                        assert_eq!(released.flow().place(), flow, "a flow gets its own signal only");
                        let life = self.lives.iter().find(|life| life.id == released.grant_id());
                        Ok(self.under(life.expect("of this ledger")))
                    }
                    ([], [withheld]) => Err(withheld.reason),
                    _ => panic!("one signal, one flow, one answer"),
                }
            })
        };
        let minute = 60_000_000;
        let (synced, unset) = (TimeQuality::Synced, TimeQuality::Unset);
        let stranger = all(STRANGER, stamp(now, 0, synced));
        // One gateway lives through them in this order.
        let [now_seen, unset, unheard, later, back] = [
            stamp(now, 0, synced),
            stamp(now, 1, unset),
            stamp(now.plus_micros(6 * minute), 6 * minute, synced),
            stamp(now.plus_micros(31 * DAY), minute, synced),
            stamp(now, 2 * minute, synced),
        ]
        .map(|at| all(CAR, at));
        Seen { now: now_seen, unset, unheard, later, back, stranger, nameless, batches }
    }
}

/// A moment, by how long before the head came.
fn stamp(wall: UtcMicros, after_head: i64, quality: TimeQuality) -> Stamp {
    let boot = BootMicros(1_000_000_000 + u64::try_from(after_head).expect("after it"));
    Stamp { wall, boot, quality }
}
