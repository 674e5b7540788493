//! The data of one parameter group, of any length: each reader gives a value or a reason.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vernport_decode::j1939::{Id, ack, claim, dm1, pgn, spn::Methods};
use vernport_types::{CanId, FaultState};

fuzz_target!(|data: &[u8]| {
    let _ = (pgn::distance_high_resolution(data), pgn::vehicle_distance(data), pgn::position(data));
    let _ = (pgn::speed_km_per_h(data), pgn::tachograph_km_per_h(data), pgn::parking_brake(data));
    let _ = (pgn::fuel_percent(data), pgn::second_fuel_percent(data), pgn::fuel_used_litres(data));
    let _ = (pgn::oil_percent(data), pgn::coolant_percent(data), pgn::exhaust_fluid_percent(data));
    let _ =
        (pgn::battery_volts(data), pgn::engine_hours(data), pgn::service_km(data), pgn::oil_celsius(data));
    let _ = (pgn::power_take_off(data), pgn::power_take_off_governor(data));
    let _ = (pgn::axle_kg(data), pgn::tire_kpa(data), pgn::vin(data), dm1::lamps(data));
    let mut methods = Methods::default();
    for _ in 0..2 {
        if let Ok(codes) = dm1::trouble_codes(data, 0, FaultState::Present, &mut methods) {
            assert!(codes.count() <= data.len() / 4);
        }
    }
    let id = Id::from_can(CanId::Extended(0x18EE_FF00)).expect("29 bits");
    let _ = (claim::Claim::read(id, data), claim::conflict(id, data, 0xF9), ack::requested(id, data));
    let _ = ack::Acknowledgement::read(id, data);
});
