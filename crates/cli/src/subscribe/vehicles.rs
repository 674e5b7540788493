//! What the operator calls its vehicles, as rosters say it. Room is bounded: of a fleet beyond
//! [`MAX_KNOWN`] aliases the rest go by their aliases.

use std::collections::BTreeMap;
use vernport_crypto::{OpeningKey, VerifyingKey};
use vernport_mqtt::{Interest, Roster, RosterVehicle, Stream};
use vernport_types::{FleetNumber, Slug, VehicleAlias};

/// The most aliases whose number is remembered.
const MAX_KNOWN: usize = 100_000;
/// Digits of an alias in a table: enough for a fleet.
const ALIAS_SHOWN: usize = 8;

/// One vehicle of a roster.
pub(super) struct Entry {
    pub(super) purpose: Slug,
    pub(super) vehicle: VehicleAlias,
    /// What the operator calls it, or why that stays closed.
    pub(super) number: Result<FleetNumber, &'static str>,
}

/// Signed by no central that is known.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Strange;

/// What the operator calls its vehicles.
pub(super) struct Vehicles {
    interest: Interest,
    centrals: Vec<VerifyingKey>,
    numbers: BTreeMap<VehicleAlias, FleetNumber>,
}

impl Vehicles {
    /// Nothing yet. No `centrals`: whoever may write the roster is believed, by the rules of the broker.
    pub(super) fn new(interest: Interest, centrals: Vec<VerifyingKey>) -> Self {
        Self { interest, centrals, numbers: BTreeMap::new() }
    }

    pub(super) fn operator(&self) -> &Slug {
        &self.interest.operator
    }

    /// Takes what a roster says of vehicles that are of interest.
    pub(super) fn learn(&mut self, roster: &Roster, keys: &[OpeningKey]) -> Result<Vec<Entry>, Strange> {
        let is_by = |central: &VerifyingKey| roster.verify(self.operator(), central).is_ok();
        if !self.centrals.is_empty() && !self.centrals.iter().any(is_by) {
            return Err(Strange);
        }
        let mut entries = Vec::new();
        for listed in roster.vehicles() {
            if !self.is_wanted(listed) {
                continue;
            }
            let number = self.open(roster, listed, keys);
            if let Ok(number) = &number
                && (self.numbers.len() < MAX_KNOWN || self.numbers.contains_key(&listed.vehicle))
            {
                self.numbers.insert(listed.vehicle, number.clone());
            }
            entries.push(Entry { purpose: listed.purpose.clone(), vehicle: listed.vehicle, number });
        }
        Ok(entries)
    }

    fn is_wanted(&self, listed: &RosterVehicle) -> bool {
        let (purpose, vehicle) = (listed.purpose.clone(), listed.vehicle);
        self.interest.wants(&Stream { operator: self.operator().clone(), purpose, vehicle })
    }

    fn open(
        &self,
        roster: &Roster,
        listed: &RosterVehicle,
        keys: &[OpeningKey],
    ) -> Result<FleetNumber, &'static str> {
        let number = listed.number();
        let key = keys.iter().find(|key| key.wrapping_key().key_id() == number.key());
        let key = key.ok_or(if keys.is_empty() {
            "--key opens it"
        } else {
            "sealed to none of the keys of --key"
        })?;
        let opened = number.open(key, &roster.controller, self.operator(), &listed.purpose);
        opened.map_err(|_| "it was not made for this place, or was changed")
    }

    /// What a vehicle is called in a table.
    pub(super) fn name(&self, vehicle: VehicleAlias) -> String {
        self.numbers.get(&vehicle).map_or_else(|| short(vehicle), |number| number.expose().to_owned())
    }
}

/// The beginning of an alias.
pub(super) fn short(vehicle: VehicleAlias) -> String {
    let alias = vehicle.to_string();
    format!("{}…", &alias[..ALIAS_SHOWN])
}

#[cfg(test)]
mod tests {
    use super::*;
    use vernport_crypto::SigningKey;
    use vernport_seal::SealedFleetNumber;
    use vernport_types::{ControllerId, UtcMicros};

    fn slug(text: &str) -> Slug {
        text.parse().expect("a slug")
    }

    const ALIAS: VehicleAlias = VehicleAlias::from_bytes([0xA5; 16]);

    fn roster(to: &OpeningKey, by: &SigningKey) -> Roster {
        let controller: ControllerId = "NO-999999999".parse().expect("a controller");
        let (operator, purpose) = (slug("fjord"), slug("service"));
        let number = "Lastebil 17".parse().expect("a number");
        let sealed = SealedFleetNumber::seal(&controller, &operator, &purpose, &to.wrapping_key(), &number)
            .expect("a key");
        let vehicles = vec![RosterVehicle::new(purpose, ALIAS, &sealed)];
        Roster::sign(controller, &operator, UtcMicros(1_795_334_400_000_000), vehicles, by)
    }

    #[test]
    fn a_vehicle_goes_by_its_own_number_once_that_was_told_by_central() {
        let (key, central) = (OpeningKey::generate(), SigningKey::generate());
        let mut vehicles = Vehicles::new(Interest::all(slug("fjord")), vec![central.verifying_key()]);
        assert_eq!(vehicles.name(ALIAS), "a5a5a5a5…");
        let forged = vehicles.learn(&roster(&key, &SigningKey::generate()), &[]);
        assert_eq!(forged.map(|entries| entries.len()), Err(Strange));
        let told = roster(&key, &central);
        let closed = vehicles.learn(&told, &[OpeningKey::generate()]).expect("central's");
        assert_eq!(closed[0].number.as_ref().err(), Some(&"sealed to none of the keys of --key"));
        assert_eq!(vehicles.name(ALIAS), "a5a5a5a5…");
        let opened = vehicles.learn(&told, &[key]).expect("central's");
        assert_eq!(opened.len(), 1);
        assert_eq!(vehicles.name(ALIAS), "Lastebil 17");
    }

    #[test]
    fn what_is_not_asked_for_is_not_learned() {
        let (key, central) = (OpeningKey::generate(), SigningKey::generate());
        let other = Interest { purpose: Some(slug("insurance")), ..Interest::all(slug("fjord")) };
        let mut vehicles = Vehicles::new(other, Vec::new());
        let told = vehicles.learn(&roster(&key, &central), &[key]).expect("anybody is believed");
        assert!(told.is_empty());
        assert_eq!(vehicles.name(ALIAS), "a5a5a5a5…");
    }
}
