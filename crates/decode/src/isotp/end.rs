//! The end that asked: it receives, and answers with the flow control it owes.
//!
//! Frames and a time go in, flow control comes out; nothing else can be sent
//! from here. While the caller is busy it says "wait", again within N_Br, as
//! often as its terms allow (N_WFTmax, ISO 15765-2:2016, 9.7), and then gives
//! the message up. A message longer than the bound gets "overflow".

use super::{
    PADDING,
    link::Link,
    pci::{FlowControl, Status},
    receiver::{Heard, Receiver, Step},
    timing::{Gap, N_BR_MICROS, after},
};
use crate::RejectCode;
use vernport_types::{BootMicros, CanFrame, FrameKind};

/// What a [`ReceivingEnd`] asks of senders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// The longest message that is taken, in bytes.
    pub max_bytes: usize,
    /// How many consecutive frames until the next flow control; 0: all of them.
    pub block_size: u8,
    /// The least time between consecutive frames.
    pub gap: Gap,
    /// How often "wait" may be said in a row (N_WFTmax).
    pub max_waits: u8,
}

impl Default for Terms {
    /// 4095 bytes, all at once, no gap, eight waits.
    fn default() -> Self {
        Self { max_bytes: super::MAX_MESSAGE_BYTES, block_size: 0, gap: Gap::NONE, max_waits: 8 }
    }
}

/// Receives the messages of one other node.
#[derive(Debug)]
pub struct ReceivingEnd {
    link: Link,
    terms: Terms,
    receiver: Receiver,
    kind: FrameKind,
    busy: bool,
    left_in_block: u8,
    owed: Option<Owed>,
}

/// A flow control that has not been given yet.
#[derive(Debug, Clone, Copy)]
enum Owed {
    /// "Continue", or "wait" while busy.
    Answer { due: BootMicros, waits: u8 },
    /// "Overflow".
    Refusal { due: BootMicros },
}

impl ReceivingEnd {
    /// An end of `link` that has heard nothing yet.
    pub const fn new(link: Link, terms: Terms) -> Self {
        let address_bytes = if link.hears.address.is_some() { 1 } else { 0 };
        let receiver = Receiver::new(address_bytes, terms.max_bytes);
        Self { link, terms, receiver, kind: FrameKind::Data, busy: false, left_in_block: 0, owed: None }
    }

    /// Takes one frame of the bus, heard at `now`; what is not of this link does nothing.
    pub fn push(&mut self, frame: &CanFrame, now: BootMicros) -> Step<'_> {
        let Some(data) = self.link.hears.data(frame) else {
            return Step { dropped: None, heard: Heard::Nothing };
        };
        let awaited = self.receiver.is_under_way();
        let consecutive = data.get(self.link.hears.address_bytes()).is_some_and(|control| control >> 4 == 2);
        let step = self.receiver.push(data, now);
        let goes_on = awaited && consecutive && step.dropped.is_none();
        match step.heard {
            Heard::First => {
                self.kind = frame.kind();
                self.owed = Some(Owed::Answer { due: now, waits: 0 });
            }
            Heard::TooLong => {
                self.kind = frame.kind();
                self.owed = Some(Owed::Refusal { due: now });
            }
            Heard::Message(_) => self.owed = None,
            Heard::Nothing if goes_on && self.terms.block_size > 0 => {
                self.left_in_block = self.left_in_block.saturating_sub(1);
                if self.left_in_block == 0 {
                    self.owed = Some(Owed::Answer { due: now, waits: 0 });
                }
            }
            Heard::Nothing if step.dropped.is_some() => self.owed = None,
            Heard::Nothing => {}
        }
        step
    }

    /// Says whether there is room for more at `now`; while not, the other side is told to wait.
    pub const fn set_busy(&mut self, busy: bool, now: BootMicros) {
        self.busy = busy;
        if let (false, Some(Owed::Answer { due, .. })) = (busy, &mut self.owed) {
            *due = now;
        }
    }

    /// The flow control to send now.
    pub fn poll(&mut self, now: BootMicros) -> Option<CanFrame> {
        let (status, next) = match self.owed? {
            Owed::Answer { due, .. } | Owed::Refusal { due } if now < due => return None,
            Owed::Refusal { .. } => (Status::Overflow, None),
            Owed::Answer { .. } if !self.busy => (Status::Continue, None),
            Owed::Answer { waits, .. } if waits < self.terms.max_waits => {
                (Status::Wait, Some(Owed::Answer { due: after(now, N_BR_MICROS), waits: waits + 1 }))
            }
            // Once more would be too often: what is under way runs into its timeout.
            Owed::Answer { .. } => return None,
        };
        let flow_control = FlowControl { status, block_size: self.terms.block_size, gap: self.terms.gap };
        if status != Status::Overflow {
            // Late is told by `expire`; a message that ended is owed nothing.
            if !self.receiver.is_under_way() {
                self.owed = None;
                return None;
            }
            self.left_in_block = self.terms.block_size;
        }
        self.owed = next;
        let frame = self.frame(flow_control)?;
        if self.receiver.deadline().is_some_and(|deadline| now <= deadline) {
            self.receiver.flow_control(flow_control, now);
        }
        Some(frame)
    }

    /// Drops a message whose next frame is overdue, or that had to wait too often.
    pub fn expire(&mut self, now: BootMicros) -> Option<RejectCode> {
        let late = self.receiver.expire(now);
        if late.is_some() {
            self.owed = None;
        }
        late
    }

    /// When [`Self::poll`] or [`Self::expire`] has something to do.
    pub fn next_due(&self) -> Option<BootMicros> {
        let answer = match self.owed {
            Some(Owed::Answer { waits, .. }) if self.busy && waits >= self.terms.max_waits => None,
            Some(Owed::Answer { due, .. } | Owed::Refusal { due }) => Some(due),
            None => None,
        };
        let deadline = self.receiver.deadline().map(|deadline| after(deadline, 1));
        answer.into_iter().chain(deadline).min()
    }

    /// Forgets what is under way.
    pub fn reset(&mut self) {
        self.receiver.reset();
        self.owed = None;
    }

    fn frame(&self, flow_control: FlowControl) -> Option<CanFrame> {
        let mut data = [PADDING; 8];
        let at = self.link.speaks.address_bytes();
        if let Some(address) = self.link.speaks.address {
            data[0] = address;
        }
        data[at..at + 3].copy_from_slice(&flow_control.bytes()?);
        CanFrame::new(self.link.speaks.id, self.kind, &data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isotp::timing::{LISTENING_MICROS, N_CR_MICROS};
    use vernport_types::CanId;

    const LINK: Link = Link::normal(CanId::Standard(0x7E0), CanId::Standard(0x7E8));
    const NOW: BootMicros = BootMicros(5);

    fn frame(text: &str) -> CanFrame {
        crate::candump::parse(&format!("(0.0) can0 {text}")).expect("a frame").frame
    }

    const FIRST: &str = "7E8#1014490201544D42";

    #[test]
    fn each_block_gets_its_flow_control() {
        let terms = Terms { block_size: 1, gap: Gap::from_byte(0xF3), ..Terms::default() };
        let mut end = ReceivingEnd::new(LINK, terms);
        assert_eq!(end.push(&frame(FIRST), NOW).heard, Heard::First);
        let go_on = frame("7E0#3001F3CCCCCCCCCC");
        assert_eq!((end.poll(NOW), end.poll(NOW)), (Some(go_on), None), "once");
        assert_eq!(end.push(&frame("7E9#214A50374E58354E"), NOW).heard, Heard::Nothing);
        assert_eq!(end.poll(NOW), None, "of another unit");
        end.push(&frame("7E8#214A50374E58354E"), NOW);
        assert_eq!(end.poll(NOW), Some(go_on));
        assert!(
            matches!(end.push(&frame("7E8#2259303834393233"), NOW).heard, Heard::Message(m) if m.len() == 20)
        );
        assert_eq!((end.poll(NOW), end.next_due()), (None, None));
    }

    #[test]
    fn while_busy_it_says_wait_as_often_as_it_may_and_then_gives_up() {
        let mut end = ReceivingEnd::new(LINK, Terms { max_waits: 2, ..Terms::default() });
        end.set_busy(true, NOW);
        end.push(&frame(FIRST), NOW);
        let wait = frame("7E0#310000CCCCCCCCCC");
        assert_eq!((end.poll(NOW), end.poll(NOW)), (Some(wait), None));
        let second = after(NOW, N_BR_MICROS);
        assert_eq!((end.next_due(), end.poll(second)), (Some(second), Some(wait)));
        assert_eq!(end.poll(after(second, N_BR_MICROS)), None, "a third one is one too many");
        let late = after(second, LISTENING_MICROS + 1);
        assert_eq!(end.next_due(), Some(late));
        assert_eq!(end.expire(late), Some(RejectCode::TransportTimeout));
        // The other way: there is room again.
        end.push(&frame(FIRST), late);
        assert_eq!(end.poll(late), Some(wait));
        end.set_busy(false, late);
        assert_eq!(end.poll(late), Some(frame("7E0#300000CCCCCCCCCC")));
        let too_late = after(late, N_CR_MICROS + 1);
        assert_eq!(end.expire(too_late), Some(RejectCode::TransportTimeout), "N_Cr counts from there");
    }

    #[test]
    fn what_is_too_long_is_refused_on_the_same_kind_of_frame() {
        let link = Link::mixed_fixed(0xF1, 0x10, 7, super::super::TargetType::Physical);
        let mut end = ReceivingEnd::new(link, Terms { max_bytes: 10, ..Terms::default() });
        let mut data = [0; 64];
        data[..3].copy_from_slice(&[7, 0x10, 100]);
        let first = CanFrame::new(link.hears.id, FrameKind::FdData, &data).expect("64 bytes");
        assert_eq!(end.push(&first, NOW).heard, Heard::TooLong);
        let refusal = [7, 0x32, 0, 0, 0xCC, 0xCC, 0xCC, 0xCC];
        assert_eq!(end.poll(NOW), CanFrame::new(link.speaks.id, FrameKind::FdData, &refusal));
        assert_eq!((end.poll(NOW), end.next_due()), (None, None));
    }
}
