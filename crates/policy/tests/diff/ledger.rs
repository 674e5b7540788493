//! One ledger, of which two versions of rules are asked.

use crate::{
    drawn::Step,
    world::{ANNE, BENT, DAY, NOON, ORDER, TRUCK, bay, id, key},
};
use vernport_policy::Role;
use vernport_registry::{
    Actor, ActorRole, Against, Consent, ENTRY_FORMAT, Entry, Event, Facts, Ground, Link, Method,
    NoticeServed, Objection, OrderClosed, OrderOpened, PrivateMode, ReceiptCode, RecipientKeyActivated,
    Restriction, TextHash, Unlink, Whom, Withdrawal, WithdrawalScope,
};
use vernport_types::{Category, SubjectId, UtcMicros};

pub(crate) struct Ledger {
    pub(crate) facts: Facts,
    pub(crate) now: UtcMicros,
    entries: u8,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        Self { facts: Facts::new(id("NO-999999999")), now: NOON, entries: 0 }
    }

    /// Says what happened. What the ledger refuses did not happen.
    fn say(&mut self, event: Event) {
        self.entries += 1;
        let entry = Entry {
            format: ENTRY_FORMAT,
            controller: id("NO-999999999"),
            event,
            actor: Actor { role: ActorRole::Staff, id: id("staff-7") },
            occurred_at: self.now,
            recorded_at: self.now,
            source: id("test"),
            external_ref: id(&format!("ref-{}", self.entries)),
        };
        let _refused = self.facts.apply(&entry);
    }

    pub(crate) fn step(&mut self, step: &Step) {
        match *step {
            Step::Serve(version) => self.say(Event::NoticeServed(NoticeServed {
                notice: id(&format!("n-{version}")),
                text_hash: TextHash([7; 32]),
                language: id("nb"),
                method: Method::Web,
                subject: None,
                evidence: None,
            })),
            Step::Keys => self.keys(),
            Step::Order(true) => {
                self.say(Event::OrderOpened(OrderOpened::new(ORDER, TRUCK, bay(), self.now)));
            }
            Step::Order(false) => self.say(Event::OrderClosed(OrderClosed { order: ORDER })),
            Step::Link(anne, owner, linked) => {
                let (asset, subject, role) = (TRUCK, person(anne), role(owner));
                self.say(if linked {
                    Event::Linked(Link { asset, subject, role, until: None })
                } else {
                    Event::Unlinked(Unlink { asset, subject, role })
                });
            }
            Step::Consent(anne, what) => self.consent(anne, what),
            Step::Withdraw(anne) => self.say(Event::ConsentWithdrawn(Withdrawal {
                scope: WithdrawalScope::Subject {
                    subject: person(anne),
                    purpose: None,
                    recipient: None,
                    categories: [].into(),
                },
                method: Method::Spoken,
                recorded_by: Some(id("staff-7")),
            })),
            Step::Object(anne, marketing) => {
                let against = if marketing { Against::Marketing } else { Against::Purpose(id("improve")) };
                let (subject, method) = (person(anne), Method::Message);
                self.say(Event::ObjectionRaised(Objection { subject, against, method, recorded_by: None }));
            }
            Step::Restrict(asset) => self.say(Event::RestrictionSet(Restriction {
                whom: if asset { Whom::Asset(TRUCK) } else { Whom::Subject(ANNE) },
                purpose: Some(id("improve")),
                ground: Ground::AccuracyDisputed,
                case: id("case 1"),
            })),
            Step::Private(true) => self.say(Event::PrivateModeStarted(PrivateMode { asset: TRUCK })),
            Step::Private(false) => self.say(Event::PrivateModeEnded(PrivateMode { asset: TRUCK })),
            Step::Later(seconds) | Step::Read { pause_s: seconds, .. } => {
                self.now = self.now.plus_seconds(seconds);
            }
        }
    }

    fn keys(&mut self) {
        for purpose in ["improve", "service", "remind", "offer"] {
            for recipient in ["ours", "haulage"] {
                let key = key(recipient, purpose);
                let (recipient, purpose) = (id(recipient), id(purpose));
                self.say(Event::RecipientKeyActivated(RecipientKeyActivated { recipient, purpose, key }));
            }
        }
    }

    fn consent(&mut self, anne: bool, what: u8) {
        let mut receipt = [0; 7];
        receipt[0] = self.entries;
        self.say(Event::ConsentGiven(Consent {
            subject: person(anne),
            role: role(what & 4 != 0),
            purpose: id(["remind", "offer"][usize::from(what & 1)]),
            categories: [Category::Odometer, Category::ComponentStatus].into(),
            recipient: id(["ours", "haulage"][usize::from((what >> 1) & 1)]),
            processing: id("as the form says"),
            form: id("form-1"),
            text_hash: TextHash([8; 32]),
            language: id("nb"),
            method: Method::Screen,
            recorded_by: id("staff-7"),
            evidence: None,
            receipt: ReceiptCode::from_bytes(receipt),
            valid_until: self.now.plus_seconds(30 * DAY),
        }));
    }
}

fn person(anne: bool) -> SubjectId {
    if anne { ANNE } else { BENT }
}

fn role(owner: bool) -> Role {
    if owner { Role::Owner } else { Role::Driver }
}
