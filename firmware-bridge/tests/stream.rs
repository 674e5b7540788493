//! Streams of packets: whole, torn, noisy, from a later version.

mod strategies;

use heapless::Vec;
use proptest::prelude::*;
use strategies::message;
use vernport_wire::{
    CanFrame, CanId, Credit, DecodeError, Decoder, EncodeError, Filter, FilterSet, FrameKind, Heartbeat,
    Hello, MAX_FILTERS, MAX_PACKET_BYTES, Message, VERSION, agree, encode,
};

type Decoded = Result<Message, DecodeError>;

fn packet(message: &Message) -> std::vec::Vec<u8> {
    encode(message, &mut [0; MAX_PACKET_BYTES]).expect("well formed").to_vec()
}

fn decode(bytes: &[u8]) -> std::vec::Vec<Decoded> {
    let mut decoder = Decoder::default();
    bytes.iter().filter_map(|byte| decoder.push(*byte)).collect()
}

/// A packet with these bytes before the checksum, stuffed by the textbook: a
/// code for each run up to a zero, all runs short.
fn raw_packet(head: &[u8]) -> std::vec::Vec<u8> {
    let checksum = crc::Crc::<u32>::new(&crc::CRC_32_ISCSI).checksum(head);
    let raw = [head, &checksum.to_le_bytes()].concat();
    let mut packet = std::vec::Vec::new();
    for run in raw.split(|byte| *byte == 0) {
        packet.push(u8::try_from(run.len() + 1).expect("a short run"));
        packet.extend_from_slice(run);
    }
    packet.push(0);
    packet
}

#[test]
fn the_longest_message_fits_a_packet() {
    let filter = Filter { id: CanId::Extended(0x1FFF_FFFF), mask: u32::MAX };
    let filters = std::iter::repeat_n(filter, MAX_FILTERS).collect();
    let longest = Message::FilterSet(FilterSet { bus: 255, filters });
    assert_eq!(decode(&packet(&longest)), [Ok(longest)]);
}

#[test]
fn runs_of_every_length_around_the_longest_of_cobs_come_back() {
    // 4 bytes of head, mask and count vary with the filters: every length of
    // packet up to the longest is passed through.
    for count in 0..=MAX_FILTERS {
        for mask in [0x80, 0x4000, 0x0020_0000, u32::MAX] {
            let filter = Filter { id: CanId::Extended(0x1FFF_FFFF), mask };
            let set = FilterSet { bus: 1, filters: std::iter::repeat_n(filter, count).collect() };
            let message = Message::FilterSet(set);
            assert_eq!(decode(&packet(&message)), [Ok(message)]);
        }
    }
}

#[test]
fn zeros_between_packets_are_nothing_and_a_torn_packet_costs_only_itself() {
    let first = Message::Credit(Credit { frames: 1 });
    let second = Message::Heartbeat(Heartbeat { sequence: 2, dropped_frames: 0 });
    let bytes = [&[0, 0][..], &packet(&first), &[0], &packet(&second)[..4], &[0], &packet(&second)].concat();
    let decoded = decode(&bytes);
    assert_eq!(decoded[0], Ok(first));
    assert!(decoded[1].is_err());
    assert_eq!(decoded[2], Ok(second));
    assert_eq!(decoded.len(), 3);
}

#[test]
fn each_way_to_be_wrong_has_its_own_name() {
    let credit = [VERSION, 4, 1];
    assert!(decode(&raw_packet(&credit))[0].is_ok(), "the packets of this test are like real ones");
    let mut noisy = raw_packet(&credit);
    noisy[3] ^= 0x10;
    let mut endless = vec![0xFF; 3 * MAX_PACKET_BYTES];
    endless.push(0);
    for (bytes, error) in [
        (noisy, DecodeError::Checksum),
        (endless, DecodeError::TooLong),
        (vec![9, 1, 1, 0], DecodeError::Torn),
        (vec![2, 1, 0], DecodeError::Torn),
        (raw_packet(&[VERSION]), DecodeError::Torn),
        (raw_packet(&[0, 4, 1]), DecodeError::Version(0)),
        (raw_packet(&[VERSION + 1, 4, 1]), DecodeError::Version(VERSION + 1)),
        (raw_packet(&[VERSION, 0]), DecodeError::Kind(0)),
        (raw_packet(&[VERSION, 12]), DecodeError::Kind(12)),
        (raw_packet(&[VERSION, 4]), DecodeError::Body),
        (raw_packet(&[VERSION, 4, 1, 1]), DecodeError::Body),
        // 9 bytes in a classic frame; an 11-bit identifier of 12 bits; more filters than fit.
        (raw_packet(&[VERSION, 3, 1, 1, 0, 1, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9]), DecodeError::Body),
        (raw_packet(&[VERSION, 3, 1, 1, 0, 0x80, 0x10, 0, 0]), DecodeError::Body),
        (raw_packet(&[VERSION, 5, 1, 33]), DecodeError::Body),
        // Neither true nor false.
        (raw_packet(&[VERSION, 9, 1, 2]), DecodeError::Body),
    ] {
        assert_eq!(decode(&bytes), [Err(error)], "{bytes:02X?}");
    }
}

#[test]
fn what_contradicts_itself_or_finds_no_room_is_not_sent() {
    let data = Vec::from_slice(&[0; 9]).expect("short");
    let frame = |id, kind| Message::CanFrame(CanFrame { bus: 0, at_micros: 0, id, kind, data: data.clone() });
    let mut buffer = [0; MAX_PACKET_BYTES];
    for bad in [
        frame(CanId::Standard(1), FrameKind::Data),
        frame(CanId::Standard(1), FrameKind::Remote),
        frame(CanId::Standard(0x800), FrameKind::FdData),
        frame(CanId::Extended(0x2000_0000), FrameKind::FdData),
    ] {
        assert_eq!(encode(&bad, &mut buffer), Err(EncodeError::Malformed));
    }
    let good = frame(CanId::Standard(1), FrameKind::FdData);
    let length = packet(&good).len();
    for short in 0..length {
        assert_eq!(encode(&good, &mut buffer[..short]), Err(EncodeError::NoRoom), "{short}");
    }
    assert!(encode(&good, &mut buffer[..length]).is_ok());
}

#[test]
fn the_newest_version_in_common_is_spoken() {
    let hello = |lowest, highest| Hello { lowest, highest, session: 0 };
    assert_eq!(agree(&hello(1, 1)), Some(1));
    assert_eq!(agree(&hello(1, 200)), Some(VERSION));
    assert_eq!(agree(&hello(VERSION + 1, 200)), None);
    assert_eq!(agree(&hello(0, 0)), None);
}

#[test]
fn a_filter_passes_its_format_and_the_bits_of_its_mask() {
    let pgn = Filter { id: CanId::Extended(0x00FE_C100), mask: 0x03FF_FF00 };
    assert!(pgn.passes(CanId::Extended(0x18FE_C117)));
    assert!(!pgn.passes(CanId::Extended(0x18FE_C217)));
    let answers = Filter { id: CanId::Standard(0x7E8), mask: 0x7F8 };
    assert!(answers.passes(CanId::Standard(0x7EF)));
    assert!(!answers.passes(CanId::Standard(0x7E0)));
    assert!(!answers.passes(CanId::Extended(0x7E8)));
}

proptest! {
    #[test]
    fn every_message_comes_back_and_its_packet_has_one_zero_at_the_end(message in message()) {
        let packet = packet(&message);
        prop_assert_eq!(packet.iter().position(|byte| *byte == 0), Some(packet.len() - 1));
        prop_assert_eq!(decode(&packet), [Ok(message)]);
    }

    #[test]
    fn garbage_never_panics_and_the_next_packet_is_heard(
        garbage in prop::collection::vec(any::<u8>(), 0..1200),
        message in message(),
    ) {
        let bytes = [&garbage[..], &[0], &packet(&message)].concat();
        prop_assert_eq!(decode(&bytes).pop(), Some(Ok(message)));
    }

    #[test]
    fn a_flipped_bit_is_never_taken_for_a_message(message in message(), at in any::<prop::sample::Index>(), bit in 0..8) {
        let mut bytes = packet(&message);
        let at = at.index(bytes.len() - 1);
        bytes[at] ^= 1u8 << bit;
        prop_assert!(decode(&bytes).iter().all(Result::is_err));
    }

    #[test]
    fn any_bytes_behind_a_good_checksum_are_a_message_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let head = [&[VERSION], &bytes[..]].concat();
        for decoded in decode(&raw_packet(&head)).into_iter().flatten() {
            prop_assert!(decoded.is_well_formed());
            prop_assert_eq!(decode(&packet(&decoded)), [Ok(decoded)]);
        }
    }
}
