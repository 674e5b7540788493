//! The data of one parameter group, of any length: each reader gives a value or a reason.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vernport_decode::j1939::{dm1, pgn};

fuzz_target!(|data: &[u8]| {
    let _ = (pgn::distance_high_resolution(data), pgn::vehicle_distance(data), pgn::position(data));
    let _ = (pgn::speed_km_per_h(data), pgn::fuel_percent(data), pgn::battery_volts(data));
    let _ = (pgn::engine_hours(data), pgn::service_km(data), pgn::power_take_off(data), pgn::vin(data));
    let _ = dm1::lamps(data);
    if let Ok(codes) = dm1::trouble_codes(data) {
        assert!(codes.count() <= data.len() / 4);
    }
});
