//! A bus for tests: frames as text, time that is driven from here.

use vernport_sim::{
    Answering, CarConfig, Dtc, EvConfig, Model, TrailerConfig, TruckConfig, TruckEquipment, Vehicle,
};
use vernport_types::{BootMicros, CanFrame, CanId, FrameKind, Position, Vin};

pub(crate) const START: BootMicros = BootMicros(5_000_000);
pub(crate) const VIN: &str = "YV1SMT00000000017";

pub(crate) const fn after_ms(ms: u64) -> BootMicros {
    BootMicros(START.0 + ms * 1000)
}

pub(crate) fn vin() -> Vin {
    VIN.parse().expect("a VIN")
}

/// `ID#DATA`, as candump writes a frame; `ID##0DATA` in CAN FD, `ID#R` for a request.
pub(crate) fn text(frame: &CanFrame) -> String {
    let id = match frame.id() {
        CanId::Standard(id) => format!("{id:03X}"),
        CanId::Extended(id) => format!("{id:08X}"),
    };
    let data: String = frame.data().iter().map(|byte| format!("{byte:02X}")).collect();
    match frame.kind() {
        FrameKind::Remote => format!("{id}#R"),
        FrameKind::FdData => format!("{id}##0{data}"),
        FrameKind::Data | FrameKind::Error => format!("{id}#{data}"),
    }
}

pub(crate) fn texts(frames: &[CanFrame]) -> Vec<String> {
    frames.iter().map(text).collect()
}

/// The frame of such a text, classic or FD.
pub(crate) fn frame(text: &str) -> CanFrame {
    let (id, data) = text.split_once('#').expect("ID#DATA");
    let number = u32::from_str_radix(id, 16).expect("hexadecimal");
    let id = if id.len() == 3 {
        CanId::Standard(u16::try_from(number).expect("11 bits"))
    } else {
        CanId::Extended(number)
    };
    let (kind, data) = match data.strip_prefix("#0") {
        Some(data) => (FrameKind::FdData, data),
        None => (FrameKind::Data, data),
    };
    let byte = |at: usize| u8::from_str_radix(&data[at..at + 2], 16).expect("hexadecimal");
    let bytes: Vec<u8> = (0..data.len()).step_by(2).map(byte).collect();
    CanFrame::new(id, kind, &bytes).expect("a frame")
}

pub(crate) fn data(id: CanId, bytes: &[u8]) -> CanFrame {
    CanFrame::data_frame(id, bytes).expect("at most 8 bytes")
}

/// Everything said until then, with the time in ms, tick by tick.
pub(crate) fn run(vehicle: &mut dyn Vehicle, until_ms: u64) -> Vec<(u64, String)> {
    let mut said = Vec::new();
    while vehicle.next_due() <= after_ms(until_ms) {
        let now = vehicle.next_due();
        let frames = vehicle.on_tick(now);
        assert!(vehicle.next_due() > now, "a tick does all that is due");
        said.extend(frames.iter().map(|frame| ((now.0 - START.0) / 1000, text(frame))));
    }
    said
}

/// A tester's question, and everything that comes under `answers` within 200 ms;
/// a long one gets its flow control.
pub(crate) fn ask(vehicle: &mut dyn Vehicle, question: &str, answers: &str, at_ms: u64) -> Vec<String> {
    let mut said = texts(&vehicle.on_frame(&frame(question), after_ms(at_ms)));
    let first = format!("{answers}#1");
    let first_fd = format!("{answers}##01");
    if said.iter().any(|text| text.starts_with(&first) || text.starts_with(&first_fd)) {
        let physical = match answers {
            "7E8" => "7E0#300000".to_owned(),
            "7E9" => "7E1#300000".to_owned(),
            extended => format!("18DA{}F1#300000", &extended[6..]),
        };
        said.extend(texts(&vehicle.on_frame(&frame(&physical), after_ms(at_ms))));
    }
    said.extend(run(vehicle, at_ms + 200).into_iter().map(|(_, text)| text));
    said.retain(|text| text.starts_with(&format!("{answers}#")));
    said
}

pub(crate) fn car_config() -> CarConfig {
    CarConfig {
        vin: vin(),
        odometer_m: 123_456_789,
        speed_km_per_h: 0,
        fuel_percent: 62,
        battery_mv: 14_100,
        since_clear_km: 20_912,
        engine_codes: vec![
            Dtc { permanent: true, ..Dtc::confirmed([0x01, 0x71, 0x00]) },
            Dtc { status: 0x04, ..Dtc::confirmed([0x03, 0x01, 0x00]) },
        ],
        transmission_codes: vec![Dtc { status: 0x08, ..Dtc::confirmed([0x07, 0x30, 0x00]) }],
        answering: Answering::Classic,
        fd_broadcast: false,
    }
}

pub(crate) fn ev_config() -> EvConfig {
    EvConfig {
        vin: vin(),
        odometer_m: 45_678_900,
        speed_km_per_h: 0,
        charge_percent: 84,
        battery_mv: 12_600,
        codes: vec![Dtc::confirmed([0x0A, 0x1F, 0x00])],
        answering: Answering::AsAsked,
    }
}

pub(crate) fn trailer_config() -> TrailerConfig {
    TrailerConfig {
        vin: vin(),
        odometer_m: 300_000_000,
        speed_km_per_h: 0,
        tyres_kpa: [850, 840, 830, 820, 810, 800],
        axles_kg: [6_500, 6_600, 6_700],
        faults: Vec::new(),
        announce_vin_every_micros: None,
    }
}

pub(crate) fn truck_config() -> TruckConfig {
    TruckConfig {
        vin: vin(),
        odometer_m: 57_088_920,
        speed_km_per_h: 0,
        position: Position::from_e7(599_139_123, 107_522_456).expect("on earth"),
        fuel_percent: 60,
        battery_mv: 27_600,
        engine_s: 219 * 3600,
        faults: Vec::new(),
        obd_trouble_codes: Vec::new(),
        announce_vin_every_micros: None,
    }
}

/// One of each.
pub(crate) fn models() -> [Model; 4] {
    [
        Model::Car(car_config()),
        Model::Truck(truck_config(), TruckEquipment::FULL),
        Model::Trailer(trailer_config()),
        Model::Ev(ev_config()),
    ]
}
