//! Operators' own numbers of vehicles (decision note 0025).
//!
//! ```text
//! registrar says a number → sealed to the operator, a row for each purpose → told under each alias, daily
//! ```
//!
//! INVARIANT: the number lies nowhere here but sealed; central cannot read it once the request is answered.

use crate::{controller::Controller, refusal::Refusal, telling::TELL_AGAIN_SECONDS};
use std::{collections::BTreeSet, sync::atomic::Ordering::Relaxed};
use tokio::time::Instant;
use vernport_api::{Code, FleetNumberAnswer, FleetNumberRequest};
use vernport_mqtt::{NoticeLink, Roster, RosterVehicle, roster::MAX_ROSTER_VEHICLES};
use vernport_policy::{Flow, alias_year};
use vernport_seal::SealedFleetNumber;
use vernport_store::{FleetNumberRow, ListedRow, StoreError};
use vernport_types::{Slug, UtcMicros};

/// How long a broker keeps it for an operator that is away: a little longer than until it comes again.
const EXPIRY_S: u32 = 25 * 3_600;
/// Aliases of this year and so many before are told: what was published under them is still in use.
const YEARS_BEFORE: i16 = 1;
/// How long a number is kept that explains no such alias: a vehicle may come once a year.
const UNUSED_SECONDS: i64 = 366 * 86_400;
/// How often unused ones are looked for.
const FORGET_EVERY_SECONDS: i64 = 86_400;

impl Controller {
    /// Keeps what an operator calls a vehicle, sealed to it for each purpose that it is published to for.
    pub(crate) async fn call_asset(&self, asked: FleetNumberRequest) -> Result<FleetNumberAnswer, Refusal> {
        let FleetNumberRequest { asset, operator, number } = asked;
        let published = self.published_to(&operator);
        if published.is_empty() {
            let detail = "the bundle publishes nothing to this operator; look up its name there";
            return Err(Refusal::new(Code::NotFound, detail));
        }
        if !self.store.knows_asset(&self.id, asset).await? {
            let detail = "the ledger names no such asset; enter the vehicle first, or look it up";
            return Err(Refusal::new(Code::NotFound, detail));
        }
        let mut answer = FleetNumberAnswer { purposes: Vec::new(), without_key: Vec::new() };
        let mut rows = Vec::new();
        let mut state = self.locked().await?;
        let now = state.now(&*self.clock);
        if let Some(number) = number {
            for purpose in published {
                // The newest: the operator has the older ones, too, and takes them out of use first.
                let Some(key) = state.facts.newest_recipient_key(&operator, &purpose, now) else {
                    answer.without_key.push(purpose);
                    continue;
                };
                let sealed = SealedFleetNumber::seal(&self.id, &operator, &purpose, &key, &number)
                    .map_err(|_| Refusal::new(Code::Internal, "a key of the operator cannot be used"))?;
                answer.purposes.push(purpose.clone());
                let (key, sealed) = (sealed.key(), sealed.as_bytes().to_vec());
                rows.push(FleetNumberRow { purpose, key, sealed });
            }
        }
        drop(state);
        self.store.call_asset(&self.id, asset, &operator, &rows, now).await?;
        self.notices.notify_one();
        Ok(answer)
    }

    /// For which purposes something is published to an operator.
    fn published_to(&self, operator: &Slug) -> BTreeSet<Slug> {
        let published = self.published().filter(|flow| flow.recipient == *operator);
        published.map(|flow| flow.purpose.clone()).collect()
    }

    fn published(&self) -> impl Iterator<Item = &Flow> {
        self.rules.flows().iter().filter(|flow| flow.deliver.topic.is_some())
    }

    /// Tells operators what no broker took since a day, until `end`; where the line is gone, the rest waits for
    /// the next look. Whose topic the broker refuses is passed over until then, and the others are told.
    pub(crate) async fn tell_rosters(&self, link: &NoticeLink, end: Instant) -> Result<(), StoreError> {
        let now = self.clock.now().wall;
        let again = now.plus_seconds(-TELL_AGAIN_SECONDS);
        let year = alias_year(&self.rules, now) - YEARS_BEFORE;
        let limit = u16::try_from(MAX_ROSTER_VEHICLES).expect("a message has fewer");
        let operators: BTreeSet<&Slug> = self.published().map(|flow| &flow.recipient).collect();
        for operator in operators {
            loop {
                let rows = self.store.aliases_to_list(&self.id, operator, year, again, limit).await?;
                if rows.is_empty() {
                    break;
                }
                let roster = self.roster(operator, &rows, now);
                match self.is_taken(link.tell_roster(operator, &roster, EXPIRY_S), end).await {
                    Some(true) => self.store.note_listed(&self.id, &rows, now).await?,
                    Some(false) => break,
                    None => return Ok(()),
                }
            }
        }
        Ok(())
    }

    /// What is said of vehicles of one operator.
    fn roster(&self, operator: &Slug, rows: &[ListedRow], now: UtcMicros) -> Roster {
        let vehicle = |row: &ListedRow| {
            let number = SealedFleetNumber::from_bytes(row.key, &row.sealed)?;
            Some(RosterVehicle::new(row.purpose.clone(), row.vehicle, &number))
        };
        let vehicles = rows.iter().filter_map(vehicle).collect();
        Roster::sign(self.id.clone(), operator, now, vehicles, &self.head_key)
    }

    /// Once a day, lets go of numbers that explain nothing any more.
    pub(crate) async fn forget_numbers(&self, now: UtcMicros) -> Result<(), StoreError> {
        if now.plus_seconds(-FORGET_EVERY_SECONDS).0 < self.counted.numbers_looked_at.load(Relaxed) {
            return Ok(());
        }
        let year = alias_year(&self.rules, now) - YEARS_BEFORE;
        self.store.forget_numbers(&self.id, year, now.plus_seconds(-UNUSED_SECONDS)).await?;
        self.counted.numbers_looked_at.store(now.0, Relaxed);
        Ok(())
    }
}
