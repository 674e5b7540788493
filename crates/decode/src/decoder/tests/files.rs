//! The decoder with a DBC file beside it.

use super::*;
use crate::dbc::{Database, Mapping, Plan};

fn with_file(text: &str) -> Decoder {
    let (database, _) = Database::read(text.as_bytes()).expect("a DBC file");
    let plan = Plan::new(&[database], &Mapping::shipped(), &catalogue()).expect("small");
    decoder().with_dbc(&Arc::new(plan))
}

#[test]
fn what_fills_a_request_is_no_value_of_a_file_that_names_its_identifier() {
    let path = "Vehicle.Speed".to_owned();
    let speed = Value::Number(Number::new(85.0).expect("finite"));
    for (id, request) in [
        (0x7DF_u32, "7DF#02010D5555555555"),
        (0x7E0, "7E0#02010D5555555555"),
        (0x98DB_33F1, "18DB33F1#02010D5555555555"),
        (0x98DA_10F1, "18DA10F1#02010D5555555555"),
    ] {
        let message =
            |id| format!("BO_ {id} M{id}: 8 A\n SG_ VehicleSpeed : 31|8@0+ (1,0) [0|255] \"km/h\" A\n");
        let mut decoder = with_file(&format!("VERSION \"\"\n{}{}", message(id), message(0x7A0)));
        assert_eq!(hear(&mut decoder, &[request]), [], "{request}");
        let other = hear(&mut decoder, &["7A0#02010D5555555555"]);
        assert_eq!(values(&other), [(path.clone(), speed)], "any other message");
    }
}

#[test]
fn an_answer_of_a_makers_own_identifier_is_read_by_the_file_and_one_of_obd_is_not_read_twice() {
    let soc = " SG_ HV_SOC : 32|8@1+ (0.5,0) [0|100] \"%\" A\n";
    let mut decoder = with_file(&format!("VERSION \"\"\nBO_ 2028 Battery: 8 A\n{soc}"));
    let path = "Vehicle.Powertrain.TractionBattery.StateOfCharge.Current".to_owned();
    let half = Value::Number(Number::new(50.0).expect("finite"));
    assert_eq!(values(&hear(&mut decoder, &["7EC#0462010164AAAAAA"])), [(path, half)]);
    assert_eq!(values(&hear(&mut decoder, &["7EC#03415B64AAAAAAAA"])).len(), 1);
}
