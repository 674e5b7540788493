//! What another tester asks of a vehicle, by what it sends (ISO 14229-1, ISO
//! 15765-4, SAE J1939-21): who hears it keeps silent, and for how long depends
//! on what it does.
//!
//! A tester is heard on the ids of requests: 7DF, 7E0 to 7E7, 18DAxxFx,
//! 18DBxxFx, and on J1939 by the addresses of service tools, F9 and FA.

use crate::isotp::Pci;
use vernport_types::{CanFrame, CanId, FrameKind};

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
    /// A further part of a message, or flow control for an answer.
    Continuing,
    /// Something else on the id of a request.
    Other,
}

/// A frame of another tester.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TesterRequest {
    /// Where it was sent.
    pub id: CanId,
    /// What it is for.
    pub purpose: Purpose,
}

impl TesterRequest {
    /// Whether it is part of work that a pause does not end: programming, security
    /// or anything else that leaves the vehicle in a state of its own. Then nothing
    /// is sent until the visit ends.
    pub const fn lasts_for_visit(&self) -> bool {
        match self.purpose {
            Purpose::Session(session) => !matches!(session, 1 | 3),
            Purpose::Security | Purpose::Changing | Purpose::Reset | Purpose::Transfer => true,
            Purpose::Reading
            | Purpose::Presence
            | Purpose::Clearing
            | Purpose::J1939
            | Purpose::Continuing
            | Purpose::Other => false,
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
    let service_tool = matches!(id, CanId::Extended(raw) if matches!(raw & 0xFF, 0xF9 | 0xFA));
    service_tool.then_some(TesterRequest { id, purpose: Purpose::J1939 })
}

/// What a frame on the id of a request is for.
fn purpose(data: &[u8]) -> Purpose {
    match Pci::read(data, 0) {
        Ok(Some(Pci::Single(message) | Pci::First { data: message, .. })) => match message {
            [service, parameter, ..] => of_service(*service, *parameter),
            // A session without its number is none that we know.
            [service] => of_service(*service, 0),
            [] => Purpose::Other,
        },
        Ok(Some(Pci::Consecutive { .. } | Pci::FlowControl(_))) => Purpose::Continuing,
        Ok(None) | Err(_) => Purpose::Other,
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
        }
    }
}
