//! Negative answers (ISO 14229-1, annex A.1), of UDS and OBD-II alike: who asks
//! reacts to them.

/// Why a unit does not answer as asked (ISO 14229-1, table of negative response codes).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NegativeCode {
    /// 10
    GeneralReject,
    /// 11
    ServiceNotSupported,
    /// 12
    SubFunctionNotSupported,
    /// 13
    WrongLengthOrFormat,
    /// 14
    ResponseTooLong,
    /// 21
    BusyRepeatRequest,
    /// 22
    ConditionsNotCorrect,
    /// 24
    RequestSequence,
    /// 25
    NoResponseFromSubnet,
    /// 31
    RequestOutOfRange,
    /// 33
    SecurityAccessDenied,
    /// 34
    AuthenticationRequired,
    /// 78
    ResponsePending,
    /// 7E
    SubFunctionNotSupportedInSession,
    /// 7F
    ServiceNotSupportedInSession,
    /// Any other one.
    Other(u8),
}

/// What whoever asked does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reaction {
    /// Wait: the answer comes, within [`super::P2_STAR_MICROS`] or with another pending one.
    Wait,
    /// The same request may succeed later.
    AskLater,
    /// The unit does not take this request; not again in this visit.
    DoNotAskAgain,
}

/// A negative answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Negative {
    /// The service that was asked for.
    pub service: u8,
    /// Why not.
    pub code: NegativeCode,
}

impl Negative {
    /// Reads one message; none if it is no negative answer.
    pub const fn read(message: &[u8]) -> Option<Self> {
        match *message {
            [0x7F, service, code] => Some(Self { service, code: NegativeCode::from_byte(code) }),
            _ => None,
        }
    }
}

impl NegativeCode {
    /// The code of a byte.
    pub const fn from_byte(byte: u8) -> Self {
        match byte {
            0x10 => Self::GeneralReject,
            0x11 => Self::ServiceNotSupported,
            0x12 => Self::SubFunctionNotSupported,
            0x13 => Self::WrongLengthOrFormat,
            0x14 => Self::ResponseTooLong,
            0x21 => Self::BusyRepeatRequest,
            0x22 => Self::ConditionsNotCorrect,
            0x24 => Self::RequestSequence,
            0x25 => Self::NoResponseFromSubnet,
            0x31 => Self::RequestOutOfRange,
            0x33 => Self::SecurityAccessDenied,
            0x34 => Self::AuthenticationRequired,
            0x78 => Self::ResponsePending,
            0x7E => Self::SubFunctionNotSupportedInSession,
            0x7F => Self::ServiceNotSupportedInSession,
            other => Self::Other(other),
        }
    }

    /// What it means for whoever asked. Codes that speak of the moment (busy, conditions,
    /// 81 to 93: speed, temperature, gear and the like) let the request be made again.
    pub const fn reaction(self) -> Reaction {
        match self {
            Self::ResponsePending => Reaction::Wait,
            Self::BusyRepeatRequest
            | Self::ConditionsNotCorrect
            | Self::NoResponseFromSubnet
            | Self::Other(0x26 | 0x81..=0x93) => Reaction::AskLater,
            _ => Reaction::DoNotAskAgain,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_negative_answer_says_service_and_reason() {
        let pending = Negative::read(&[0x7F, 0x22, 0x78]).expect("negative");
        assert_eq!((pending.service, pending.code.reaction()), (0x22, Reaction::Wait));
        for (code, reaction) in [
            (0x21, Reaction::AskLater),
            (0x22, Reaction::AskLater),
            (0x88, Reaction::AskLater),
            (0x11, Reaction::DoNotAskAgain),
            (0x31, Reaction::DoNotAskAgain),
            (0x33, Reaction::DoNotAskAgain),
            (0x94, Reaction::DoNotAskAgain),
        ] {
            assert_eq!(NegativeCode::from_byte(code).reaction(), reaction, "{code:02X}");
        }
    }

    #[test]
    fn what_is_no_negative_answer_is_none() {
        for message in [&[][..], &[0x7F], &[0x7F, 0x22], &[0x62, 0xF1, 0x90], &[0x7F, 1, 0x12, 0]] {
            assert_eq!(Negative::read(message), None);
        }
    }
}
