//! How a vehicle moves, and what it says about it: odometer, speed, VIN. What is
//! true and what is said part where a fault wants it so.

use crate::{fault::Conduct, vehicle::now_plus};
use vernport_types::{BootMicros, Vin};

/// What real instruments say first after they woke up, in metres: a start value,
/// then zero.
const WAKE_UP_M: [u64; 2] = [37_500, 0];

/// A drive from its start.
pub(crate) struct Drive {
    vin: Vin,
    other_vin: Vin,
    odometer_m: u64,
    speed_km_per_h: u8,
    started: BootMicros,
    conduct: Conduct,
}

impl Drive {
    pub(crate) fn new(
        vin: Vin,
        odometer_m: u64,
        speed_km_per_h: u8,
        conduct: Conduct,
        now: BootMicros,
    ) -> Self {
        Self { vin, other_vin: other_vin(vin), odometer_m, speed_km_per_h, started: now, conduct }
    }

    /// How long it has been since the start, in µs.
    pub(crate) const fn micros(&self, now: BootMicros) -> u64 {
        now.0.saturating_sub(self.started.0)
    }

    /// Whether the engine runs.
    pub(crate) fn is_on(&self, now: BootMicros) -> bool {
        self.conduct.stops_after_micros.is_none_or(|after| self.micros(now) < after)
    }

    /// How long the engine has run, in µs.
    pub(crate) fn running_micros(&self, now: BootMicros) -> u64 {
        self.micros(now).min(self.conduct.stops_after_micros.unwrap_or(u64::MAX))
    }

    pub(crate) fn speed_km_per_h(&self, now: BootMicros) -> u8 {
        if self.is_on(now) { self.speed_km_per_h } else { 0 }
    }

    /// How far it went since the start, in metres.
    pub(crate) fn driven_m(&self, now: BootMicros) -> u64 {
        // km/h × µs = 1 m / 3 600 000
        u64::from(self.speed_km_per_h).saturating_mul(self.running_micros(now)) / 3_600_000
    }

    /// The true distance, in metres.
    pub(crate) fn odometer_m(&self, now: BootMicros) -> u64 {
        self.odometer_m.saturating_add(self.driven_m(now))
    }

    /// The distance that the engine's unit says, in metres.
    pub(crate) fn said_m(&self, now: BootMicros) -> u64 {
        let steps = self.conduct.odometer_steps.iter().filter(|(after, _)| self.micros(now) >= *after);
        steps.fold(self.odometer_m(now), |said, (_, by_m)| said.saturating_add_signed(*by_m))
    }

    /// The distance that the instruments say, in metres.
    pub(crate) fn instrument_m(&self, now: BootMicros) -> u64 {
        let wakes = self.conduct.odometer_wakes_after_micros;
        match self.micros(now) {
            micros if micros < wakes / 2 => WAKE_UP_M[0],
            micros if micros < wakes => WAKE_UP_M[1],
            _ => self.said_m(now).saturating_add_signed(self.conduct.odometers_differ_by_m),
        }
    }

    /// The VIN that it says.
    pub(crate) fn vin(&self, now: BootMicros) -> Vin {
        let changed = self.conduct.vin_changes_after_micros.is_some_and(|after| self.micros(now) >= after);
        if changed { self.other_vin } else { self.vin }
    }

    /// Battery: what it was told while the engine runs, a tenth less when it does not.
    pub(crate) fn battery_mv(&self, running_mv: u16, now: BootMicros) -> u16 {
        if self.is_on(now) { running_mv } else { running_mv - running_mv / 10 }
    }

    /// The start of this drive and so many µs.
    pub(crate) const fn after(&self, micros: u64) -> BootMicros {
        now_plus(self.started, micros)
    }
}

/// The VIN of another vehicle: it differs in the last character.
pub(crate) fn other_vin(vin: Vin) -> Vin {
    let mut bytes = vin.expose().as_bytes().to_vec();
    if let Some(last) = bytes.last_mut() {
        *last = if *last == b'9' { b'0' } else { b'9' };
    }
    Vin::from_ascii(&bytes).unwrap_or(vin)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Fault;

    const SECOND: u64 = 1_000_000;

    fn drive(faults: &[Fault]) -> Drive {
        let vin = Vin::from_ascii(b"YV1SMT00000000001").expect("a VIN");
        Drive::new(vin, 100_000, 36, Conduct::of(faults), BootMicros(5))
    }

    fn at(seconds: u64) -> BootMicros {
        BootMicros(5 + seconds * SECOND)
    }

    #[test]
    fn it_goes_on_until_the_ignition_is_off() {
        let drive = drive(&[Fault::IgnitionOff { after_micros: 10 * SECOND }]);
        assert_eq!((drive.odometer_m(at(5)), drive.speed_km_per_h(at(5))), (100_050, 36));
        assert_eq!((drive.odometer_m(at(60)), drive.speed_km_per_h(at(60))), (100_100, 0));
        assert_eq!((drive.battery_mv(14_000, at(9)), drive.battery_mv(14_000, at(10))), (14_000, 12_600));
        assert_eq!(drive.odometer_m(BootMicros(0)), 100_000, "a time before the start is the start");
    }

    #[test]
    fn what_is_said_parts_from_what_is_true() {
        let drive = drive(&[
            Fault::OdometerStep { after_micros: 10 * SECOND, by_m: -200_000 },
            Fault::WakeUpOdometer { micros: 4 * SECOND },
            Fault::OdometersDisagree { by_m: 1_890 },
            Fault::VinChange { after_micros: 20 * SECOND },
        ]);
        assert_eq!((drive.instrument_m(at(1)), drive.instrument_m(at(3))), (37_500, 0));
        assert_eq!((drive.said_m(at(5)), drive.instrument_m(at(5))), (100_050, 101_940));
        assert_eq!((drive.said_m(at(10)), drive.odometer_m(at(10))), (0, 100_100), "never below nothing");
        assert_eq!(drive.vin(at(19)).expose(), "YV1SMT00000000001");
        assert_eq!(drive.vin(at(20)).expose(), "YV1SMT00000000009");
    }

    #[test]
    fn at_the_end_of_time_nothing_overflows() {
        let drive = drive(&[Fault::OdometerStep { after_micros: 0, by_m: i64::MAX }]);
        assert!(drive.said_m(BootMicros(u64::MAX)) >= drive.odometer_m(BootMicros(u64::MAX)));
    }
}
