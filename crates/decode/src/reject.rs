//! Why bytes of a vehicle did not become a value: a closed list of codes,
//! counted by the caller. A rejection never repeats the bytes.

use std::fmt;

/// Why something heard was not taken as a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RejectCode {
    /// The sender says that it has no such value (SAE J1939-71: 0xFF…).
    NotAvailable,
    /// The sender says that its sensor failed (SAE J1939-71: 0xFE…).
    SensorError,
    /// A bit pattern without a meaning (SAE J1939-71: 0xFC… to 0xFD…).
    ReservedValue,
    /// A bit pattern whose meaning is the parameter's own (SAE J1939-71: 0xFB…); none that is read has one.
    ParameterSpecific,
    /// Outside of what the catalogue believes, or off the globe.
    OutOfRange,
    /// The message is shorter than the value in it, or its count is wrong.
    WrongLength,
    /// Text was expected and something else was sent.
    NotText,
    /// Text, but not a VIN.
    NotAVin,
    /// An odometer of a control unit that has just woken up: zero, or no more than its own trip.
    OdometerWakeUp,
    /// The odometer went down.
    OdometerFell,
    /// The odometer went further than a vehicle can drive in the time, and not yet again.
    OdometerJumped,
    /// More control units tell an odometer than this decoder follows.
    TooManySources,
    /// A trouble code in SPN conversion method 1, 2 or 3 (SAE J1939-73), and nothing tells which.
    ConversionMethod,
    /// A part of a long message is missing or out of order.
    TransportSequence,
    /// The rest of a long message did not come in time.
    TransportTimeout,
    /// A long message announces a size that its protocol does not allow.
    TransportSize,
    /// More long messages at once than this decoder follows.
    TransportBusy,
    /// One side of a connection gave a long message up.
    TransportAborted,
    /// A long message for one control unit that is sent to everybody, or the other way round.
    TransportAddress,
    /// The bus is that of a boat (NMEA 2000): nothing on it is a truck's.
    ForeignNetwork,
}

impl RejectCode {
    /// All codes.
    pub const ALL: &[Self] = &[
        Self::NotAvailable,
        Self::SensorError,
        Self::ReservedValue,
        Self::ParameterSpecific,
        Self::OutOfRange,
        Self::WrongLength,
        Self::NotText,
        Self::NotAVin,
        Self::OdometerWakeUp,
        Self::OdometerFell,
        Self::OdometerJumped,
        Self::TooManySources,
        Self::ConversionMethod,
        Self::TransportSequence,
        Self::TransportTimeout,
        Self::TransportSize,
        Self::TransportBusy,
        Self::TransportAborted,
        Self::TransportAddress,
        Self::ForeignNetwork,
    ];

    /// The code, as written in status and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotAvailable => "not-available",
            Self::SensorError => "sensor-error",
            Self::ReservedValue => "reserved-value",
            Self::ParameterSpecific => "parameter-specific",
            Self::OutOfRange => "out-of-range",
            Self::WrongLength => "wrong-length",
            Self::NotText => "not-text",
            Self::NotAVin => "not-a-vin",
            Self::OdometerWakeUp => "odometer-wake-up",
            Self::OdometerFell => "odometer-fell",
            Self::OdometerJumped => "odometer-jumped",
            Self::TooManySources => "too-many-sources",
            Self::ConversionMethod => "conversion-method",
            Self::TransportSequence => "transport-sequence",
            Self::TransportTimeout => "transport-timeout",
            Self::TransportSize => "transport-size",
            Self::TransportBusy => "transport-busy",
            Self::TransportAborted => "transport-aborted",
            Self::TransportAddress => "transport-address",
            Self::ForeignNetwork => "foreign-network",
        }
    }
}

impl fmt::Display for RejectCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
