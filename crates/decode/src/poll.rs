//! The few requests that may be sent to a vehicle: all of them only ask for data.
//!
//! [`Request`] has no other service, so none can be expressed (invariant 14).
//! [`Asker`] sends nothing while another tester is on the bus, and for a minute
//! after it was last heard.

use crate::{
    isotp,
    j1939::{Id, pgn},
};
use vernport_types::{BootMicros, CanFrame, CanId, FrameKind};

/// How long another tester has to be silent before anything is sent.
pub const QUIET_MICROS: u64 = 60_000_000;
/// How long after a request a long answer is still helped along with flow control.
pub const ANSWER_MICROS: u64 = 5_000_000;

/// Our source address on J1939: off-board service tool 1 (SAE J1939, table B2).
const OUR_J1939_ADDRESS: u8 = 0xF9;
/// Our address in 29-bit diagnostics (ISO 15765-4: external test equipment).
const OUR_TESTER_ADDRESS: u32 = 0xF1;
/// J1939 "request" group.
const REQUEST_GROUP: u32 = 0xEA00;

/// One to six PIDs of service 01, as many as one request may hold (SAE J1979).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pids {
    pids: [u8; 6],
    len: usize,
}

impl Pids {
    /// Takes one to six PIDs.
    pub fn new(list: &[u8]) -> Option<Self> {
        let mut pids = [0; 6];
        pids.get_mut(..list.len()).filter(|place| !place.is_empty())?.copy_from_slice(list);
        Some(Self { pids, len: list.len() })
    }
}

/// A request for data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// OBD-II service 01.
    CurrentData(Pids),
    /// OBD-II service 03.
    ConfirmedTroubleCodes,
    /// OBD-II service 07.
    PendingTroubleCodes,
    /// OBD-II service 09, information type 02.
    Vin,
    /// J1939 request for the group VI, to everybody.
    J1939Vin,
}

/// How the control units of a bus are addressed for OBD-II (ISO 15765-4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addressing {
    /// 11 bits: to 7DF, answers from 7E8 to 7EF.
    Standard,
    /// 29 bits: to 18DB33F1, answers from 18DAF1xx.
    Extended,
}

impl Request {
    /// The request as one frame, to all control units.
    pub fn frame(&self, addressing: Addressing) -> CanFrame {
        let (message, len) = match *self {
            Self::CurrentData(Pids { pids: [a, b, c, d, e, f], len }) => ([1, a, b, c, d, e, f], 1 + len),
            Self::ConfirmedTroubleCodes => ([3, 0, 0, 0, 0, 0, 0], 1),
            Self::PendingTroubleCodes => ([7, 0, 0, 0, 0, 0, 0], 1),
            Self::Vin => ([9, 2, 0, 0, 0, 0, 0], 2),
            Self::J1939Vin => return j1939_request(pgn::VEHICLE_IDENTIFICATION),
        };
        let id = match addressing {
            Addressing::Standard => CanId::Standard(0x7DF),
            Addressing::Extended => CanId::Extended(0x18DB_3300 | OUR_TESTER_ADDRESS),
        };
        let data = isotp::single_frame(&message[..len]).expect("a request has 1 to 7 bytes");
        CanFrame::data_frame(id, &data).expect("8 bytes fit in a frame")
    }
}

fn j1939_request(group: u32) -> CanFrame {
    let id = Id { priority: 6, pgn: REQUEST_GROUP, destination: Some(Id::GLOBAL), source: OUR_J1939_ADDRESS };
    let [low, mid, high, _] = group.to_le_bytes();
    let id = id.to_can().expect("priority and group are within their bits");
    CanFrame::data_frame(id, &[low, mid, high]).expect("3 bytes fit in a frame")
}

/// Asks on one bus, and keeps silent beside another tester.
#[derive(Debug)]
pub struct Asker {
    addressing: Addressing,
    asked_at: Option<BootMicros>,
    tester_at: Option<BootMicros>,
}

impl Asker {
    /// An asker that has heard nothing yet: listen for a while before the first request.
    pub const fn new(addressing: Addressing) -> Self {
        Self { addressing, asked_at: None, tester_at: None }
    }

    /// The frame to send, or none while another tester is on the bus.
    pub fn ask(&mut self, request: Request, now: BootMicros) -> Option<CanFrame> {
        if self.must_be_quiet(now) {
            return None;
        }
        self.asked_at = Some(now);
        Some(request.frame(self.addressing))
    }

    /// Takes each frame heard on the bus (not our own); gives the flow control
    /// that we owe when it starts a long answer to our request.
    pub fn heard(&mut self, frame: &CanFrame, now: BootMicros) -> Option<CanFrame> {
        if !matches!(frame.kind(), FrameKind::Data | FrameKind::FdData) {
            return None;
        }
        if is_of_a_tester(frame.id()) {
            self.tester_at = Some(now);
            return None;
        }
        let first = frame.data().first().is_some_and(|pci| pci >> 4 == 1);
        let awaited = self.asked_at.is_some_and(|at| now.0.saturating_sub(at.0) <= ANSWER_MICROS);
        if !first || !awaited || self.must_be_quiet(now) {
            return None;
        }
        CanFrame::data_frame(answer_to(frame.id())?, &isotp::FLOW_CONTROL)
    }

    /// Whether another tester was heard less than [`QUIET_MICROS`] ago.
    pub fn must_be_quiet(&self, now: BootMicros) -> bool {
        self.tester_at.is_some_and(|at| now.0.saturating_sub(at.0) < QUIET_MICROS)
    }
}

/// The id on which a control unit that answers us hears us.
fn answer_to(id: CanId) -> Option<CanId> {
    match id {
        CanId::Standard(id @ 0x7E8..=0x7EF) => CanId::standard(id - 8),
        CanId::Extended(raw) if raw & 0x1FFF_FF00 == 0x18DA_0000 | OUR_TESTER_ADDRESS << 8 => {
            CanId::extended(0x18DA_0000 | (raw & 0xFF) << 8 | OUR_TESTER_ADDRESS)
        }
        _ => None,
    }
}

/// Whether only a tester sends such a frame: OBD-II and UDS requests, and
/// anything from the J1939 addresses of service tools.
fn is_of_a_tester(id: CanId) -> bool {
    match id {
        CanId::Standard(id) => matches!(id, 0x7DF..=0x7E7),
        CanId::Extended(raw) => {
            let diagnostic = matches!(raw >> 16, 0x18DA | 0x18DB);
            diagnostic && raw & 0xF0 == 0xF0 || matches!(raw & 0xFF, 0xF9 | 0xFA)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(text: &str) -> CanFrame {
        crate::candump::parse(&format!("(0.0) can0 {text}")).expect("a frame").frame
    }

    const NOW: BootMicros = BootMicros(1_000_000);

    #[test]
    fn requests_are_the_bytes_of_the_standards() {
        let pids = Pids::new(&[0xA6, 0x2F]).expect("two PIDs");
        for (request, addressing, text) in [
            (Request::CurrentData(pids), Addressing::Standard, "7DF#0301A62FCCCCCCCC"),
            (Request::ConfirmedTroubleCodes, Addressing::Standard, "7DF#0103CCCCCCCCCCCC"),
            (Request::PendingTroubleCodes, Addressing::Extended, "18DB33F1#0107CCCCCCCCCCCC"),
            (Request::Vin, Addressing::Standard, "7DF#020902CCCCCCCCCC"),
            (Request::J1939Vin, Addressing::Standard, "18EAFFF9#ECFE00"),
        ] {
            assert_eq!(request.frame(addressing), frame(text), "{text}");
        }
        assert_eq!((Pids::new(&[]), Pids::new(&[1; 7])), (None, None));
    }

    #[test]
    fn a_long_answer_to_us_gets_its_flow_control() {
        let mut asker = Asker::new(Addressing::Standard);
        let first = frame("7E8#1014490201544D42");
        assert_eq!(asker.heard(&first, NOW), None, "not asked");
        assert!(asker.ask(Request::Vin, NOW).is_some());
        assert_eq!(asker.heard(&first, NOW), Some(frame("7E0#300000CCCCCCCCCC")));
        assert_eq!(
            asker.heard(&frame("18DAF110#1014490201544D42"), NOW),
            Some(frame("18DA10F1#300000CCCCCCCCCC"))
        );
        assert_eq!(
            asker.heard(&frame("18DAFBEE#101462F1904C4330"), NOW),
            None,
            "an answer to another tester"
        );
        assert_eq!(asker.heard(&frame("7E8#0641A60000000000"), NOW), None);
        assert_eq!(asker.heard(&first, BootMicros(NOW.0 + ANSWER_MICROS + 1)), None, "too late");
    }

    #[test]
    fn beside_another_tester_nothing_is_sent_for_a_minute() {
        for text in [
            "7DF#0209020000000000",
            "7E0#0201045555555555",
            "18DAEEFB#0322F190",
            "18DB33F1#0103",
            "18EAFFFA#ECFE00",
        ] {
            let mut asker = Asker::new(Addressing::Standard);
            assert!(asker.ask(Request::Vin, NOW).is_some());
            asker.heard(&frame(text), NOW);
            assert_eq!(asker.heard(&frame("7E8#1014490201544D42"), NOW), None, "{text}");
            assert_eq!(asker.ask(Request::Vin, BootMicros(NOW.0 + QUIET_MICROS - 1)), None, "{text}");
            assert!(asker.ask(Request::Vin, BootMicros(NOW.0 + QUIET_MICROS)).is_some(), "{text}");
        }
    }

    proptest! {
        /// Invariant 14: whatever is heard, what is sent only asks for data.
        #[test]
        fn whatever_is_heard_only_requests_for_data_are_sent(
            heard in proptest::collection::vec((any::<bool>(), any::<u32>(), any::<[u8; 8]>()), 0..50),
            pids in proptest::collection::vec(any::<u8>(), 1..=6),
            which in 0_u8..5,
            extended: bool,
        ) {
            let addressing = if extended { Addressing::Extended } else { Addressing::Standard };
            let request = match which {
                0 => Request::CurrentData(Pids::new(&pids).expect("one to six")),
                1 => Request::ConfirmedTroubleCodes,
                2 => Request::PendingTroubleCodes,
                3 => Request::Vin,
                _ => Request::J1939Vin,
            };
            let mut asker = Asker::new(addressing);
            let mut sent: Vec<CanFrame> = asker.ask(request, NOW).into_iter().collect();
            for (standard, raw, data) in heard {
                let raw = if raw % 3 == 0 { 0x18DA_F100 | raw & 0xFF } else { raw & 0x1FFF_FFFF };
                let id = if standard { CanId::Standard(0x7E8 + (raw & 7) as u16) } else { CanId::Extended(raw) };
                sent.extend(asker.heard(&CanFrame::data_frame(id, &data).expect("8 bytes"), NOW));
            }
            for frame in sent {
                let read_only = match frame.data() {
                    [0x30, 0, 0, ..] => true,
                    [length, service, ..] if *length < 8 => matches!(service, 1 | 3 | 7 | 9),
                    data => data == [0xEC, 0xFE, 0x00] && frame.id() == CanId::Extended(0x18EA_FFF9),
                };
                prop_assert!(read_only, "{:?}", frame);
            }
        }
    }
}
