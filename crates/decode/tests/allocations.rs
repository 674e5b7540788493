//! Frames through the decoder, in long messages too, and through the plan of a DBC file allocate nothing.

#[path = "../../testkit/src/counted.rs"]
mod counted;

use counted::allocations;
use std::{hint::black_box, sync::Arc};
use vernport_decode::{
    Config, Decoded, Decoder,
    dbc::{Database, Mapping, Plan},
};
use vernport_types::{BootMicros, CanFrame, CanId, Catalogue, Stamp, TimeQuality, UtcMicros};

const DBC: &str = "VERSION \"\"\nBU_: A\nBO_ 1072 Cluster: 8 A\n SG_ Odometer : 15|24@0+ (1,0) [0|0] \"km\" A\n \
    SG_ FuelLevel : 32|8@1+ (0.5,0) [0|0] \"%\" A\nBO_ 3 gnss_pos: 8 A\n SG_ PositionValid : 0|1@1+ (1,0) [0|1] \"\" A\n \
    SG_ Latitude : 1|28@1+ (1e-06,-90) [-90|90] \"deg\" A\n SG_ Longitude : 29|29@1+ (1e-06,-180) [-180|180] \"deg\" A\n\
    BO_ 2566844926 Group: 8 A\n SG_ Low M : 0|2@1+ (1,0) [0|0] \"\" A\n SG_ BatteryVoltage m1 : 16|16@1+ (0.001,0) [0|0] \"V\" A\n";

/// What a truck and a car say: single groups, a broadcast in packets, an answer in three frames, and the
/// tester's own frames.
const SPOKEN: [&str; 14] = [
    "18FEC117#E8F4E40141B11600",
    "18FEE000#BB00000007F80600",
    "18FEF100#FF0050CCFF0000F0",
    "18FECA03#00FF00000000FFFF",
    "1CECFF00#200A0002FFCAFE00",
    "1CEBFF00#0140FFD403097E90",
    "1CEBFF00#020C14020000FFFF",
    "7DF#020902CCCCCCCCCC",
    "7E8#1014490201544D42",
    "7E0#300000CCCCCCCCCC",
    "7E8#214A50374E58354E",
    "7E8#2259303834393233",
    "7E8#0641A6001E848000",
    "7E9#024300CCCCCCCCCC",
];

/// Takes the frames once each second, so that nothing is overdue; gives how many values and rejections came
/// of 201 rounds, and what the last 200 of them allocated.
fn rounds(mut decoder: Decoder, frames: &[CanFrame]) -> (u64, u64, usize) {
    let (mut values, mut rejected) = (0, 0);
    let mut round = |second: u64| {
        for (frame, micros) in frames.iter().zip((0..).step_by(10_000)) {
            let at = Stamp {
                wall: UtcMicros(1_795_176_000_000_000),
                boot: BootMicros(second * 1_000_000 + micros),
                quality: TimeQuality::Synced,
            };
            decoder.push(black_box(frame), at, &mut |decoded| match black_box(decoded) {
                Decoded::Rejected { .. } => rejected += 1,
                _ => values += 1,
            });
        }
    };
    // Each sender, and each source of an odometer, is remembered when it is heard first.
    round(0);
    let before = allocations();
    (1..=200).for_each(&mut round);
    let allocated = allocations() - before;
    (values, rejected, allocated)
}

#[test]
fn frames_of_every_protocol_and_of_a_dbc_file_allocate_nothing() {
    let text = include_str!("../../../config/signals/vehicle.toml");
    let catalogue = Catalogue::from_toml([("vehicle.toml", text)]).expect("the shipped catalogue");
    let decoder = || Decoder::new(&catalogue, Config::default()).expect("fits");
    let spoken = SPOKEN
        .map(|text| vernport_decode::candump::parse(&format!("(0.0) can0 {text}")).expect("a frame").frame);
    // Two distances, a speed, four lamps and "none" of one unit; four lamps and two codes of the
    // other; the VIN twice, an odometer of a car, and "none" of its second unit. The parking brake is not available.
    assert_eq!(rounds(decoder(), &spoken), (201 * 18, 201, 0));

    let (database, findings) = Database::read(DBC.as_bytes()).expect("a DBC file");
    assert_eq!(findings, []);
    let plan = Plan::new(&[database], &Mapping::shipped(), &catalogue).expect("small");
    let place: u64 = 1 | (146_000_000 << 1) | (190_000_000 << 29);
    let frames = [
        (CanId::Standard(0x430), [0, 1, 0, 0x59, 100, 0, 0, 0]),
        (CanId::Standard(3), place.to_le_bytes()),
        (CanId::Extended(0x0CFE_F117), [1, 0, 0xF0, 0, 0, 0, 0, 0]),
        (CanId::Standard(0x431), [0; 8]),
    ]
    .map(|(id, data)| CanFrame::data_frame(id, &data).expect("8 bytes"));
    // Four by the file, and the speed and parking brake that every CCVS1 has.
    assert_eq!(rounds(decoder().with_dbc(&Arc::new(plan)), &frames), (201 * 6, 0, 0));
}
