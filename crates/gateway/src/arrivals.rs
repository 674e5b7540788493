//! When messages of tools came: what the broker brings again came when it came first.
//!
//! A sender that gives neither id nor time is told apart by its bytes and their arrival, so a
//! repetition has to have the arrival of the first. The broker marks it as repeated, under the packet
//! identifier that it had (MQTT 5, 4.4). Kept in memory and bounded: after a restart of this process,
//! what had been decided on and was not acknowledged counts once more.

use std::collections::VecDeque;
use vernport_types::UtcMicros;

/// Messages that are remembered; the broker has far fewer out at one time.
const REMEMBERED: usize = 1024;

/// The last messages: packet identifier, keyed hash, arrival; the newest last.
#[derive(Debug, Default)]
pub(crate) struct Arrivals(VecDeque<(u16, [u8; 16], UtcMicros)>);

impl Arrivals {
    /// When a message came first.
    pub(crate) fn of(&mut self, packet: u16, repeated: bool, digest: [u8; 16], now: UtcMicros) -> UtcMicros {
        // Under one identifier the last is meant: those before it were acknowledged, or it would not be free.
        if repeated
            && let Some((_, known, at)) = self.0.iter().rev().find(|known| known.0 == packet)
            && *known == digest
        {
            return *at;
        }
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back((packet, digest, now));
        now
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const A: [u8; 16] = [1; 16];
    const B: [u8; 16] = [2; 16];

    #[test]
    fn a_repetition_came_when_it_came_first_and_the_same_words_anew_came_now() {
        let mut arrivals = Arrivals::default();
        let mut of = |packet, repeated, digest, now| arrivals.of(packet, repeated, digest, UtcMicros(now)).0;
        assert_eq!(of(1, false, A, 10), 10);
        // The sender says the same again: another message.
        assert_eq!(of(2, false, A, 20), 20);
        // The connection breaks, and the broker brings both again, as often as it has to.
        assert_eq!((of(1, true, A, 30), of(2, true, A, 31)), (10, 20));
        assert_eq!((of(1, true, A, 40), of(2, true, A, 41)), (10, 20));
        // The identifier is used again.
        assert_eq!(of(1, false, A, 50), 50);
        assert_eq!(of(1, true, A, 60), 50);
        // Another message under it, whose first coming nobody here saw.
        assert_eq!(of(1, true, B, 70), 70);
        assert_eq!(of(1, true, B, 80), 70);
        assert_eq!(of(3, true, A, 90), 90);
    }

    proptest! {
        /// Against a broker that has a window of messages out and brings any of them again at any time.
        #[test]
        fn no_message_out_at_the_broker_ever_changes_its_arrival(
            steps in prop::collection::vec((0_u16..8, 0_u8..2, any::<bool>()), 1..200),
        ) {
            let mut arrivals = Arrivals::default();
            let mut out: [Option<([u8; 16], i64)>; 8] = [None; 8];
            for (now, (packet, word, anew)) in (0_i64..).zip(steps) {
                let place = &mut out[usize::from(packet)];
                let (digest, first, repeated) = match *place {
                    Some((digest, first)) if !anew => (digest, first, true),
                    _ => ([word; 16], now, false),
                };
                *place = Some((digest, first));
                prop_assert_eq!(arrivals.of(packet, repeated, digest, UtcMicros(now)).0, first);
            }
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut arrivals = Arrivals::default();
        for packet in 0..u16::MAX {
            arrivals.of(packet, false, A, UtcMicros(packet.into()));
        }
        assert_eq!(arrivals.0.len(), REMEMBERED);
    }
}
