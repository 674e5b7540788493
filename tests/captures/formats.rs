//! Captures in every format: the frames are those that others count, and one
//! capture in several formats gives the same frames.

use crate::captures::Captures;
use std::{
    collections::HashSet,
    fs::{self, File},
    io::Read as _,
    path::Path,
};
use vernport_decode::capture::{Counts, Event, Format, Reader};
use vernport_types::{CanFrame, CanId};

/// What was read of a file.
struct Read {
    format: Format,
    counts: Counts,
    /// Microseconds, channel, frame.
    frames: Vec<(i64, String, CanFrame)>,
}

impl Read {
    /// In pieces, as a file of any size is read.
    fn file(path: &Path) -> Self {
        let (mut reader, mut frames) = (Reader::new(), Vec::new());
        let name = path.display();
        let mut file = File::open(path).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut sink = |event: Event<'_>| {
            if let Event::Frame(line) = event {
                frames.push((line.time.0, line.channel.to_owned(), line.frame));
            }
        };
        let mut piece = [0; 5000];
        loop {
            let read = file.read(&mut piece).unwrap_or_else(|error| panic!("{name}: {error}"));
            if read == 0 {
                break;
            }
            reader.push(&piece[..read], &mut sink).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        let (format, counts) = reader.finish(&mut sink).unwrap_or_else(|error| panic!("{name}: {error}"));
        Self { format, counts, frames }
    }

    fn ids(&self) -> usize {
        self.frames.iter().map(|(.., frame)| frame.id()).collect::<HashSet<CanId>>().len()
    }

    /// Ids and data, in order.
    fn heard(&self) -> Vec<(CanId, &[u8])> {
        self.frames.iter().map(|(.., frame)| (frame.id(), frame.data())).collect()
    }
}

fn path(captures: &Captures, name: &str) -> std::path::PathBuf {
    captures.path(&format!("formats/{name}"))
}

#[test]
fn every_file_gives_the_frames_and_ids_that_other_tools_count() {
    let Some(captures) = Captures::find() else { return };
    let expected = captures.json("expected/formats.json");
    let expected = expected.as_object().expect("files");
    assert!(!expected.is_empty());
    for (name, counts) in expected {
        let read = Read::file(&path(&captures, name));
        let frames = counts["frames"].as_u64().expect("frames") + captures.lost_by_the_tool(name, counts);
        assert_eq!(read.counts.frames, frames, "{name} ({})", read.format);
        assert_eq!(read.counts.skipped, 0, "{name} ({})", read.format);
        if let Some(ids) = counts["ids"].as_u64() {
            assert_eq!(read.ids() as u64, ids, "{name}");
        }
    }
}

#[test]
fn the_format_is_told_by_the_content() {
    let Some(captures) = Captures::find() else { return };
    for (name, format) in [
        ("savvycan_candump.log", Format::CandumpLog),
        ("savvycan_gvret.csv", Format::GvretCsv),
        ("savvycan_crtd.txt", Format::Crtd),
        ("savvycan_busmaster.log", Format::Busmaster),
        ("savvycan_microchip.log", Format::Microchip),
        ("savvycan_generic.csv", Format::GenericCsv),
        ("css_multiple_CAN.asc", Format::VectorAsc),
        ("eti_rp1210_lines.txt", Format::Rp1210),
        ("pretty_j1939_candump.log", Format::CandumpLog),
        ("../car/mustang_s550_2s.asc", Format::VectorAsc),
        ("../car/mustang_s550_2s.trc", Format::PeakTrc),
        ("../car/mustang_s550_2s.csv", Format::PythonCanCsv),
        ("../car/mustang_s550_2s.blf", Format::VectorBlf),
        ("../car/mustang_s550_drive.original.txt", Format::MillisText),
    ] {
        assert_eq!(Read::file(&path(&captures, name)).format, format, "{name}");
    }
}

#[test]
fn one_drive_in_six_formats_gives_the_same_frames_at_the_same_times() {
    let Some(captures) = Captures::find() else { return };
    let log = Read::file(&captures.path("car/mustang_s550_drive.log"));
    let original = Read::file(&captures.path("car/mustang_s550_drive.original.txt"));
    let others = ["asc", "trc", "csv", "blf"].map(|end| {
        let name = format!("car/mustang_s550_2s.{end}");
        (Read::file(&captures.path(&name)), name)
    });
    for (other, name) in
        others.iter().map(|(read, name)| (read, name.as_str())).chain([(&original, "original")])
    {
        assert_eq!(other.heard(), log.heard()[..other.frames.len()], "{name}");
        // As they were written: to a millisecond, or with the rounding of a day's fraction.
        for (theirs, ours) in other.frames.iter().zip(&log.frames) {
            let apart_micros = (theirs.0 - other.frames[0].0) - (ours.0 - log.frames[0].0);
            assert!(apart_micros.abs() <= 1_000, "{name}: {apart_micros} µs");
        }
    }
    // Three of them say when it began (820 s after 1970 there); this BLF has no date.
    for (other, name) in others.iter().filter(|(read, _)| read.format != Format::VectorBlf) {
        assert!((other.frames[0].0 - log.frames[0].0).abs() <= 1_000, "{name}");
    }
}

#[test]
fn one_car_in_three_formats_of_savvycan_gives_the_same_frames() {
    let Some(captures) = Captures::find() else { return };
    let expected = captures.json("expected/formats.json");
    let log = Read::file(&path(&captures, "savvycan_candump.log"));
    let mut compared = 0;
    for (name, counts) in expected.as_object().expect("files") {
        if counts["same_ids_and_data_as_candump_file"] == true {
            let other = Read::file(&path(&captures, name));
            assert_eq!(other.heard()[..1000], log.heard()[..1000], "{name}");
            compared += 1;
        }
    }
    assert_eq!(compared, 2);
}

#[test]
fn lines_of_an_adapter_are_the_beginning_of_the_log_made_of_them() {
    let Some(captures) = Captures::find() else { return };
    let lines = Read::file(&path(&captures, "eti_rp1210_lines.txt"));
    let log = Read::file(&captures.path("j1939/eti_truck_keyon_2021.log"));
    assert_eq!(lines.heard(), log.heard()[..lines.frames.len()]);
    assert_eq!(lines.frames[0].0, log.frames[0].0, "the time is that of the adapter");
}

#[test]
fn small_logs_with_line_numbers_or_in_short_form_are_read_whole() {
    let Some(captures) = Captures::find() else { return };
    let mut files = 0;
    for entry in fs::read_dir(captures.path("formats")).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("pretty_j1939_")) {
            let read = Read::file(&path);
            let lines = fs::read_to_string(&path).expect("text").lines().count();
            assert_eq!(read.frames.len(), lines, "{}", path.display());
            files += 1;
        }
    }
    assert!(files >= 6);
}
