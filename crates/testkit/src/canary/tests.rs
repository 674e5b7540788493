//! Each form of each canary is found wherever it stands, and nothing else is.

use super::*;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use proptest::prelude::*;

const VIN: &str = "YV2RT40A8KB123456";
const ODOMETER_M: u64 = 57_088_925;

fn canaries() -> Canaries {
    let position = Position::from_e7(599_139_123, -107_522_456).expect("on earth");
    Canaries::default()
        .text("vin", VIN)
        .odometer("odometer", ODOMETER_M)
        .position("position", position)
        .cell("cell", Cell(0x0871_9462_52ff_ffff))
        .bytes("key", &[0xFB, 0xEF, 0xBE, 0xFF, 0x01, 0x02, 0x03, 0x04])
}

fn names(bytes: &[u8]) -> Vec<&'static str> {
    let mut names: Vec<_> = canaries().search(bytes).into_iter().map(|found| found.canary).collect();
    names.dedup();
    names
}

#[test]
fn text_is_found_in_either_case_and_in_utf_16() {
    assert_eq!(names(format!("{{\"vin\":\"{VIN}\"}}").as_bytes()), ["vin"]);
    assert_eq!(names(VIN.to_lowercase().as_bytes()), ["vin"]);
    for order in [u16::to_le_bytes, u16::to_be_bytes] {
        let wide: Vec<u8> = VIN.encode_utf16().flat_map(order).collect();
        assert_eq!(names(&wide), ["vin"]);
    }
}

#[test]
fn an_odometer_is_found_in_every_unit_and_width() {
    let raw = |metres_per_bit: u64| u32::try_from(ODOMETER_M / metres_per_bit).expect("32 bits");
    for metres_per_bit in [1, 5, 100, 125] {
        assert_eq!(names(&raw(metres_per_bit).to_le_bytes()), ["odometer"], "{metres_per_bit}");
        assert_eq!(names(&raw(metres_per_bit).to_be_bytes()), ["odometer"], "{metres_per_bit}");
    }
    for found in [
        ODOMETER_M.to_le_bytes().to_vec(),
        ODOMETER_M.to_be_bytes().to_vec(),
        57_088_925f64.to_le_bytes().to_vec(),
        57_088.925f64.to_be_bytes().to_vec(),
        b"total=57088925 m".to_vec(),
        b"57088.925 km".to_vec(),
        // Varint and zigzag varint, worked out by hand.
        vec![0x9D, 0xB7, 0x9C, 0x1B],
        vec![0xBA, 0xEE, 0xB8, 0x36],
        format!("payload {:08X}", raw(5)).into_bytes(),
    ] {
        assert_eq!(names(&found), ["odometer"], "{found:02X?}");
    }
}

#[test]
fn a_position_and_a_cell_are_found_in_every_form() {
    for found in [
        599_139_123i32.to_le_bytes().to_vec(),
        (-107_522_456i32).to_be_bytes().to_vec(),
        (2_100_000_000u32 + 599_139_123).to_le_bytes().to_vec(),
        59.913_912_3f64.to_le_bytes().to_vec(),
        b"[59.9139123,".to_vec(),
        b"-10.752245".to_vec(),
    ] {
        assert_eq!(names(&found), ["position"], "{found:02X?}");
    }
    let cell = 0x0871_9462_52ff_ffffu64;
    for found in
        [format!("{cell:x}").into_bytes(), cell.to_string().into_bytes(), cell.to_be_bytes().to_vec()]
    {
        assert_eq!(names(&found), ["cell"], "{found:02X?}");
    }
}

#[test]
fn what_is_found_is_told_without_its_value() {
    let found = canaries().search(format!("xx{VIN}").as_bytes());
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].to_string(), "vin as text at byte 2");
}

#[test]
fn files_in_folders_and_their_names_are_searched() {
    let folder = tempfile::tempdir().expect("a folder");
    let deep = folder.path().join("a/b");
    fs::create_dir_all(&deep).expect("a folder");
    fs::write(folder.path().join("clean"), "nothing here").expect("a file");
    fs::write(deep.join("spool.db-wal"), STANDARD.encode(format!("x{VIN}"))).expect("a file");
    fs::write(folder.path().join(format!("{VIN}.log")), "").expect("a file");
    let mut found = canaries().search_folder(folder.path()).expect("readable");
    found.sort_by_key(|one| one.form);
    let forms: Vec<_> = found.iter().map(|one| (one.canary, one.form)).collect();
    assert_eq!(forms, [("vin", "base64"), ("vin", "text")]);
    assert!(found[0].to_string().ends_with("spool.db-wal"), "{}", found[0]);
}

#[test]
fn other_values_are_not_found() {
    assert_eq!(names(b""), [""; 0]);
    assert_eq!(names(b"YV2RT40A8KB12345 57088924 57088.926 59.9138 -10.75214 871946253"), [""; 0]);
}

proptest! {
    #[test]
    fn any_bytes_around_a_canary_do_not_hide_it_in_hexadecimal_or_base64(
        before in prop::collection::vec(any::<u8>(), 0..9),
        after in prop::collection::vec(any::<u8>(), 0..9),
    ) {
        let canaries = canaries();
        for planted in [VIN.as_bytes(), &[0xFB, 0xEF, 0xBE, 0xFF, 0x01, 0x02, 0x03, 0x04]] {
            let bytes = [&before, planted, &after].concat();
            for text in [
                hex::encode(&bytes),
                hex::encode_upper(&bytes),
                STANDARD.encode(&bytes),
                URL_SAFE_NO_PAD.encode(&bytes),
            ] {
                prop_assert!(!canaries.search(text.as_bytes()).is_empty());
            }
        }
    }
}
