//! What files of many makers taught: plain names, bounds and bits that say "none".

use super::*;

fn of(plan: &Plan, data: [u8; 8]) -> Vec<Result<Value, RejectCode>> {
    heard(plan, CanId::Standard(1), &data).into_iter().map(|(_, value)| value).collect()
}

#[test]
fn every_unit_of_a_signal_that_rules_name_is_one_that_files_are_converted_to() {
    let catalogue = catalogue();
    for path in Mapping::shipped().paths() {
        let signal = catalogue.signal(catalogue.find(path).unwrap_or_else(|| panic!("{path}")));
        let known = signal.unit.is_empty() || unit::is_target(&signal.unit);
        assert!(known, "{path} is in {}", signal.unit);
    }
    let oil = plan("BO_ 1 M: 8 A\n SG_ EngOil_Te_Actl : 0|8@1+ (1,-60) [-60|195] \"degC\" A\n");
    assert_eq!(of(&oil, [150; 8]).first().and_then(number), Some(90.0));
}

#[test]
fn what_a_radar_sees_is_not_this_vehicles_speed() {
    let line = " SG_ SPEED : 0|16@1+ (0.01,0) [0|0] \"m/s\" A\n";
    for name in ["OBJECT_3", "RadarTrackA", "Front_Radar"] {
        assert!(plan(&format!("BO_ 1 {name}: 8 A\n{line}")).is_empty(), "{name}");
    }
    let many: String = (1..=6).map(|n| format!("BO_ {n} SEEN_{n}: 8 A\n{line}")).collect();
    assert!(plan(&many).is_empty(), "one name in a row of messages");
    let few: String = (1..=2).map(|n| format!("BO_ {n} PART_{n}: 8 A\n{line}")).collect();
    assert_eq!(plan(&few).len(), 2);
}

#[test]
fn what_lies_above_the_declared_range_is_none_and_a_range_too_narrow_is_not_believed() {
    let with = |range: &str| {
        plan(&format!("BO_ 1 M: 8 A\n SG_ KBI_Kilometerstand : 8|20@1+ (1,0) {range} \"km\" A\n"))
    };
    let stands = |plan: &Plan, km: u32| {
        let [low, mid, high, _] = km.to_le_bytes();
        of(plan, [0, low, mid, high, 0, 0, 0, 0]).remove(0)
    };
    let declared = with("[0|1048573]");
    assert_eq!(stands(&declared, 1_048_573), Ok(Value::Integer(1_048_573_000)));
    assert_eq!(stands(&declared, 1_048_574), Err(RejectCode::OutOfRange));
    for open in [with("[0|0]"), with("[0|1]")] {
        assert_eq!(stands(&open, 1_048_574), Ok(Value::Integer(1_048_574_000)));
        assert_eq!(stands(&open, 0xF_FFFF), Err(RejectCode::NotAvailable), "all bits set");
    }
}

#[test]
fn a_bit_beside_a_signal_that_says_it_is_invalid_is_believed() {
    let plan = plan(
        "BO_ 1 M: 8 A\n SG_ VehOdo : 7|32@0+ (0.015625,0) [0|67108863.98] \"km\" A\n \
         SG_ VehOdoV : 32|1@0+ (1,0) [0|1] \"\" A\n",
    );
    assert_eq!(of(&plan, [0, 0, 0x19, 0, 0, 0, 0, 0]), [Ok(Value::Integer(100_000))]);
    assert_eq!(of(&plan, [0, 0, 0x19, 0, 1, 0, 0, 0]), [Err(RejectCode::NotAvailable)]);
}

#[test]
fn a_position_in_milliarcseconds_is_read() {
    let plan = plan(
        "BO_ 1 M: 8 A\n SG_ GPSLatitude : 7|32@0- (1,0) [0|0] \"milliarcsecond\" A\n \
         SG_ GPSLongitude : 39|32@0- (1,0) [0|0] \"milliarcsecond\" A\n",
    );
    let (latitude, longitude) = (151_200_000_i32.to_be_bytes(), (-298_800_000_i32).to_be_bytes());
    let data = [latitude, longitude].concat().try_into().expect("eight bytes");
    let place = vernport_types::Position::from_degrees(42.0, -83.0).expect("on the globe");
    assert_eq!(of(&plan, data), [Ok(Value::Position(place))]);
}

#[test]
fn a_group_that_many_units_send_is_read_of_all_of_them_by_its_number() {
    let ids: Vec<u32> = (0..6).map(|source| 0x98FE_F100 | source).collect();
    let lines: String = ids
        .iter()
        .map(|id| format!("BO_ {id} CCVS_{id}: 8 A\n SG_ v : 8|16@1+ (0.00390625,0) [0|0] \"km/h\" A\n"))
        .collect();
    let numbers: String = ids.iter().map(|id| format!("BA_ \"SPN\" SG_ {id} v 84;\n")).collect();
    assert_eq!(plan(&(lines + &numbers)).len(), 6);
}
