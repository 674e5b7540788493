//! Long messages against a naive sender, and conversations of random frames.

use super::*;
use proptest::prelude::*;

const START: BootMicros = BootMicros(0);
const VI: u32 = super::super::pgn::VEHICLE_IDENTIFICATION;
const VIN: &[u8] = b"WDB9634031L738001*";
/// A, B and a third.
const A: u8 = 0x00;
const B: u8 = 0xF9;
const C: u8 = 0x0B;

fn id(pgn: u32, source: u8, destination: u8) -> Id {
    Id { priority: 7, pgn, destination: Some(destination), source }
}

/// A TP.CM about VI.
fn control(bytes: [u8; 5]) -> Vec<u8> {
    let [low, mid, high, _] = VI.to_le_bytes();
    [&bytes[..], &[low, mid, high]].concat()
}

fn announce(kind: u8, message: &[u8]) -> Vec<u8> {
    let [low, high] = u16::try_from(message.len()).expect("at most 1785").to_le_bytes();
    control([kind, low, high, u8::try_from(message.len().div_ceil(7)).expect("at most 255"), 0xFF])
}

fn packets(message: &[u8]) -> Vec<Vec<u8>> {
    let packet = |(part, number): (&[u8], u8)| {
        let mut packet = vec![0xFF; 8];
        packet[0] = number;
        packet[1..=part.len()].copy_from_slice(part);
        packet
    };
    message.chunks(7).zip(1..).map(packet).collect()
}

/// A bus on which VI is wanted.
#[derive(Default)]
struct Bus {
    transport: Transport,
    now: u64,
    messages: Vec<Vec<u8>>,
    dropped: Vec<RejectCode>,
}

impl Bus {
    fn push(&mut self, id: Id, data: &[u8]) {
        let step = self.transport.push(id, data, BootMicros(self.now), |group| group == VI);
        self.messages.extend(step.message.map(|(group, bytes)| {
            assert_eq!(group, VI);
            bytes.to_vec()
        }));
        self.dropped.extend(step.dropped);
    }

    fn say(&mut self, source: u8, destination: u8, data: &[u8]) {
        self.push(id(CONNECTION, source, destination), data);
    }

    fn send(&mut self, source: u8, destination: u8, packets: &[Vec<u8>]) {
        for packet in packets {
            self.push(id(DATA, source, destination), packet);
        }
    }

    fn broadcast(&mut self, source: u8, message: &[u8]) {
        self.say(source, Id::GLOBAL, &announce(BROADCAST_ANNOUNCE, message));
        self.send(source, Id::GLOBAL, &packets(message));
    }

    fn heard(&self) -> (Vec<&[u8]>, &[RejectCode]) {
        (self.messages.iter().map(Vec::as_slice).collect(), &self.dropped)
    }
}

#[test]
fn sizes_that_the_standard_does_not_allow_are_refused() {
    for (size, packets) in [(8_u16, 2_u8), (1786, 255), (20, 2), (20, 4), (0, 0), (u16::MAX, 255)] {
        let [low, high] = size.to_le_bytes();
        for (kind, to) in [(BROADCAST_ANNOUNCE, Id::GLOBAL), (RTS, B)] {
            let mut bus = Bus::default();
            bus.say(A, to, &control([kind, low, high, packets, 0xFF]));
            bus.send(A, to, &[vec![1; 8]]);
            assert_eq!(bus.heard(), (vec![], &[RejectCode::TransportSize][..]));
        }
    }
}

#[test]
fn a_request_to_send_to_everybody_is_not_a_broadcast_and_is_counted() {
    let mut bus = Bus::default();
    bus.say(A, Id::GLOBAL, &announce(RTS, VIN));
    bus.send(A, Id::GLOBAL, &packets(VIN));
    bus.say(A, B, &announce(BROADCAST_ANNOUNCE, VIN));
    bus.send(A, B, &packets(VIN));
    assert_eq!(bus.heard(), (vec![], &[RejectCode::TransportAddress; 2][..]));
}

#[test]
fn a_late_packet_drops_the_message_and_a_short_one_too() {
    let mut bus = Bus::default();
    bus.say(A, Id::GLOBAL, &announce(BROADCAST_ANNOUNCE, VIN));
    bus.now = T1_MICROS + 1;
    bus.send(A, Id::GLOBAL, &packets(VIN)[..1]);
    assert_eq!(bus.dropped, [RejectCode::TransportTimeout]);
    bus.say(A, Id::GLOBAL, &announce(BROADCAST_ANNOUNCE, VIN));
    let late = BootMicros(bus.now + T1_MICROS + 1);
    assert_eq!((bus.transport.expire(late), bus.transport.expire(late)), (1, 0));
    bus.say(A, Id::GLOBAL, &announce(BROADCAST_ANNOUNCE, VIN));
    bus.push(id(DATA, A, Id::GLOBAL), &packets(VIN)[0][..5]);
    assert_eq!(bus.dropped[1..], [RejectCode::TransportSequence]);
}

#[test]
fn an_unwanted_message_ends_the_one_before_and_is_not_kept() {
    let mut bus = Bus::default();
    bus.say(A, Id::GLOBAL, &announce(BROADCAST_ANNOUNCE, VIN));
    bus.say(A, Id::GLOBAL, &[32, 39, 0, 6, 0xFF, 0xE3, 0xFE, 0]);
    bus.send(A, Id::GLOBAL, &packets(VIN));
    assert_eq!(bus.heard(), (vec![], &[RejectCode::TransportSequence][..]));
}

#[test]
fn more_messages_than_the_bound_are_refused_and_room_is_used_again() {
    let mut bus = Bus::default();
    for source in 0..16 {
        bus.say(source, Id::GLOBAL, &announce(BROADCAST_ANNOUNCE, VIN));
    }
    bus.broadcast(16, VIN);
    assert_eq!(bus.heard(), (vec![], &[RejectCode::TransportBusy][..]), "the new one gives way");
    bus.send(3, Id::GLOBAL, &packets(VIN));
    bus.broadcast(16, VIN);
    assert_eq!(bus.messages.len(), 2);
    bus.now = T1_MICROS + 1;
    bus.broadcast(17, VIN);
    bus.broadcast(18, VIN);
    assert_eq!(bus.messages.len(), 4, "those overdue make room");
    assert_eq!(bus.transport.sessions.len(), MAX_SESSIONS);
}

#[test]
fn a_message_between_two_others_is_followed_whether_both_are_heard_or_one() {
    for both in [true, false] {
        let mut bus = Bus::default();
        let packets = packets(VIN);
        bus.say(A, C, &announce(RTS, VIN));
        if both {
            bus.say(C, A, &control([CTS, 2, 1, 0xFF, 0xFF]));
        }
        bus.send(A, C, &packets[..2]);
        if both {
            bus.say(C, A, &control([CTS, 0, 0xFF, 0xFF, 0xFF]));
            bus.now += T4_MICROS;
            bus.say(C, A, &control([CTS, 1, 3, 0xFF, 0xFF]));
        }
        bus.send(A, C, &packets[2..]);
        if both {
            bus.say(C, A, &announce(END_OF_MESSAGE, VIN));
        }
        assert_eq!(bus.heard(), (vec![VIN], &[][..]), "both: {both}");
    }
}

#[test]
fn packets_that_are_asked_for_again_are_taken_once_and_must_be_the_same() {
    let packets = packets(VIN);
    let mut bus = Bus::default();
    bus.say(A, B, &announce(RTS, VIN));
    bus.send(A, B, &packets[..2]);
    bus.say(B, A, &control([CTS, 2, 2, 0xFF, 0xFF]));
    bus.send(A, B, &packets[1..]);
    assert_eq!(bus.heard(), (vec![VIN], &[][..]));

    let mut other = packets[1].clone();
    other[4] ^= 1;
    bus.say(A, B, &announce(RTS, VIN));
    bus.send(A, B, &packets[..2]);
    bus.send(A, B, &[other]);
    bus.send(A, B, &packets[2..]);
    assert_eq!(bus.heard(), (vec![VIN], &[RejectCode::TransportSequence][..]));
}

#[test]
fn a_packet_that_both_missed_comes_again_and_one_that_only_we_missed_does_not() {
    let packets = packets(VIN);
    let mut bus = Bus::default();
    bus.say(A, B, &announce(RTS, VIN));
    bus.send(A, B, &[packets[0].clone(), packets[2].clone()]);
    bus.say(B, A, &control([CTS, 2, 2, 0xFF, 0xFF]));
    bus.send(A, B, &packets[1..]);
    assert_eq!(bus.heard(), (vec![VIN], &[][..]));

    let mut bus = Bus::default();
    bus.say(A, B, &announce(RTS, VIN));
    bus.send(A, B, &packets[..1]);
    bus.say(B, A, &control([CTS, 1, 3, 0xFF, 0xFF]));
    bus.send(A, B, &packets[2..]);
    assert_eq!(bus.heard(), (vec![], &[RejectCode::TransportSequence][..]));

    let mut bus = Bus::default();
    bus.say(A, B, &announce(RTS, VIN));
    bus.send(A, B, &[packets[0].clone(), packets[2].clone()]);
    bus.say(B, A, &announce(END_OF_MESSAGE, VIN));
    assert_eq!(bus.heard(), (vec![], &[RejectCode::TransportSequence][..]));
}

#[test]
fn an_abort_of_either_side_ends_the_message_and_one_of_another_group_does_not() {
    for (from, to) in [(A, B), (B, A)] {
        let mut bus = Bus::default();
        bus.say(A, B, &announce(RTS, VIN));
        bus.send(A, B, &packets(VIN)[..1]);
        bus.say(from, to, &[ABORT, 3, 0xFF, 0xFF, 0xFF, 0xE3, 0xFE, 0]);
        bus.say(C, A, &control([ABORT, 3, 0xFF, 0xFF, 0xFF]));
        assert_eq!(bus.dropped, []);
        bus.say(from, to, &control([ABORT, 3, 0xFF, 0xFF, 0xFF]));
        bus.send(A, B, &packets(VIN)[1..]);
        assert_eq!(bus.heard(), (vec![], &[RejectCode::TransportAborted][..]));
    }
}

#[test]
fn each_step_of_a_connection_has_its_time() {
    let asked = control([CTS, 2, 1, 0xFF, 0xFF]);
    let holds = control([CTS, 0, 0xFF, 0xFF, 0xFF]);
    let first = &packets(VIN)[0];
    for (steps, micros) in [
        (&[][..], T3_MICROS + T2_MICROS),
        (&[(CONNECTION, &asked)][..], T2_MICROS),
        (&[(CONNECTION, &holds)][..], T4_MICROS),
        (&[(CONNECTION, &asked), (DATA, first)][..], T1_MICROS),
        (&[(DATA, first)][..], T3_MICROS + T2_MICROS),
    ] {
        let mut bus = Bus::default();
        bus.say(A, B, &announce(RTS, VIN));
        for (pgn, data) in steps {
            let (from, to) = if *pgn == DATA { (A, B) } else { (B, A) };
            bus.push(id(*pgn, from, to), data);
        }
        assert_eq!(bus.transport.expire(BootMicros(micros)), 0);
        assert_eq!(bus.transport.expire(BootMicros(micros + 1)), 1);
    }
}

#[test]
fn the_extended_protocol_does_not_disturb() {
    let mut bus = Bus::default();
    bus.say(A, B, &announce(RTS, VIN));
    assert!(!Transport::is(0xC700) && !Transport::is(0xC800));
    // Nor do its control bytes, where somebody sends them in the group of the shorter one.
    for kind in 20..=24 {
        bus.say(A, B, &control([kind, 0, 0, 0, 0]));
        bus.say(B, A, &control([kind, 0, 0, 0, 0]));
    }
    bus.send(A, B, &packets(VIN));
    assert_eq!(bus.heard(), (vec![VIN], &[][..]));
}

#[test]
fn a_reset_forgets_what_is_under_way() {
    let mut bus = Bus::default();
    bus.say(A, Id::GLOBAL, &announce(BROADCAST_ANNOUNCE, VIN));
    bus.send(A, Id::GLOBAL, &packets(VIN)[..2]);
    bus.transport.reset();
    bus.send(A, Id::GLOBAL, &packets(VIN)[2..]);
    assert_eq!(bus.heard(), (vec![], &[][..]));
}

/// A frame of one of three units to another or to everybody.
fn frame() -> impl Strategy<Value = (Id, Vec<u8>)> {
    let unit = || prop_oneof![Just(A), Just(B), Just(C)];
    let to = prop_oneof![3 => unit(), 1 => Just(Id::GLOBAL)];
    let kind = prop_oneof![Just(RTS), Just(BROADCAST_ANNOUNCE), Just(CTS), Just(END_OF_MESSAGE), Just(ABORT)];
    let message = proptest::collection::vec(any::<u8>(), 9..40);
    let data = prop_oneof![
        (kind.clone(), message).prop_map(|(kind, message)| (CONNECTION, announce(kind, &message))),
        (kind, any::<[u8; 4]>()).prop_map(|(kind, [a, b, c, d])| (CONNECTION, control([kind, a, b, c, d]))),
        (0_u8..6, any::<[u8; 7]>()).prop_map(|(number, bytes)| (DATA, [&[number], &bytes[..]].concat())),
        (any::<bool>(), proptest::collection::vec(any::<u8>(), 0..=8))
            .prop_map(|(data, bytes)| (if data { DATA } else { CONNECTION }, bytes)),
    ];
    (unit(), to, data).prop_map(|(source, to, (pgn, data))| (id(pgn, source, to), data))
}

proptest! {
    #[test]
    fn messages_of_several_pairs_do_not_mix(
        messages in proptest::collection::vec(
            (any::<bool>(), proptest::collection::vec(any::<u8>(), 9..100)), 1..8),
    ) {
        let mut bus = Bus::default();
        let mut expected = Vec::new();
        let to = |broadcast: bool| if broadcast { Id::GLOBAL } else { B };
        for ((broadcast, message), source) in messages.iter().zip(0_u8..) {
            let kind = if *broadcast { BROADCAST_ANNOUNCE } else { RTS };
            bus.say(source, to(*broadcast), &announce(kind, message));
        }
        for turn in 0..15 {
            for ((broadcast, message), source) in messages.iter().zip(0_u8..) {
                if let Some(packet) = packets(message).get(turn) {
                    bus.send(source, to(*broadcast), std::slice::from_ref(packet));
                    if turn + 1 == packets(message).len() {
                        expected.push(message.as_slice());
                    }
                }
            }
        }
        prop_assert_eq!(bus.heard(), (expected, &[][..]));
    }

    #[test]
    fn in_a_broadcast_a_missing_or_repeated_packet_drops_and_never_joins(
        message in proptest::collection::vec(any::<u8>(), 30..100),
        at in 0_usize..4,
        repeat: bool,
    ) {
        let mut bus = Bus::default();
        let mut packets = packets(&message);
        if repeat { packets.insert(at, packets[at].clone()) } else { packets.remove(at); }
        bus.say(A, Id::GLOBAL, &announce(BROADCAST_ANNOUNCE, &message));
        bus.send(A, Id::GLOBAL, &packets);
        prop_assert_eq!(bus.heard(), (vec![], &[RejectCode::TransportSequence][..]));
    }

    /// Between two units, whatever packets are lost on the way to us, to the other or to both.
    #[test]
    fn in_a_connection_a_message_is_whole_or_dropped(
        message in proptest::collection::vec(any::<u8>(), 9..200),
        lost in proptest::collection::vec((any::<bool>(), any::<bool>()), 0..60),
        at_once in 1_u8..8,
    ) {
        let (mut bus, packets) = (Bus::default(), packets(&message));
        let mut lost = lost.into_iter();
        bus.say(A, B, &announce(RTS, &message));
        let mut next = 0;
        while next < packets.len() {
            let count = usize::from(at_once).min(packets.len() - next);
            let asked = [CTS, u8::try_from(count).expect("few"), u8::try_from(next + 1).expect("few"), 0xFF, 0xFF];
            bus.say(B, A, &control(asked));
            let mut missed = None;
            for (place, packet) in packets.iter().enumerate().skip(next).take(count) {
                let (by_us, by_them) = lost.next().unwrap_or_default();
                if !by_us { bus.send(A, B, std::slice::from_ref(packet)); }
                if by_them { missed = missed.or(Some(place)); }
            }
            next = missed.unwrap_or(next + count);
        }
        bus.say(B, A, &announce(END_OF_MESSAGE, &message));
        match bus.heard() {
            (messages, []) => prop_assert_eq!(messages, vec![message.as_slice()]),
            (messages, dropped) => prop_assert_eq!((messages.len(), dropped), (0, &[RejectCode::TransportSequence][..])),
        }
    }

    #[test]
    fn random_frames_never_panic_nor_grow(frames in proptest::collection::vec(frame(), 0..300)) {
        let mut bus = Bus::default();
        for (id, data) in frames {
            bus.push(id, &data);
            prop_assert!(bus.transport.sessions.len() <= MAX_SESSIONS);
            for session in &bus.transport.sessions {
                prop_assert!(session.bytes.capacity() <= 2 * MAX_MESSAGE_BYTES);
            }
        }
        for message in &bus.messages {
            prop_assert!((MIN_MESSAGE_BYTES..=MAX_MESSAGE_BYTES).contains(&message.len()));
        }
    }
}

#[test]
fn nothing_shown_holds_bytes_of_a_message() {
    let mut transport = Transport::default();
    let wanted = |_: u32| true;
    transport.push(id(CONNECTION, A, B), &announce(RTS, VIN), START, wanted);
    for packet in packets(VIN) {
        let shown = format!("{:?}", transport.push(id(DATA, A, B), &packet, START, wanted));
        assert!(!shown.contains("87") && !shown.contains("WDB"), "{shown}");
    }
}
