//! What another tester asks of a vehicle, by what it sends and by what it is
//! answered (ISO 14229-1, ISO 15765-4, SAE J1939-21): who hears it keeps silent,
//! and for how long depends on what it does.
//!
//! A tester is heard on the ids of requests: 7DF, 7E0 to 7E7, 18DAxxFx,
//! 18DBxxFx, and on J1939 by the addresses of service tools, F9 and FA, and by
//! groups that only testers use. Where only the answers are heard, as behind a
//! gateway of the vehicle, they say the same.

use crate::{isotp::Pci, j1939};
use vernport_types::{CanFilter, CanFrame, CanId, FrameKind};

/// The bit that a positive answer has beside the service that it answers (ISO 14229-1).
const POSITIVE: u8 = 0x40;

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Reads values or trouble codes (OBD-II 01, 02, 03, 06, 07, 09, 0A; UDS 19, 22, 23, 24, 2A).
    Reading,
    /// Keeps a session open (3E).
    Presence,
    /// Begins a session (10): 01 default, 02 programming, 03 extended, 04 safety system.
    Session(u8),
    /// Clears trouble codes (04, 14).
    Clearing,
    /// Opens what is protected (27, 29).
    Security,
    /// Writes, controls or runs something (08, 28, 2C, 2E, 2F, 31, 3D, 83 to 87).
    Changing,
    /// Restarts a unit (11).
    Reset,
    /// Moves memory, as programming does (34 to 38).
    Transfer,
    /// A J1939 message of a service tool.
    J1939,
    /// J1939 memory access, or silencing a network (DM13 to DM18).
    MemoryAccess,
    /// A further part of a message, or flow control for an answer.
    Continuing,
    /// Something else on the id of a request.
    Other,
}

/// J1939 groups of memory access and of silencing a network: DM13 to DM18 (SAE J1939-73).
const MEMORY_ACCESS: [u32; 6] = [0xDF00, 0xD900, 0xD800, 0xD700, 0xD600, 0xD400];
/// What lets [`MEMORY_ACCESS`] pass: D4 to DF, whatever priority and addresses.
pub(crate) const MEMORY_ACCESS_FILTER: CanFilter =
    CanFilter { id: CanId::Extended(0x00D0_0000), mask: 0x03F0_0000 };

/// A frame of another tester, or what a unit answers to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TesterRequest {
    /// Where it, or the answer, was sent.
    pub id: CanId,
    /// What it is for.
    pub purpose: Purpose,
}

impl TesterRequest {
    /// Whether it is part of work that a pause does not end: programming, security,
    /// clearing or anything else that changes the vehicle. Then nothing is sent until
    /// the visit ends.
    pub const fn lasts_for_visit(&self) -> bool {
        match self.purpose {
            Purpose::Session(session) => !matches!(session, 1 | 3),
            Purpose::Clearing
            | Purpose::Security
            | Purpose::Changing
            | Purpose::Reset
            | Purpose::Transfer
            | Purpose::MemoryAccess => true,
            Purpose::Reading | Purpose::Presence | Purpose::J1939 | Purpose::Continuing | Purpose::Other => {
                false
            }
        }
    }
}

/// What a frame says if only a tester sends such; the caller leaves its own frames out.
pub fn request_heard(frame: &CanFrame) -> Option<TesterRequest> {
    if !matches!(frame.kind(), FrameKind::Data | FrameKind::FdData) {
        return None;
    }
    let id = frame.id();
    let diagnostic = match id {
        CanId::Standard(id) => matches!(id, 0x7DF..=0x7E7),
        CanId::Extended(raw) => matches!(raw >> 16, 0x18DA | 0x18DB) && raw & 0xF0 == 0xF0,
    };
    if diagnostic {
        return Some(TesterRequest { id, purpose: purpose(frame.data()) });
    }
    let j1939 = j1939::Id::from_can(id)?;
    let purpose = match j1939.source {
        _ if MEMORY_ACCESS.contains(&j1939.pgn) => Purpose::MemoryAccess,
        j1939::Id::SERVICE_TOOL_1 | j1939::Id::SERVICE_TOOL_2 => Purpose::J1939,
        _ => return None,
    };
    Some(TesterRequest { id, purpose })
}

/// What an answer of a control unit (7E8 to 7EF, 18DAFxyy) says that was asked; none if
/// the frame is no answer.
pub fn answer_heard(frame: &CanFrame) -> Option<TesterRequest> {
    if !matches!(frame.kind(), FrameKind::Data | FrameKind::FdData) {
        return None;
    }
    let id = frame.id();
    let answers = match id {
        CanId::Standard(id) => matches!(id, 0x7E8..=0x7EF),
        CanId::Extended(raw) => raw & 0x1FFF_F000 == 0x18DA_F000,
    };
    // Only a positive answer says that it was done.
    let purpose = || {
        begins(frame.data()).map_or_else(
            |other| other,
            |(service, parameter)| match service {
                0x7F => Purpose::Other,
                _ if service & POSITIVE != 0 => of_service(service & !POSITIVE, parameter),
                _ => Purpose::Other,
            },
        )
    };
    answers.then(|| TesterRequest { id, purpose: purpose() })
}

/// What a frame on the id of a request is for.
fn purpose(data: &[u8]) -> Purpose {
    begins(data).map_or_else(|other| other, |(service, parameter)| of_service(service, parameter))
}

/// The first two bytes of a message, or what the frame is instead of its beginning. A session
/// without its number is none that we know.
fn begins(data: &[u8]) -> Result<(u8, u8), Purpose> {
    match Pci::read(data, 0) {
        Ok(Some(Pci::Single(message) | Pci::First { data: message, .. })) => match message {
            [service, parameter, ..] => Ok((*service, *parameter)),
            [service] => Ok((*service, 0)),
            [] => Err(Purpose::Other),
        },
        Ok(Some(Pci::Consecutive { .. } | Pci::FlowControl(_))) => Err(Purpose::Continuing),
        Ok(None) | Err(_) => Err(Purpose::Other),
    }
}

fn of_service(service: u8, parameter: u8) -> Purpose {
    match service {
        0x01..=0x03 | 0x06 | 0x07 | 0x09 | 0x0A | 0x19 | 0x22..=0x24 | 0x2A => Purpose::Reading,
        // The high bit only asks for no answer.
        0x10 => Purpose::Session(parameter & 0x7F),
        0x3E => Purpose::Presence,
        0x04 | 0x14 => Purpose::Clearing,
        0x27 | 0x29 => Purpose::Security,
        0x11 => Purpose::Reset,
        0x34..=0x38 => Purpose::Transfer,
        0x08 | 0x28 | 0x2C | 0x2E | 0x2F | 0x31 | 0x3D | 0x83..=0x87 => Purpose::Changing,
        _ => Purpose::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn heard(text: &str) -> Option<Purpose> {
        let frame = crate::candump::parse(&format!("(0.0) can0 {text}")).expect("a frame").frame;
        request_heard(&frame).map(|request| {
            assert_eq!(request.id, frame.id());
            request.purpose
        })
    }

    #[test]
    fn a_tester_is_known_by_its_ids_and_what_it_does_by_its_service() {
        for (text, purpose) in [
            ("7DF#0209020000000000", Purpose::Reading),
            ("7E0#0322F190AAAAAAAA", Purpose::Reading),
            ("7E7#021002", Purpose::Session(2)),
            ("7E0#021083", Purpose::Session(3)),
            ("18DAEEFB#0322F190", Purpose::Reading),
            ("18DA10F1#022701", Purpose::Security),
            ("18DB33F1#0103", Purpose::Reading),
            ("18DB33F1#023E80", Purpose::Presence),
            ("7E0#0414FFFFFF", Purpose::Clearing),
            ("7E0#0104", Purpose::Clearing),
            ("7E0#021101", Purpose::Reset),
            ("7E0#102A2EF190574442", Purpose::Changing),
            ("7E0#100B340044001000", Purpose::Transfer),
            ("7E0#2136000102030405", Purpose::Continuing),
            ("7E0#3000000000000000", Purpose::Continuing),
            ("7E0##1000922F190F18CF194F195AA", Purpose::Reading),
            ("18DA10F1##1021002", Purpose::Session(2)),
            ("7E0#", Purpose::Other),
            ("7E0#02BA01", Purpose::Other),
            ("18EAFFFA#ECFE00", Purpose::J1939),
            ("18EA00F9#ECFE00", Purpose::J1939),
        ] {
            assert_eq!(heard(text), Some(purpose), "{text}");
        }
    }

    #[test]
    fn answers_and_other_traffic_are_no_tester() {
        for text in [
            "7E8#0641A60000000000",
            "18DAF110#0662F190",
            "18FEF100#FF",
            "18DA1017#021002",
            "7DE#021002",
            "7E0#R",
        ] {
            assert_eq!(heard(text), None, "{text}");
        }
    }

    #[test]
    fn an_answer_says_what_was_done_even_where_nobody_heard_it_asked() {
        let answered = |text: &str| {
            let frame = crate::candump::parse(&format!("(0.0) can0 {text}")).expect("a frame").frame;
            answer_heard(&frame).map(|answer| answer.purpose)
        };
        for (text, purpose) in [
            ("7E8#065002003201F4", Purpose::Session(2)),
            ("7EF#0641A6001E8480", Purpose::Reading),
            ("18DAFBEE#0444AAAAAA", Purpose::Clearing),
            ("18DAF110#101462F1904C4330", Purpose::Reading),
            ("18DAF110#2134", Purpose::Continuing),
            // Refused: nothing was changed.
            ("7E8#037F2733", Purpose::Other),
        ] {
            assert_eq!(answered(text), Some(purpose), "{text}");
        }
        assert_eq!(
            (answered("7E0#021002"), answered("18DA10F1#021002"), answered("7E8#R")),
            (None, None, None)
        );
    }

    #[test]
    fn programming_and_security_last_until_the_visit_ends() {
        for (purpose, lasts) in [
            (Purpose::Session(2), true),
            (Purpose::Session(4), true),
            (Purpose::Session(0x60), true),
            (Purpose::Session(3), false),
            (Purpose::Session(1), false),
            (Purpose::Security, true),
            (Purpose::Transfer, true),
            (Purpose::Changing, true),
            (Purpose::Clearing, true),
            (Purpose::MemoryAccess, true),
            (Purpose::Reading, false),
            (Purpose::J1939, false),
        ] {
            let request = TesterRequest { id: CanId::Standard(0x7E0), purpose };
            assert_eq!(request.lasts_for_visit(), lasts, "{purpose:?}");
        }
    }

    proptest! {
        #[test]
        fn no_frame_makes_it_panic(raw in 0_u32..0x2000_0000, data in proptest::collection::vec(any::<u8>(), 0..=8)) {
            for id in [CanId::Extended(raw), CanId::Extended(0x18DA_10F0 | raw & 0xF), CanId::Standard(0x7E0)] {
                let _ = request_heard(&CanFrame::data_frame(id, &data).expect("short"));
            }
            for id in [CanId::Extended(0x18DA_F000 | raw & 0xFFF), CanId::Standard(0x7E8)] {
                let _ = answer_heard(&CanFrame::data_frame(id, &data).expect("short"));
            }
        }
    }
}
