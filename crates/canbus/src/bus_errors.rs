//! What a CAN controller reports of its bus, counted by class.
//!
//! A broken bus makes thousands of such reports a second. All are counted; of
//! each class at most one a second is handed out as a frame.

use vernport_types::BootMicros;

/// Between two reports of one class that are handed out.
const EACH_MICROS: u64 = 1_000_000;
/// Overflow bits in the second byte of a controller report.
const OVERFLOWS: u8 = 0x03;
/// What a report says, by the bit of its identifier (`linux/can/error.h`).
const CLASS_BITS: u32 = 0x3FF;
const CLASSES: usize = CLASS_BITS.count_ones() as usize;
const CONTROLLER: u32 = 0x04;
const BUS_OFF: u32 = 0x40;
const RESTARTED: u32 = 0x100;

/// How far the controller still takes part (ISO 11898-1, fault confinement), as it last reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ControllerState {
    /// Takes full part, or has reported nothing else.
    #[default]
    Active,
    /// Has counted 96 errors of one direction.
    Warning,
    /// Has counted 128 and no longer marks errors of others.
    Passive,
    /// Has counted 256 sending errors and takes no part until it is restarted
    /// (`ip link set can0 type can restart-ms 100`).
    BusOff,
}

/// Reports of the controller since the source was opened, by class
/// (`linux/can/error.h`). One report can be of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BusErrors {
    /// All reports.
    pub reports: u64,
    /// A frame was not sent in time.
    pub send_timeouts: u64,
    /// Another node was more important.
    pub lost_arbitrations: u64,
    /// The controller's state or queues.
    pub controller: u64,
    /// Of these: a queue of the controller itself ran over, so frames were lost.
    pub overflows: u64,
    /// Bits, stuffing, form or checksum were wrong.
    pub protocol: u64,
    /// The transceiver saw a broken or shorted wire.
    pub transceiver: u64,
    /// No node acknowledged a frame.
    pub no_acknowledge: u64,
    /// The controller left the bus.
    pub bus_off: u64,
    /// Error frames on the bus.
    pub bus_error: u64,
    /// The controller came back.
    pub restarted: u64,
    /// The state of the controller.
    pub state: ControllerState,
}

impl BusErrors {
    fn count(&mut self, classes: u32, data: &[u8]) {
        self.reports += 1;
        let byte = |at: usize| data.get(at).copied().unwrap_or(0);
        let counters: [&mut u64; 9] = [
            &mut self.send_timeouts,
            &mut self.lost_arbitrations,
            &mut self.controller,
            &mut self.protocol,
            &mut self.transceiver,
            &mut self.no_acknowledge,
            &mut self.bus_off,
            &mut self.bus_error,
            &mut self.restarted,
        ];
        for (counter, bit) in counters.into_iter().zip(0..) {
            *counter += u64::from(classes >> bit & 1);
        }
        if classes & CONTROLLER != 0 {
            self.overflows += u64::from(byte(1) & OVERFLOWS != 0);
            self.state = match byte(1) {
                it if it & 0x30 != 0 => ControllerState::Passive,
                it if it & 0x0C != 0 => ControllerState::Warning,
                it if it & 0x40 != 0 => ControllerState::Active,
                _ => self.state,
            };
        }
        if classes & RESTARTED != 0 {
            self.state = ControllerState::Active;
        }
        if classes & BUS_OFF != 0 {
            self.state = ControllerState::BusOff;
        }
    }
}

/// Counts reports and lets few of them through.
#[derive(Debug, Default)]
pub(crate) struct ErrorGate {
    counted: BusErrors,
    /// When a report of each class was last let through.
    told: [Option<BootMicros>; CLASSES],
}

impl ErrorGate {
    /// Counts a report by the identifier and data of its frame; whether it is handed out.
    pub(crate) fn report(&mut self, id: u32, data: &[u8], at: BootMicros) -> bool {
        let classes = id & CLASS_BITS;
        self.counted.count(classes, data);
        let mut due = false;
        for (told, bit) in self.told.iter_mut().zip(0..) {
            let quiet = told.is_none_or(|told| at.0.saturating_sub(told.0) >= EACH_MICROS);
            if classes >> bit & 1 == 1 && quiet {
                *told = Some(at);
                due = true;
            }
        }
        due
    }

    /// The interface was down or away: a controller that is set up begins active, and does not say so.
    pub(crate) const fn started_anew(&mut self) {
        self.counted.state = ControllerState::Active;
    }

    pub(crate) const fn counted(&self) -> BusErrors {
        self.counted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u64) -> BootMicros {
        BootMicros(micros)
    }

    #[test]
    fn each_report_counts_for_each_of_its_classes() {
        let mut gate = ErrorGate::default();
        for bit in 0..9 {
            gate.report(1 << bit, &[0; 8], at(0));
        }
        gate.report(0x88, &[0; 8], at(0));
        gate.report(0, &[], at(0));
        let expected = BusErrors {
            reports: 11,
            send_timeouts: 1,
            lost_arbitrations: 1,
            controller: 1,
            overflows: 0,
            protocol: 2,
            transceiver: 1,
            no_acknowledge: 1,
            bus_off: 1,
            bus_error: 2,
            restarted: 1,
            state: ControllerState::Active,
        };
        assert_eq!(gate.counted(), expected);
    }

    #[test]
    fn the_state_is_the_last_that_the_controller_reported() {
        let mut gate = ErrorGate::default();
        for (id, byte, state) in [
            (CONTROLLER, 0x08, ControllerState::Warning),
            (CONTROLLER, 0x28, ControllerState::Passive),
            (CONTROLLER, 0x01, ControllerState::Passive),
            (BUS_OFF, 0, ControllerState::BusOff),
            (RESTARTED, 0, ControllerState::Active),
            (CONTROLLER, 0x04, ControllerState::Warning),
            (CONTROLLER, 0x40, ControllerState::Active),
        ] {
            gate.report(id, &[0, byte], at(0));
            assert_eq!(gate.counted().state, state, "{id:x} {byte:x}");
        }
        assert_eq!(gate.counted().overflows, 1);
        gate.report(CONTROLLER, &[], at(0));
        assert_eq!(gate.counted().state, ControllerState::Active, "a report without data says nothing");
    }

    #[test]
    fn a_stream_of_reports_is_told_once_a_second_and_a_new_class_at_once() {
        let mut gate = ErrorGate::default();
        let told = (0..30_000).filter(|n| gate.report(0x80, &[0; 8], at(n * 100))).count();
        assert_eq!(told, 3, "in three seconds");
        assert!(gate.report(BUS_OFF, &[0; 8], at(2_999_950)));
        assert!(!gate.report(BUS_OFF | 0x80, &[0; 8], at(2_999_960)));
        assert_eq!(gate.counted().reports, 30_002);
        assert!(!gate.report(0x1000_0000, &[0; 8], at(9_000_000)), "of no class that is known");
    }
}
