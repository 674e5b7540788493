//! The car broadcasts what `config/dbc/sim-car.dbc` says: read with a bit by
//! bit reader that knows no more of a DBC than messages and plain signals.

use crate::harness::{START, after_ms, car_config};
use std::collections::BTreeMap;
use vernport_sim::{Car, CarConfig, Vehicle};
use vernport_types::{CanFrame, FrameKind};

const DBC: &str = include_str!("../../../../config/dbc/sim-car.dbc");

struct Signal {
    name: &'static str,
    start: usize,
    bits: usize,
    little_endian: bool,
    factor: f64,
}

/// Signals by message, and the bytes of each message.
fn read() -> BTreeMap<u32, (usize, Vec<Signal>)> {
    let mut messages: BTreeMap<u32, (usize, Vec<Signal>)> = BTreeMap::new();
    let mut current = 0;
    for line in DBC.lines().map(str::trim) {
        let words: Vec<&'static str> = line.split_whitespace().collect();
        match words[..] {
            ["BO_", id, _, bytes, _] => {
                current = id.parse().expect("an identifier");
                messages.insert(current, (bytes.parse().expect("a length"), Vec::new()));
            }
            ["SG_", name, ":", place, scale, ..] => {
                let (start, rest) = place.split_once('|').expect("a place");
                let (bits, form) = rest.split_once('@').expect("a form");
                let (factor, _) = scale.trim_matches(['(', ')']).split_once(',').expect("a factor");
                messages.get_mut(&current).expect("a message").1.push(Signal {
                    name,
                    start: start.parse().expect("a start"),
                    bits: bits.parse().expect("a length"),
                    little_endian: form == "1+",
                    factor: factor.parse().expect("a number"),
                });
            }
            _ => {}
        }
    }
    messages
}

/// One bit after the other: upwards, or downwards in a byte and on to the next one.
fn value(signal: &Signal, data: &[u8]) -> f64 {
    let bit = |at: usize| u64::from(data[at / 8] >> (at % 8) & 1);
    let raw = if signal.little_endian {
        (0..signal.bits).map(|n| bit(signal.start + n) << n).sum::<u64>()
    } else {
        let mut at = signal.start;
        (0..signal.bits).fold(0, |raw, _| {
            let next = raw << 1 | bit(at);
            at = if at.is_multiple_of(8) { at + 15 } else { at - 1 };
            next
        })
    };
    raw as f64 * signal.factor
}

fn values(frames: &[CanFrame]) -> BTreeMap<&'static str, f64> {
    let messages = read();
    let mut values = BTreeMap::new();
    for frame in frames {
        let (bytes, signals) = &messages[&frame.id().raw()];
        assert_eq!(frame.data().len(), *bytes);
        values.extend(signals.iter().map(|signal| (signal.name, value(signal, frame.data()))));
    }
    values
}

fn close(values: &BTreeMap<&'static str, f64>, name: &str, expected: f64) {
    let found = values[name];
    assert!((found - expected).abs() < 1e-6, "{name}: {found} is not {expected}");
}

#[test]
fn every_signal_of_the_dbc_has_the_value_of_the_car() {
    let driving = CarConfig { speed_km_per_h: 90, fd_broadcast: true, ..car_config() };
    let mut car = Car::new(driving, &[], START);
    let frames = car.on_tick(after_ms(40_000));
    let values = values(&frames);
    for name in ["OdometerKm", "SummaryOdometerKm"] {
        close(&values, name, 123_457.7);
    }
    for name in ["VehicleSpeed", "SummarySpeed"] {
        close(&values, name, 90.0);
    }
    for name in ["FuelLevel", "SummaryFuelLevel"] {
        close(&values, name, 62.0);
    }
    for name in ["BatteryVoltage", "SummaryBatteryVoltage"] {
        close(&values, name, 14.1);
    }
    close(&values, "IgnitionOn", 1.0);
    close(&values, "MotionCounter", 1.0);
    assert_eq!(values.len(), 10, "all signals");
    let fd = frames.iter().filter(|frame| frame.kind() == FrameKind::FdData).count();
    assert_eq!(fd, 1);
}

#[test]
fn broadcasts_come_at_their_rates_and_in_fd_only_when_told() {
    let mut car = Car::new(car_config(), &[], START);
    let mut count: BTreeMap<u32, u32> = BTreeMap::new();
    while car.next_due() < after_ms(10_000) {
        for frame in car.on_tick(car.next_due()) {
            *count.entry(frame.id().raw()).or_default() += 1;
        }
    }
    assert_eq!(count, BTreeMap::from([(0x1A0, 100), (0x430, 10), (0x4A0, 10)]));
}
