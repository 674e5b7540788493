//! Signals of one message that share bits though both can be there.

use super::{
    database::{ByteOrder, Message, Signal},
    file::shown,
    finding::Findings,
};

/// How many pairs of signals are compared in one file.
const MOST_PAIRS: usize = 4_000_000;

/// The search through one file.
#[derive(Debug, Default)]
pub(super) struct Search {
    pairs: usize,
    given_up: bool,
}

impl Search {
    pub(super) fn search(&mut self, message: &Message, findings: &mut Findings) {
        let bits: Vec<_> = message.signals.iter().map(bits).collect();
        for (place, signal) in message.signals.iter().enumerate() {
            self.pairs += place;
            if self.pairs > MOST_PAIRS {
                if !self.given_up {
                    self.given_up = true;
                    let what = "so many signals that not all were compared with each other".to_owned();
                    findings.warning(message.line, what, "look for shared bits in another tool");
                }
                return;
            }
            let shared = (0..place)
                .find(|other| share(&bits[place], &bits[*other]) && together(message, place, *other));
            if let Some(other) = shared {
                let other = &message.signals[other];
                let what = format!(
                    "{} shares bits with {} in line {}",
                    shown(&signal.name),
                    shown(&other.name),
                    other.line
                );
                findings.warning(signal.line, what, "mend start or length, unless it is meant so");
            }
        }
    }
}

/// The bits of each byte that a signal has: the first byte, and its masks.
fn bits(signal: &Signal) -> (usize, [u8; 9]) {
    let mut masks = [0_u8; 9];
    let first = usize::from(signal.start_bit / 8);
    for step in 0..u32::from(signal.len_bits) {
        let (byte, bit) = match signal.order {
            ByteOrder::Intel => {
                let at = u32::from(signal.start_bit) + step;
                (at / 8, at % 8)
            }
            ByteOrder::Motorola => {
                let at = signal.top_distance() + step;
                (at / 8, 7 - at % 8)
            }
        };
        masks[byte as usize - first] |= 1 << bit;
    }
    (first, masks)
}

fn share(one: &(usize, [u8; 9]), other: &(usize, [u8; 9])) -> bool {
    let (low, high) = if one.0 <= other.0 { (one, other) } else { (other, one) };
    let apart = high.0 - low.0;
    apart < 9 && low.1[apart..].iter().zip(high.1).any(|(a, b)| a & b != 0)
}

/// Whether no switch keeps two signals apart.
fn together(message: &Message, one: usize, other: usize) -> bool {
    let mut at = Some(one);
    while let Some(place) = at {
        let signal = &message.signals[place];
        let mut beside = Some(other);
        while let Some(next) = beside {
            let switch = &message.signals[next].switch;
            if let (Some(a), Some(b)) = (&signal.switch, switch)
                && a.signal == b.signal
                && !a
                    .ranges
                    .iter()
                    .any(|(from, to)| b.ranges.iter().any(|(low, high)| from <= high && low <= to))
            {
                return false;
            }
            beside = switch.as_ref().map(|switch| switch.signal);
        }
        at = signal.switch.as_ref().map(|switch| switch.signal);
    }
    true
}
