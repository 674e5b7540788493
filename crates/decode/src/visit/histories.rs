//! INVARIANT 6 over random histories: a visit against a naive model written from the prose
//! of the module, which knows nothing of frames and looks at everything at each moment.

use super::{
    tests::{Bus, Known, NOTHING_READ, SECOND, VINS, asset, odometer_of},
    *,
};
use proptest::prelude::*;
use vernport_types::Value;

/// The vehicle that never says its VIN.
const MUTE: usize = 2;

/// What happens at a station, or in a vehicle.
#[derive(Debug, Clone, Copy)]
enum Act {
    /// The vehicle leaves and one comes; the adapter tells, or the bus is silent in between.
    Swap { to: usize, told: bool },
    /// The vehicle's odometer is heard.
    Odometer,
    /// The vehicle says its VIN, if it knows one, in packets from one number to another.
    Vin { from: usize, to: usize },
    /// A control unit in it says the VIN of another vehicle: a used part.
    UsedPart { of: usize },
    /// Something of which nothing is read.
    Other,
    /// A technician says, truly, which vehicle stands there, with its bus awake.
    Assert,
    /// The order is closed.
    Close,
    /// A vehicle is expected here from now on, or no more.
    Expect { vehicle: usize, expected: bool },
    /// VINs may be read from now on, or no more.
    Identify { open: bool },
    /// Time passes.
    Wait { millis: u64 },
    /// The wall clock is set, to so many seconds before or after the true time.
    SetClock { seconds: i64 },
    /// The visit is told the time.
    Tick,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        2 => (0_usize..3, any::<bool>()).prop_map(|(to, told)| Act::Swap { to, told }),
        6 => Just(Act::Odometer),
        4 => Just(Act::Vin { from: 0, to: 4 }),
        2 => (1_usize..4).prop_map(|to| Act::Vin { from: 0, to }),
        2 => (1_usize..4).prop_map(|from| Act::Vin { from, to: 4 }),
        1 => (0_usize..2).prop_map(|of| Act::UsedPart { of }),
        1 => Just(Act::Other),
        2 => Just(Act::Assert),
        1 => Just(Act::Close),
        3 => (0_usize..3, any::<bool>()).prop_map(|(vehicle, expected)| Act::Expect { vehicle, expected }),
        1 => any::<bool>().prop_map(|open| Act::Identify { open }),
        4 => (1_u64..4_000).prop_map(|millis| Act::Wait { millis }),
        1 => (-100_i64..100).prop_map(|seconds| Act::SetClock { seconds }),
        2 => Just(Act::Tick),
    ]
}

/// What the prose says of one vehicle between two breaks.
#[derive(Debug, Clone, Default)]
struct Stay {
    since: u64,
    last_heard: u64,
    /// The VINs that were said whole.
    vins: Vec<usize>,
    /// Packets of a VIN that came in order, with whose they are and the time of the last.
    packets: Option<(usize, usize, u64)>,
    /// Whom an assertion or pin made it.
    bound: Option<AssetId>,
    who: Option<AssetId>,
    nobody: bool,
    /// Odometers that wait for a name, with their times.
    held: Vec<(u64, usize)>,
    /// What was said while it was heard: it is about no later one.
    said: Option<Assertion>,
}

#[derive(Debug, Default)]
struct Model {
    stay: Option<Stay>,
    /// By the wall clock.
    left_at: Option<UtcMicros>,
    last_wall: Option<UtcMicros>,
    spent: Option<Assertion>,
    given: Vec<(AssetId, usize)>,
}

impl Model {
    fn leave(&mut self, wall: Option<UtcMicros>) {
        if let Some(stay) = self.stay.take() {
            self.left_at = self.last_wall;
            self.spent = stay.said.or(self.spent);
        }
        self.left_at = wall.or(self.left_at);
    }

    fn silent(&mut self, now: u64) {
        if self.stay.as_ref().is_some_and(|stay| now - stay.last_heard > 5 * SECOND) {
            self.leave(None);
        }
    }

    /// Whose the vehicle is at this moment.
    fn look(&mut self, now: u64, known: &Known) {
        let (left_at, spent) = (self.left_at, self.spent);
        let Some(stay) = &mut self.stay else { return };
        stay.held.retain(|(at, _)| now - at <= 30 * SECOND);
        let fresh = |said: &Assertion| left_at.is_none_or(|left| said.made_at > left) && Some(*said) != spent;
        let found = match stay.vins[..] {
            [vin] => known.expected[vin].then(|| asset(vin)),
            _ if now - stay.since < 2 * SECOND => None,
            _ => known.asserted.filter(fresh).map(|said| said.asset).or(known.pinned),
        };
        let unfit = found.is_some() && stay.bound.is_some() && found != stay.bound;
        if stay.vins.len() > 1 || unfit || stay.nobody {
            (stay.nobody, stay.who) = (true, None);
            stay.held.clear();
            return;
        }
        stay.who = found;
        if let Some(asset) = found {
            self.given.extend(stay.held.drain(..).map(|(_, vehicle)| (asset, vehicle)));
            if stay.vins.is_empty() {
                stay.bound = found;
            }
        }
    }

    fn frame(&mut self, now: u64, wall: UtcMicros, known: &Known) -> &mut Stay {
        self.silent(now);
        self.stay.get_or_insert_with(|| Stay { since: now, ..Stay::default() }).said = known.asserted;
        self.look(now, known);
        self.last_wall = Some(wall);
        let stay = self.stay.as_mut().expect("just made");
        stay.last_heard = now;
        if known.closed || !stay.vins.is_empty() || stay.bound.is_some() {
            stay.held.clear();
        }
        stay
    }

    fn odometer(&mut self, now: u64, wall: UtcMicros, known: &Known, vehicle: usize) {
        let stay = self.frame(now, wall, known);
        match stay.who {
            Some(asset) => self.given.push((asset, vehicle)),
            None if stay.nobody || known.closed || !stay.vins.is_empty() || stay.bound.is_some() => {}
            None => stay.held.push((now, vehicle)),
        }
    }

    fn vin_packet(&mut self, now: u64, wall: UtcMicros, known: &Known, of: usize, number: usize) {
        let stay = self.frame(now, wall, known);
        stay.packets = match stay.packets {
            _ if number == 0 => (!known.closed).then_some((of, 1, now)),
            Some((whose, next, at)) if (whose, next) == (of, number) && now - at <= 750_000 => {
                Some((of, next + 1, now))
            }
            _ => None,
        };
        if let Some((_, 4, _)) = stay.packets {
            stay.packets = None;
            if !known.closed && !stay.vins.contains(&of) {
                stay.vins.push(of);
                self.look(now, known);
                if let Some(stay) = &mut self.stay {
                    stay.held.clear();
                }
            }
        }
    }
}

/// A history: where, which vehicle first, and what then. On board there is one vehicle.
fn history() -> impl Strategy<Value = (bool, usize, Vec<Act>)> {
    (any::<bool>(), 0_usize..3, proptest::collection::vec(act(), 1..80))
}

/// Runs a history on a visit and on the model; an error if they differ, or if a reading is not of
/// the vehicle that was there.
fn run(onboard: bool, first: usize, acts: &[Act]) -> Result<(), TestCaseError> {
    // Looked at anew at each moment, as the model does.
    let mut bus = Bus::with(Config { recheck_micros: 0, ..Config::default() });
    let (mut model, mut there) = (Model::default(), first);
    let mut known = Known { pinned: onboard.then(|| asset(first)), ..Known::default() };
    for act in acts {
        match *act {
            Act::Swap { to, told } => {
                if told {
                    bus.detach();
                    model.leave(Some(bus.stamp().wall));
                } else {
                    bus.wait(6 * SECOND);
                }
                there = if onboard { there } else { to };
            }
            Act::Odometer => {
                bus.odometer(there, &known);
                model.odometer(bus.now, bus.stamp().wall, &known, there);
            }
            Act::Vin { .. } if there == MUTE => {}
            Act::Vin { from, to } => packets(&mut bus, &mut model, &known, there, from..to),
            // Without the vehicle's own VIN the part would be believed: nothing could tell.
            Act::UsedPart { of } => {
                bus.send(NOTHING_READ, &known);
                model.frame(bus.now, bus.stamp().wall, &known);
                if there != MUTE && model.stay.as_ref().is_some_and(|stay| stay.vins.contains(&there)) {
                    packets(&mut bus, &mut model, &known, of, 0..4);
                }
            }
            Act::Other => {
                bus.send(NOTHING_READ, &known);
                model.frame(bus.now, bus.stamp().wall, &known);
            }
            Act::Assert => {
                bus.send(NOTHING_READ, &known);
                model.frame(bus.now, bus.stamp().wall, &known);
                known.asserted = Some(Assertion { asset: asset(there), made_at: bus.stamp().wall });
                // It is looked at while the vehicle is heard.
                bus.send(NOTHING_READ, &known);
                model.frame(bus.now, bus.stamp().wall, &known);
            }
            Act::Close => known.asserted = None,
            Act::Expect { vehicle, expected } => known.expected[vehicle] = expected,
            Act::Identify { open } => known.closed = !open,
            Act::Wait { millis } => bus.wait(millis * 1_000),
            Act::SetClock { seconds } => bus.wall_ahead = seconds * 1_000_000,
            Act::Tick => {
                bus.tick(&known);
                model.silent(bus.now);
                model.look(bus.now, &known);
            }
        }
        let readings = bus.readings();
        for reading in &readings {
            prop_assert_eq!(reading.asset, asset(there), "after {:?}: of another vehicle", act);
            if let Value::Label(vin) = reading.value {
                prop_assert_eq!(vin.expose(), VINS[there], "after {:?}: another's VIN", act);
            }
        }
        let given: Vec<(AssetId, usize)> =
            readings.iter().filter_map(|r| Some((r.asset, odometer_of(r.value)?))).collect();
        prop_assert_eq!(given, std::mem::take(&mut model.given), "after {:?}: readings given", act);
        // The visit learns of silence at the next frame or tick; the model says the same then.
        let who = bus.visit.recognised().map(|(asset, _)| asset);
        prop_assert_eq!(who, model.stay.as_ref().and_then(|stay| stay.who), "after {:?}: who it is", act);
    }
    Ok(())
}

fn packets(bus: &mut Bus, model: &mut Model, known: &Known, of: usize, numbers: std::ops::Range<usize>) {
    for number in numbers {
        bus.vi(of, number, number + 1, known);
        model.vin_packet(bus.now, bus.stamp().wall, known, of, number);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_visit_does_what_its_prose_says_and_gives_readings_to_the_vehicle_that_is_there(
        (onboard, first, acts) in history()
    ) {
        run(onboard, first, &acts)?;
    }
}
