//! A ledger in plain words, and what follows from it: lists that are searched from end to end.
//!
//! Everything happens a minute after what was before it, and is written down at once. So a
//! question is asked after all that it is about, and what was voided by then does not count.

/// Somebody, of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Person {
    /// The one who restricts and objects.
    Anna,
    Bent,
}

/// Both.
pub(super) const PEOPLE: [Person; 2] = [Person::Anna, Person::Bent];

/// The flows of the bundle, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    /// On the contract, while an order is open.
    Work,
    /// On a legitimate interest.
    Upkeep,
    /// On the consent of every driver, not in private.
    Coaching,
    /// Marketing, on the consent of every driver.
    Offers,
}

pub(super) const FLOWS: [Flow; 4] = [Flow::Work, Flow::Upkeep, Flow::Coaching, Flow::Offers];

impl Flow {
    pub(super) const fn on_consent(self) -> bool {
        matches!(self, Self::Coaching | Self::Offers)
    }
}

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// The gateway is fitted to the car.
    Enrolled,
    /// The recipient has a key for the purpose of a flow.
    Key(Flow),
    /// Another car of Anna's is handed in, at another station.
    Stranger,
    /// Anna consents to offers, for years.
    Offers,
    /// The notice is published.
    Served,
    /// Consents to coaching, for 30 days.
    Give(Person),
    Withdraw(Person),
    /// 31 days go by. No entry.
    Expire,
    /// Anna restricts all use.
    Restrict,
    /// The last restriction's lifting is announced to her.
    Announce,
    /// The last restriction is lifted.
    Lift,
    /// Drives the car.
    Link(Person),
    Unlink(Person),
    OpenOrder,
    /// The order that was opened last.
    CloseOrder,
    /// The entry before was a mistake.
    Void,
    PrivateOn,
    PrivateOff,
    /// Anna objects to marketing.
    Object,
}

/// What may happen at each step.
pub(super) const ALPHABET: [What; 18] = [
    What::Give(Person::Anna),
    What::Give(Person::Bent),
    What::Withdraw(Person::Anna),
    What::Withdraw(Person::Bent),
    What::Expire,
    What::Restrict,
    What::Announce,
    What::Lift,
    What::Link(Person::Anna),
    What::Link(Person::Bent),
    What::Unlink(Person::Anna),
    What::Unlink(Person::Bent),
    What::OpenOrder,
    What::CloseOrder,
    What::Void,
    What::PrivateOn,
    What::PrivateOff,
    What::Object,
];

/// Nobody said anything yet: machines, keys, and last of all the notice.
pub(super) const BARE: [What; 8] = [
    What::Enrolled,
    What::Key(Flow::Work),
    What::Key(Flow::Upkeep),
    What::Key(Flow::Coaching),
    What::Key(Flow::Offers),
    What::Stranger,
    What::Offers,
    What::Served,
];

/// On top of it everything is open.
pub(super) const READY: [What; 3] = [What::Link(Person::Anna), What::Give(Person::Anna), What::OpenOrder];

pub(super) type Micros = i64;

/// Noon of 20 November 2026, UTC.
const BEGIN: Micros = 1_795_176_000_000_000;
const MINUTE: Micros = 60_000_000;
pub(super) const DAY: Micros = 86_400_000_000;
/// How long a consent to coaching holds.
pub(super) const VALID: Micros = 30 * DAY;
/// How long an order stays open if nobody closes it.
pub(super) const ORDER: Micros = 92 * DAY;

/// One thing that happened.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    pub(super) what: What,
    pub(super) at: Micros,
    /// What it is about: the place of the restriction, order or mistaken entry.
    pub(super) of: Option<usize>,
    /// The place of the entry that voided it.
    pub(super) voided: Option<usize>,
}

/// What happened, in its order.
#[derive(Debug, Clone, Default)]
pub(super) struct Story(Vec<Told>);

impl Story {
    /// What would happen next.
    pub(super) fn next(&self, what: What) -> Told {
        let before = self.0.last().map_or(BEGIN, |told| told.at);
        let last = |wanted: &dyn Fn(What) -> bool| self.0.iter().rposition(|told| wanted(told.what));
        let of = match what {
            What::Announce | What::Lift => last(&|what| what == What::Restrict),
            What::CloseOrder => last(&|what| what == What::OpenOrder),
            What::Void => last(&|what| what != What::Expire),
            _ => None,
        };
        let passed = if what == What::Expire { 31 * DAY } else { MINUTE };
        Told { what, at: before + passed, of, voided: None }
    }

    pub(super) fn push(&mut self, told: Told) {
        if let (What::Void, Some(of)) = (told.what, told.of) {
            self.0[of].voided = Some(self.0.len());
        }
        self.0.push(told);
    }

    pub(super) fn told(&self) -> &[Told] {
        &self.0
    }

    /// As it is now.
    pub(super) fn now(&self) -> View<'_> {
        self.then(self.0.len() - 1)
    }

    /// As it was directly after what stands at a place.
    pub(super) fn then(&self, last: usize) -> View<'_> {
        View { told: &self.0, last }
    }
}

/// A story as it was known at a time.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    told: &'a [Told],
    pub(super) last: usize,
}

impl<'a> View<'a> {
    pub(super) fn at(self) -> Micros {
        self.told[self.last].at
    }

    /// Whether what stands at a place was no mistake, as far as was known.
    pub(super) fn counts(self, place: usize) -> bool {
        place <= self.last && self.told[place].voided.is_none_or(|by| self.last < by)
    }

    /// All that counts and fits, by its place.
    fn all(self, wanted: impl Fn(What) -> bool + 'a) -> impl DoubleEndedIterator<Item = usize> + 'a {
        (0..=self.last).filter(move |place| self.counts(*place) && wanted(self.told[*place].what))
    }

    /// The entry that served the notice.
    pub(super) fn notice(self) -> Option<usize> {
        self.all(|what| what == What::Served).next()
    }

    pub(super) fn has_key(self, flow: Flow) -> bool {
        self.all(move |what| what == What::Key(flow)).next().is_some()
    }

    /// Who drives the car, each with the entry that says so.
    pub(super) fn drivers(self) -> Vec<(Person, usize)> {
        let driver = |person: &Person| {
            let person = *person;
            let said = self.all(move |what| what == What::Link(person) || what == What::Unlink(person));
            let last = said.last()?;
            (self.told[last].what == What::Link(person)).then_some((person, last))
        };
        PEOPLE.iter().filter_map(driver).collect()
    }

    pub(super) fn drives(self, person: Person) -> bool {
        self.drivers().iter().any(|(driver, _)| *driver == person)
    }

    /// The consent of a person to a flow that is in force.
    pub(super) fn consent(self, flow: Flow, person: Person) -> Option<usize> {
        if flow == Flow::Offers {
            return self.all(|what| what == What::Offers).last().filter(|_| person == Person::Anna);
        }
        let said = self.all(move |what| what == What::Give(person) || what == What::Withdraw(person));
        let last = said.last()?;
        let given = self.told[last].what == What::Give(person);
        (given && self.at() < self.told[last].at + VALID).then_some(last)
    }

    /// Whether a consent was in force at each moment from a place on until now.
    pub(super) fn consented_since(self, place: usize, flow: Flow, person: Person) -> bool {
        if flow == Flow::Offers {
            return self.consent(flow, person).is_some();
        }
        let mut until = Micros::MIN;
        for said in self.all(move |what| what == What::Give(person) || what == What::Withdraw(person)) {
            let told = self.told[said];
            if place < said && until <= told.at {
                return false;
            }
            until = if told.what == What::Give(person) { told.at + VALID } else { told.at };
        }
        self.at() < until
    }

    /// The order that is open; of several the last.
    pub(super) fn order(self) -> Option<usize> {
        let closed =
            |order| self.all(|what| what == What::CloseOrder).any(|close| self.told[close].of == Some(order));
        let open = |order: &usize| self.at() < self.told[*order].at + ORDER && !closed(*order);
        self.all(|what| what == What::OpenOrder).rev().find(open)
    }

    /// Whether Anna restricts, and was not told of its end before it ended.
    pub(super) fn restricted(self) -> bool {
        let lifted = |of: usize| {
            self.all(|what| what == What::Lift).any(|lift| {
                let told_before = |told: usize| told < lift && self.told[told].of == Some(of);
                self.told[lift].of == Some(of) && self.all(|what| what == What::Announce).any(told_before)
            })
        };
        self.all(|what| what == What::Restrict).any(|restriction| !lifted(restriction))
    }

    /// Whether each lifting came after an announcement that counted at that time.
    pub(super) fn each_lifting_was_announced(self) -> bool {
        let lifts = (0..=self.last).filter(|place| self.told[*place].what == What::Lift);
        let announced = |lift: usize| {
            let then = View { last: lift, ..self };
            let mut told = then.all(|what| what == What::Announce);
            told.any(|announce| self.told[announce].of == self.told[lift].of)
        };
        lifts.into_iter().all(announced)
    }

    /// Whether Anna objects to marketing.
    pub(super) fn objects(self) -> bool {
        self.all(|what| what == What::Object).next().is_some()
    }

    pub(super) fn private(self) -> bool {
        let said = self.all(|what| matches!(what, What::PrivateOn | What::PrivateOff));
        said.last().is_some_and(|last| self.told[last].what == What::PrivateOn)
    }
}
