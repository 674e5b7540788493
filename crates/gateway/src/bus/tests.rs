//! A live bus with simulated vehicles on it, in the time of a test clock: what lies on
//! the wire is the proof.

use super::*;
use std::sync::{Mutex, MutexGuard};
use tokio::time::Instant;
use vernport_canbus::{OpenOptions, SourceUrl, TimedFrame, VirtualBuses, VirtualNode};
use vernport_decode::{
    Config as DecoderConfig, Decoded, Decoder,
    dids::{Dids, Rule},
    poll::{self, Config, QUIET_MICROS, Standing, Unit},
    visit::{Assertion, Config as VisitConfig, End, Event, Lookup, Visit},
};
use vernport_sim::{Answering, CarConfig, Model, TruckConfig, TruckEquipment};
use vernport_types::{
    AssetId, CanFrame, CanId, Catalogue, Position, SignalId, Source, TimeQuality, UtcMicros, Value, Vin,
};

const VIN: &str = "WVWZZZ1KZAW123456";
const ODOMETER: &str = "Vehicle.TraveledDistance";
const SPEED: &str = "Vehicle.Speed";

fn catalogue() -> Catalogue {
    let text = include_str!("../../../../config/signals/vehicle.toml");
    Catalogue::from_toml([("vehicle.toml", text)]).expect("the shipped catalogue")
}

fn signal(path: &str) -> SignalId {
    catalogue().find(path).expect("a signal of the catalogue")
}

fn wanted(paths: &[&str], identify: bool) -> Wanted {
    Wanted { signals: paths.iter().map(|path| (signal(path), 0)).collect(), identify }
}

fn car() -> Model {
    Model::Car(CarConfig {
        vin: VIN.parse().expect("a VIN"),
        odometer_m: 123_456_700,
        speed_km_per_h: 0,
        fuel_percent: 50,
        battery_mv: 13_800,
        since_clear_km: 7,
        engine_codes: Vec::new(),
        transmission_codes: Vec::new(),
        answering: Answering::Classic,
        fd_broadcast: false,
    })
}

fn truck() -> Model {
    let config = TruckConfig {
        vin: VIN.parse().expect("a VIN"),
        odometer_m: 412_345_675,
        speed_km_per_h: 0,
        position: Position::from_degrees(59.7, 10.2).expect("on the globe"),
        fuel_percent: 62,
        battery_mv: 24_700,
        engine_s: 3_600,
        faults: Vec::new(),
        obd_trouble_codes: Vec::new(),
        announce_vin_every_micros: None,
    };
    Model::Truck(config, TruckEquipment::default())
}

#[derive(Default)]
struct Seen {
    /// All that lay on the wire and was not sent by the vehicle.
    asked: Vec<(u64, CanFrame)>,
    /// All that was handed to the driver.
    passed: Vec<TimedFrame>,
}

/// A bay with a bus, and the gateway's end of it.
struct Bay {
    clock: Arc<dyn Clock>,
    buses: VirtualBuses,
    tester: VirtualNode,
    want: Arc<Mutex<Option<Wants>>>,
    shared: Arc<Shared>,
    seen: Arc<Mutex<Seen>>,
    dids: Arc<Dids>,
    /// Whether vehicles hear what is asked of all units.
    answers_all: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nobody panicked")
}

impl Bay {
    async fn new(asks: bool, filters: bool) -> Self {
        Self::with_dids(asks, filters, Dids::default()).await
    }

    async fn with_dids(asks: bool, filters: bool, dids: Dids) -> Self {
        let start = Instant::now();
        let clock: Arc<dyn Clock> = Arc::new(move || {
            let micros = 1_000_000 + u64::try_from(start.elapsed().as_micros()).expect("a short test");
            let wall = UtcMicros(1_800_000_000_000_000 + i64::try_from(micros).expect("short"));
            Stamp { wall, boot: BootMicros(micros), quality: TimeQuality::Bounded }
        });
        let buses = VirtualBuses::default();
        let mut options = OpenOptions::new(Arc::clone(&clock));
        options.buses = buses.clone();
        let url: SourceUrl = "virtual:bay".parse().expect("a source");
        let opened = vernport_canbus::open(&url, options).await.expect("a virtual bus");
        let shared = Arc::new(Shared::default());
        let (told, wants) = watch::channel(Wants::nothing_known());
        let mut bus = LiveBus::new(0, opened.source, Arc::clone(&clock), Arc::clone(&shared), wants);
        if asks {
            let asker = Asker::new(&catalogue(), &dids, Config::default());
            bus = bus.with_mouth(Mouth { asker, sink: opened.sink.expect("a bus to send on") });
        }
        if filters {
            bus = bus.with_filters();
        }
        let seen = Arc::new(Mutex::new(Seen::default()));
        let dids = Arc::new(dids);
        let (sender, mut inputs) = mpsc::channel(64);
        let passed = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Some(input) = inputs.recv().await {
                if let Input::Frame { timed, .. } = input {
                    lock(&passed).passed.push(timed);
                }
            }
        });
        tokio::spawn(async move { drop(bus.listen(&sender).await) });
        let want = Arc::new(Mutex::new(None::<Wants>));
        let (said, at) = (Arc::clone(&want), Arc::clone(&clock));
        tokio::spawn(async move {
            // As the driver does with each tick.
            while !told.is_closed() {
                if let Some(wants) = &*lock(&said) {
                    told.send_replace(Wants { at: at.now().boot, ..wants.clone() });
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        let tester = buses.attach(&"bay".parse().expect("a name"), Arc::clone(&clock)).expect("room");
        Self { clock, buses, tester, want, shared, seen, dids, answers_all: true }
    }

    fn want(&self, ask: Wanted) {
        let decoder = Decoder::new(&catalogue(), DecoderConfig::default()).expect("fits");
        let is_wanted = |signal| ask.signals.iter().any(|(wanted, _)| *wanted == signal);
        let interest = decoder.interest(is_wanted, ask.identify);
        *lock(&self.want) = Some(Wants { ask, interest, at: BootMicros(0) });
    }

    /// A vehicle comes; it stays until what is given back is aborted.
    fn arrive(&self, model: &Model) -> tokio::task::AbortHandle {
        let mut vehicle = model.start(&[], self.clock.now().boot);
        let clock = Arc::clone(&self.clock);
        let mut node = self.buses.attach(&"bay".parse().expect("a name"), Arc::clone(&clock)).expect("room");
        let seen = Arc::clone(&self.seen);
        let answers_all = self.answers_all;
        let task = tokio::spawn(async move {
            loop {
                let now = clock.now().boot;
                let due = Duration::from_micros(vehicle.next_due().0.saturating_sub(now.0));
                let out = tokio::select! {
                    Some((frame, at)) = node.next() => {
                        lock(&seen).asked.push((at.boot.0, frame));
                        let is_heard = answers_all || frame.id() != CanId::Standard(0x7DF);
                        if is_heard { vehicle.on_frame(&frame, at.boot) } else { Vec::new() }
                    }
                    () = tokio::time::sleep(due) => vehicle.on_tick(clock.now().boot),
                };
                out.iter().for_each(|frame| node.sender().send(frame));
            }
        });
        task.abort_handle()
    }

    async fn pass(&self, seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    /// How many frames were asked so far.
    fn asked(&self) -> usize {
        lock(&self.seen).asked.len()
    }

    fn asked_with(&self, service: u8, parameter: u8) -> usize {
        let asks = |frame: &CanFrame| frame.data().get(1..3) == Some(&[service, parameter]);
        lock(&self.seen).asked.iter().filter(|(_, frame)| asks(frame)).count()
    }

    fn standing(&self) -> Standing {
        self.status().asking.expect("a bus that is asked").standing
    }

    fn status(&self) -> BusStatus {
        self.shared.only_bus().expect("it told how it is")
    }

    /// What the decoder reads in what was passed on.
    fn values(&self, path: &str) -> Vec<(Source, Value)> {
        let decoder = Decoder::new(&catalogue(), DecoderConfig::default()).expect("fits");
        let mut decoder = decoder.with_dids(&self.dids);
        let (of, mut values) = (signal(path), Vec::new());
        for timed in &lock(&self.seen).passed {
            decoder.push(&timed.frame, timed.at, &mut |decoded| {
                if let Decoded::Signal { signal, value, source, .. } = decoded
                    && signal == of
                {
                    values.push((source, value));
                }
            });
        }
        values
    }
}

#[tokio::test(start_paused = true)]
async fn the_odometer_of_a_car_that_does_not_tell_it_arrives_because_it_was_asked() {
    let bay = Bay::new(true, false).await;
    bay.arrive(&car());
    bay.want(wanted(&[ODOMETER], false));
    bay.pass(30).await;
    let values = bay.values(ODOMETER);
    let asked = (Source::Obd { service: 1, pid: 0xA6, responder: 0x7E8 }, Value::Integer(123_456_700));
    assert!(values.len() >= 2 && values.iter().all(|value| *value == asked), "{} values", values.len());
    let counts = bay.status().asking.expect("asked").counts;
    assert!(counts.asked > 0 && counts.asked == counts.answered, "{counts:?}");
}

#[tokio::test(start_paused = true)]
async fn the_odometer_of_an_older_car_without_obd_arrives_by_a_configured_identifier() {
    let rule = Rule {
        did: 0xDD01,
        unit: Unit::Standard(0),
        path: ODOMETER.into(),
        first_byte: 0,
        bytes: 3,
        scale: 1000.0,
        offset: 0.0,
        signed: false,
    };
    for configured in [false, true] {
        let rules = configured.then(|| rule.clone()).into_iter().collect();
        let dids = Dids::new(&catalogue(), rules).expect("fits");
        let mut bay = Bay::with_dids(true, false, dids).await;
        bay.answers_all = false;
        bay.arrive(&car());
        bay.want(wanted(&[ODOMETER], false));
        bay.pass(60).await;
        let values = bay.values(ODOMETER);
        if configured {
            let source = Source::Uds { service: 0x22, did: 0xDD01, responder: 0x7E8 };
            let told = (source, Value::Integer(123_456_000));
            assert!(
                values.len() >= 4 && values.iter().all(|value| *value == told),
                "{} values",
                values.len()
            );
        } else {
            assert!(values.is_empty(), "it tells its odometer in no other way");
        }
        assert_eq!(bay.asked_with(0x22, 0xDD) > 0, configured);
        bay.want(wanted(&[SPEED], false));
        bay.pass(1).await;
        let asked = bay.asked_with(0x22, 0xDD);
        bay.pass(60).await;
        assert_eq!(bay.asked_with(0x22, 0xDD), asked, "nobody wants it any more");
    }
}

#[tokio::test(start_paused = true)]
async fn a_bus_that_is_only_listened_to_is_never_asked() {
    let bay = Bay::new(false, false).await;
    bay.arrive(&car());
    bay.want(wanted(&[ODOMETER, SPEED], true));
    bay.pass(120).await;
    assert_eq!((bay.asked(), bay.status().asking), (0, None));
    assert!(bay.status().counters.frames > 1000);
}

#[tokio::test(start_paused = true)]
async fn only_what_open_flows_need_is_asked_and_nothing_once_they_are_closed() {
    let bay = Bay::new(true, false).await;
    bay.arrive(&car());
    bay.want(wanted(&[SPEED], false));
    bay.pass(20).await;
    assert!(bay.asked_with(1, 0x0D) > 5);
    assert_eq!((bay.asked_with(1, 0xA6), bay.asked_with(9, 2)), (0, 0), "nobody wants them");
    let supported = bay.asked() - bay.asked_with(1, 0x0D);
    assert_eq!(supported, 1, "only the range of the speed");
    bay.want(wanted(&[], true));
    bay.pass(20).await;
    assert_eq!(bay.asked_with(9, 2), 1, "answered, and so asked once");
    bay.want(Wanted::default());
    bay.pass(1).await;
    let asked = bay.asked();
    bay.pass(120).await;
    assert_eq!((bay.asked(), bay.standing()), (asked, Standing::Idle));
}

#[tokio::test(start_paused = true)]
async fn another_tester_silences_us_with_its_first_frame_for_a_minute() {
    for filters in [false, true] {
        let bay = Bay::new(true, filters).await;
        bay.arrive(&car());
        bay.want(wanted(&[SPEED], false));
        bay.pass(20).await;
        let request = CanFrame::data_frame(CanId::Standard(0x7E0), &[2, 0x3E, 0x80, 0, 0, 0, 0, 0]);
        let request = request.expect("8 bytes");
        bay.tester.sender().send(&request);
        let at = bay.clock.now().boot.0;
        bay.pass(59).await;
        assert!(matches!(bay.standing(), Standing::OtherTester { .. }));
        bay.pass(5).await;
        let asked = |from: u64, to: u64| {
            let seen = lock(&bay.seen);
            seen.asked.iter().filter(|(when, frame)| (from..to).contains(when) && *frame != request).count()
        };
        assert!(asked(0, at) > 5, "before");
        assert_eq!(asked(at, at + QUIET_MICROS), 0, "filters: {filters}");
        assert!(asked(at + QUIET_MICROS, u64::MAX) > 0, "after");
    }
}

#[tokio::test(start_paused = true)]
async fn a_bus_that_sleeps_is_not_woken() {
    let bay = Bay::new(true, true).await;
    bay.want(wanted(&[ODOMETER], true));
    let car = bay.arrive(&car());
    bay.pass(20).await;
    car.abort();
    let mut listener =
        bay.buses.attach(&"bay".parse().expect("a name"), Arc::clone(&bay.clock)).expect("room");
    bay.pass(1).await;
    bay.pass(3600).await;
    let mut late = 0;
    let awake_until = bay.clock.now().boot.0 - 3600 * 1_000_000 + poll::AWAKE_MICROS;
    while let Ok(Some((_, at))) = tokio::time::timeout(Duration::from_millis(1), listener.next()).await {
        late += usize::from(at.boot.0 > awake_until);
    }
    assert_eq!((late, bay.standing()), (0, Standing::Asleep));
}

#[tokio::test(start_paused = true)]
async fn while_the_driver_stands_still_nothing_is_asked() {
    let bay = Bay::new(true, false).await;
    bay.arrive(&car());
    bay.want(wanted(&[SPEED], false));
    bay.pass(10).await;
    *lock(&bay.want) = None;
    bay.pass(2).await;
    let asked = bay.asked();
    bay.pass(60).await;
    assert!(asked > 0);
    assert_eq!(bay.asked(), asked);
}

/// An order waits for one vehicle.
struct OneOrder(AssetId);

impl Lookup for OneOrder {
    fn identify_open(&self) -> bool {
        false
    }
    fn by_vin(&self, _vin: &Vin) -> Option<AssetId> {
        None
    }
    fn asserted(&self) -> Option<Assertion> {
        None
    }
    fn pinned(&self) -> Option<AssetId> {
        Some(self.0)
    }
}

#[tokio::test(start_paused = true)]
async fn behind_filters_a_truck_stays_one_visit_and_the_next_vehicle_is_another() {
    let bay = Bay::new(false, true).await;
    // A signal that the truck tells every five seconds only: as rare as silence is long.
    bay.want(wanted(&["Vehicle.CurrentLocation"], false));
    let first = bay.arrive(&truck());
    bay.pass(60).await;
    assert!(bay.status().filtered);
    first.abort();
    bay.pass(8).await;
    assert!(!bay.status().filtered, "who comes next is listened to anew");
    bay.arrive(&truck());
    bay.pass(20).await;
    let seen = lock(&bay.seen);
    // Engine hours come each second, and nobody wants them.
    let hours = |timed: &&TimedFrame| timed.frame.id().raw() >> 8 & 0x3_FFFF == 65_253;
    let (open, kept) = (0..4_000_000, 4_000_000..60_000_000);
    let within = |span: &std::ops::Range<u64>| {
        seen.passed.iter().filter(hours).filter(|timed| span.contains(&timed.at.boot.0)).count()
    };
    assert!(within(&open) > 0);
    assert_eq!(within(&kept), 0);

    let mut visit = Visit::new(&catalogue(), VisitConfig::default()).expect("fits");
    let (mut began, mut ended) = (0, Vec::new());
    let lookup = OneOrder(AssetId::from_bytes([7; 16]));
    for timed in &seen.passed {
        visit.push(&timed.frame, timed.at, &lookup, &mut |event| match event {
            Event::Began { .. } => began += 1,
            Event::Ended { why } => ended.push(why),
            _ => {}
        });
    }
    assert_eq!((began, ended), (2, vec![End::Silence]));
}
