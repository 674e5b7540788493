//! What holds for every format: it is told by its content, cut anywhere it gives its
//! first frames, and no bytes make it panic.

use super::*;
use proptest::prelude::*;
use vernport_types::CanId;

/// A small file of every format of lines.
const FILES: [(Format, &str); 12] = [
    (Format::CandumpLog, "(1.000000) can0 123#1122\n(1.100000) can1 18FEF100#3344\n"),
    (Format::CandumpScreen, "  can0  123   [2]  11 22\n  can1  18FEF100   [2]  33 44\n"),
    (
        Format::VectorAsc,
        "date Fri Feb 14 08:51:20 am 2020\nbase hex  timestamps absolute\n 1.0 1 123 Rx d 2 11 22\n 1.1 2 18FEF100x Rx d 2 33 44\n",
    ),
    (
        Format::PeakTrc,
        ";$FILEVERSION=1.3\n;$STARTTIME=25569\n 1) 1000.0 1 Rx 0123 - 2 11 22\n 2) 1100.0 2 Rx 18FEF100 - 2 33 44\n",
    ),
    (
        Format::GvretCsv,
        "Time Stamp,ID,Extended,Bus,LEN,D1,D2\n1000000,00000123,false,0,2,11,22,\n1100000,18FEF100,true,1,2,33,44,\n",
    ),
    (Format::Crtd, "1.0 CXX words\n1.0 R11 123 11 22\n1.1 R29 18FEF100 33 44\n"),
    (Format::GenericCsv, "ID,Data Bytes\n00000123,11 22\n18FEF100,33 44\n"),
    (
        Format::PythonCanCsv,
        "timestamp,arbitration_id,extended,remote,error,dlc,data\n1.0,0x123,0,0,0,2,ESI=\n1.1,0x18fef100,1,0,0,2,M0Q=\n",
    ),
    (
        Format::Busmaster,
        "***BUSMASTER Ver 2.4.0***\n***HEX***\n00:00:01:0000 Rx 1 0x123 s 2 11 22\n00:00:01:1000 Rx 2 0x18FEF100 x 2 33 44\n",
    ),
    (
        Format::Microchip,
        "//----\nMicrochip Technology Inc.\n1000;RX;0x123;2;0x11;0x22;\n1100;RX;0x18FEF100;2;0x33;0x44;\n",
    ),
    (Format::Rp1210, "2021-04-23 x 00:00:01.0 123 [2] 11 22\n2021-04-23 x 00:00:01.1 18FEF100 [2] 33 44\n"),
    (Format::MillisText, "1000 0x123: 11 22\n1100 0x18FEF100: 33 44\n"),
];

fn frames(reader: Reader, parts: &[&[u8]]) -> (Option<Format>, Vec<CanFrame>, Result<Counts, UnknownFormat>) {
    let (mut reader, mut frames) = (reader, Vec::new());
    let mut sink = |event: Event<'_>| {
        if let Event::Frame(line) = event {
            frames.push(line.frame);
        }
    };
    for part in parts {
        if let Err(error) = reader.push(part, &mut sink) {
            return (None, frames, Err(error));
        }
    }
    match reader.finish(&mut sink) {
        Ok((format, counts)) => (Some(format), frames, Ok(counts)),
        Err(error) => (None, frames, Err(error)),
    }
}

fn expected() -> [CanFrame; 2] {
    let frame = |id, data: &[u8]| CanFrame::data_frame(id, data).expect("short");
    [frame(CanId::Standard(0x123), &[0x11, 0x22]), frame(CanId::Extended(0x18FE_F100), &[0x33, 0x44])]
}

#[test]
fn every_format_is_told_by_its_content_and_gives_the_same_frames() {
    for (format, text) in FILES {
        let (found, read, counts) = frames(Reader::new(), &[text.as_bytes()]);
        assert_eq!((found, &read[..]), (Some(format), &expected()[..]), "{format}");
        assert_eq!(counts, Ok(Counts { frames: 2, skipped: 0 }), "{format}");
        let windows = text.replace('\n', "\r\n");
        assert_eq!(frames(Reader::new(), &[windows.as_bytes()]).1, expected(), "{format}");
    }
}

#[test]
fn a_bad_line_is_counted_and_the_next_is_read() {
    for (format, text) in FILES {
        let last = text.trim_end().rfind('\n').expect("several lines") + 1;
        let damaged = format!("{}\u{1}, ; rubbish\n{}", &text[..last], &text[last..]);
        let mut skipped = Vec::new();
        let mut reader = Reader::of(format);
        let mut sink = |event: Event<'_>| {
            if let Event::Skipped { number, reason } = event {
                skipped.push((number, reason.to_string()));
            }
        };
        reader.push(damaged.as_bytes(), &mut sink).expect("the format is known");
        let found = reader.finish(&mut sink).expect("the format is known");
        assert_eq!(found, (format, Counts { frames: 2, skipped: 1 }));
        assert_eq!(skipped[0].0, text[..last].lines().count() as u64 + 1, "{format}");
        assert!(!skipped[0].1.contains("rubbish"), "{format}: {}", skipped[0].1);
    }
}

#[test]
fn a_file_larger_than_the_head_is_read_in_pieces() {
    let text = "(1.000000) can0 123#1122\n".repeat(20_000);
    let parts: Vec<&[u8]> = text.as_bytes().chunks(7_777).collect();
    let (format, read, counts) = frames(Reader::new(), &parts);
    assert_eq!((format, read.len()), (Some(Format::CandumpLog), 20_000));
    assert_eq!(counts, Ok(Counts { frames: 20_000, skipped: 0 }));
}

#[test]
fn what_is_no_capture_says_what_was_tried_and_what_to_do() {
    for bytes in [&b"hello\nworld\n"[..], &[0x7F, b'E', b'L', b'F', 0, 1, 2], &[0xFF; 100_000]] {
        let (_, _, counts) = frames(Reader::new(), &[bytes]);
        let error = counts.expect_err("no capture").to_string();
        assert!(error.contains("Vector ASC") && error.contains("candump -l"), "{error}");
    }
    assert_eq!(frames(Reader::new(), &[b" \n"]).2, Err(UnknownFormat::Empty));
    assert_eq!(frames(Reader::new(), &[]).2, Err(UnknownFormat::Empty));
}

proptest! {
    #[test]
    fn no_bytes_make_any_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for format in Format::ALL {
            let counts = format.read(&bytes, &mut |_| {});
            prop_assert!(counts.frames + counts.skipped <= bytes.len() as u64 + 1);
        }
        let _ = frames(Reader::new(), &[&bytes]);
    }

    #[test]
    fn text_with_the_marks_of_formats_makes_none_panic(
        words in proptest::collection::vec(
            prop_oneof![
                "[0-9]{1,20}", "[0-9A-Fa-f]{1,9}x?", "\\PC{0,4}", "[\\[({][0-9]{0,11}[\\])}]",
                prop_oneof![
                    Just("\n"), Just("CANFD"), Just("Rx"), Just("d"), Just("DT"), Just("ER"), Just(";"), Just(","),
                    Just("***"), Just("R11"), Just("0x1:"), Just("00:00:01.1"), Just(";$COLUMNS=N,O,T,I,d,l,D\n"),
                    Just(";$FILEVERSION=1.3\n"), Just("base dec timestamps relative\n"), Just("ErrorFrame"),
                ]
                .prop_map(str::to_owned),
            ],
            0..40,
        ),
        blank in prop_oneof![Just(" "), Just(","), Just(";")],
    ) {
        let text = words.join(blank);
        for format in Format::ALL {
            let _ = format.read(text.as_bytes(), &mut |_| {});
        }
        let _ = frames(Reader::new(), &[text.as_bytes()]);
    }

    #[test]
    fn a_file_cut_anywhere_gives_its_first_frames(which in 0_usize..12, cut in 0_usize..200) {
        let (format, text) = FILES[which];
        let cut = cut.min(text.len());
        let bytes = &text.as_bytes()[..cut];
        let whole_lines = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let (_, read, _) = frames(Reader::of(format), &[&bytes[..whole_lines]]);
        prop_assert!(expected().starts_with(&read));
        let (_, torn, counts) = frames(Reader::of(format), &[bytes]);
        prop_assert!(torn.starts_with(&read) && torn.len() <= read.len() + 1);
        prop_assert!(counts.is_ok());
    }

    #[test]
    fn where_a_file_is_parted_does_not_matter(which in 0_usize..12, cut in 0_usize..200) {
        let (_, text) = FILES[which];
        let (first, second) = text.as_bytes().split_at(cut.min(text.len()));
        prop_assert_eq!(frames(Reader::new(), &[first, second]).1, expected());
    }
}
