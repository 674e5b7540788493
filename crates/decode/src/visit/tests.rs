//! Behaviours of a visit, and the bus that its random histories run on.

use super::*;
use vernport_types::{BootMicros, TimeQuality, Value};

const CATALOGUE: &str = include_str!("../../../../config/signals/vehicle.toml");
pub(super) const SECOND: u64 = 1_000_000;

/// Vehicles of the tests, by number. The last packets of their VINs are equal,
/// so that one vehicle's would fit the other's message.
pub(super) const VINS: [&str; 3] = ["WDB9634031L738001", "YS2R4X20005399001", "XLRTE47MS0E123001"];

/// A frame of which nothing is read: an engine's speed.
pub(super) const NOTHING_READ: &str = "18F00400#FFFFFFFFFFFFFFFF";

pub(super) fn asset(vehicle: usize) -> AssetId {
    AssetId::from_bytes([u8::try_from(vehicle).expect("few vehicles") + 1; 16])
}

fn stamp(micros: u64) -> Stamp {
    Stamp {
        wall: UtcMicros(i64::try_from(micros).expect("a short test")),
        boot: BootMicros(micros),
        quality: TimeQuality::Synced,
    }
}

/// What the gateway knows.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    pub(super) closed: bool,
    pub(super) expected: [bool; 3],
    pub(super) asserted: Option<Assertion>,
    pub(super) pinned: Option<AssetId>,
}

impl Known {
    fn expecting(vehicles: &[usize]) -> Self {
        let mut known = Self::default();
        for vehicle in vehicles {
            known.expected[*vehicle] = true;
        }
        known
    }

    fn asserting(vehicle: usize, made_at: i64) -> Self {
        Self {
            asserted: Some(Assertion { asset: asset(vehicle), made_at: UtcMicros(made_at) }),
            ..Self::default()
        }
    }
}

impl Lookup for Known {
    fn identify_open(&self) -> bool {
        !self.closed
    }

    fn by_vin(&self, vin: &Vin) -> Option<AssetId> {
        let vehicle = VINS.iter().position(|text| text.parse() == Ok(*vin))?;
        self.expected[vehicle].then(|| asset(vehicle))
    }

    fn asserted(&self) -> Option<Assertion> {
        self.asserted
    }

    fn pinned(&self) -> Option<AssetId> {
        self.pinned
    }
}

/// A bus with a clock.
pub(super) struct Bus {
    pub(super) visit: Visit,
    pub(super) now: u64,
    /// How far the wall clock is ahead of the true time, in microseconds.
    pub(super) wall_ahead: i64,
    events: Vec<Event>,
}

impl Bus {
    fn new() -> Self {
        Self::with(Config::default())
    }

    pub(super) fn with(config: Config) -> Self {
        let catalogue = Catalogue::from_toml([("vehicle.toml", CATALOGUE)]).expect("the shipped catalogue");
        let visit = Visit::new(&catalogue, config).expect("the shipped catalogue fits");
        Self { visit, now: SECOND, wall_ahead: 0, events: Vec::new() }
    }

    pub(super) fn stamp(&self) -> Stamp {
        let stamp = stamp(self.now);
        Stamp { wall: UtcMicros(stamp.wall.0 + self.wall_ahead), ..stamp }
    }

    pub(super) fn wait(&mut self, micros: u64) {
        self.now += micros;
    }

    pub(super) fn send(&mut self, frame: &str, known: &Known) {
        self.wait(10_000);
        let frame = crate::candump::parse(&format!("(0.0) can0 {frame}")).expect("a frame").frame;
        self.visit.push(&frame, self.stamp(), known, &mut |event| self.events.push(event));
    }

    /// An odometer that tells the vehicle: a million kilometres for each number.
    pub(super) fn odometer(&mut self, vehicle: usize, known: &Known) {
        let steps = u32::try_from((vehicle + 1) * 1_000_000_000 / 5).expect("fits a frame");
        self.send(&format!("18FEC1EE#{}FFFFFFFF", hex::encode_upper(steps.to_le_bytes())), known);
    }

    /// The frames of a VI message, from packet to packet.
    pub(super) fn vi(&mut self, vehicle: usize, from: usize, to: usize, known: &Known) {
        let text = format!("{}*", VINS[vehicle]);
        let mut frames = vec!["18ECFF00#20120003FFECFE00".to_owned()];
        for (part, number) in text.as_bytes().chunks(7).zip(1_u8..) {
            let mut packet = [0xFF; 8];
            packet[0] = number;
            packet[1..=part.len()].copy_from_slice(part);
            frames.push(format!("18EBFF00#{}", hex::encode_upper(packet)));
        }
        for frame in &frames[from..to] {
            self.send(frame, known);
        }
    }

    pub(super) fn say_vin(&mut self, vehicle: usize, known: &Known) {
        self.vi(vehicle, 0, 4, known);
    }

    pub(super) fn tick(&mut self, known: &Known) {
        self.visit.tick(self.stamp(), known, &mut |event| self.events.push(event));
    }

    pub(super) fn detach(&mut self) {
        self.visit.detach(self.stamp(), &mut |event| self.events.push(event));
    }

    pub(super) fn readings(&mut self) -> Vec<Reading> {
        let reading = |event| if let Event::Reading(reading) = event { Some(reading) } else { None };
        self.events.drain(..).filter_map(reading).collect()
    }

    fn ends(&self) -> Vec<End> {
        let end = |event: &Event| if let Event::Ended { why } = event { Some(*why) } else { None };
        self.events.iter().filter_map(end).collect()
    }

    fn unidentified(&self) -> usize {
        self.events.iter().filter(|event| matches!(event, Event::Unidentified { .. })).count()
    }
}

/// Which vehicle an odometer value of the tests belongs to; none for another value.
pub(super) fn odometer_of(value: Value) -> Option<usize> {
    let Value::Integer(metres) = value else { return None };
    Some(usize::try_from(metres / 1_000_000_000).expect("positive") - 1)
}

#[test]
fn what_is_held_until_the_vin_comes_is_given_to_its_vehicle() {
    let (mut bus, known) = (Bus::new(), Known::expecting(&[1]));
    bus.odometer(1, &known);
    assert_eq!(bus.events, []);
    bus.say_vin(1, &known);
    bus.odometer(1, &known);
    let readings = bus.readings();
    assert_eq!(readings.len(), 3, "two odometers and the VIN");
    assert!(readings.iter().all(|r| r.asset == asset(1) && r.identified_by == Identification::BusVin));
    assert_eq!(bus.visit.recognised(), Some((asset(1), Identification::BusVin)));
}

#[test]
fn the_next_vehicle_inherits_nothing_after_a_detach_or_a_silence() {
    for detach in [true, false] {
        let (mut bus, known) = (Bus::new(), Known::expecting(&[0]));
        bus.odometer(0, &known);
        bus.say_vin(0, &known);
        if detach {
            bus.detach();
        } else {
            bus.wait(6 * SECOND);
        }
        bus.readings();
        bus.odometer(1, &known);
        bus.say_vin(1, &known);
        bus.odometer(1, &known);
        assert_eq!(bus.readings(), []);
        assert_eq!(bus.visit.recognised(), None);
    }
}

#[test]
fn an_assertion_is_taken_after_a_moment_without_a_vin() {
    let (mut bus, known) = (Bus::new(), Known::asserting(2, 0));
    bus.odometer(2, &known);
    assert_eq!(bus.readings(), []);
    bus.wait(2 * SECOND);
    bus.odometer(2, &known);
    let readings = bus.readings();
    assert_eq!(readings.len(), 2);
    assert!(readings.iter().all(|r| r.asset == asset(2) && r.identified_by == Identification::Asserted));
}

#[test]
fn an_assertion_made_before_the_last_vehicle_left_is_not_for_the_next_one() {
    let (mut bus, mut known) = (Bus::new(), Known::asserting(2, 0));
    bus.odometer(2, &known);
    bus.wait(2 * SECOND);
    bus.odometer(2, &known);
    bus.wait(6 * SECOND);
    bus.odometer(1, &known);
    assert_eq!(bus.ends(), [End::Silence]);
    bus.readings();
    bus.wait(3 * SECOND);
    bus.odometer(1, &known);
    assert_eq!(bus.readings(), []);
    known = Known::asserting(1, stamp(bus.now).wall.0);
    bus.wait(SECOND);
    bus.odometer(1, &known);
    assert!(bus.readings().iter().all(|r| r.asset == asset(1)), "said again, it counts");
    assert_eq!(bus.visit.recognised(), Some((asset(1), Identification::Asserted)));
}

#[test]
fn an_assertion_does_not_outlive_a_detach_of_a_vehicle_that_was_never_heard() {
    let mut bus = Bus::new();
    let known = Known::asserting(0, stamp(bus.now).wall.0);
    bus.wait(SECOND);
    bus.detach();
    bus.odometer(1, &known);
    bus.wait(3 * SECOND);
    bus.odometer(1, &known);
    assert_eq!(bus.readings(), []);
}

#[test]
fn an_assertion_is_not_for_the_next_vehicle_either_when_the_clock_is_set_back() {
    let mut bus = Bus::new();
    bus.wall_ahead = 3_600_000_000;
    let known = Known::asserting(0, bus.stamp().wall.0);
    bus.odometer(0, &known);
    bus.wait(2 * SECOND);
    bus.odometer(0, &known);
    assert_eq!(bus.readings().len(), 2);
    bus.wall_ahead = 0;
    bus.odometer(0, &known);
    bus.detach();
    bus.readings();
    bus.odometer(1, &known);
    bus.wait(3 * SECOND);
    bus.odometer(1, &known);
    assert_eq!(bus.readings(), []);
}

#[test]
fn a_boat_gives_away_nothing_that_was_held() {
    let (mut bus, known) = (Bus::new(), Known::asserting(0, 0));
    bus.odometer(0, &known);
    bus.send("18EEFF03#0000000000FF00C0", &known);
    bus.wait(2 * SECOND);
    bus.odometer(0, &known);
    assert_eq!((bus.unidentified(), bus.readings()), (1, vec![]));
}

#[test]
fn a_trailer_that_says_its_own_vin_beside_the_truck_is_a_conflict() {
    let (mut bus, known) = (Bus::new(), Known::expecting(&[0]));
    bus.say_vin(0, &known);
    let trailer: Vec<String> =
        ["20120003FFECFE00", "0157444239363334", "023033314C373338", "033030322AFFFFFF"]
            .iter()
            .zip(["ECFF", "EBFF", "EBFF", "EBFF"])
            .map(|(data, group)| format!("18{group}C8#{data}"))
            .collect();
    for frame in trailer {
        bus.send(&frame, &known);
    }
    assert_eq!(bus.ends(), [End::Conflict]);
}

#[test]
fn a_vin_begun_by_one_vehicle_is_not_finished_by_the_next() {
    let (mut bus, known) = (Bus::new(), Known::expecting(&[0, 1]));
    bus.vi(0, 0, 3, &known);
    bus.detach();
    bus.vi(1, 3, 4, &known);
    assert_eq!(bus.visit.recognised(), None);
}

#[test]
fn a_vin_decides_over_an_assertion_and_confirms_it_where_it_fits() {
    let mut known = Known::asserting(0, 0);
    known.expected[0] = true;
    let mut bus = Bus::new();
    bus.odometer(0, &known);
    bus.wait(2 * SECOND);
    bus.odometer(0, &known);
    bus.say_vin(0, &known);
    assert_eq!(bus.visit.recognised(), Some((asset(0), Identification::BusVin)));
    assert_eq!(bus.ends(), []);

    let mut bus = Bus::new();
    bus.say_vin(1, &known);
    bus.wait(3 * SECOND);
    bus.odometer(1, &known);
    assert_eq!(bus.readings(), [], "a VIN that nobody expects is nobody, whatever was asserted");
}

#[test]
fn identifications_in_conflict_leave_nobody_until_the_bus_breaks() {
    let mut known = Known::asserting(0, 0);
    known.expected = [true; 3];
    let mut conflicts: Vec<Bus> = Vec::new();
    // Asserted one, and the vehicle says another.
    let mut bus = Bus::new();
    bus.odometer(1, &known);
    bus.wait(2 * SECOND);
    bus.odometer(1, &known);
    bus.say_vin(1, &known);
    conflicts.push(bus);
    // Two control units, two VINs.
    let mut bus = Bus::new();
    bus.say_vin(1, &known);
    bus.say_vin(2, &known);
    conflicts.push(bus);
    for mut bus in conflicts {
        assert_eq!(bus.ends(), [End::Conflict]);
        bus.readings();
        bus.odometer(1, &known);
        bus.say_vin(1, &known);
        assert_eq!(bus.unidentified(), 2, "counted, not held");
        assert_eq!(bus.readings(), []);
        bus.detach();
        bus.say_vin(1, &known);
        assert_eq!(bus.visit.recognised(), Some((asset(1), Identification::BusVin)));
    }
}

#[test]
fn an_assertion_that_changes_while_the_vehicle_stays_is_a_conflict() {
    let (mut bus, known) = (Bus::new(), Known::asserting(0, 0));
    bus.odometer(0, &known);
    bus.wait(2 * SECOND);
    bus.odometer(0, &known);
    let other = Known::asserting(1, stamp(bus.now).wall.0);
    bus.wait(SECOND);
    bus.odometer(0, &other);
    assert_eq!(bus.ends(), [End::Conflict]);
}

#[test]
fn an_asset_that_is_no_longer_expected_is_no_longer_read() {
    let (mut bus, known) = (Bus::new(), Known::expecting(&[0]));
    bus.say_vin(0, &known);
    bus.readings();
    bus.wait(SECOND);
    let gone = Known::default();
    bus.tick(&gone);
    assert_eq!(bus.ends(), [End::Recheck]);
    bus.odometer(0, &gone);
    assert_eq!(bus.unidentified(), 1);
    bus.wait(SECOND);
    bus.odometer(0, &known);
    assert_eq!(bus.readings().len(), 1, "expected again, it is read from then on, and not from before");
}

#[test]
fn while_nobody_waits_for_a_vehicle_nothing_is_held() {
    let (mut bus, known) = (Bus::new(), Known::expecting(&[0]));
    let closed = Known { closed: true, ..Known::default() };
    bus.odometer(0, &closed);
    bus.say_vin(0, &closed);
    assert_eq!(bus.unidentified(), 1);
    bus.say_vin(0, &known);
    assert_eq!(bus.readings().len(), 1, "the VIN alone: the odometer was heard before");
}

#[test]
fn what_is_held_is_bounded_in_number_and_age_and_what_is_dropped_is_told() {
    let (mut bus, known) = (Bus::new(), Known::expecting(&[0]));
    for _ in 0..600 {
        bus.odometer(0, &known);
    }
    assert_eq!(bus.unidentified(), 600 - 512);
    for _ in 0..9 {
        bus.wait(4 * SECOND);
        bus.send(NOTHING_READ, &known);
    }
    assert_eq!(bus.unidentified(), 600);
    bus.odometer(0, &known);
    bus.detach();
    assert_eq!(bus.unidentified(), 601);
    assert_eq!(bus.readings(), []);
}

#[test]
fn a_pinned_asset_is_taken_where_nothing_better_is_said() {
    let mut bus = Bus::new();
    let known = Known { pinned: Some(asset(1)), ..Known::default() };
    bus.odometer(1, &known);
    bus.wait(2 * SECOND);
    bus.odometer(1, &known);
    assert!(bus.readings().iter().all(|r| r.identified_by == Identification::Pinned));
    bus.say_vin(1, &known);
    assert_eq!(
        bus.visit.recognised(),
        None,
        "the vehicle says a VIN that is not known as the pinned asset's"
    );
}

#[test]
fn errors_of_the_adapter_do_not_keep_a_visit_alive() {
    let (mut bus, known) = (Bus::new(), Known::expecting(&[0]));
    bus.say_vin(0, &known);
    for _ in 0..7 {
        bus.wait(SECOND);
        bus.send("20000080#0000000000000000", &known);
    }
    bus.tick(&known);
    assert_eq!(bus.ends(), [End::Silence]);
}
