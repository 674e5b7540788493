//! Golden frames of answers, and the asker's flow control.

use super::*;

const SENDER: Sender = Sender { id: CanId::Standard(0x7E8), extension: None };
const START: BootMicros = BootMicros(0);

fn answerer() -> Answerer {
    Answerer::new(SENDER, Transport::Sound)
}

/// Everything that comes by then, with its time.
fn run(answerer: &mut Answerer, until: u64) -> Vec<(u64, Vec<u8>)> {
    let mut said = Vec::new();
    while answerer.next_due() <= BootMicros(until) {
        let now = answerer.next_due();
        said.extend(answerer.on_tick(now).map(|frame| (now.0, frame.data().to_vec())));
    }
    said
}

fn numbers(said: &[(u64, Vec<u8>)]) -> Vec<(u64, u8)> {
    said.iter().map(|(at, data)| (*at, data[0])).collect()
}

#[test]
fn a_short_answer_is_one_frame_and_a_long_one_waits_for_flow_control() {
    let mut answerer = answerer();
    let single = answerer.answer(&[0x41, 0x0D, 80], Form::Classic, START).expect("a frame");
    assert_eq!(single.data(), [3, 0x41, 0x0D, 80, 0xAA, 0xAA, 0xAA, 0xAA]);
    assert_eq!(answerer.next_due(), NEVER);

    let payload: Vec<u8> = (0..20).collect();
    let first = answerer.answer(&payload, Form::Classic, START).expect("a frame");
    assert_eq!(first.data(), [0x10, 20, 0, 1, 2, 3, 4, 5]);
    assert_eq!(answerer.on_tick(BootMicros(999_999)), None);
    let second = answerer.on_flow_control([0x30, 0, 0], BootMicros(999_999)).expect("at once");
    assert_eq!(second.data(), [0x21, 6, 7, 8, 9, 10, 11, 12]);
    assert_eq!(
        run(&mut answerer, 2_000_000),
        [(999_999 + UNASKED_PAUSE_MICROS, vec![0x22, 13, 14, 15, 16, 17, 18, 19])]
    );
    assert_eq!(answerer.next_due(), NEVER);
}

#[test]
fn the_asker_sets_the_pace_and_the_block_size() {
    let mut answerer = answerer();
    answerer.answer(&[0; 34], Form::Classic, START).expect("a first frame and four more");
    assert_eq!(answerer.on_flow_control([0x30, 2, 20], BootMicros(100)).expect("one").data()[0], 0x21);
    assert_eq!(answerer.on_tick(BootMicros(20_099)), None);
    assert_eq!(answerer.on_tick(BootMicros(20_100)).expect("one").data()[0], 0x22);
    assert_eq!(answerer.on_tick(BootMicros(60_000)), None, "the block is over");
    assert_eq!(answerer.on_flow_control([0x31, 0, 0], BootMicros(900_000)), None, "told to wait");
    assert_eq!(
        answerer.on_flow_control([0x30, 0, 0xF1], BootMicros(1_800_000)).expect("one").data()[0],
        0x23
    );
    assert_eq!(numbers(&run(&mut answerer, 2_000_000)), [(1_800_100, 0x24)]);
}

#[test]
fn every_separation_time_is_kept_and_a_reserved_one_is_the_longest() {
    for (separation, pause) in [
        (0x00, 250),
        (0x01, 1_000),
        (0x7F, 127_000),
        (0x80, 127_000),
        (0xF0, 127_000),
        (0xF1, 100),
        (0xF9, 900),
        (0xFA, 127_000),
        (0xFF, 127_000),
    ] {
        let mut answerer = answerer();
        answerer.answer(&[0; 27], Form::Classic, START).expect("a first frame and three more");
        answerer.on_flow_control([0x30, 0, separation], START).expect("one at once");
        assert_eq!(
            numbers(&run(&mut answerer, 1_000_000)),
            [(pause, 0x22), (2 * pause, 0x23)],
            "{separation:02X}"
        );
    }
}

#[test]
fn a_late_caller_gets_one_frame_at_a_time() {
    let mut answerer = answerer();
    answerer.answer(&[0; 34], Form::Classic, START).expect("a first frame");
    answerer.on_flow_control([0x30, 0, 1], START).expect("one at once");
    assert!(answerer.on_tick(BootMicros(900_000)).is_some());
    assert_eq!(answerer.on_tick(BootMicros(900_000)), None, "the pause counts from what was sent");
    assert_eq!(answerer.next_due(), BootMicros(901_000));
}

#[test]
fn silence_overflow_a_wrong_status_and_a_new_answer_end_the_old_one() {
    let clear = [0x30, 0, 0];
    let begun = || {
        let mut answerer = answerer();
        answerer.answer(&[0; 20], Form::Classic, START).expect("a first frame");
        answerer
    };
    let mut waited = begun();
    assert_eq!(waited.on_tick(BootMicros(1_000_000)), None);
    assert_eq!(waited.on_flow_control(clear, BootMicros(1_000_001)), None, "too late");
    for status in [0x32, 0x33, 0x3F] {
        let mut refused = begun();
        assert_eq!(refused.on_flow_control([status, 0, 0], BootMicros(1)), None);
        assert_eq!(refused.on_flow_control(clear, BootMicros(2)), None, "{status:02X}");
        assert_eq!(refused.next_due(), NEVER);
    }
    let mut asked_anew = begun();
    asked_anew.answer(&[1; 3], Form::Classic, BootMicros(1)).expect("a single frame");
    assert_eq!(asked_anew.on_flow_control(clear, BootMicros(2)), None, "the old answer is gone");
}

#[test]
fn sequence_numbers_wrap_from_15_to_0_and_too_long_or_empty_is_not_sent() {
    let mut answerer = answerer();
    answerer.answer(&[0; 6 + 17 * 7], Form::Classic, START).expect("a first frame");
    answerer.on_flow_control([0x30, 0, 0], START);
    let said: Vec<u8> =
        numbers(&run(&mut answerer, 1_000_000)).into_iter().map(|(_, number)| number).collect();
    assert_eq!(said[12..], [0x2E, 0x2F, 0x20, 0x21]);
    assert!(answerer.answer(&[0; MAX_BYTES + 1], Form::Classic, START).is_none());
    assert!(answerer.answer(&[], Form::Classic, START).is_none());
}

#[test]
fn with_extended_addressing_the_address_comes_first() {
    let sender = Sender { id: CanId::Standard(0x660), extension: Some(0xF1) };
    let mut answerer = Answerer::new(sender, Transport::Sound);
    let single = answerer.answer(&[1, 2, 3, 4, 5, 6], Form::Classic, START).expect("a frame");
    assert_eq!(single.data(), [0xF1, 6, 1, 2, 3, 4, 5, 6]);
    let first = answerer.answer(&[1, 2, 3, 4, 5, 6, 7], Form::Classic, START).expect("a frame");
    assert_eq!(first.data(), [0xF1, 0x10, 7, 1, 2, 3, 4, 5]);
    let rest = answerer.on_flow_control([0x30, 0, 0], START).expect("a frame");
    assert_eq!(rest.data(), [0xF1, 0x21, 6, 7, 0xAA, 0xAA, 0xAA, 0xAA]);
}

#[test]
fn in_can_fd_a_frame_carries_62_bytes_and_has_a_length_that_exists() {
    let mut answerer = answerer();
    let lengths = |payload: usize| {
        let mut answerer = Answerer::new(SENDER, Transport::Sound);
        let frame = answerer.answer(&vec![7; payload], Form::Fd, START).expect("a frame");
        assert_eq!(frame.kind(), FrameKind::FdData);
        (frame.data().len(), frame.data()[0], frame.data()[1])
    };
    assert_eq!(lengths(7), (8, 7, 7));
    assert_eq!(lengths(8), (12, 0, 8));
    assert_eq!(lengths(20), (24, 0, 20));
    assert_eq!(lengths(62), (64, 0, 62));
    assert_eq!(lengths(63), (64, 0x10, 63));

    let payload: Vec<u8> = (0..200).collect();
    let first = answerer.answer(&payload, Form::Fd, START).expect("a frame");
    assert_eq!((first.data()[..2].to_vec(), first.data()[2..].len()), (vec![0x10, 200], 62));
    let second = answerer.on_flow_control([0x30, 0, 0], START).expect("a frame");
    assert_eq!((second.data()[0], &second.data()[1..]), (0x21, &payload[62..125]));
    let rest = run(&mut answerer, 10_000);
    assert_eq!(rest[0].1[1..], payload[125..188]);
    assert_eq!(rest[1].1, [vec![0x23], payload[188..].to_vec(), vec![0xAA; 3]].concat(), "13 bytes in 16");
}

#[test]
fn the_faults_of_long_answers_are_seen() {
    let mut skipping = Answerer::new(SENDER, Transport::OutOfSequence);
    skipping.answer(&[0; 20], Form::Classic, START).expect("a first frame");
    assert_eq!(skipping.on_flow_control([0x30, 0, 0], START).expect("one").data()[0], 0x22);

    let mut ending = Answerer::new(SENDER, Transport::NoConsecutiveFrames);
    ending.answer(&[0; 20], Form::Classic, START).expect("a first frame");
    assert_eq!(ending.on_flow_control([0x30, 0, 0], START), None);
    assert_eq!(ending.next_due(), NEVER);
    assert!(ending.answer(&[0; 7], Form::Classic, START).is_some(), "short answers are sound");
}
