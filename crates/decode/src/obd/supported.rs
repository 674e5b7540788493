//! Which PIDs or information types a control unit supports, as it tells by the
//! bitmaps 00, 20, … E0 (SAE J1979, "supported PIDs").

use super::pid;

/// A set of PIDs of one control unit and one service, with the ranges that were told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Supported {
    /// One bit for each PID, the first of a range highest: as they are sent.
    ranges: [u32; 8],
    told: u8,
}

impl Supported {
    /// Nothing was told yet.
    pub const fn new() -> Self {
        Self { ranges: [0; 8], told: 0 }
    }

    /// Takes an answer of service 01, 02 or 09 with bitmaps, and gives the
    /// service; none for any other message, which changes nothing.
    pub fn hear(&mut self, message: &[u8]) -> Option<u8> {
        let (service, frame_bytes) = match message.first()? {
            0x41 => (1, 0),
            0x42 => (2, 1),
            0x49 => (9, 0),
            _ => return None,
        };
        let mut heard = *self;
        let mut rest = &message[1..];
        while let [base, data @ ..] = rest {
            let bitmap = data.get(frame_bytes..).and_then(|data| data.first_chunk::<4>());
            let range = usize::from(base / 0x20);
            let bitmap = bitmap.filter(|_| base % 0x20 == 0)?;
            heard.ranges[range] = u32::from_be_bytes(*bitmap);
            heard.told |= 1 << range;
            rest = &data[frame_bytes + 4..];
        }
        if message.len() == 1 {
            return None;
        }
        *self = heard;
        Some(service)
    }

    /// Whether this PID is supported. The bitmaps themselves count once they were told.
    pub const fn contains(&self, pid: u8) -> bool {
        if self.is_told(pid) {
            return true;
        }
        match pid.checked_sub(1) {
            None => false,
            Some(place) => self.ranges[(place / 0x20) as usize] & (0x8000_0000 >> (place % 0x20)) != 0,
        }
    }

    /// Whether the bitmap of the 32 PIDs after `base` was told.
    pub const fn is_told(&self, base: u8) -> bool {
        base.is_multiple_of(0x20) && self.told & 1 << (base / 0x20) != 0
    }

    /// The supported PIDs in order.
    pub fn iter(&self) -> impl Iterator<Item = u8> + '_ {
        (0..=u8::MAX).filter(|pid| self.contains(*pid))
    }

    /// The bitmap to ask for next; none when all that there are were told.
    pub fn next_to_ask(&self) -> Option<u8> {
        (0..8)
            .map(|range| range * 0x20)
            .find(|base| !self.is_told(*base) && (*base == 0 || self.contains(*base)))
    }

    /// Whether an answer with these PIDs can be taken apart whole: each has a known length.
    pub fn is_divisible(pids: &[u8]) -> bool {
        pids.iter().all(|pid| pid::data_bytes(*pid).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hear(supported: &mut Supported, text: &str) -> Option<u8> {
        supported.hear(&hex::decode(text).expect("hexadecimal"))
    }

    #[test]
    fn ranges_are_asked_one_after_the_other_while_there_are_more() {
        let mut supported = Supported::new();
        assert_eq!((supported.next_to_ask(), supported.contains(0)), (Some(0), false));
        assert_eq!(hear(&mut supported, "4100BE1FA813"), Some(1));
        assert!(supported.contains(0x0D) && supported.contains(0x20) && !supported.contains(0x02));
        assert_eq!(supported.next_to_ask(), Some(0x20));
        // Two bitmaps in one answer.
        assert_eq!(hear(&mut supported, "4120900520014044000000"), Some(1));
        assert!(supported.contains(0x21) && supported.contains(0x2E) && supported.contains(0x42));
        assert_eq!(supported.next_to_ask(), None);
        assert_eq!(supported.iter().last(), Some(0x46));
    }

    #[test]
    fn freeze_frames_and_information_types_have_bitmaps_too() {
        let mut frames = Supported::new();
        assert_eq!(hear(&mut frames, "420000"), None);
        assert_eq!(hear(&mut frames, "42000058000000"), Some(2));
        assert_eq!(frames.iter().collect::<Vec<_>>(), [0, 2, 4, 5]);
        let mut information = Supported::new();
        assert_eq!(hear(&mut information, "490055400000"), Some(9));
        assert_eq!(information.iter().collect::<Vec<_>>(), [0, 2, 4, 6, 8, 0x0A]);
    }

    #[test]
    fn what_is_no_bitmap_changes_nothing() {
        let mut supported = Supported::new();
        for text in ["", "41", "410D50", "4100BE1FA8", "4100BE1FA8130D", "4300", "7F0112"] {
            assert_eq!(hear(&mut supported, text), None, "{text}");
        }
        assert_eq!(supported, Supported::new());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_and_asking_ends(
            messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..20)
        ) {
            let mut supported = Supported::new();
            for mut message in messages {
                if let Some(first) = message.first_mut() {
                    *first = 0x41 + *first % 2;
                }
                supported.hear(&message);
            }
            let mut asked = 0;
            while let Some(base) = supported.next_to_ask() {
                supported.hear(&[0x41, base, 0xFF, 0xFF, 0xFF, 0xFF]);
                asked += 1;
            }
            prop_assert!(asked <= 8);
        }
    }
}
