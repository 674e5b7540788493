//! Any frames: nothing panics, and what comes out is within the catalogue's bounds.

use super::*;
use proptest::prelude::*;

fn any_frame() -> impl Strategy<Value = CanFrame> {
    let group = prop_oneof![
        Just(65217_u32),
        Just(65226),
        Just(65248),
        Just(65253),
        Just(65260),
        Just(65265),
        Just(65267),
        Just(65271),
        Just(65276),
        Just(65216),
        Just(64932),
        Just(0xECFF),
        Just(0xEBFF),
        Just(0xECF9),
        Just(0xEBF9),
        Just(0xEEFF),
        Just(65227),
        Just(65268),
        Just(65258),
        Just(0xDAF1),
    ];
    let id = prop_oneof![
        (group, any::<u8>())
            .prop_map(|(group, sa)| CanId::Extended(0x1800_0000 | group << 8 | u32::from(sa % 4))),
        (0x7E0_u16..0x7F0).prop_map(CanId::Standard),
        (0_u32..0x2000_0000).prop_map(CanId::Extended),
    ];
    let first = prop_oneof![any::<u8>(), 0_u8..0x30, Just(0x20)];
    (id, any::<bool>(), first, proptest::collection::vec(any::<u8>(), 0..=64)).prop_map(
        |(id, fd, first, mut data)| {
            if let Some(byte) = data.first_mut() {
                *byte = first;
            }
            let kind = if fd { FrameKind::FdData } else { FrameKind::Data };
            data.truncate(if fd { 64 } else { 8 });
            CanFrame::new(id, kind, &data).expect("short enough")
        },
    )
}

proptest! {
    #[test]
    fn random_frames_never_panic_and_what_comes_out_is_believed(
        frames in proptest::collection::vec(any_frame(), 0..300)
    ) {
        let catalogue = catalogue();
        let mut decoder = decoder();
        for (frame, micros) in frames.iter().zip((0..).step_by(1_000)) {
            decoder.push(frame, at(micros), &mut |decoded| {
                let Decoded::Signal { signal, value, .. } = decoded else { return };
                let entry = catalogue.signal(signal);
                if let Some(number) = value.as_f64() {
                    assert!(entry.min.is_none_or(|min| number >= min), "{}", entry.path);
                    assert!(entry.max.is_none_or(|max| number <= max), "{}", entry.path);
                }
            });
        }
    }
}
