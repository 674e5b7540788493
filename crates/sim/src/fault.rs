//! What can be wrong with a vehicle or its bus: typed, combinable, and the same
//! in every run with the same seed.
//!
//! A fault is written `name` or `name=value`; [`Fault::HELP`] lists them.

use crate::vehicle::Kind;
use std::{fmt, num::NonZeroU32, str::FromStr};
use thiserror::Error;

const SECOND_MICROS: u64 = 1_000_000;
/// The longest time a fault can name: a day.
const MAX_SECONDS: u64 = 86_400;
/// The farthest an odometer can be made to jump: ten million kilometres.
const MAX_STEP_M: i64 = 10_000_000_000;

/// Something that is wrong. Times count from the start of the vehicle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Every so manieth frame of the vehicle does not reach the bus.
    LostEvery(NonZeroU32),
    /// So many of a thousand frames of the vehicle do not reach the bus, by chance.
    LostShare {
        /// Of a thousand.
        per_mille: u16,
    },
    /// Control units begin to answer so late.
    LateAnswers {
        /// After the request.
        micros: u64,
    },
    /// Control units say "response pending" (7F xx 78) so many times before each answer.
    Pending {
        /// How often.
        times: u8,
    },
    /// The bus sleeps at the start.
    Asleep {
        /// Whether a frame of another node wakes it.
        wakes: bool,
    },
    /// The ignition is switched off; ten seconds later the bus sleeps until a frame wakes it.
    IgnitionOff {
        /// When.
        after_micros: u64,
    },
    /// Another tester is on the bus and asks every few seconds.
    Tester {
        /// The session that it opens and holds.
        session: Option<Session>,
    },
    /// Malformed and meaningless frames of nobody, by chance.
    Noise {
        /// How many.
        per_second: u16,
    },
    /// What the odometer says jumps, or falls.
    OdometerStep {
        /// When.
        after_micros: u64,
        /// By how much.
        by_m: i64,
    },
    /// The instruments say a start value, then zero, before the true distance.
    WakeUpOdometer {
        /// For how long.
        micros: u64,
    },
    /// The instruments say another distance than the engine's unit.
    OdometersDisagree {
        /// How much more.
        by_m: i64,
    },
    /// The vehicle says another VIN: as if it were another one.
    VinChange {
        /// When.
        after_micros: u64,
    },
    /// Consecutive frames of long answers come in a wrong order.
    OutOfSequence,
    /// Long answers end after their first frame.
    NoConsecutiveFrames,
}

/// A diagnostic session other than the default one (ISO 14229-1, table 25).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Session {
    /// 10 02.
    Programming,
    /// 10 03.
    Extended,
}

/// Why a text is no fault.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FaultError {
    /// No such fault.
    #[error("'{name}' is not a fault; write one of: {}", Fault::HELP)]
    Unknown {
        /// What was given.
        name: String,
    },
    /// The value does not fit the fault.
    #[error("'{text}' is not a fault: write {form}")]
    Value {
        /// What was given.
        text: String,
        /// How it is written.
        form: &'static str,
    },
}

impl Fault {
    /// All faults, as they are written.
    pub const HELP: &'static str = "lost-every=N, lost=PERCENT, late=MS, pending=N, asleep, asleep=forever, \
        ignition-off=SECONDS, tester, tester=programming, tester=extended, noise=PER_SECOND, \
        odometer-step=METRES@SECONDS, odometer-wakes=SECONDS, odometers-differ=METRES, vin-change=SECONDS, \
        out-of-sequence, no-consecutive";

    /// Whether such a vehicle can have it: what concerns ISO-TP needs a vehicle that speaks it.
    pub const fn fits(&self, kind: Kind) -> bool {
        let of_iso_tp = matches!(
            self,
            Self::LateAnswers { .. }
                | Self::Pending { .. }
                | Self::Tester { session: Some(_) }
                | Self::OutOfSequence
                | Self::NoConsecutiveFrames
        );
        !(of_iso_tp && matches!(kind, Kind::Trailer))
    }
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
        let (fault, form) = match name {
            "lost-every" => (number(value).map(Self::LostEvery), "lost-every=10"),
            "lost" => {
                (per_mille(value).map(|per_mille| Self::LostShare { per_mille }), "lost=2.5, in percent")
            }
            "late" => (
                number(value)
                    .filter(|ms| *ms <= MAX_SECONDS * 1000)
                    .map(|ms: u64| Self::LateAnswers { micros: ms * 1000 }),
                "late=200, in milliseconds",
            ),
            "pending" => (number(value).map(|times| Self::Pending { times }), "pending=3"),
            "asleep" => (
                match value {
                    None => Some(Self::Asleep { wakes: true }),
                    Some("forever") => Some(Self::Asleep { wakes: false }),
                    Some(_) => None,
                },
                "asleep or asleep=forever",
            ),
            "ignition-off" => (
                seconds(value).map(|after_micros| Self::IgnitionOff { after_micros }),
                "ignition-off=30, in seconds",
            ),
            "tester" => (
                match value {
                    None => Some(Self::Tester { session: None }),
                    Some("programming") => Some(Self::Tester { session: Some(Session::Programming) }),
                    Some("extended") => Some(Self::Tester { session: Some(Session::Extended) }),
                    Some(_) => None,
                },
                "tester, tester=programming or tester=extended",
            ),
            "noise" => (
                number(value)
                    .filter(|count| (1..=1000).contains(count))
                    .map(|per_second| Self::Noise { per_second }),
                "noise=50, 1 to 1000 frames a second",
            ),
            "odometer-step" => (step(value), "odometer-step=-500000@30, in metres at a second"),
            "odometer-wakes" => {
                (seconds(value).map(|micros| Self::WakeUpOdometer { micros }), "odometer-wakes=5, in seconds")
            }
            "odometers-differ" => (
                metres(value).map(|by_m| Self::OdometersDisagree { by_m }),
                "odometers-differ=1890, in metres",
            ),
            "vin-change" => (
                seconds(value).map(|after_micros| Self::VinChange { after_micros }),
                "vin-change=30, in seconds",
            ),
            "out-of-sequence" => (value.is_none().then_some(Self::OutOfSequence), "out-of-sequence"),
            "no-consecutive" => (value.is_none().then_some(Self::NoConsecutiveFrames), "no-consecutive"),
            _ => return Err(FaultError::Unknown { name: name.into() }),
        };
        fault.ok_or_else(|| FaultError::Value { text: text.into(), form })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LostEvery(n) => write!(f, "lost-every={n}"),
            Self::LostShare { per_mille } => write!(f, "lost={}.{}", per_mille / 10, per_mille % 10),
            Self::LateAnswers { micros } => write!(f, "late={}", micros / 1000),
            Self::Pending { times } => write!(f, "pending={times}"),
            Self::Asleep { wakes: true } => f.write_str("asleep"),
            Self::Asleep { wakes: false } => f.write_str("asleep=forever"),
            Self::IgnitionOff { after_micros } => {
                write!(f, "ignition-off={}", after_micros / SECOND_MICROS)
            }
            Self::Tester { session: None } => f.write_str("tester"),
            Self::Tester { session: Some(Session::Programming) } => f.write_str("tester=programming"),
            Self::Tester { session: Some(Session::Extended) } => f.write_str("tester=extended"),
            Self::Noise { per_second } => write!(f, "noise={per_second}"),
            Self::OdometerStep { after_micros, by_m } => {
                write!(f, "odometer-step={by_m}@{}", after_micros / SECOND_MICROS)
            }
            Self::WakeUpOdometer { micros } => write!(f, "odometer-wakes={}", micros / SECOND_MICROS),
            Self::OdometersDisagree { by_m } => write!(f, "odometers-differ={by_m}"),
            Self::VinChange { after_micros } => write!(f, "vin-change={}", after_micros / SECOND_MICROS),
            Self::OutOfSequence => f.write_str("out-of-sequence"),
            Self::NoConsecutiveFrames => f.write_str("no-consecutive"),
        }
    }
}

/// What is wrong with long answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Transport {
    #[default]
    Sound,
    OutOfSequence,
    NoConsecutiveFrames,
}

/// The faults inside a vehicle, put in order. Of several of one kind the last
/// counts; odometer steps add up.
#[derive(Debug, Clone, Default)]
pub(crate) struct Conduct {
    pub(crate) late_micros: u64,
    pub(crate) pendings: u8,
    pub(crate) transport: Transport,
    pub(crate) stops_after_micros: Option<u64>,
    pub(crate) odometer_steps: Vec<(u64, i64)>,
    pub(crate) odometer_wakes_after_micros: u64,
    pub(crate) odometers_differ_by_m: i64,
    pub(crate) vin_changes_after_micros: Option<u64>,
}

impl Conduct {
    pub(crate) fn of(faults: &[Fault]) -> Self {
        let mut conduct = Self::default();
        for fault in faults {
            match *fault {
                Fault::LateAnswers { micros } => conduct.late_micros = micros,
                Fault::Pending { times } => conduct.pendings = times,
                Fault::OutOfSequence => conduct.transport = Transport::OutOfSequence,
                Fault::NoConsecutiveFrames => conduct.transport = Transport::NoConsecutiveFrames,
                Fault::IgnitionOff { after_micros } => conduct.stops_after_micros = Some(after_micros),
                Fault::OdometerStep { after_micros, by_m } => {
                    conduct.odometer_steps.push((after_micros, by_m));
                }
                Fault::WakeUpOdometer { micros } => conduct.odometer_wakes_after_micros = micros,
                Fault::OdometersDisagree { by_m } => conduct.odometers_differ_by_m = by_m,
                Fault::VinChange { after_micros } => conduct.vin_changes_after_micros = Some(after_micros),
                Fault::LostEvery(_)
                | Fault::LostShare { .. }
                | Fault::Asleep { .. }
                | Fault::Tester { .. }
                | Fault::Noise { .. } => {}
            }
        }
        conduct
    }
}

fn number<T: FromStr>(value: Option<&str>) -> Option<T> {
    value?.parse().ok()
}

fn seconds(value: Option<&str>) -> Option<u64> {
    number(value).filter(|seconds| *seconds <= MAX_SECONDS).map(|seconds: u64| seconds * SECOND_MICROS)
}

fn metres(value: Option<&str>) -> Option<i64> {
    number(value).filter(|metres: &i64| metres.unsigned_abs() <= MAX_STEP_M.unsigned_abs())
}

fn step(value: Option<&str>) -> Option<Fault> {
    let (by_m, after) = value?.split_once('@')?;
    Some(Fault::OdometerStep { by_m: metres(Some(by_m))?, after_micros: seconds(Some(after))? })
}

/// A percentage with at most one decimal.
fn per_mille(value: Option<&str>) -> Option<u16> {
    let value = value?;
    let (whole, tenths) = value.split_once('.').unwrap_or((value, "0"));
    let tenths = u16::from_str(tenths).ok().filter(|tenths| *tenths < 10)?;
    u16::from_str(whole).ok()?.checked_mul(10)?.checked_add(tenths).filter(|share| *share <= 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_read_and_written_one_way() {
        for text in [
            "lost-every=10",
            "lost=2.5",
            "lost=100.0",
            "late=200",
            "pending=3",
            "asleep",
            "asleep=forever",
            "ignition-off=30",
            "tester",
            "tester=programming",
            "tester=extended",
            "noise=50",
            "odometer-step=-500000@30",
            "odometer-wakes=5",
            "odometers-differ=1890",
            "vin-change=30",
            "out-of-sequence",
            "no-consecutive",
        ] {
            let fault: Fault = text.parse().expect(text);
            assert_eq!(fault.to_string(), text);
            let name = text.split('=').next().expect("a name");
            assert!(Fault::HELP.contains(name), "{name} is in the help");
        }
    }

    #[test]
    fn a_text_that_is_no_fault_says_how_it_is_written() {
        for (text, part) in [
            ("smoke", "'smoke' is not a fault; write one of: lost-every=N"),
            ("lost-every=0", "write lost-every=10"),
            ("lost=100.1", "in percent"),
            ("lost=1.25", "in percent"),
            ("late=-1", "in milliseconds"),
            ("late=18446744073709551615", "in milliseconds"),
            ("pending=256", "write pending=3"),
            ("asleep=never", "asleep or asleep=forever"),
            ("ignition-off", "in seconds"),
            ("ignition-off=86401", "in seconds"),
            ("tester=default", "tester=programming or"),
            ("noise=0", "1 to 1000"),
            ("odometer-step=5", "in metres at a second"),
            ("odometer-step=10000000001@1", "in metres at a second"),
            ("out-of-sequence=1", "write out-of-sequence"),
        ] {
            let error = text.parse::<Fault>().expect_err(text).to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn only_a_trailer_cannot_have_the_faults_of_iso_tp() {
        let pending = Fault::Pending { times: 1 };
        assert!(pending.fits(Kind::Car) && pending.fits(Kind::Truck) && pending.fits(Kind::Ev));
        assert!(!pending.fits(Kind::Trailer));
        assert!(Fault::Tester { session: None }.fits(Kind::Trailer));
    }
}
