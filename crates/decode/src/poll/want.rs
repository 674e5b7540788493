//! From wanted signals to what has to be asked for, and how often at most.

use super::{Group, entry::Item};
use crate::{
    decoder::GROUPS,
    dids::Dids,
    obd,
    plan::{self, Plan},
};
use vernport_types::{Catalogue, SignalId};

const SECOND: u64 = 1_000_000;
/// How often a VIN is asked for while it is still wanted.
const VIN_SECONDS: u64 = 60;

/// What open flows want from one bus now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The signals, and how often each is of use, in microseconds: 0 for "as often as it comes".
    pub signals: Vec<(SignalId, u64)>,
    /// Whether the vehicle is to say who it is.
    pub identify: bool,
}

/// Which requests give which signal of the catalogue.
#[derive(Debug)]
pub(super) struct Sources {
    by_signal: Vec<(SignalId, Item, u64)>,
}

impl Sources {
    pub(super) fn new(catalogue: &Catalogue, dids: &Dids) -> Self {
        let mut by_signal = Vec::new();
        // A catalogue that does not fit is told where it is decoded; nothing can be read by it.
        if let Ok(plan) = Plan::new(catalogue) {
            for (signal, seconds, items) in table(&plan) {
                let Some(signal) = signal else { continue };
                let groups = Group::ALL.into_iter().filter(|group| group_gives(&plan, *group, signal.id));
                let items = items.iter().copied().chain(groups.map(Item::Group));
                by_signal.extend(items.map(|item| (signal.id, item, seconds * SECOND)));
            }
        }
        by_signal.extend(dids.asked().map(|(signal, unit, did)| (signal, Item::Did(unit, did), 10 * SECOND)));
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
                add(item, VIN_SECONDS * SECOND);
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

/// For each signal: how often it is asked for at most, in seconds, and what of diagnosis gives it.
/// Which groups of J1939 give it stands in the decoder's own table.
#[rustfmt::skip]
fn table(plan: &Plan) -> [(Option<plan::Wanted>, u64, &'static [Item]); 31] {
    use Item::{Confirmed, ObdVin, Pending, Permanent, Pid, UdsCodes, UdsVin};
    [
        (plan.odometer, 10, &[Pid(obd::ODOMETER)]),
        (plan.location, 5, &[]),
        (plan.vin, VIN_SECONDS, &[ObdVin, UdsVin]),
        (plan.speed, 1, &[Pid(obd::SPEED)]),
        (plan.trouble_codes, 30, &[Confirmed, Pending, Permanent, UdsCodes]),
        (plan.fuel_level, 10, &[Pid(obd::FUEL_LEVEL)]),
        (plan.battery_voltage, 10, &[Pid(obd::MODULE_VOLTAGE)]),
        (plan.engine_hours, 60, &[Pid(obd::ENGINE_RUN_TIME)]),
        (plan.distance_to_service, 60, &[]),
        (plan.power_take_off, 2, &[Pid(obd::AUXILIARY_INPUT), Pid(obd::AUXILIARY_INPUTS_OUTPUTS)]),
        (plan.power_take_off_governor, 2, &[]),
        (plan.parking_brake, 2, &[]),
        (plan.tire_pressure_1_left, 30, &[]),
        (plan.tire_pressure_1_right, 30, &[]),
        (plan.tire_pressure_2_left, 30, &[]),
        (plan.tire_pressure_2_right, 30, &[]),
        (plan.axle_weight_1, 30, &[]),
        (plan.axle_weight_2, 30, &[]),
        (plan.axle_weight_3, 30, &[]),
        (plan.axle_weight_4, 30, &[]),
        (plan.malfunction_lamp, 10, &[Pid(obd::STATUS)]),
        (plan.red_stop_lamp, 10, &[]),
        (plan.amber_warning_lamp, 10, &[]),
        (plan.protect_lamp, 10, &[]),
        (plan.exhaust_fluid_level, 30, &[Pid(obd::NOX_CONTROL)]),
        (plan.second_fuel_level, 10, &[]),
        (plan.fuel_used, 60, &[]),
        (plan.coolant_level, 30, &[]),
        (plan.oil_level, 30, &[]),
        (plan.oil_temperature, 10, &[Pid(obd::OIL_TEMPERATURE)]),
        (plan.traction_charge, 10, &[Pid(obd::BATTERY_CHARGE)]),
    ]
}

fn group_gives(plan: &Plan, group: Group, signal: SignalId) -> bool {
    let known = GROUPS.iter().find(|known| known.pgn == group.number());
    known.is_some_and(|known| known.signals(plan).any(|given| given.id == signal))
}
