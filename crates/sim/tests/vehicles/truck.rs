//! The truck: the first second byte by byte, its rates, and what it answers.

use crate::harness::{START, after_ms, data, frame, run, texts, truck_config};
use proptest::prelude::*;
use vernport_sim::{J1939Fault, Truck, TruckConfig, TruckEquipment};
use vernport_types::{BootMicros, CanFrame, CanId, FrameKind, Vin};

fn config() -> TruckConfig {
    TruckConfig { vin: Vin::from_ascii(b"YV2RT40A8KB123456").expect("a VIN"), ..truck_config() }
}

#[test]
fn the_first_second_says_each_message_as_the_standard_writes_it() {
    let mut truck = Truck::new(config(), START);
    let said = run(&mut truck, 99);
    let expected = [
        (0, "18FEF100#FF0000FFFFFFFFFF"),  // CCVS1: 0 km/h
        (10, "18FEE000#FFFFFFFF07F80600"), // VD: 456 711 × 0.125 km
        (20, "18FEC117#B838AE00FFFFFFFF"), // VDHR: 11 417 784 × 5 m
        (30, "18FECA00#00FF00000000FFFF"), // DM1: no code, lamp off
        (40, "18FEFC17#FF96FFFFFFFFFFFF"), // DD: 150 × 0.4 %
        (50, "18FEF700#FFFFFFFF2802FFFF"), // VEP1: 552 × 0.05 V
        (60, "18FEE500#1C110000FFFFFFFF"), // HOURS: 4 380 × 0.05 h
        (70, "18FEF34A#3398E1A0981E9483"), // VP: degrees + 210, × 1e7
    ];
    let expected: Vec<_> = expected.map(|(ms, frame)| (ms, frame.to_owned())).into();
    assert_eq!(said, expected);
}

#[test]
fn messages_come_at_the_rates_of_real_trucks() {
    let mut truck = Truck::new(config(), START);
    let said = run(&mut truck, 9_999);
    let count = |id: &str| said.iter().filter(|(_, frame)| frame.starts_with(id)).count();
    for (id, expected) in [
        ("18FEF100", 100),
        ("18FEE000", 100),
        ("18FEC117", 10),
        ("18FECA00", 10),
        ("18FEFC17", 10),
        ("18FEF700", 10),
        ("18FEE500", 10),
        ("18FEF34A", 2),
    ] {
        assert_eq!(count(id), expected, "{id}");
    }
    assert_eq!(said.len(), 252, "and nothing else");
}

#[test]
fn after_a_long_silence_of_the_caller_each_message_is_sent_once() {
    let mut truck = Truck::new(config(), START);
    assert_eq!(truck.on_tick(after_ms(3_600_000)).len(), 8);
    assert!(truck.next_due() > after_ms(3_600_000));
}

#[test]
fn odometer_position_and_engine_hours_advance_while_driving() {
    let mut truck = Truck::new(TruckConfig { speed_km_per_h: 90, ..config() }, START);
    let hour = after_ms(3_600_000);
    assert_eq!(truck.odometer_m(hour), 57_088_920 + 90_000);
    let said = texts(&truck.on_tick(hour));
    assert_eq!(said[0], "18FEF100#FF005AFFFFFFFFFF");
    assert_eq!(said[1], "18FEE000#FFFFFFFFD7FA0600", "720 × 0.125 km more");
    assert_eq!(said[2], "18FEC117#087FAE00FFFFFFFF", "18 000 × 5 m more");
    assert_eq!(said[6], "18FEE500#30110000FFFFFFFF", "20 × 0.05 h more");
    assert_eq!(said[7], "18FEF34A#73F55CA1981E9483", "90 km / 111.32 km a degree");
}

#[test]
fn one_fault_fits_a_frame_and_two_come_by_broadcast() {
    let first = J1939Fault { spn: 980, fmi: 9, occurrences: 126 };
    let mut truck = Truck::new(TruckConfig { faults: vec![first], ..config() }, START);
    let dm1 = |(_, frame): &(u64, String)| frame.starts_with("18FECA").then(|| frame.clone());
    assert_eq!(
        run(&mut truck, 500).iter().filter_map(dm1).collect::<Vec<_>>(),
        ["18FECA00#40FFD403097EFFFF"]
    );

    // SPN 520 192 has all three bytes: 0x7F000.
    let second = J1939Fault { spn: 0x7_F000, fmi: 31, occurrences: 1 };
    let mut truck = Truck::new(TruckConfig { faults: vec![first, second], ..config() }, START);
    let said = run(&mut truck, 500);
    let transport: Vec<_> = said.into_iter().filter(|(_, frame)| frame.starts_with("1CE")).collect();
    let expected = [
        (30, "1CECFF00#200A0002FFCAFE00"),
        (80, "1CEBFF00#0140FFD403097E00"),
        (130, "1CEBFF00#02F0FF01FFFFFFFF"),
    ];
    assert_eq!(transport, expected.map(|(ms, frame)| (ms, frame.to_owned())));
}

#[test]
fn the_vin_is_broadcast_to_all_who_ask_and_sent_to_one_who_asks_the_engine() {
    let mut truck = Truck::new(config(), START);
    run(&mut truck, 100);
    let request = frame("18EAFFF9#ECFE00");
    let mut said: Vec<_> = texts(&truck.on_frame(&request, after_ms(101)));
    assert_eq!(texts(&truck.on_frame(&request, after_ms(102))), [""; 0], "one broadcast at a time");
    said.extend(run(&mut truck, 400).into_iter().map(|(_, frame)| frame));
    said.retain(|frame| frame.starts_with("1CE"));
    // "YV2RT40", "A8KB123", "456*"
    let packets = ["0159563252543430", "0241384B42313233", "033435362AFFFFFF"];
    let broadcast = packets.map(|packet| format!("1CEBFF00#{packet}"));
    assert_eq!(said[..4], [&["1CECFF00#20120003FFECFE00".to_owned()], &broadcast[..]].concat());

    let mut truck = Truck::new(config(), START);
    run(&mut truck, 100);
    let rts = texts(&truck.on_frame(&frame("18EA00F9#ECFE00"), after_ms(101)));
    assert_eq!(rts, ["1CECF900#10120003FFECFE00"]);
    let mut said = texts(&truck.on_frame(&frame("1CEC00F9#110301FFFFECFE00"), after_ms(110)));
    said.extend(run(&mut truck, 200).into_iter().map(|(_, frame)| frame));
    said.retain(|frame| frame.starts_with("1CE"));
    assert_eq!(said, packets.map(|packet| format!("1CEBF900#{packet}")));
}

#[test]
fn the_vin_is_announced_unasked_when_the_truck_is_told_to() {
    let announcing = TruckConfig { announce_vin_every_micros: Some(2_000_000), ..config() };
    let said = run(&mut Truck::new(announcing, START), 4_000);
    let times: Vec<_> =
        said.iter().filter(|(_, frame)| frame == "1CECFF00#20120003FFECFE00").map(|(ms, _)| *ms).collect();
    assert_eq!(times, [80, 2_080]);
}

#[test]
fn an_unknown_pgn_is_refused_by_the_engine_and_passed_over_when_asked_of_all() {
    let mut truck = Truck::new(config(), START);
    let ask = |truck: &mut Truck, id, bytes: &[u8]| {
        texts(&truck.on_frame(&data(CanId::Extended(id), bytes), START))
    };
    assert_eq!(ask(&mut truck, 0x18EA_00F9, &[0x00, 0xEF, 0x00]), ["18E8FF00#01FFFFFFF900EF00"]);
    assert_eq!(ask(&mut truck, 0x18EA_FFF9, &[0x00, 0xEF, 0x00]), [""; 0]);
    assert_eq!(ask(&mut truck, 0x18EA_0BF9, &[0xEC, 0xFE, 0x00]), [""; 0], "asked of the brakes");
    assert_eq!(ask(&mut truck, 0x18EA_FFF9, &[0xEC, 0xFE]), [""; 0], "torn");
}

#[test]
fn a_tester_gets_the_vin_over_iso_tp_in_both_address_forms() {
    for (functional, physical, answers) in [
        (CanId::Standard(0x7DF), CanId::Standard(0x7E0), "7E8"),
        (CanId::Extended(0x18DB_33F1), CanId::Extended(0x18DA_00F1), "18DAF100"),
    ] {
        let mut truck = Truck::new(config(), START);
        let request = data(functional, &[0x02, 0x09, 0x02, 0, 0, 0, 0, 0]);
        let mut said = texts(&truck.on_frame(&request, START));
        said.extend(texts(&truck.on_frame(&data(physical, &[0x30, 0, 0]), START)));
        said.extend(run(&mut truck, 1).into_iter().map(|(_, frame)| frame));
        said.retain(|frame| frame.starts_with(answers));
        // 20 bytes: 49 02 01, then the VIN.
        let expected = ["1014490201595632", "215254343041384B", "2242313233343536"];
        assert_eq!(said, expected.map(|bytes| format!("{answers}#{bytes}")));
    }
}

#[test]
fn a_tester_reads_odometer_and_codes_and_nothing_can_be_written() {
    let coded = TruckConfig { obd_trouble_codes: vec![[0x01, 0x01]], ..config() };
    let mut truck = Truck::new(coded, START);
    let mut ask = |id, bytes: &[u8]| texts(&truck.on_frame(&data(CanId::Standard(id), bytes), START));
    assert_eq!(ask(0x7DF, &[2, 0x01, 0xA6]), ["7E8#0641A60008B609AA"]);
    assert_eq!(ask(0x7DF, &[1, 0x03]), ["7E8#0443010101AAAAAA"]);
    assert_eq!(ask(0x7DF, &[1, 0x04]), [""; 0]);
    assert_eq!(ask(0x7E0, &[1, 0x04]), ["7E8#037F0411AAAAAAAA"]);
    assert_eq!(ask(0x7E1, &[2, 0x01, 0xA6]), [""; 0], "asked of another unit");
}

proptest! {
    /// Whatever others send, at whatever times, the truck neither panics nor
    /// floods: an answer is at most as long as its longest message.
    #[test]
    fn foreign_frames_never_harm_the_truck(
        frames in prop::collection::vec(
            (any::<bool>(), any::<u32>(), prop::collection::vec(any::<u8>(), 0..=8), 0u64..2_000_000, 0usize..8),
            0..200,
        ),
    ) {
        const ASKED: [u32; 8] = [0x7DF, 0x7E0, 0x18DB_33F1, 0x18DA_00F1, 0x18EA_FFF9, 0x18EA_00F9, 0x7E8, 0];
        let faults = vec![J1939Fault { spn: 1, fmi: 1, occurrences: 1 }; 20];
        let mut truck = Truck::new(TruckConfig { faults, speed_km_per_h: 255, ..config() }, START);
        let mut now = START;
        for (remote, raw, bytes, pause, asked) in frames {
            now = BootMicros(now.0 + pause);
            let id = match ASKED[asked] {
                0 => CanId::Extended(raw & 0x1FFF_FFFF),
                id if id <= 0x7FF => CanId::Standard(u16::try_from(id).expect("11 bits")),
                id => CanId::Extended(id),
            };
            let kind = if remote { FrameKind::Remote } else { FrameKind::Data };
            let frame = CanFrame::new(id, kind, if remote { &[] } else { &bytes }).expect("at most 8 bytes");
            prop_assert!(truck.on_frame(&frame, now).len() <= 12);
            prop_assert!(truck.on_tick(now).len() <= 24);
            prop_assert!(truck.next_due() > now);
        }
    }
}

#[test]
fn a_truck_with_everything_claims_addresses_and_says_its_vin_before_all_else() {
    let mut truck = Truck::equipped(config(), TruckEquipment::FULL, &[], START);
    assert_eq!(truck.next_due(), START);
    assert_eq!(
        texts(&truck.on_tick(START)),
        [
            // NAME: identity 1, no manufacturer, engine and instruments, on highway.
            "18EEFF00#0100E0FF00000010",
            "18EEFF17#0100E0FF00130010",
            "1CECFF00#20120003FFECFE00",
            "18FEF100#FF0000FFFFFFFFFF",
        ]
    );
    let again = texts(&truck.on_frame(&frame("18EAFFF9#00EE00"), START));
    assert_eq!(again, ["18EEFF00#0100E0FF00000010"], "asked who is there");
}

#[test]
fn a_truck_with_everything_says_pto_axles_and_tyres() {
    let engaged = TruckEquipment { pto_engaged: Some(true), ..TruckEquipment::FULL };
    let mut truck = Truck::equipped(config(), engaged, &[], START);
    let said = run(&mut truck, 99);
    let of = |id: &str| -> Vec<String> {
        said.iter().filter(|(_, frame)| frame.starts_with(id)).map(|(_, frame)| frame.clone()).collect()
    };
    assert_eq!(of("18FDA4"), ["18FDA400#FFFFFFFFFFFFFDFF"], "engaged");
    // 14 400 × 0.5 kg on both axles.
    assert_eq!(of("18FEEA"), ["18FEEA17#0F4038FFFFFFFFFF", "18FEEA17#1F4038FFFFFFFFFF"]);
    // 212 × 4 kPa, (35 + 273) × 32.
    let tyres = ["00", "01", "10", "11", "12", "13"].map(|at| format!("18FEF417#{at}D48026FFFFFFFF"));
    assert_eq!(of("18FEF4"), tyres);
}

#[test]
fn codes_that_were_active_before_are_told_on_request_only() {
    let mut truck = Truck::equipped(config(), TruckEquipment::FULL, &[], START);
    assert!(run(&mut truck, 5_000).iter().all(|(_, frame)| !frame.starts_with("18FECB")));
    let said = texts(&truck.on_frame(&frame("18EAFFF9#CBFE00"), after_ms(5_000)));
    assert_eq!(said, ["18FECB00#40FF6F000102FFFF"], "SPN 111, FMI 1, twice");
    let mut plain = Truck::new(config(), START);
    let said = texts(&plain.on_frame(&frame("18EA00F9#CBFE00"), START));
    assert_eq!(said, ["18FECB00#00FF00000000FFFF"], "none");
}
