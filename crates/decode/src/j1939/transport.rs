//! Long broadcast messages (BAM, SAE J1939-21, 5.10): 9 to 1785 bytes in packets of 7.
//!
//! One message a source address can be under way, as the standard has it, and
//! a bounded number in all. Only groups that somebody wants are put together.
//! A message is given out whole or not at all.
//!
//! ```text
//! TP.CM_BAM  20 size(2) packets FF group(3)     to everybody
//! TP.DT      number, 7 bytes                    to everybody
//! ```

use crate::RejectCode;
use vernport_types::BootMicros;

/// Connection management (TP.CM).
pub const CONNECTION: u32 = 0xEC00;
/// Data transfer (TP.DT).
pub const DATA: u32 = 0xEB00;

/// How many messages are followed at once.
pub const MAX_SESSIONS: usize = 16;
/// The longest message: 255 packets.
pub const MAX_MESSAGE_BYTES: usize = 1785;
/// How long the next packet may take (T1, SAE J1939-21, 5.10.2.4).
pub const T1_MICROS: u64 = 750_000;

const BROADCAST_ANNOUNCE: u8 = 32;

/// What one packet did.
#[derive(PartialEq, Eq)]
pub struct Step<'a> {
    /// Why a message under way, or this one, was dropped.
    pub dropped: Option<RejectCode>,
    /// The group and bytes of a message that is now whole.
    pub message: Option<(u32, &'a [u8])>,
}

impl std::fmt::Debug for Step<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let group = self.message.map(|(group, bytes)| (group, bytes.len()));
        f.debug_struct("Step").field("dropped", &self.dropped).field("message", &group).finish()
    }
}

/// Puts the long messages of one bus together.
#[derive(Default)]
pub struct Broadcasts {
    sessions: Vec<Session>,
}

struct Session {
    source: u8,
    group: u32,
    size: usize,
    next: u8,
    deadline: BootMicros,
    active: bool,
    bytes: Vec<u8>,
}

impl std::fmt::Debug for Broadcasts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let under_way = self.sessions.iter().filter(|session| session.active).count();
        f.debug_struct("Broadcasts").field("under_way", &under_way).finish()
    }
}

impl Broadcasts {
    /// Takes a TP.CM that was sent to everybody. Groups that are not `wanted` are not followed.
    pub fn announce(
        &mut self,
        source: u8,
        data: &[u8],
        now: BootMicros,
        wanted: impl FnOnce(u32) -> bool,
    ) -> Option<RejectCode> {
        let &[BROADCAST_ANNOUNCE, size_low, size_high, packets, _, low, mid, high] = data else {
            return None;
        };
        // A new announcement of a source ends what it had under way, wanted or not.
        let cut_off = self.active(source).map(|session| {
            session.active = false;
            RejectCode::TransportSequence
        });
        let group = u32::from_le_bytes([low, mid, high, 0]);
        if !wanted(group) {
            return cut_off;
        }
        let size = usize::from(u16::from_le_bytes([size_low, size_high]));
        if !(9..=MAX_MESSAGE_BYTES).contains(&size) || usize::from(packets) != size.div_ceil(7) {
            return Some(RejectCode::TransportSize);
        }
        let Some(session) = self.free() else { return Some(RejectCode::TransportBusy) };
        session.bytes.clear();
        *session = Session {
            source,
            group,
            size,
            next: 1,
            deadline: BootMicros(now.0.saturating_add(T1_MICROS)),
            active: true,
            bytes: std::mem::take(&mut session.bytes),
        };
        cut_off
    }

    /// Takes a TP.DT that was sent to everybody.
    pub fn packet(&mut self, source: u8, data: &[u8], now: BootMicros) -> Step<'_> {
        let dropped = |code| Step { dropped: code, message: None };
        let Some(session) = self.active(source) else { return dropped(None) };
        if now > session.deadline {
            session.active = false;
            return dropped(Some(RejectCode::TransportTimeout));
        }
        let &[number, ref packet @ ..] = data else { return dropped(None) };
        if number != session.next || packet.len() != 7 {
            session.active = false;
            return dropped(Some(RejectCode::TransportSequence));
        }
        let missing = session.size - session.bytes.len();
        session.bytes.extend_from_slice(&packet[..missing.min(7)]);
        if missing <= 7 {
            session.active = false;
            return Step { dropped: None, message: Some((session.group, &session.bytes)) };
        }
        session.next = session.next.wrapping_add(1);
        session.deadline = BootMicros(now.0.saturating_add(T1_MICROS));
        dropped(None)
    }

    /// Drops messages whose next packet is overdue; how many there were.
    pub fn expire(&mut self, now: BootMicros) -> usize {
        let late = self.sessions.iter_mut().filter(|session| session.active && now > session.deadline);
        late.map(|session| session.active = false).count()
    }

    /// Forgets what is under way.
    pub fn reset(&mut self) {
        self.sessions.clear();
    }

    fn active(&mut self, source: u8) -> Option<&mut Session> {
        self.sessions.iter_mut().find(|session| session.active && session.source == source)
    }

    fn free(&mut self) -> Option<&mut Session> {
        if let Some(at) = self.sessions.iter().position(|session| !session.active) {
            return self.sessions.get_mut(at);
        }
        if self.sessions.len() == MAX_SESSIONS {
            return None;
        }
        self.sessions.push(Session {
            source: 0,
            group: 0,
            size: 0,
            next: 0,
            deadline: BootMicros(0),
            active: false,
            bytes: Vec::new(),
        });
        self.sessions.last_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START: BootMicros = BootMicros(0);
    const VI: u32 = super::super::pgn::VEHICLE_IDENTIFICATION;

    /// The naive sender: an announcement and its packets.
    fn send(group: u32, message: &[u8]) -> (Vec<u8>, Vec<Vec<u8>>) {
        let size = u16::try_from(message.len()).expect("at most 1785").to_le_bytes();
        let packets = u8::try_from(message.len().div_ceil(7)).expect("at most 255");
        let group = group.to_le_bytes();
        let announce = vec![32, size[0], size[1], packets, 0xFF, group[0], group[1], group[2]];
        let data = message.chunks(7).zip(1_u8..).map(|(part, number)| {
            let mut packet = vec![0xFF; 8];
            packet[0] = number;
            packet[1..=part.len()].copy_from_slice(part);
            packet
        });
        (announce, data.collect())
    }

    fn hear(broadcasts: &mut Broadcasts, source: u8, packets: &[Vec<u8>]) -> (Vec<Vec<u8>>, Vec<RejectCode>) {
        let (mut messages, mut dropped) = (Vec::new(), Vec::new());
        for packet in packets {
            let step = broadcasts.packet(source, packet, START);
            messages.extend(step.message.map(|(_, bytes)| bytes.to_vec()));
            dropped.extend(step.dropped);
        }
        (messages, dropped)
    }

    #[test]
    fn sizes_that_the_standard_does_not_allow_are_refused() {
        for (size, packets) in [(8_u16, 2_u8), (1786, 255), (20, 2), (20, 4), (0, 0), (u16::MAX, 255)] {
            let [low, high] = size.to_le_bytes();
            let announce = [32, low, high, packets, 0xFF, 0xEC, 0xFE, 0];
            let mut broadcasts = Broadcasts::default();
            assert_eq!(broadcasts.announce(0, &announce, START, |_| true), Some(RejectCode::TransportSize));
            assert_eq!(broadcasts.packet(0, &[1; 8], START), Step { dropped: None, message: None });
        }
    }

    #[test]
    fn a_request_to_send_to_everybody_is_not_a_broadcast() {
        let mut broadcasts = Broadcasts::default();
        let request = [0x10, 9, 0, 2, 0xFF, 0, 0, 0];
        assert_eq!(broadcasts.announce(0, &request, START, |_| true), None);
        assert_eq!(broadcasts.packet(0, &[1; 8], START), Step { dropped: None, message: None });
    }

    #[test]
    fn a_late_packet_drops_the_message_and_a_short_one_too() {
        let (announce, packets) = send(VI, b"WDB9634031L738001*");
        let mut broadcasts = Broadcasts::default();
        broadcasts.announce(0, &announce, START, |_| true);
        let late = BootMicros(T1_MICROS + 1);
        assert_eq!(broadcasts.packet(0, &packets[0], late).dropped, Some(RejectCode::TransportTimeout));
        broadcasts.announce(0, &announce, START, |_| true);
        assert_eq!((broadcasts.expire(late), broadcasts.expire(late)), (1, 0));
        broadcasts.announce(0, &announce, START, |_| true);
        assert_eq!(
            broadcasts.packet(0, &packets[0][..5], START).dropped,
            Some(RejectCode::TransportSequence)
        );
    }

    #[test]
    fn an_unwanted_message_ends_the_one_before_and_is_not_kept() {
        let (announce, packets) = send(VI, b"WDB9634031L738001*");
        let (other, _) = send(0xFEE3, &[0; 39]);
        let mut broadcasts = Broadcasts::default();
        broadcasts.announce(0, &announce, START, |_| true);
        let cut_off = broadcasts.announce(0, &other, START, |_| false);
        assert_eq!(cut_off, Some(RejectCode::TransportSequence));
        assert_eq!(hear(&mut broadcasts, 0, &packets), (vec![], vec![]));
    }

    #[test]
    fn more_messages_than_the_bound_are_refused_and_room_is_used_again() {
        let (announce, packets) = send(VI, &[b'A'; 20]);
        let mut broadcasts = Broadcasts::default();
        for source in 0..16 {
            assert_eq!(broadcasts.announce(source, &announce, START, |_| true), None);
        }
        assert_eq!(broadcasts.announce(16, &announce, START, |_| true), Some(RejectCode::TransportBusy));
        assert_eq!(hear(&mut broadcasts, 3, &packets).0.len(), 1);
        assert_eq!(broadcasts.announce(16, &announce, START, |_| true), None);
        assert_eq!(broadcasts.sessions.len(), MAX_SESSIONS);
    }

    proptest! {
        #[test]
        fn messages_of_several_sources_do_not_mix(
            messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 9..100), 1..8),
        ) {
            let mut broadcasts = Broadcasts::default();
            let sent: Vec<_> = messages.iter().map(|message| send(VI, message)).collect();
            for ((announce, _), source) in sent.iter().zip(0_u8..) {
                prop_assert_eq!(broadcasts.announce(source, announce, START, |_| true), None);
            }
            let mut heard = vec![None; messages.len()];
            for turn in 0..15 {
                for ((_, packets), source) in sent.iter().zip(0_u8..) {
                    let Some(packet) = packets.get(turn) else { continue };
                    let step = broadcasts.packet(source, packet, START);
                    prop_assert_eq!(step.dropped, None);
                    if let Some((group, bytes)) = step.message {
                        prop_assert_eq!(group, VI);
                        heard[usize::from(source)] = Some(bytes.to_vec());
                    }
                }
            }
            prop_assert_eq!(heard, messages.into_iter().map(Some).collect::<Vec<_>>());
        }

        #[test]
        fn a_missing_or_repeated_packet_drops_and_never_joins(
            message in proptest::collection::vec(any::<u8>(), 30..100),
            at in 0_usize..4,
            repeat: bool,
        ) {
            let (announce, mut packets) = send(VI, &message);
            if repeat { packets.insert(at, packets[at].clone()) } else { packets.remove(at); }
            let mut broadcasts = Broadcasts::default();
            broadcasts.announce(7, &announce, START, |_| true);
            prop_assert_eq!(hear(&mut broadcasts, 7, &packets), (vec![], vec![RejectCode::TransportSequence]));
        }

        #[test]
        fn random_packets_never_panic_nor_grow(
            packets in proptest::collection::vec(
                (any::<bool>(), 0_u8..4, proptest::collection::vec(any::<u8>(), 0..=8)), 0..300)
        ) {
            let mut broadcasts = Broadcasts::default();
            for (is_data, source, mut data) in packets {
                if is_data {
                    broadcasts.packet(source, &data, START);
                } else {
                    if let Some(first) = data.first_mut() { *first = 32; }
                    broadcasts.announce(source, &data, START, |_| true);
                }
                for session in &broadcasts.sessions {
                    prop_assert!(session.bytes.capacity() <= 2 * MAX_MESSAGE_BYTES);
                }
            }
        }
    }
}
