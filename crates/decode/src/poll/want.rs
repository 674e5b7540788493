//! From wanted signals to what has to be asked for, and how often at most.

use super::{Did, Group, Unit, entry::Item};
use crate::obd;
use vernport_types::{Catalogue, SignalId};

const SECOND: u64 = 1_000_000;
/// How often a VIN is asked for while it is still wanted.
const VIN_EVERY: u64 = 60 * SECOND;

/// What open flows want from one bus now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The signals, and how often each is of use, in microseconds: 0 for "as often as it comes".
    pub signals: Vec<(SignalId, u64)>,
    /// Whether the vehicle is to say who it is.
    pub identify: bool,
}

/// Data identifiers that give catalogue signals on this bus, by configuration.
#[derive(Debug, Clone, Default)]
pub struct Dids {
    entries: Vec<(SignalId, Unit, Did)>,
}

impl Dids {
    /// Most of them on one bus.
    pub const COUNT_MAX: usize = 32;

    /// Takes at most [`Dids::COUNT_MAX`].
    pub fn new(entries: Vec<(SignalId, Unit, Did)>) -> Option<Self> {
        (entries.len() <= Self::COUNT_MAX).then_some(Self { entries })
    }
}

/// Which requests give which signal of the catalogue.
#[derive(Debug)]
pub(super) struct Sources {
    by_signal: Vec<(SignalId, Item, u64)>,
}

impl Sources {
    pub(super) fn new(catalogue: &Catalogue, dids: &Dids) -> Self {
        use Item::{Confirmed, Group as J1939, ObdVin, Pending, Permanent, Pid, UdsCodes, UdsVin};
        let table: [(&str, u64, &[Item]); 10] = [
            (
                "Vehicle.TraveledDistance",
                10 * SECOND,
                &[Pid(obd::ODOMETER), J1939(Group::DistanceHighResolution), J1939(Group::Distance)],
            ),
            ("Vehicle.CurrentLocation", 5 * SECOND, &[J1939(Group::Position)]),
            (
                "Vehicle.VehicleIdentification.VIN",
                VIN_EVERY,
                &[ObdVin, UdsVin, J1939(Group::VehicleIdentification)],
            ),
            ("Vehicle.Speed", SECOND, &[Pid(obd::SPEED), J1939(Group::Speed)]),
            (
                "Vehicle.Diagnostics.DTCList",
                30 * SECOND,
                &[
                    Confirmed,
                    Pending,
                    Permanent,
                    UdsCodes,
                    J1939(Group::ActiveTroubleCodes),
                    J1939(Group::PreviousTroubleCodes),
                ],
            ),
            (
                "Vehicle.Powertrain.FuelSystem.RelativeLevel",
                10 * SECOND,
                &[Pid(obd::FUEL_LEVEL), J1939(Group::DashDisplay)],
            ),
            (
                "Vehicle.LowVoltageBattery.CurrentVoltage",
                10 * SECOND,
                &[Pid(obd::MODULE_VOLTAGE), J1939(Group::ElectricalPower)],
            ),
            ("Vehicle.Powertrain.CombustionEngine.EngineHours", 60 * SECOND, &[J1939(Group::EngineHours)]),
            ("Vehicle.Service.DistanceToService", 60 * SECOND, &[J1939(Group::Service)]),
            ("Vehicle.Extension.PowerTakeOffs.IsEngagedAtLeastOne", 2 * SECOND, &[J1939(Group::PtoDrive)]),
        ];
        let mut by_signal = Vec::new();
        for (path, every, items) in table {
            if let Some(signal) = catalogue.find(path) {
                by_signal.extend(items.iter().map(|item| (signal, *item, every)));
            }
        }
        for (signal, unit, did) in &dids.entries {
            by_signal.push((*signal, Item::Did(*unit, *did), 10 * SECOND));
        }
        Self { by_signal }
    }

    /// What has to be asked for and how often; each once, the more frequent wish counts.
    pub(super) fn items(&self, wanted: &Wanted) -> Vec<(Item, u64)> {
        let mut items: Vec<(Item, u64)> = Vec::new();
        let mut add = |item: Item, every: u64| match items.iter_mut().find(|(known, _)| *known == item) {
            Some((_, known)) => *known = every.min(*known),
            None => items.push((item, every)),
        };
        if wanted.identify {
            for item in [Item::ObdVin, Item::UdsVin, Item::Group(Group::VehicleIdentification)] {
                add(item, VIN_EVERY);
            }
        }
        for (signal, of_use) in &wanted.signals {
            for (_, item, every) in self.by_signal.iter().filter(|(id, ..)| id == signal) {
                add(*item, *every.max(of_use));
            }
        }
        // What a unit supports comes before what is asked of it.
        let pids: Vec<u8> = items
            .iter()
            .filter_map(|(item, _)| if let Item::Pid(pid) = item { Some(*pid) } else { None })
            .collect();
        let diagnostic = items.iter().any(|(item, _)| item.needs_obd());
        let highest = pids.into_iter().max().map_or(0, |pid| pid.saturating_sub(1) / 0x20);
        if diagnostic {
            items.extend((0..=highest).map(|range| (Item::Supported(range * 0x20), u64::MAX)));
        }
        items
    }
}
