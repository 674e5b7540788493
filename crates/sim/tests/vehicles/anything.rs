//! Whatever is heard, whenever and under whatever faults: no panic, no frame
//! too many, nothing done before it is due, the same frames from the same seed.

use crate::harness::{START, models};
use proptest::prelude::*;
use std::num::NonZeroU32;
use vernport_sim::{BURST_FRAMES, FRAME_MICROS, Fault, Session, Simulated, Vehicle};
use vernport_types::{BootMicros, CanFrame, CanId, FrameKind};

fn faults() -> impl Strategy<Value = Vec<Fault>> {
    let seconds = || (0u64..30).prop_map(|seconds| seconds * 1_000_000);
    let session = prop_oneof![Just(None), Just(Some(Session::Programming)), Just(Some(Session::Extended))];
    let fault = prop_oneof![
        (1u32..20).prop_map(|n| Fault::LostEvery(NonZeroU32::new(n).expect("from 1"))),
        (0u16..=1000).prop_map(|per_mille| Fault::LostShare { per_mille }),
        (0u64..3_000_000).prop_map(|micros| Fault::LateAnswers { micros }),
        any::<u8>().prop_map(|times| Fault::Pending { times }),
        any::<bool>().prop_map(|wakes| Fault::Asleep { wakes }),
        seconds().prop_map(|after_micros| Fault::IgnitionOff { after_micros }),
        session.prop_map(|session| Fault::Tester { session }),
        (0u16..=1000).prop_map(|per_second| Fault::Noise { per_second }),
        (seconds(), any::<i64>()).prop_map(|(after_micros, by_m)| Fault::OdometerStep { after_micros, by_m }),
        seconds().prop_map(|micros| Fault::WakeUpOdometer { micros }),
        any::<i64>().prop_map(|by_m| Fault::OdometersDisagree { by_m }),
        seconds().prop_map(|after_micros| Fault::VinChange { after_micros }),
        Just(Fault::OutOfSequence),
        Just(Fault::NoConsecutiveFrames),
    ];
    prop::collection::vec(fault, 0..6)
}

/// A frame of others: anything, or a likely question or flow control.
fn frames() -> impl Strategy<Value = CanFrame> {
    const ASKED: [u32; 14] = [
        0x7DF,
        0x7E0,
        0x7E1,
        0x7E2,
        0x6F1,
        0x18DB_33F1,
        0x18DA_00F1,
        0x18DA_10F1,
        0x18DA_40F1,
        0x18EA_FFF9,
        0x18EA_00F9,
        0x18EA_C8F9,
        0x1CEC_00F9,
        0x1CEC_C8F9,
    ];
    const SAID: [&[u8]; 14] = [
        &[2, 0x01, 0x00],
        &[7, 0x01, 0x01, 0x0D, 0x2F, 0x31, 0x42, 0xA6],
        &[2, 0x09, 0x02],
        &[3, 0x22, 0xF1, 0x90],
        &[3, 0x22, 0x01, 0x01],
        &[0x60, 3, 0x22, 0xDD, 0x01],
        &[2, 0x10, 0x02],
        &[0x10, 0x08, 0x22, 0xF1, 0x90, 0xDD, 0x01, 0xF4],
        &[0x21, 0xA6, 0x00],
        &[0x30, 0, 0],
        &[0x30, 2, 0xF1],
        &[0x31, 0, 0],
        &[0xEC, 0xFE, 0x00],
        &[0x11, 3, 1, 0xFF, 0xFF, 0xEC, 0xFE, 0x00],
    ];
    let id = prop_oneof![
        4 => prop::sample::select(&ASKED[..]),
        1 => any::<u32>().prop_map(|id| id & 0x1FFF_FFFF),
    ];
    let bytes = prop_oneof![
        4 => prop::sample::select(&SAID[..]).prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..=64),
    ];
    (id, bytes, any::<bool>()).prop_map(|(id, bytes, fd)| {
        let id = u16::try_from(id).ok().and_then(CanId::standard).unwrap_or(CanId::Extended(id));
        let kind = if fd || bytes.len() > 8 { FrameKind::FdData } else { FrameKind::Data };
        CanFrame::new(id, kind, &bytes).expect("at most 64 bytes")
    })
}

/// One step: a pause, then perhaps a frame; whether the time is told before it.
type Step = (u64, Option<CanFrame>, bool);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let pause = prop_oneof![Just(0), 1u64..500, 500u64..100_000, 100_000u64..8_000_000];
    prop::collection::vec((pause, prop::option::of(frames()), any::<bool>()), 0..120)
}

fn play(simulated: &mut Simulated, steps: &[Step]) -> Vec<(u64, CanFrame)> {
    let mut now = START;
    let mut said = Vec::new();
    for (pause, frame, ticks) in steps {
        let until = BootMicros(now.0 + pause);
        // A careful caller ticks when something is due; another one comes late.
        while *ticks && simulated.next_due() <= until {
            now = now.max(simulated.next_due());
            said.extend(simulated.on_tick(now).into_iter().map(|frame| (now.0, frame)));
            assert!(simulated.next_due() > now, "a tick does all that is due");
        }
        now = until;
        if let Some(frame) = frame {
            said.extend(simulated.on_frame(frame, now).into_iter().map(|frame| (now.0, frame)));
        }
    }
    said
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_no_frame_is_too_many(
        model in 0usize..4, faults in faults(), seed in any::<u64>(), steps in steps(),
    ) {
        let model = models()[model].clone();
        let mut simulated = Simulated::new(model.clone(), &faults, seed, START);
        let said = play(&mut simulated, &steps);
        prop_assert_eq!(simulated.sent().frames, said.len() as u64);
        // In any span: a burst, and one for each hundred microseconds begun.
        let burst = usize::try_from(BURST_FRAMES).expect("small");
        for (first, last) in said.iter().zip(said.iter().skip(burst)) {
            prop_assert!(last.0 > first.0, "no {} frames at once", burst + 1);
        }
        for (n, (from, _)) in said.iter().enumerate().step_by(97) {
            for (m, (to, _)) in said.iter().enumerate().skip(n).step_by(13) {
                let allowed = BURST_FRAMES + (to - from).div_ceil(FRAME_MICROS);
                prop_assert!((m - n + 1) as u64 <= allowed, "{} frames in {} µs", m - n + 1, to - from);
            }
        }
        let mut again = Simulated::new(model, &faults, seed, START);
        prop_assert_eq!(play(&mut again, &steps), said);
    }

    #[test]
    fn nothing_comes_before_it_is_due(model in 0usize..4, faults in faults(), seed in any::<u64>()) {
        let mut simulated = Simulated::new(models()[model].clone(), &faults, seed, START);
        for _ in 0..50 {
            let due = simulated.next_due();
            if due.0 == u64::MAX {
                break;
            }
            if due > START {
                prop_assert_eq!(simulated.on_tick(BootMicros(due.0 - 1)), []);
                prop_assert_eq!(simulated.next_due(), due);
            }
            simulated.on_tick(due);
        }
    }

    /// Consecutive frames keep the pause that the tester asked for.
    #[test]
    fn a_tester_is_never_overrun(
        separation in any::<u8>(), block in 0u8..8, late in 0u64..5_000, faults in faults(),
    ) {
        let pause = match separation {
            0..=0x7F => u64::from(separation) * 1000,
            0xF1..=0xF9 => u64::from(separation - 0xF0) * 100,
            _ => 127_000,
        };
        // Another tester's flow control would count as well.
        let alone: Vec<Fault> =
            faults.into_iter().filter(|fault| !matches!(fault, Fault::Tester { .. })).collect();
        let mut ev = Simulated::new(models()[3].clone(), &alone, 1, START);
        let id = CanId::Extended(0x18DA_40F1);
        let send = |bytes: &[u8]| CanFrame::data_frame(id, bytes).expect("short");
        let is_of_answer = |frame: &CanFrame| frame.id() == CanId::Extended(0x18DA_F140);
        let mut consecutive: Vec<u64> = Vec::new();
        let mut in_block = 0;
        let mut heard: Vec<(BootMicros, CanFrame)> = Vec::new();
        heard.extend(ev.on_frame(&send(&[3, 0x22, 0x01, 0x01]), START).into_iter().map(|frame| (START, frame)));
        for _ in 0..400 {
            for (at, frame) in std::mem::take(&mut heard).into_iter().filter(|(_, frame)| is_of_answer(frame)) {
                let control = frame.data()[0] >> 4;
                if control == 2 {
                    if in_block > 0 {
                        prop_assert!(at.0 - consecutive[consecutive.len() - 1] >= pause);
                    }
                    consecutive.push(at.0);
                    in_block += 1;
                }
                if control == 1 || control == 2 && in_block == block {
                    in_block = 0;
                    let clear = send(&[0x30, block, separation]);
                    heard.extend(ev.on_frame(&clear, at).into_iter().map(|frame| (at, frame)));
                }
            }
            let due = ev.next_due();
            if due.0 > START.0 + 60_000_000 {
                break;
            }
            let now = BootMicros(due.0 + late);
            heard.extend(ev.on_tick(now).into_iter().map(|frame| (now, frame)));
        }
    }
}

#[test]
fn at_the_end_of_time_nothing_hangs_or_panics() {
    let faults = [Fault::Tester { session: Some(Session::Extended) }, Fault::Noise { per_second: 1000 }];
    for model in models() {
        let mut simulated = Simulated::new(model, &faults, 1, BootMicros(u64::MAX));
        let question = CanFrame::data_frame(CanId::Standard(0x7DF), &[2, 1, 0]).expect("short");
        for _ in 0..10 {
            simulated.on_tick(BootMicros(u64::MAX));
            simulated.on_frame(&question, BootMicros(u64::MAX));
        }
    }
}
