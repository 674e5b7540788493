//! Decoding as simply as it can be said: bit by bit, every signal of a message.
//!
//! For tools and tests: the [plan](super::Plan) has to agree with it. It
//! allocates, and it knows nothing of catalogue, units or values that mean "none".

use super::database::{ByteOrder, Database, Message, Shape, Signal};
use crate::RejectCode;
use vernport_types::CanId;

impl Signal {
    /// The bits of the signal; none if the data ends before.
    pub fn raw(&self, data: &[u8]) -> Option<u64> {
        let bit = |byte: u32, bit: u32| data.get(byte as usize).map(|byte| u64::from(byte >> bit & 1));
        let mut raw = 0;
        for step in 0..u32::from(self.len_bits) {
            match self.order {
                ByteOrder::Intel => {
                    let at = u32::from(self.start_bit) + step;
                    raw |= bit(at / 8, at % 8)? << step;
                }
                ByteOrder::Motorola => {
                    let at = self.top_distance() + step;
                    raw = raw << 1 | bit(at / 8, 7 - at % 8)?;
                }
            }
        }
        Some(raw)
    }

    /// What the bits are worth, in the unit of the signal.
    #[expect(clippy::cast_precision_loss, reason = "a double is what every DBC tool gives")]
    pub fn physical(&self, raw: u64) -> f64 {
        let number = match self.shape {
            Shape::Unsigned => raw as f64,
            Shape::Signed => {
                let up = 64 - u32::from(self.len_bits);
                ((raw << up).cast_signed() >> up) as f64
            }
            Shape::Float => u32::try_from(raw).map_or(f64::NAN, |bits| f64::from(f32::from_bits(bits))),
            Shape::Double => f64::from_bits(raw),
        };
        number * self.factor + self.offset
    }
}

impl Message {
    /// Every signal that is there, in the order of the message.
    ///
    /// # Errors
    /// [`RejectCode::WrongLength`] if the data ends before a signal does, and
    /// [`RejectCode::ReservedValue`] if a switch has a value for which the message has no signal.
    pub fn decode(&self, data: &[u8]) -> Result<Vec<(&Signal, f64)>, RejectCode> {
        let mut raws: Vec<Option<u64>> = Vec::with_capacity(self.signals.len());
        let mut values = Vec::new();
        for signal in &self.signals {
            let there = match &signal.switch {
                Some(switch) => raws[switch.signal].is_some_and(|raw| switch.is_at(raw)),
                None => true,
            };
            let raw = if there { Some(signal.raw(data).ok_or(RejectCode::WrongLength)?) } else { None };
            raws.push(raw);
            values.extend(raw.map(|raw| (signal, signal.physical(raw))));
        }
        for (place, raw) in raws.iter().enumerate() {
            let mut branches = self
                .signals
                .iter()
                .filter_map(|signal| signal.switch.as_ref())
                .filter(|s| s.signal == place)
                .peekable();
            let Some(raw) = raw else { continue };
            if branches.peek().is_some() && !branches.any(|switch| switch.is_at(*raw)) {
                return Err(RejectCode::ReservedValue);
            }
        }
        Ok(values)
    }
}

impl Database {
    /// Every signal of the message of an identifier; none for an unknown one.
    ///
    /// # Errors
    /// As [`Message::decode`].
    pub fn decode_all(&self, id: CanId, data: &[u8]) -> Option<Result<Vec<(&Signal, f64)>, RejectCode>> {
        self.message(id).map(|message| message.decode(data))
    }
}
