//! One address on a J1939 bus: says messages, answers requests, carries what is
//! longer than a frame.

use super::{
    CANNOT_NOW, GLOBAL, acknowledgement, message,
    transfer::{Broadcasts, Step, TP_CM, ToOne},
};
use crate::vehicle::NEVER;
use vernport_types::{BootMicros, CanFrame, CanId};

/// A node of J1939.
pub(crate) struct Node {
    address: u8,
    broadcasts: Broadcasts,
    to_one: Option<ToOne>,
}

/// A request for a message (SAE J1939-21, 5.4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Request {
    /// What is asked for.
    pub(crate) pgn: u32,
    /// Whether it was asked of all.
    pub(crate) of_all: bool,
    /// Who asks.
    pub(crate) asker: u8,
}

impl Node {
    pub(crate) fn new(address: u8) -> Self {
        Self { address, broadcasts: Broadcasts::default(), to_one: None }
    }

    /// Says a message to all: as one frame, or put in line as a BAM.
    pub(crate) fn say(&mut self, pgn: u32, bytes: Vec<u8>, now: BootMicros) -> Option<CanFrame> {
        if bytes.len() <= 8 {
            let mut data = [0xFF; 8];
            data[..bytes.len()].copy_from_slice(&bytes);
            return Some(message(pgn, self.address, data));
        }
        self.broadcasts.send(pgn, bytes);
        self.broadcasts.on_tick(self.address, now)
    }

    /// Answers a request: a long message goes to the one asker alone if it
    /// asked this node alone, one at a time.
    pub(crate) fn answer(&mut self, request: Request, bytes: Vec<u8>, now: BootMicros) -> Option<CanFrame> {
        if request.of_all || bytes.len() <= 8 {
            return self.say(request.pgn, bytes, now);
        }
        if self.to_one.is_some() {
            return Some(acknowledgement(CANNOT_NOW, self.address, request.asker, request.pgn));
        }
        let (transfer, rts) = ToOne::begin(request.pgn, bytes, self.address, request.asker, now)?;
        self.to_one = Some(transfer);
        Some(rts)
    }

    /// The request in a frame, if it is one to this node or to all.
    pub(crate) fn request(&self, frame: &CanFrame) -> Option<Request> {
        let CanId::Extended(id) = frame.id() else { return None };
        let [_, _, destination, asker] = id.to_be_bytes();
        let [low, middle, high, ..] = *frame.data() else { return None };
        let to_us = destination == self.address || destination == GLOBAL;
        (pdu1_group(id) == super::REQUEST && to_us).then_some(Request {
            pgn: u32::from_le_bytes([low, middle, high, 0]),
            of_all: destination == GLOBAL,
            asker,
        })
    }

    /// A frame of another node that may belong to a transfer.
    pub(crate) fn on_frame(&mut self, frame: &CanFrame, now: BootMicros) -> Option<CanFrame> {
        let (CanId::Extended(id), Ok(data)) = (frame.id(), <[u8; 8]>::try_from(frame.data())) else {
            return None;
        };
        let [_, _, destination, from] = id.to_be_bytes();
        if pdu1_group(id) != TP_CM || destination != self.address {
            return None;
        }
        let step = self.to_one.as_mut()?.on_control(from, data, self.address, now);
        self.take(step)
    }

    /// What is due now.
    pub(crate) fn on_tick(&mut self, now: BootMicros) -> Vec<CanFrame> {
        let broadcast = self.broadcasts.on_tick(self.address, now);
        let step = self.to_one.as_mut().map(|transfer| transfer.on_tick(self.address, now));
        broadcast.into_iter().chain(step.and_then(|step| self.take(step))).collect()
    }

    pub(crate) fn next_due(&self) -> BootMicros {
        let to_one = self.to_one.as_ref().map_or(NEVER, ToOne::next_due);
        self.broadcasts.next_due().min(to_one)
    }

    fn take(&mut self, step: Step) -> Option<CanFrame> {
        match step {
            Step::On(frame) => frame,
            Step::Over(frame) => {
                self.to_one = None;
                frame
            }
        }
    }
}

/// The group of an identifier of PDU1, without its destination.
const fn pdu1_group(id: u32) -> u32 {
    id >> 8 & 0x3_FF00
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: BootMicros = BootMicros(0);
    const VI: u32 = 0xFEEC;

    fn frame(id: u32, data: &[u8]) -> CanFrame {
        CanFrame::data_frame(CanId::Extended(id), data).expect("at most 8 bytes")
    }

    fn asked() -> Request {
        Request { pgn: VI, of_all: false, asker: 0xF9 }
    }

    /// A node that was asked for a message of three packets.
    fn asked_node() -> Node {
        let mut node = Node::new(0);
        let rts = node.answer(asked(), (1..=18).collect(), START).expect("RTS");
        assert_eq!(rts, frame(0x1CEC_F900, &[0x10, 18, 0, 3, 0xFF, 0xEC, 0xFE, 0]));
        node
    }

    fn cts(count: u8, next: u8) -> CanFrame {
        frame(0x1CEC_00F9, &[0x11, count, next, 0xFF, 0xFF, 0xEC, 0xFE, 0])
    }

    /// What comes by itself, with its time.
    fn run(node: &mut Node, until: u64) -> Vec<(u64, u32, u8)> {
        let mut said = Vec::new();
        while node.next_due() <= BootMicros(until) {
            let now = node.next_due();
            said.extend(node.on_tick(now).iter().map(|frame| (now.0, frame.id().raw(), frame.data()[0])));
        }
        said
    }

    #[test]
    fn one_asker_gets_the_packets_it_is_ready_for() {
        let mut node = asked_node();
        assert_eq!(node.on_frame(&cts(2, 1), START), Some(frame(0x1CEB_F900, &[1, 1, 2, 3, 4, 5, 6, 7])));
        assert_eq!(run(&mut node, 1_000_000), [(5_000, 0x1CEB_F900, 2)]);
        assert_eq!(node.on_frame(&cts(0, 0xFF), BootMicros(1_000_000)), None, "it is not ready");
        let last = node.on_frame(&cts(9, 3), BootMicros(2_000_000));
        assert_eq!(last, Some(frame(0x1CEB_F900, &[3, 15, 16, 17, 18, 0xFF, 0xFF, 0xFF])));
        node.on_frame(&frame(0x1CEC_00F9, &[0x13, 18, 0, 3, 0xFF, 0xEC, 0xFE, 0]), BootMicros(2_000_001));
        assert_eq!(node.next_due(), NEVER);
    }

    #[test]
    fn a_packet_can_be_asked_for_again_and_one_that_is_not_there_cannot() {
        let mut node = asked_node();
        node.on_frame(&cts(3, 1), START);
        run(&mut node, 20_000);
        assert_eq!(node.on_frame(&cts(1, 2), BootMicros(30_000)).expect("a packet").data()[0], 2);
        for next in [0, 4, 255] {
            assert_eq!(node.on_frame(&cts(1, next), BootMicros(40_000)), None);
        }
    }

    #[test]
    fn an_asker_that_is_silent_gets_an_abort_and_one_that_aborts_gets_nothing() {
        let mut node = asked_node();
        assert_eq!(run(&mut node, 9_000_000), [(1_250_000, 0x1CEC_F900, 0xFF)]);
        assert_eq!(node.on_frame(&cts(1, 1), BootMicros(9_000_000)), None);

        let mut node = asked_node();
        node.on_frame(&frame(0x1CEC_00F9, &[0xFF, 1, 0xFF, 0xFF, 0xFF, 0xEC, 0xFE, 0]), START);
        assert_eq!(run(&mut node, 9_000_000), []);
    }

    #[test]
    fn only_the_asker_has_a_say_and_a_second_one_is_told_to_come_later() {
        let mut node = asked_node();
        for foreign in [
            frame(0x1CEC_00FA, &[0x11, 1, 1, 0xFF, 0xFF, 0xEC, 0xFE, 0]),
            frame(0x1CEC_00F9, &[0x11, 1, 1, 0xFF, 0xFF, 0xCA, 0xFE, 0]),
            frame(0x1CEC_03F9, &[0x11, 1, 1, 0xFF, 0xFF, 0xEC, 0xFE, 0]),
            frame(0x1CEC_00F9, &[0x11, 1, 1]),
        ] {
            assert_eq!(node.on_frame(&foreign, START), None);
        }
        let second = node.answer(Request { asker: 0xFA, ..asked() }, vec![0; 18], START);
        assert_eq!(second, Some(frame(0x18E8_FF00, &[3, 0xFF, 0xFF, 0xFF, 0xFA, 0xEC, 0xFE, 0])));
    }

    #[test]
    fn a_broadcast_beside_a_transfer_to_one_keeps_its_own_pace() {
        let mut node = asked_node();
        assert!(node.say(VI, vec![0; 9], START).is_some());
        assert!(node.say(VI, vec![0; 9], START).is_none(), "one broadcast at a time");
        node.on_frame(&cts(3, 1), START);
        let said = run(&mut node, 100_000);
        assert_eq!(
            said,
            [
                (5_000, 0x1CEB_F900, 2),
                (10_000, 0x1CEB_F900, 3),
                (50_000, 0x1CEB_FF00, 1),
                (100_000, 0x1CEB_FF00, 2)
            ]
        );
    }
}
