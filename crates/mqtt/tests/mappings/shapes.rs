//! Shapes that other senders use, each by a mapping as a workshop would write it.

use crate::{read, said};
use vernport_mqtt::{ResultCode, VehicleRef};
use vernport_types::Identifier;

#[test]
fn a_tracker_forwards_a_position_with_attributes() {
    let mapping = r#"
        format = 1
        id = { at = ["device.uniqueId", "position.id"] }
        time = { at = "$.position.fixTime" }
        [[readings]]
        each = "position"
        when = [{ at = "valid", is = true }]
        signal = [{ latitude = "latitude", longitude = "longitude", path = "Vehicle.CurrentLocation" }]
        [[readings]]
        each = "position"
        signal = [
            { at = "speed", unit = "kn", path = "Vehicle.Speed" },
            { at = "attributes.odometer", unit = "m", path = "Vehicle.TraveledDistance" },
            { at = "attributes.io67", unit = "mV", path = "Vehicle.LowVoltageBattery.CurrentVoltage" },
        ]"#;
    let payload = |valid: bool| {
        format!(
            r#"{{"position":{{"id":41,"fixTime":"2026-11-20T08:59:00.000+00:00","valid":{valid},"latitude":59.91,"longitude":10.75,
                "speed":10,"attributes":{{"odometer":158910600.4,"io67":12610,"sat":9}}}},"device":{{"uniqueId":"8654"}}}}"#
        )
    };
    let rest = [
        "Speed 18.52 2026-11-20T08:59:00Z",
        "TraveledDistance 158910600 2026-11-20T08:59:00Z",
        "LowVoltageBattery.CurrentVoltage 12.61 2026-11-20T08:59:00Z",
    ];
    assert_eq!(said(mapping, &payload(false)), rest);
    let place = r#"CurrentLocation {"latitude":59.91,"longitude":10.75} 2026-11-20T08:59:00Z"#;
    assert_eq!(said(mapping, &payload(true)), [&[place], &rest[..]].concat());
    assert_eq!(read(mapping, &payload(true)).expect("taken").id.as_str(), "8654:41");
}

#[test]
fn a_tracker_numbers_its_parameters() {
    let mapping = r#"
        format = 1
        id = "payload"
        time = { at = "^.ts", unit = "ms" }
        [[readings]]
        each = "records[*].io[*]"
        name = "id"
        value = "val"
        signal = [
            { name = 16, unit = "m", path = "Vehicle.TraveledDistance" },
            { name = 89, unit = "percent", missing = [255], path = "Vehicle.Powertrain.FuelSystem.RelativeLevel" },
        ]
        [[readings]]
        each = "records[*].gps"
        signal = [{ both = ".", order = "longitude-latitude", path = "Vehicle.CurrentLocation" }]"#;
    let payload = r#"{"imei":"x","records":[
        {"ts":1795165100000,"gps":[10.75,59.91],"io":[{"id":16,"val":158910},{"id":239,"val":1},{"id":89,"val":255}]},
        {"ts":1795165160500,"gps":[0,0],"io":[{"id":"16","val":"158920"}]}]}"#;
    assert_eq!(
        said(mapping, payload),
        [
            "TraveledDistance 158910 2026-11-20T08:58:20Z",
            "TraveledDistance 158920 2026-11-20T08:59:20.5Z",
            r#"CurrentLocation {"latitude":59.91,"longitude":10.75} 2026-11-20T08:58:20Z"#,
        ]
    );
}

#[test]
fn a_logger_writes_flat_objects_with_texts_for_numbers() {
    let mapping = r#"
        format = 1
        input = "json-lines"
        id = "payload"
        vehicle = [{ vin = "vin" }, "visit"]
        time = { at = "ts", unit = "s" }
        [[readings]]
        bad_values = "skip"
        signal = [
            { at = "odo", unit = "km", path = "Vehicle.TraveledDistance" },
            { at = "fuel", unit = "percent", suffix = "%", missing = ["n/a"], path = "Vehicle.Powertrain.FuelSystem.RelativeLevel" },
            { at = "mil", values = { ON = true, OFF = false }, path = "Vehicle.Extension.Lamps.IsMalfunctionIndicatorOn" },
            { at = "dtcs", dtc = "sae", state = "present", none = ["none"], path = "Vehicle.Diagnostics.DTCList" },
        ]"#;
    let payload = r#"{"ts":1795165198.25,"vin":"WDB9634031L738001","rpm":800,"odo":"158910.6","fuel":"53.5 %","mil":"OFF","dtcs":"none"}
        {"ts":1795165199,"vin":"WDB9634031L738001","odo":null,"fuel":"n/a","mil":"?","dtcs":["P0420","B1200-11"]}"#;
    assert_eq!(
        said(mapping, payload),
        [
            "TraveledDistance 158910600 2026-11-20T08:59:58.25Z",
            "Powertrain.FuelSystem.RelativeLevel 53.5 2026-11-20T08:59:58.25Z",
            "Extension.Lamps.IsMalfunctionIndicatorOn false 2026-11-20T08:59:58.25Z",
            "Diagnostics.DTCList null 2026-11-20T08:59:58.25Z",
            r#"Diagnostics.DTCList {"dtc":"P0420","state":"present"} 2026-11-20T08:59:59Z"#,
            r#"Diagnostics.DTCList {"uds":"920011","status":0,"state":"present"} 2026-11-20T08:59:59Z"#,
        ]
    );
    let vehicle = read(mapping, payload).expect("taken").vehicle;
    let vin = "WDB9634031L738001".parse().expect("a VIN");
    assert_eq!(vehicle, VehicleRef::Identifier(Identifier::Vin(vin)));
}

#[test]
fn pairs_of_name_and_value_and_lists_beside_one_another() {
    let head = "format = 1\nid = \"payload\"\ntime = { at = \"$.t\", unit = \"us\" }\n";
    let signal = "signal = [{ name = \"odo\", unit = \"km\", path = \"Vehicle.TraveledDistance\" }, { name = \"v\", unit = \"m/s\", path = \"Vehicle.Speed\" }]";
    let expected = ["TraveledDistance 12500 2026-11-20T09:00:00Z", "Speed 36.0 2026-11-20T09:00:00Z"];
    let pairs = format!("{head}[[readings]]\neach = \"d[*]\"\nname = \"[0]\"\nvalue = \"[1]\"\n{signal}");
    assert_eq!(said(&pairs, r#"{"t":1795165200000000,"d":[["odo",12.5],["v",10]]}"#), expected);
    let beside =
        format!("{head}[[readings]]\neach = \"names[*]\"\nname = \".\"\nvalue = \"$.values[@]\"\n{signal}");
    assert_eq!(said(&beside, r#"{"t":1795165200000000,"names":["odo","v"],"values":[12.5,10]}"#), expected);
}

#[test]
fn objects_are_keyed_by_what_is_measured_and_say_their_unit() {
    let mapping = r#"
        format = 1
        id = { at = "uuid" }
        time = [{ at = "at" }, { at = "$.sent" }]
        units = { Miles = "mi", Kilometers = "km", "°F" = "Fahrenheit", "°C" = "Celsius" }
        [[readings]]
        each = "vehicle.state.*"
        name = "@key"
        value = "value"
        unit_at = "unit"
        unlisted = "skip"
        signal = [
            { name = ["odometer", "mileage"], path = "Vehicle.TraveledDistance" },
            { name = "oil_temp", path = "Vehicle.Powertrain.CombustionEngine.EngineOil.Temperature" },
        ]"#;
    let payload = r#"{"uuid":"{0b7e-41}","sent":"2026-11-20T09:59:00+01:00","vehicle":{"state":{
        "mileage":{"value":"100","unit":"Miles","at":"2026-11-20T09:58:00+01:00"},
        "oil_temp":{"value":212,"unit":"°F"},"mood":{"value":"good"}}}}"#;
    assert_eq!(
        said(mapping, payload),
        [
            "TraveledDistance 160934 2026-11-20T08:58:00Z",
            "Powertrain.CombustionEngine.EngineOil.Temperature 100.0 2026-11-20T08:59:00Z",
        ]
    );
    let furlongs = payload.replace("Miles", "furlong");
    assert_eq!(read(mapping, &furlongs).map(|_| ()), Err(ResultCode::Unit));
}

#[test]
fn metrics_are_texts_under_dotted_names() {
    let mapping = r#"
        format = 1
        id = "payload"
        time = "arrival"
        [[readings]]
        each = "metrics.*"
        name = "@key"
        value = "."
        signal = [
            { name = "v.b.soc", unit = "percent", suffix = "%", path = "Vehicle.Powertrain.TractionBattery.StateOfCharge.Current" },
            { name = "v.p.odometer", unit = "km", suffix = "km", path = "Vehicle.TraveledDistance" },
            { latitude_name = "v.p.latitude", longitude_name = "v.p.longitude", path = "Vehicle.CurrentLocation" },
        ]"#;
    let payload = r#"{"metrics":{"v.b.soc":"53","v.p.odometer":"158910.6km","v.p.latitude":"59.91","v.p.longitude":"10.75","m.net":"ok","v.b.temp":""}}"#;
    assert_eq!(
        said(mapping, payload),
        [
            "Powertrain.TractionBattery.StateOfCharge.Current 53.0 2026-11-20T09:00:00Z",
            r#"CurrentLocation {"latitude":59.91,"longitude":10.75} 2026-11-20T09:00:00Z"#,
            "TraveledDistance 158910600 2026-11-20T09:00:00Z",
        ]
    );
    let one = r#"
        format = 1
        id = "payload"
        time = "arrival"
        [[readings]]
        signal = [{ at = 'metrics."v.p.odometer"', unit = "km", path = "Vehicle.TraveledDistance" }]"#;
    assert_eq!(
        said(one, r#"{"metrics":{"v.p.odometer":"1.5"}}"#),
        ["TraveledDistance 1500 2026-11-20T09:00:00Z"]
    );
}

#[test]
fn a_phone_sends_a_form() {
    let mapping = r#"
        format = 1
        input = "form"
        id = { at = ["session", "time"] }
        time = { at = "time", unit = "ms" }
        [[readings]]
        signal = [
            { at = "kd", unit = "km/h", path = "Vehicle.Speed" },
            { at = "k2f", unit = "percent", path = "Vehicle.Powertrain.FuelSystem.RelativeLevel" },
            { latitude = "kff1006", longitude = "kff1005", path = "Vehicle.CurrentLocation" },
        ]"#;
    let payload = "eml=a%40b.no&v=8&session=1795160000000&id=0f&time=1795165199500&kff1005=10.75&kff1006=59.91&kd=42.0&k2f=53.5";
    assert_eq!(
        said(mapping, payload),
        [
            "Speed 42.0 2026-11-20T08:59:59.5Z",
            "Powertrain.FuelSystem.RelativeLevel 53.5 2026-11-20T08:59:59.5Z",
            r#"CurrentLocation {"latitude":59.91,"longitude":10.75} 2026-11-20T08:59:59.5Z"#,
        ]
    );
}

#[test]
fn a_time_series_comes_as_lines_or_as_json() {
    let lines = r#"
        format = 1
        input = "influx"
        id = "payload"
        vehicle = { plate = "tags.plate", country = "NO" }
        time = [{ at = "$.time", unit = "ns" }, "arrival"]
        [[readings]]
        when = [{ at = "$.measurement", is = "vehicle" }]
        each = "fields.*"
        name = "@key"
        value = "."
        signal = [{ name = "odo", unit = "km", path = "Vehicle.TraveledDistance" }]"#;
    let payload = "vehicle,plate=AB12345 odo=12.5,rpm=800i 1795165199000000000\nhost,plate=AB12345 odo=3\n";
    assert_eq!(said(lines, payload), ["TraveledDistance 12500 2026-11-20T08:59:59Z"]);

    let json = r#"
        format = 1
        id = "payload"
        time = { at = "timestamp", unit = "s" }
        [[readings]]
        each = "metrics[*]"
        signal = [{ at = "fields.odo", unit = "km", path = "Vehicle.TraveledDistance" }]"#;
    let payload =
        r#"{"metrics":[{"name":"vehicle","tags":{},"fields":{"odo":12.5},"timestamp":1795165199}]}"#;
    assert_eq!(said(json, payload), ["TraveledDistance 12500 2026-11-20T08:59:59Z"]);
}

#[test]
fn records_share_a_base_time_and_name() {
    // The shape of SenML (RFC 8428), with the base in the first record.
    let mapping = r#"
        format = 1
        id = "payload"
        time = { at = "t", unit = "s", base = "$[0].bt" }
        units = { km = "km", "%" = "percent" }
        [[readings]]
        each = "[*]"
        name = "n"
        value = "v"
        unit_at = "u"
        signal = [
            { name = "odo", path = "Vehicle.TraveledDistance" },
            { name = "fuel", path = "Vehicle.Powertrain.FuelSystem.RelativeLevel" },
        ]"#;
    let payload = r#"[{"bn":"urn:dev:1:","bt":1795165200,"n":"odo","u":"km","v":12.5},{"n":"fuel","u":"%","v":50,"t":-30}]"#;
    let expected = [
        "TraveledDistance 12500 2026-11-20T09:00:00Z",
        "Powertrain.FuelSystem.RelativeLevel 50.0 2026-11-20T08:59:30Z",
    ];
    // "%" is no unit of the closed list by that name: the mapping says which it is.
    assert_eq!(said(mapping, payload), expected);
}

#[test]
fn a_table_has_local_times_and_decimal_commas() {
    let mapping = r#"
        format = 1
        input = "csv"
        id = "payload"
        time = { at = ["Dato", "Tid"], pattern = "%d.%m.%Y %H:%M:%S", zone = "Europe/Oslo" }
        [[readings]]
        signal = [{ at = "Kilometerstand", unit = "km", decimal_comma = true, path = "Vehicle.TraveledDistance" }]"#;
    let payload = "Dato;Tid;Kilometerstand\n20.11.2026;09:58:00;158910,6\n20.11.2026;09:59:00;\n";
    assert_eq!(said(mapping, payload), ["TraveledDistance 158910600 2026-11-20T08:58:00Z"]);
    let night = payload.replace("20.11.2026;09:58", "25.10.2026;02:30");
    assert_eq!(read(mapping, &night).map(|_| ()), Err(ResultCode::Time));
    let nowhere = mapping.replace(", zone = \"Europe/Oslo\"", "");
    assert_eq!(read(&nowhere, payload).map(|_| ()), Err(ResultCode::TimeWithoutZone));
}

#[test]
fn control_units_tell_their_codes_in_numbers() {
    let mapping = r#"
        format = 1
        id = { at = "msg" }
        time = { at = "$.ts", unit = "s" }
        [[readings]]
        each = "ecus[*].dtcs[*]"
        signal = [
            { dtc = "j1939", spn = "spn", fmi = "fmi", occurrence = "oc", state_at = "active", states = { true = "present", false = "stored" }, none_if_empty = true, path = "Vehicle.Diagnostics.DTCList" },
        ]"#;
    let payload = r#"{"msg":9,"ts":1795165200,"ecus":[
        {"sa":0,"dtcs":[{"spn":3216,"fmi":20,"oc":2,"active":true},{"spn":609,"fmi":12,"oc":127,"active":false}]},
        {"sa":17,"dtcs":[]}]}"#;
    assert_eq!(
        said(mapping, payload),
        [
            r#"Diagnostics.DTCList {"spn":3216,"fmi":20,"occurrence":2,"state":"present"} 2026-11-20T09:00:00Z"#,
            r#"Diagnostics.DTCList {"spn":609,"fmi":12,"state":"stored"} 2026-11-20T09:00:00Z"#,
            "Diagnostics.DTCList null 2026-11-20T09:00:00Z",
        ]
    );
}

#[test]
fn a_feature_of_a_map_has_longitude_first() {
    let mapping = r#"
        format = 1
        id = { at = "properties.id" }
        time = { at = "properties.time" }
        require = [{ at = "geometry.type", is = "Point" }]
        [[readings]]
        signal = [{ both = "geometry.coordinates", order = "longitude-latitude", path = "Vehicle.CurrentLocation" }]"#;
    let payload = r#"{"type":"Feature","geometry":{"type":"Point","coordinates":[10.75,59.91,12]},"properties":{"id":"f1","time":"2026-11-20T09:00:00Z"}}"#;
    let place = r#"CurrentLocation {"latitude":59.91,"longitude":10.75} 2026-11-20T09:00:00Z"#;
    assert_eq!(said(mapping, payload), [place]);
    assert_eq!(read(mapping, &payload.replace("Point", "Line")).map(|_| ()), Err(ResultCode::Malformed));
}

#[test]
fn columns_have_their_names_in_a_list_of_their_own() {
    let mapping = r#"
        format = 1
        id = "payload"
        time = { at = "^[0]", unit = "s" }
        [[readings]]
        each = "series[*].values[*][*]"
        name = "^^.columns[@]"
        value = "."
        signal = [
            { name = "odo", unit = "km", path = "Vehicle.TraveledDistance" },
            { name = "soc", unit = "percent", path = "Vehicle.Powertrain.TractionBattery.StateOfCharge.Current" },
        ]"#;
    let payload = r#"{"series":[{"columns":["time","odo","soc"],"values":[[1795165100,12.5,null],[1795165160,13,81.5]]}]}"#;
    assert_eq!(
        said(mapping, payload),
        [
            "TraveledDistance 12500 2026-11-20T08:58:20Z",
            "TraveledDistance 13000 2026-11-20T08:59:20Z",
            "Powertrain.TractionBattery.StateOfCharge.Current 81.5 2026-11-20T08:59:20Z",
        ]
    );
}

#[test]
fn a_hub_wraps_documents_in_texts_and_times_are_keys() {
    let mapping = r#"
        format = 1
        id = { at = "messageId" }
        embedded = ["records[*].body"]
        [[readings]]
        each = "records[*].body.odometer.*"
        time = { at = "@key", unit = "s" }
        signal = [{ at = ".", unit = "km", path = "Vehicle.TraveledDistance" }]
        [[readings]]
        each = "records[*].body"
        time = { at = "sent" }
        signal = [
            { at = "status", bit = 1, path = "Vehicle.Chassis.ParkingBrake.IsEngaged" },
            { at = "range.v", unit_at = "range.u", path = "Vehicle.Service.DistanceToService" },
        ]"#;
    let body = r#"{\"sent\":\"2026-11-20T09:00:00Z\",\"status\":6,\"odometer\":{\"1795165100\":1.5},\"range\":{\"v\":1000,\"u\":\"mi\"}}"#;
    let payload = format!(r#"{{"messageId":"m-1","records":[{{"body":"{body}"}}]}}"#);
    assert_eq!(
        said(mapping, &payload),
        [
            "TraveledDistance 1500 2026-11-20T08:58:20Z",
            "Chassis.ParkingBrake.IsEngaged true 2026-11-20T09:00:00Z",
            "Service.DistanceToService 1609.344 2026-11-20T09:00:00Z",
        ]
    );
    let broken = payload.replace("1000", "1000}");
    assert_eq!(read(mapping, &broken).map(|_| ()), Err(ResultCode::Malformed));
}

#[test]
fn a_sensor_sends_one_value_in_words() {
    let mapping = r#"
        format = 1
        input = "text"
        id = "payload"
        time = "arrival"
        [[readings]]
        signal = [{ at = ".", unit = "km", suffix = "km", thousands = " ", path = "Vehicle.TraveledDistance" }]"#;
    assert_eq!(said(mapping, "158 910.6 km\n"), ["TraveledDistance 158910600 2026-11-20T09:00:00Z"]);
    assert_eq!(read(mapping, "far").map(|_| ()), Err(ResultCode::Value));
}
