//! Both sides against each other, through channels that do harm.

use super::*;
use crate::isotp::{Heard, ReceivingEnd, TargetType, Terms, timing::LISTENING_MICROS};
use proptest::prelude::*;
use std::collections::VecDeque;
use vernport_types::CanId;

const START: BootMicros = BootMicros(1_000_000);
const STANDARD: Link = Link::normal(CanId::Standard(0x7E0), CanId::Standard(0x7E8));

fn links() -> [Link; 6] {
    let (a, b) = (CanId::Standard(0x6F1), CanId::Standard(0x612));
    let (c, d) = (CanId::Extended(0x1BC_0001), CanId::Extended(0x1BC_0002));
    [
        STANDARD,
        Link::normal_fixed(0xF1, 0x10, TargetType::Physical),
        Link::extended(a, b, 0xF1, 0x12),
        Link::extended(c, d, 0xF1, 0x12),
        Link::mixed(a, b, 0x99),
        Link::mixed_fixed(0xF1, 0x10, 0x99, TargetType::Physical),
    ]
}

fn message(length: usize) -> Vec<u8> {
    (0..length).map(|place| u8::try_from(place * 7 % 251).expect("below 251")).collect()
}

/// What the channel does to the frames of one direction, frame by frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Harm {
    Nothing,
    Lose,
    Repeat,
    /// Lets the next one pass first.
    HoldBack,
    DelayMicros(u64),
}

/// A message through a harmful channel: how the sender ended, and what arrived.
fn transfer(
    (sender, end): (&mut Sender, &mut ReceivingEnd),
    message: &[u8],
    harms: &[Harm],
) -> (Progress, Vec<Vec<u8>>) {
    let mut harms = harms.iter().copied();
    let mut on_the_bus: VecDeque<(BootMicros, CanFrame)> = VecDeque::new();
    let mut held: Option<CanFrame> = None;
    let mut now = START;
    let mut arrived = Vec::new();
    sender.start(message, now).expect("nothing is under way");
    // Each turn sends, delivers, or moves time on to the next thing due.
    for _ in 0..100_000 {
        let sent = sender.poll(now).inspect(|_| sender.handed_over(now)).or_else(|| end.poll(now));
        if let Some(frame) = sent {
            let mut at = now;
            match harms.next().unwrap_or(Harm::Nothing) {
                Harm::Lose => continue,
                Harm::HoldBack if held.is_none() => {
                    held = Some(frame);
                    continue;
                }
                Harm::Repeat => on_the_bus.push_back((at, frame)),
                Harm::DelayMicros(micros) => at = after(now, micros),
                Harm::Nothing | Harm::HoldBack => {}
            }
            on_the_bus.push_back((at, frame));
            on_the_bus.extend(held.take().map(|frame| (at, frame)));
            continue;
        }
        if let Some((at, frame)) = on_the_bus.pop_front() {
            now = now.max(at);
            end.expire(now);
            if let Heard::Message(message) = end.push(&frame, now).heard {
                arrived.push(message.to_vec());
            }
            sender.push(&frame, now);
            continue;
        }
        let Some(due) = sender.next_due().into_iter().chain(end.next_due()).min() else { break };
        now = now.max(due);
        end.expire(now);
    }
    (sender.progress(), arrived)
}

fn ends(link: Link, format: Format, terms: Terms) -> (Sender, ReceivingEnd) {
    (Sender::new(link, format).expect("a size of CAN"), ReceivingEnd::new(link.turned(), terms))
}

fn formats() -> impl Iterator<Item = Format> {
    let sizes = [8].into_iter().chain(FD_SIZES);
    sizes.flat_map(|frame_bytes| {
        [None, Some(0x55)].map(|padding| Format { frame_bytes, padding, ..Format::default() })
    })
}

#[test]
fn every_addressing_and_size_of_frame_carries_every_length() {
    let edges = [1..=140, 250..=260, 4_085..=4_105, 5_000..=5_000];
    let terms = Terms { max_bytes: 5_000, ..Terms::default() };
    for link in links() {
        for format in formats() {
            let (mut sender, mut end) = ends(link, format, terms);
            for length in edges.iter().cloned().flatten() {
                let message = message(length);
                let (progress, arrived) = transfer((&mut sender, &mut end), &message, &[]);
                assert_eq!(progress, Progress::Sent, "{link:?} {format:?} {length}");
                assert!(arrived == [message], "{link:?} {format:?} {length}");
            }
        }
    }
}

#[test]
fn frames_are_the_bytes_that_the_standard_draws() {
    let frames = |link, format, length| {
        let (mut sender, mut end) = ends(link, format, Terms::default());
        let mut frames = Vec::new();
        sender.start(&message(length), START).expect("nothing is under way");
        while let Some(frame) = sender.poll(START) {
            sender.handed_over(START);
            frames.push((frame.kind(), hex::encode_upper(frame.data())));
            end.push(&frame, START);
            if let Some(frame) = end.poll(START) {
                sender.push(&frame, START);
            }
        }
        frames
    };
    let classic = |text: &str| (FrameKind::Data, text.to_owned());
    let fd = |text: &str| (FrameKind::FdData, text.to_owned());
    let bare = Format { padding: None, ..Format::default() };
    assert_eq!(frames(STANDARD, bare, 2), [classic("020007")]);
    assert_eq!(frames(STANDARD, Format::default(), 2), [classic("020007CCCCCCCCCC")]);
    assert_eq!(frames(STANDARD, bare, 8), [classic("100800070E151C23"), classic("212A31")]);
    let extended = Link::extended(CanId::Standard(1), CanId::Standard(2), 0xF1, 0x12);
    assert_eq!(frames(extended, bare, 7), [classic("12100700070E151C"), classic("1221232A")]);
    let long = Format { frame_bytes: 64, ..bare };
    assert_eq!(frames(STANDARD, long, 7), [fd("0700070E151C232A")]);
    assert_eq!(frames(STANDARD, long, 9), [fd("000900070E151C232A3138CC")]);
    assert_eq!(frames(STANDARD, bare, 4_096)[0], classic("1000000010000007"));
}

#[test]
fn a_sender_obeys_block_size_and_gap() {
    let (mut sender, _) = ends(STANDARD, Format::default(), Terms::default());
    sender.start(&message(40), START).expect("nothing is under way");
    let mut send = |now| {
        let frame = sender.poll(now);
        sender.handed_over(now);
        (frame.map(|frame| frame.data()[0]), sender.next_due())
    };
    assert_eq!(send(START), (Some(0x10), Some(after(START, N_BS_MICROS + 1))));
    let (flow, now) = (hear(0x30, 2, 0xF2), after(START, 5));
    sender.push(&flow, now);
    let mut send = |now| {
        let frame = sender.poll(now);
        sender.handed_over(now);
        (frame.map(|frame| frame.data()[0]), sender.next_due())
    };
    assert_eq!(send(now), (Some(0x21), Some(after(now, 200))));
    assert_eq!(send(after(now, 199)), (None, Some(after(now, 200))));
    assert_eq!(send(after(now, 200)), (Some(0x22), Some(after(now, 200 + N_BS_MICROS + 1))));
    assert_eq!(send(after(now, 300)).0, None, "the block is at its end");
    sender.push(&hear(0x30, 0, 0xFA), after(now, 300));
    assert_eq!(sender.poll(after(now, 300)).expect("goes on").data()[0], 0x23);
    sender.handed_over(after(now, 300));
    assert_eq!(sender.next_due(), Some(after(now, 127_300)), "a reserved gap is the longest");
}

fn hear(status: u8, block_size: u8, gap: u8) -> CanFrame {
    CanFrame::data_frame(CanId::Standard(0x7E8), &[status, block_size, gap]).expect("short")
}

#[test]
fn a_sender_gives_up_for_the_reasons_of_the_standard() {
    type Act = fn(&mut Sender);
    let late = after(START, N_BS_MICROS + 1);
    let acts: [(Failure, Act); 5] = [
        (Failure::NotHandedOver, |sender| assert!(sender.poll(START).is_some())),
        (Failure::NoFlowControl, |sender| {
            sender.poll(START);
            sender.handed_over(START);
            // What is no flow control of this link is none.
            sender.push(&CanFrame::data_frame(CanId::Standard(0x7E9), &[0x30, 0, 0]).expect("short"), START);
            sender.push(&hear(0x02, 0, 0), START);
        }),
        (Failure::Overflow, |sender| {
            sender.poll(START);
            sender.push(&hear(0x32, 0, 0), START);
        }),
        (Failure::ReservedStatus, |sender| {
            sender.poll(START);
            sender.push(&hear(0x33, 0, 0), START);
        }),
        (Failure::TooManyWaits, |sender| {
            sender.poll(START);
            for _ in 0..=8 {
                assert_eq!(sender.progress(), Progress::Sending);
                sender.push(&hear(0x31, 0, 0), START);
            }
        }),
    ];
    for (failure, act) in acts {
        let mut sender = Sender::new(STANDARD, Format::default()).expect("8 bytes");
        sender.start(&message(20), START).expect("nothing is under way");
        act(&mut sender);
        assert_eq!(sender.poll(late), None);
        assert_eq!(sender.progress(), Progress::Failed(failure));
        assert_eq!(sender.start(&message(20), late), Ok(()), "the next one may try");
    }
}

#[test]
fn what_cannot_be_sent_is_refused() {
    let mut sender = Sender::new(STANDARD, Format::default()).expect("8 bytes");
    assert_eq!(sender.start(&[], START), Err(StartError::Empty));
    assert_eq!(sender.start(&[1], START), Ok(()));
    assert_eq!(sender.start(&[1], START), Err(StartError::Busy));
    for frame_bytes in [0, 7, 9, 63, 65] {
        assert!(Sender::new(STANDARD, Format { frame_bytes, ..Format::default() }).is_none());
    }
}

fn any_harm() -> impl Strategy<Value = Harm> {
    prop_oneof![
        20 => Just(Harm::Nothing),
        1 => Just(Harm::Lose),
        1 => Just(Harm::Repeat),
        1 => Just(Harm::HoldBack),
        2 => (0..2 * LISTENING_MICROS).prop_map(Harm::DelayMicros),
    ]
}

proptest! {
    #[test]
    fn through_a_channel_that_does_harm_a_message_arrives_whole_or_not_at_all(
        lengths in proptest::collection::vec(1_usize..5_000, 1..4),
        harms in proptest::collection::vec(any_harm(), 0..200),
        link in 0_usize..6,
        frame_bytes in prop_oneof![Just(8_usize), Just(12), Just(64)],
        block_size in 0_u8..20,
        gap in any::<u8>(),
    ) {
        let terms = Terms { max_bytes: 5_000, block_size, gap: Gap::from_byte(gap), ..Terms::default() };
        let format = Format { frame_bytes, ..Format::default() };
        let (mut sender, mut end) = ends(links()[link], format, terms);
        for (length, harms) in lengths.into_iter().zip(harms.chunks(60).chain(std::iter::repeat(&[][..]))) {
            let message = message(length);
            let (progress, arrived) = transfer((&mut sender, &mut end), &message, harms);
            prop_assert!(progress != Progress::Sending && progress != Progress::Idle);
            prop_assert!(arrived.iter().all(|arrived| *arrived == message), "never a part, never a mixture");
            if harms.iter().all(|harm| *harm == Harm::Nothing) {
                prop_assert_eq!((progress, arrived.len()), (Progress::Sent, 1));
            }
        }
    }
}
