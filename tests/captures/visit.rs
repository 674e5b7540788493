//! Whole captures through a visit: to the vehicle that they say they are, or to nobody.

use crate::captures::{Captures, Log, catalogue};
use vernport_decode::visit::{Assertion, Config, Event, Lookup, Visit};
use vernport_types::{AssetId, Identification, Reading, UtcMicros, Vin};

const ASSET: AssetId = AssetId::from_bytes([7; 16]);

/// A gateway that expects one VIN, or was told which vehicle stands there.
struct Known {
    vin: Option<Vin>,
    asserted: bool,
}

impl Lookup for Known {
    fn identify_open(&self) -> bool {
        true
    }

    fn by_vin(&self, vin: &Vin) -> Option<AssetId> {
        (self.vin == Some(*vin)).then_some(ASSET)
    }

    fn asserted(&self) -> Option<Assertion> {
        self.asserted.then_some(Assertion { asset: ASSET, made_at: UtcMicros(0) })
    }
}

fn readings(log: &Log, known: &Known) -> Vec<Reading> {
    let mut readings = Vec::new();
    for channel in log.channels() {
        let mut visit = Visit::new(&catalogue(), Config::default()).expect("the shipped catalogue fits");
        for logged in log.frames.iter().filter(|logged| logged.channel == channel) {
            visit.push(&logged.frame, logged.at, known, &mut |event| {
                if let Event::Reading(reading) = event {
                    readings.push(reading);
                }
            });
        }
    }
    readings
}

#[test]
fn a_vehicle_that_says_its_vin_is_recognised_by_it_and_another_is_nobody() {
    let Some(captures) = Captures::find() else { return };
    let log = captures.log("css_octavia_obd_gnss.log.json");
    let vin =
        log.expected["diag_payloads"]["7E8 4902"]["vin"].as_str().expect("a VIN").parse().expect("a VIN");
    let known = readings(&log, &Known { vin: Some(vin), asserted: false });
    assert!(known.len() > 50 && known.iter().all(|r| r.identified_by == Identification::BusVin));
    assert_eq!(readings(&log, &Known { vin: None, asserted: true }), []);
}

#[test]
fn a_vehicle_that_says_no_vin_is_read_where_a_technician_says_which_it_is() {
    let Some(captures) = Captures::find() else { return };
    let log = captures.log("eti_truck_keyon_2021.log.json");
    let asserted = readings(&log, &Known { vin: None, asserted: true });
    // All of it: what was held in the first seconds comes too.
    let decoded =
        log.decode().iter().filter(|e| matches!(e, vernport_decode::Decoded::Signal { .. })).count();
    assert_eq!(asserted.len(), decoded);
    assert!(asserted.iter().all(|r| r.identified_by == Identification::Asserted));
    assert_eq!(readings(&log, &Known { vin: None, asserted: false }), []);
}
