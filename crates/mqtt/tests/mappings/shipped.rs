//! The shipped mappings, on small examples of our own; the suite `captures`
//! reads what real senders sent.

use crate::{read, said};
use vernport_mqtt::{ResultCode, VehicleRef};

const OPENXC: &str = include_str!("../../../../config/tools/openxc.toml");
const AUTOPI: &str = include_str!("../../../../config/tools/autopi.toml");
const RUPTELA: &str = include_str!("../../../../config/tools/ruptela.toml");
const FLEETWISE: &str = include_str!("../../../../config/tools/fleetwise-dtc.toml");

#[test]
fn openxc_sends_one_measurement_or_a_trace() {
    let one = r#"{"name":"odometer","value":158910.6}"#;
    assert_eq!(said(OPENXC, one), ["TraveledDistance 158910600 2026-11-20T09:00:00Z"]);
    let trace = r#"{"name":"latitude","value":59.91,"timestamp":1795165190.476}
        {"name":"longitude","value":10.75,"timestamp":1795165190.478}
        {"name":"parking_brake_status","value":true,"timestamp":1795165191}
        {"name":"fuel_level","value":53.5,"timestamp":1795165192.5}
        {"name":"engine_speed","value":772,"timestamp":1795165193}
        {"bus":1,"id":1234,"data":"0x12345678"}
        {"command_response":"version","message":"v6.0","status":true}"#;
    assert_eq!(
        said(OPENXC, trace),
        [
            r#"CurrentLocation {"latitude":59.91,"longitude":10.75} 2026-11-20T08:59:50.478Z"#,
            "Chassis.ParkingBrake.IsEngaged true 2026-11-20T08:59:51Z",
            "Powertrain.FuelSystem.RelativeLevel 53.5 2026-11-20T08:59:52.5Z",
        ]
    );
    let half = r#"{"name":"latitude","value":59.91,"timestamp":1795165190}"#;
    assert_eq!(said(OPENXC, half), [""; 0]);
}

#[test]
fn autopi_sends_a_list_with_times() {
    let payload = r#"{"id":"2fHb-1","time":"2026-11-20T09:00:00Z","data":{"timestamp":1795165200000,
        "device":{"batteryVoltage":12.5},"vehicle":{"signals":[
        {"timestamp":1795165190000,"name":"odometer","value":158910.5},
        {"timestamp":1795165191000,"name":"longitude","value":10.75},
        {"timestamp":1795165191000,"name":"ssid","value":"bay"},
        {"timestamp":1795165191000,"name":"latitude","value":59.91},
        {"timestamp":1795165192000,"name":"obdDTCList","value":"P0420,U0100"}]}}}"#;
    assert_eq!(
        said(AUTOPI, payload),
        [
            "TraveledDistance 158910500 2026-11-20T08:59:50Z",
            r#"CurrentLocation {"latitude":59.91,"longitude":10.75} 2026-11-20T08:59:51Z"#,
            r#"Diagnostics.DTCList {"dtc":"P0420","state":"present"} 2026-11-20T08:59:52Z"#,
            r#"Diagnostics.DTCList {"dtc":"U0100","state":"present"} 2026-11-20T08:59:52Z"#,
            "LowVoltageBattery.CurrentVoltage 12.5 2026-11-20T09:00:00Z",
        ]
    );
    let message = read(AUTOPI, payload).expect("taken");
    assert_eq!((message.id.as_str(), message.vehicle), ("2fHb-1", VehicleRef::Visit));
    let none = r#"{"id":"2","data":{"vehicle":{"signals":null}}}"#;
    assert_eq!(said(AUTOPI, none), [""; 0]);
    assert_eq!(read(AUTOPI, r#"{"id":"2"}"#).map(|_| ()), Err(ResultCode::Malformed));
}

#[test]
fn ruptela_sends_status_places_and_codes() {
    let status = r#"{"ds":"r/v0/s","time":"2026-11-20T08:59:00Z","data":{"pos":{"lat":599100000,"lon":107500000},
        "signals":{"29":"37FF","645":"FFFFFFFF","114":"1E4E3F8","207":"7D","722":"FF","104":"53414C"}}}"#;
    assert_eq!(
        said(RUPTELA, status),
        [
            "LowVoltageBattery.CurrentVoltage 14.335 2026-11-20T08:59:00Z",
            "Powertrain.FuelSystem.RelativeLevel 50.0 2026-11-20T08:59:00Z",
            "TraveledDistance 158888920 2026-11-20T08:59:00Z",
            r#"CurrentLocation {"latitude":59.91,"longitude":10.75} 2026-11-20T08:59:00Z"#,
        ]
    );
    let places = r#"{"ds":"r/v0/loc","time":"2026-11-20T08:59:00Z","data":{"location":[
        {"lat":599100000,"lon":107500000,"ts":1795165100},{"lat":-2147483648,"lon":-2147483648,"ts":1795165101}]}}"#;
    let place = r#"CurrentLocation {"latitude":59.91,"longitude":10.75} 2026-11-20T08:58:20Z"#;
    assert_eq!(said(RUPTELA, places), [place]);
    let codes =
        |list: &str| format!(r#"{{"ds":"r/v0/dtc","time":"2026-11-20T08:59:00Z","data":{{{list}}}}}"#);
    let code = r#"Diagnostics.DTCList {"dtc":"P0101","state":"present"} 2026-11-20T08:59:00Z"#;
    assert_eq!(said(RUPTELA, &codes(r#""dtc_codes":[{"id":"7E8","code":"P0101"}]"#)), [code]);
    let none = "Diagnostics.DTCList null 2026-11-20T08:59:00Z";
    assert_eq!(said(RUPTELA, &codes(r#""dtc_codes":[]"#)), [none]);
    assert_eq!(said(RUPTELA, &codes("")), [""; 0]);
}

#[test]
fn fleetwise_sends_codes_of_three_bytes() {
    let payload = r#"{"DetectedDTCs":[{"DTCAndSnapshot":{"DTCStatusAvailabilityMask":"FF","dtcCodes":[
        {"DTC":"042011","DTCExtendedData":"","DTCSnapshotRecord":""}]},"ECUID":"01"},
        {"DTCAndSnapshot":{"DTCStatusAvailabilityMask":"FF","dtcCodes":[]},"ECUID":"02"}]}"#;
    assert_eq!(
        said(FLEETWISE, payload),
        [r#"Diagnostics.DTCList {"uds":"042011","status":0,"state":"stored"} 2026-11-20T09:00:00Z"#]
    );
    assert_eq!(read(FLEETWISE, "{}").map(|_| ()), Err(ResultCode::Malformed));
}
