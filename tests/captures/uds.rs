//! UDS: trouble codes as udsoncan reads them, sessions of others on any pair of
//! identifiers, and who is heard asking.

use crate::captures::Captures;
use std::collections::BTreeMap;
use vernport_decode::{
    Decoded, RejectCode,
    uds::{Purpose, Report, request_heard},
};
use vernport_types::CanId;

/// Code, and status or record number, as text.
fn listed(report: &Report<'_>) -> Vec<(String, String)> {
    let text = |code: u32, byte: u8| (format!("{code:06X}"), format!("{byte:02X}"));
    match report {
        Report::Snapshots(records) => {
            records.iter().map(|&[a, b, c, number]| text(u32::from_be_bytes([0, a, b, c]), number)).collect()
        }
        _ => report.records().map(|(record, _)| text(record.code, record.status)).collect(),
    }
}

#[test]
fn trouble_codes_are_those_that_udsoncan_reads_and_what_it_refuses_is_refused() {
    let Some(captures) = Captures::find() else { return };
    let vectors = captures.json("vectors/uds_dtc_udsoncan.json");
    let (mut read, mut refused) = (0, 0);
    for vector in vectors["vectors"].as_array().expect("vectors") {
        let name = vector["payload"].as_str().expect("a payload");
        let payload = hex::decode(name).expect("hexadecimal");
        let report = Report::read(&payload).expect("service 19");
        if vector["error"].is_string() {
            assert!(report == Err(RejectCode::WrongLength), "{name}");
            refused += 1;
            continue;
        }
        let report = report.unwrap_or_else(|code| panic!("{name}: {code}"));
        let mut expected = Vec::new();
        for code in vector["dtcs"].as_array().expect("codes") {
            let text = code["dtc"].as_str().expect("a code").to_owned();
            let snapshots = code["snapshot_records"].as_array().expect("snapshots");
            expected.extend(code["status"].as_str().map(|status| (text.clone(), status.to_owned())));
            for number in snapshots {
                expected.push((text.clone(), format!("{:02X}", number.as_u64().expect("a number"))));
            }
        }
        assert!(listed(&report) == expected, "{name}");
        if let Report::Count { count, .. } = report {
            assert_eq!(Some(u64::from(count)), vector["dtc_count"].as_u64(), "{name}");
        }
        if let Report::Codes { available, .. } = report {
            assert_eq!(Some(format!("{available:02X}").as_str()), vector["status_availability"].as_str());
        }
        read += 1;
    }
    assert_eq!((read, refused), (7, 4));
}

#[test]
fn a_session_on_makers_identifiers_is_followed_and_its_broken_answers_are_counted() {
    let Some(captures) = Captures::find() else { return };
    let log = captures.log("css_ev_uds_gnss.log.json");
    let mut codes = BTreeMap::new();
    for event in log.decode() {
        // None of its identifiers is of the catalogue: what is not understood gives no value.
        let Decoded::Rejected { code } = event else { panic!("{event:?}") };
        *codes.entry(code).or_insert(0) += 1;
    }
    // Of the 14 broken ones the last may still be under way when the log ends.
    let dropped: usize = codes.values().sum();
    assert!((13..=14).contains(&dropped), "{codes:?}");
    let transport =
        |code: &RejectCode| matches!(code, RejectCode::TransportSequence | RejectCode::TransportTimeout);
    assert!(codes.keys().all(transport), "{codes:?}");
}

#[test]
fn whoever_asks_is_heard_with_what_is_asked() {
    let Some(captures) = Captures::find() else { return };
    for (name, tester) in [
        ("css_octavia_obd_gnss.log.json", CanId::Standard(0x7E0)),
        ("css_ev_uds_gnss.log.json", CanId::Standard(0x7E4)),
        ("css_tacho_uds_session.log.json", CanId::Extended(0x18DA_EEFB)),
    ] {
        let log = captures.log(name);
        let asked = log.expected["diag_payloads"].as_object().expect("payloads").iter();
        let of_tester =
            |key: &str| u32::from_str_radix(&key[..key.find(' ').expect("an id")], 16) == Ok(tester.raw());
        let expected: u64 = asked
            .filter(|(key, _)| of_tester(key))
            .map(|(_, payload)| payload["n"].as_u64().expect("n"))
            .sum();
        let mut reading = 0;
        for request in log.frames.iter().filter_map(|logged| request_heard(&logged.frame)) {
            assert_eq!(request.id, tester, "{name}");
            assert!(matches!(request.purpose, Purpose::Reading | Purpose::Continuing), "{name}");
            assert!(!request.lasts_for_visit());
            reading += u64::from(request.purpose == Purpose::Reading);
        }
        assert!(expected > 0 && reading == expected, "{name}: {reading} of {expected}");
    }
}

#[test]
fn a_bus_where_nobody_asks_has_no_tester() {
    let Some(captures) = Captures::find() else { return };
    for name in
        ["eti_truck_keyon_2021.log.json", "css_tractor_vi_bam.log.json", "mustang_s550_drive.log.json"]
    {
        let log = captures.log(name);
        let heard: Vec<CanId> =
            log.frames.iter().filter_map(|logged| request_heard(&logged.frame)).map(|it| it.id).collect();
        assert_eq!(heard, [], "{name}");
    }
}
