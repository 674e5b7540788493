//! The table of J1939 parameter groups: which group gives which signals, and how it is read.
//!
//! One table serves the decoder and [`Decoder::interest`](super::Decoder::interest), so
//! that a group that is read is also asked for. Groups of which the catalogue lists no
//! signal are found as little as unknown ones; finding one is one look into an array.

use super::{Decoded, out::Out};
use crate::{
    RejectCode,
    j1939::{
        dm1::{self, Lamps},
        pgn::{self, Distance},
        spn::Methods,
    },
    plan::{Plan, Wanted},
};
use vernport_types::{FaultState, Position, Source, Value};

/// A signal of the plan.
type Pick = fn(&Plan) -> Option<Wanted>;
/// Reads a value out of a message.
type Read<T> = fn(&[u8]) -> Result<T, RejectCode>;
/// A lamp of DM1.
type Lit = (Pick, Read<bool>);

/// One group.
pub(crate) struct Group {
    pub(crate) pgn: u32,
    gives: Gives,
}

/// What a group gives.
enum Gives {
    /// Values, each with its own place in the message.
    Fields(&'static [Field]),
    /// One value, of the signal with the number that the message tells: an axle, a wheel.
    Placed(&'static [Pick], Read<(usize, f64)>),
    /// Total and trip distance.
    Odometer(Read<Distance>),
    /// The VIN.
    Vin,
    /// Trouble codes in a state, and the lamps that go with active ones.
    Faults(FaultState, &'static [Lit]),
}

/// One value of a message.
enum Field {
    Number(Pick, Read<f64>),
    Flag(Pick, Read<bool>),
    Position(Pick, Read<Position>),
}

impl Field {
    const fn pick(&self) -> Pick {
        match self {
            Self::Number(pick, _) | Self::Flag(pick, _) | Self::Position(pick, _) => *pick,
        }
    }
}

/// All groups that are read. Their numbers lie within [`FIRST`] and the 4096 above (PDU2, data page 0).
pub(crate) const GROUPS: &[Group] = &[
    fields(pgn::PTO_DRIVE, &[Field::Flag(|p| p.power_take_off, pgn::power_take_off)]),
    fields(pgn::EXHAUST_FLUID, &[Field::Number(|p| p.exhaust_fluid_level, pgn::exhaust_fluid_percent)]),
    fields(pgn::TACHOGRAPH, &[Field::Number(|p| p.speed, pgn::tachograph_km_per_h)]),
    fields(pgn::SERVICE, &[Field::Number(|p| p.distance_to_service, pgn::service_km)]),
    group(pgn::DISTANCE_HIGH_RESOLUTION, Gives::Odometer(pgn::distance_high_resolution)),
    group(
        pgn::ACTIVE_TROUBLE_CODES,
        Gives::Faults(
            FaultState::Present,
            &[
                (|p| p.malfunction_lamp, |data| lamp(data, |lamps| lamps.malfunction)),
                (|p| p.red_stop_lamp, |data| lamp(data, |lamps| lamps.red_stop)),
                (|p| p.amber_warning_lamp, |data| lamp(data, |lamps| lamps.amber_warning)),
                (|p| p.protect_lamp, |data| lamp(data, |lamps| lamps.protect)),
            ],
        ),
    ),
    // Its lamps are those of DM1, which tells them every second.
    group(pgn::PREVIOUS_TROUBLE_CODES, Gives::Faults(FaultState::Stored, &[])),
    group(pgn::DISTANCE, Gives::Odometer(pgn::vehicle_distance)),
    fields(pgn::ENGINE_HOURS, &[Field::Number(|p| p.engine_hours, pgn::engine_hours)]),
    fields(pgn::FUEL_CONSUMPTION, &[Field::Number(|p| p.fuel_used, pgn::fuel_used_litres)]),
    group(
        pgn::VEHICLE_WEIGHT,
        Gives::Placed(
            &[|p| p.axle_weight_1, |p| p.axle_weight_2, |p| p.axle_weight_3, |p| p.axle_weight_4],
            pgn::axle_kg,
        ),
    ),
    group(pgn::VEHICLE_IDENTIFICATION, Gives::Vin),
    fields(pgn::ENGINE_TEMPERATURE, &[Field::Number(|p| p.oil_temperature, pgn::oil_celsius)]),
    fields(
        pgn::ENGINE_FLUIDS,
        &[
            Field::Number(|p| p.oil_level, pgn::oil_percent),
            Field::Number(|p| p.coolant_level, pgn::coolant_percent),
        ],
    ),
    fields(pgn::PTO, &[Field::Flag(|p| p.power_take_off_governor, pgn::power_take_off_governor)]),
    fields(
        pgn::SPEED,
        &[
            Field::Number(|p| p.speed, pgn::speed_km_per_h),
            Field::Flag(|p| p.parking_brake, pgn::parking_brake),
        ],
    ),
    fields(pgn::POSITION, &[Field::Position(|p| p.location, pgn::position)]),
    group(
        pgn::TIRE,
        Gives::Placed(
            &[
                |p| p.tire_pressure_1_left,
                |p| p.tire_pressure_1_right,
                |p| p.tire_pressure_2_left,
                |p| p.tire_pressure_2_right,
            ],
            pgn::tire_kpa,
        ),
    ),
    fields(pgn::ELECTRICAL_POWER, &[Field::Number(|p| p.battery_voltage, pgn::battery_volts)]),
    fields(
        pgn::DASH_DISPLAY,
        &[
            Field::Number(|p| p.fuel_level, pgn::fuel_percent),
            Field::Number(|p| p.second_fuel_level, pgn::second_fuel_percent),
        ],
    ),
];

const fn group(pgn: u32, gives: Gives) -> Group {
    Group { pgn, gives }
}

const fn fields(pgn: u32, fields: &'static [Field]) -> Group {
    group(pgn, Gives::Fields(fields))
}

fn lamp(data: &[u8], which: impl FnOnce(Lamps) -> dm1::Lamp) -> Result<bool, RejectCode> {
    which(dm1::lamps(data)?).is_on()
}

impl Group {
    /// The signals that it gives, out of those that the catalogue lists.
    pub(crate) fn signals(&self, plan: &Plan) -> impl Iterator<Item = Wanted> {
        let (fields, picks, lamps): (&[Field], &[Pick], &[Lit]) = match &self.gives {
            Gives::Fields(fields) => (fields, &[], &[]),
            Gives::Placed(picks, _) => (&[], picks, &[]),
            Gives::Odometer(_) => (&[], &[|plan| plan.odometer], &[]),
            Gives::Vin => (&[], &[|plan| plan.vin], &[]),
            Gives::Faults(_, lamps) => (&[], &[|plan| plan.trouble_codes], lamps),
        };
        let picks = fields.iter().map(Field::pick).chain(picks.iter().copied());
        picks.chain(lamps.iter().map(|(pick, _)| *pick)).filter_map(|pick| pick(plan))
    }

    pub(super) const fn is_vin(&self) -> bool {
        matches!(self.gives, Gives::Vin)
    }
}

/// The first number that a group can have here: 0xF000.
const FIRST: u32 = 0xF000;

/// Finds the groups that the catalogue lists a signal of.
pub(super) struct Index {
    /// For each number from [`FIRST`] on: the place in [`GROUPS`] and 1, or 0.
    places: Box<[u8; 4096]>,
}

impl Index {
    pub(super) fn new(plan: &Plan) -> Self {
        let mut places = Box::new([0; 4096]);
        for (group, place) in GROUPS.iter().zip(1_u8..) {
            if group.signals(plan).next().is_some() {
                places[(group.pgn - FIRST) as usize] = place;
            }
        }
        Self { places }
    }

    pub(super) fn find(&self, pgn: u32) -> Option<&'static Group> {
        let place = *self.places.get(pgn.checked_sub(FIRST)? as usize)?;
        GROUPS.get(usize::from(place.checked_sub(1)?))
    }
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let groups = self.places.iter().filter(|place| **place != 0).count();
        f.debug_struct("Index").field("groups", &groups).finish()
    }
}

impl<F: FnMut(Decoded)> Out<'_, F> {
    /// Whether a group may be put together when it comes in a long message: `known` if it is in the table.
    pub(super) fn wants(&self, pgn: u32, known: Option<&Group>) -> bool {
        known.is_some_and(|group| !group.is_vin() || self.reads_vins())
            || self.dbc.is_some_and(|dbc| dbc.wants_group(pgn))
    }

    pub(super) fn group(&mut self, group: &Group, sa: u8, data: &[u8], methods: &mut Methods) {
        let plan = self.plan;
        let source = Source::J1939 { pgn: group.pgn, sa };
        match group.gives {
            Gives::Fields(fields) => {
                for field in fields {
                    match field {
                        Field::Number(pick, read) => self.number(pick(plan), source, || read(data)),
                        Field::Flag(pick, read) => {
                            self.value(pick(plan), source, || read(data).map(Value::Flag));
                        }
                        Field::Position(pick, read) => {
                            self.value(pick(plan), source, || read(data).map(Value::Position));
                        }
                    }
                }
            }
            Gives::Placed(picks, read) => match read(data) {
                Ok((place, number)) => {
                    self.number(picks.get(place).and_then(|pick| pick(plan)), source, || Ok(number));
                }
                Err(code) => self.rejected(Some(code)),
            },
            Gives::Odometer(read) => self.odometer(source, || read(data)),
            Gives::Vin => self.vin(source, || pgn::vin(data)),
            Gives::Faults(state, lamps) => {
                self.trouble_codes(source, state, sa, data, methods);
                for (pick, read) in lamps {
                    self.value(pick(plan), source, || read(data).map(Value::Flag));
                }
            }
        }
    }

    fn trouble_codes(
        &mut self,
        source: Source,
        state: FaultState,
        sa: u8,
        data: &[u8],
        methods: &mut Methods,
    ) {
        let Some(wanted) = self.plan.trouble_codes else { return };
        let codes = match dm1::trouble_codes(data, sa, state, methods) {
            Ok(codes) => codes,
            Err(code) => return self.rejected(Some(code)),
        };
        let mut none = true;
        for code in codes {
            none = false;
            self.value(Some(wanted), source, || code.map(Value::TroubleCode));
        }
        if none {
            self.value(Some(wanted), source, || Ok(Value::Nothing));
        }
    }
}
