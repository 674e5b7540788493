//! Every line of every log is read, and the frames are those that others count.

use crate::captures::{Captures, Logged};
use std::collections::HashSet;
use vernport_types::CanId;

fn ids(frames: &[Logged]) -> usize {
    frames.iter().map(|logged| logged.frame.id()).collect::<HashSet<_>>().len()
}

#[test]
fn every_line_is_a_frame_and_the_counts_agree() {
    let Some(captures) = Captures::find() else { return };
    for log in captures.logs() {
        let count = |key: &str| usize::try_from(log.expected[key].as_u64().expect(key)).expect("a count");
        let extended =
            log.frames.iter().filter(|logged| matches!(logged.frame.id(), CanId::Extended(_))).count();
        assert_eq!(log.frames.len(), count("frames"), "{}", log.name);
        assert_eq!(ids(&log.frames), count("ids"), "{}", log.name);
        assert_eq!(extended, count("ext_frames"), "{}", log.name);
        let (first, last) = (log.frames.first().expect("frames"), log.frames.last().expect("frames"));
        let span_s = f64::from(i32::try_from(last.at.wall.0 - first.at.wall.0).expect("short")) / 1e6;
        assert!((span_s - log.expected["span_s"].as_f64().expect("span_s")).abs() < 0.001, "{}", log.name);
    }
}

#[test]
fn logs_of_other_recorders_in_candump_form_are_read() {
    let Some(captures) = Captures::find() else { return };
    let expected = &captures.json("expected/formats.json")["savvycan_candump.log"];
    let frames = captures.frames("formats/savvycan_candump.log");
    assert_eq!(Some(frames.len() as u64), expected["frames"].as_u64());
    assert_eq!(Some(ids(&frames) as u64), expected["ids"].as_u64());
    // Two of these have a line number in front.
    for name in
        ["candump.log", "test_dm1.log", "test_priority.log", "test_tp_frames.txt", "test_unknown_real.log"]
    {
        assert!(!captures.frames(&format!("formats/pretty_j1939_{name}")).is_empty(), "{name}");
    }
}
