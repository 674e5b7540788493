//! Frames that mean nothing: malformed ISO-TP and J1939, and any bytes under
//! any identifier but those of testers, which are a fault of their own.

use crate::{
    random::Random,
    vehicle::{NEVER, now_plus},
};
use vernport_types::{BootMicros, CanFrame, CanId, FrameKind};

/// Noise at an even pace.
pub(crate) struct Noise {
    pause_micros: u64,
    due: BootMicros,
    random: Random,
}

impl Noise {
    pub(crate) fn new(per_second: u16, seed: u64, now: BootMicros) -> Self {
        let pause_micros = 1_000_000 / u64::from(per_second.max(1));
        let due = if per_second == 0 { NEVER } else { now_plus(now, pause_micros) };
        Self { pause_micros, due, random: Random::new(seed) }
    }

    pub(crate) fn on_tick(&mut self, now: BootMicros) -> Option<CanFrame> {
        if self.due > now {
            return None;
        }
        self.due = now_plus(now, self.pause_micros);
        self.frame()
    }

    pub(crate) const fn next_due(&self) -> BootMicros {
        self.due
    }

    fn frame(&mut self) -> Option<CanFrame> {
        let mut bytes = [0; 8];
        bytes.fill_with(|| self.random.byte());
        let length = self.random.below(9) as usize;
        let answers = if self.random.below(2) == 0 {
            CanId::Standard(0x7E8 + u16::from(self.random.byte() & 7))
        } else {
            CanId::Extended(0x18DA_F100 | u32::from(self.random.byte()))
        };
        let foreign = CanId::Extended(0x18FE_0080 | self.random.below(0x100) << 8);
        match self.random.below(8) {
            // A consecutive frame of nothing, a single frame too short for itself.
            0 => {
                bytes[0] = 0x20 | bytes[0] & 0x0F;
                CanFrame::data_frame(answers, &bytes)
            }
            1 => CanFrame::data_frame(answers, &[7, bytes[1]]),
            // A first frame that claims what never comes, and one of no length.
            2 => CanFrame::data_frame(answers, &[0x1F, 0xFF, bytes[2], bytes[3]]),
            3 => CanFrame::data_frame(answers, &[0x10, 0x00, 0xFF, 0xFF, 0xFF, 0xFF]),
            // A BAM of more packets than its bytes need, and a packet of nobody.
            4 => CanFrame::data_frame(
                CanId::Extended(0x1CEC_FF80),
                &[0x20, 0xFF, 0xFF, bytes[0], 0xFF, 0xEC, 0xFE, 0x00],
            ),
            5 => CanFrame::data_frame(CanId::Extended(0x1CEB_FF80), &bytes),
            6 => CanFrame::new(foreign, FrameKind::Remote, &[]),
            _ => CanFrame::data_frame(foreign, &bytes[..length]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_comes_at_its_pace_and_never_as_a_tester() {
        let mut noise = Noise::new(1000, 1, BootMicros(0));
        for n in 1..=5000 {
            assert_eq!(noise.next_due(), BootMicros(n * 1000));
            let frame = noise.on_tick(BootMicros(n * 1000)).expect("a frame");
            match frame.id() {
                CanId::Standard(id) => assert!((0x7E8..=0x7EF).contains(&id)),
                CanId::Extended(id) => {
                    assert!(
                        id >> 8 & 0xFFFF != 0x18DB && id & 0xFF != 0xF9 && id & 0xFF != 0xFA
                            || id >> 8 == 0x18_DAF1
                    );
                }
            }
            assert!(noise.on_tick(BootMicros(n * 1000)).is_none());
        }
    }

    #[test]
    fn a_seed_gives_the_same_noise_and_another_one_another() {
        let said = |seed| {
            let mut noise = Noise::new(100, seed, BootMicros(0));
            (1..50u64).map(|n| noise.on_tick(BootMicros(n * 10_000))).collect::<Vec<_>>()
        };
        assert_eq!(said(3), said(3));
        assert_ne!(said(3), said(4));
    }
}
