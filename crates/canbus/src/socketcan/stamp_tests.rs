//! Stamps against a clock that a test holds.

use super::*;
use proptest::prelude::*;
use std::sync::atomic::{AtomicI64, Ordering};
use vernport_types::{TimeQuality, UtcMicros};

const WALL: i64 = 1_700_000_000_000_000;

/// A machine whose boot clock stands where it is put.
struct Machine {
    boot: Arc<AtomicI64>,
    stamper: Stamper,
}

impl Machine {
    fn at(boot: i64) -> Self {
        let held = Arc::new(AtomicI64::new(boot));
        let boot = Arc::clone(&held);
        let clock = Arc::new(move || {
            let boot = held.load(Ordering::Relaxed);
            let quality = TimeQuality::Bounded;
            Stamp { wall: UtcMicros(WALL + boot), boot: BootMicros(boot.unsigned_abs()), quality }
        });
        Self { boot, stamper: Stamper::new(clock) }
    }

    /// Reads a frame that was heard at `heard` of the boot clock, with the
    /// system's wall clock ahead of it by `ahead`.
    fn read(&mut self, now: i64, heard: Option<i64>, hardware: Option<i64>, ahead: i64) -> Stamp {
        self.boot.store(now, Ordering::Relaxed);
        let wall = |boot: i64| Duration::from_micros((boot + ahead).unsigned_abs());
        let own = |it: i64| Duration::from_micros(it.unsigned_abs());
        let time = KernelTime { software: heard.map(wall), hardware: hardware.map(own) };
        self.stamper.stamp(time, wall(now))
    }
}

#[test]
fn a_frame_that_waited_is_stamped_with_when_it_came() {
    let mut machine = Machine::at(0);
    let stamp = machine.read(5_000_000, Some(4_200_000), None, 77);
    assert_eq!(stamp.boot, BootMicros(4_200_000));
    assert_eq!(stamp.wall, UtcMicros(WALL + 4_200_000));
    assert_eq!(stamp.quality, TimeQuality::Bounded);
    assert_eq!(machine.stamper.by_clock(), 0);
}

#[test]
fn without_a_possible_time_of_the_kernel_the_clock_counts() {
    const NOW: i64 = 100_000_000_000;
    for heard in [None, Some(NOW + 1), Some(NOW - 86_400_000_001)] {
        let mut machine = Machine::at(0);
        assert_eq!(machine.read(NOW, heard, None, 0).boot, BootMicros(NOW.unsigned_abs()), "{heard:?}");
        assert_eq!(machine.stamper.by_clock(), 1);
    }
}

#[test]
fn a_wall_clock_that_is_set_moves_no_frame() {
    let mut machine = Machine::at(0);
    machine.read(1_000_000, Some(999_000), None, 0);
    // Heard before the step of half an hour, read after it.
    let stamp = machine.read(1_100_000, Some(1_050_000), None, 1_800_000_000);
    assert_eq!(stamp.boot, BootMicros(1_050_000).max(BootMicros(1_100_000)));
    let stamp = machine.read(1_300_000, Some(1_200_000), None, 1_800_000_000);
    assert_eq!(stamp.boot, BootMicros(1_200_000), "from then on by the new time");
    assert_eq!(machine.stamper.by_clock(), 1);
}

/// A gateway stands still while it can queue nothing: what waited then is no news.
#[test]
fn a_frame_that_waited_for_an_hour_is_an_hour_old() {
    let mut machine = Machine::at(0);
    machine.read(10_000_000, Some(9_999_000), None, 0);
    let stamp = machine.read(3_610_000_000, Some(10_001_000), None, 0);
    assert_eq!(stamp.boot, BootMicros(10_001_000));
    assert_eq!(machine.stamper.by_clock(), 0);
}

/// A third of a second is not enough to show as another start of the adapter's clock.
#[test]
fn frames_that_waited_while_the_wall_clock_was_set_do_not_misplace_the_adapters_clock() {
    let mut machine = Machine::at(0);
    machine.read(1_000_000, Some(999_900), Some(500_000), 0);
    for waited in [1_010_000, 1_020_000] {
        // Stamped before the step, read after it: told by the new clock, this was earlier.
        let stamp = machine.read(1_030_000, Some(waited - 300_000), Some(waited - 499_900), 300_000);
        assert_eq!(stamp.boot, BootMicros(1_030_000));
    }
    let stamp = machine.read(1_050_000, Some(1_040_000), Some(540_100), 300_000);
    assert_eq!(stamp.boot, BootMicros(1_040_000), "from then on by the new time");
    assert_eq!(machine.stamper.by_clock(), 2);
}

#[test]
fn a_wall_clock_that_is_slewed_is_followed() {
    let mut machine = Machine::at(0);
    machine.read(1_000_000, Some(999_000), None, 0);
    // 500 parts in a million over an hour of silence.
    machine.read(3_601_000_000, Some(3_600_999_000), None, 1_800_000);
    assert_eq!(machine.stamper.by_clock(), 0);
}

#[test]
fn an_adapters_clock_takes_out_what_the_way_to_the_kernel_adds() {
    let mut machine = Machine::at(0);
    // Heard each 10 ms; the way takes 100 to 900 µs, the adapter's clock is its own.
    let boots: Vec<u64> = (0..50)
        .map(|n: i64| {
            let heard = 1_000_000 + n * 10_000;
            let way = if n == 0 { 100 } else { 100 + (n * 397) % 800 };
            machine.read(heard + 1000, Some(heard + way), Some(heard - 990_000), 0).boot.0
        })
        .collect();
    let gaps: Vec<u64> = boots.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.iter().all(|gap| (9_990..=10_010).contains(gap)), "{gaps:?}");
}

#[test]
fn an_adapter_that_starts_anew_or_drifts_is_believed_anew() {
    let mut machine = Machine::at(0);
    machine.read(10_000_000, Some(9_999_900), Some(5_000_000), 0);
    let stamp = machine.read(11_000_000, Some(10_999_800), Some(20), 0);
    assert_eq!(stamp.boot, BootMicros(10_999_800), "its clock began at 0 again");
    let stamp = machine.read(3_611_000_000, Some(3_610_999_800), Some(3_599_820_020), 0);
    assert_eq!(stamp.boot, BootMicros(3_610_999_800), "50 parts in a million slower");
}

#[test]
fn two_clocks_that_drift_apart_stay_tied() {
    let mut machine = Machine::at(0);
    let mut worst = 0;
    for n in 1..10_000_i64 {
        let heard = n * 100_000;
        // 100 parts in a million slow.
        let hardware = heard - heard / 10_000;
        let boot = machine.read(heard + 500, Some(heard + 100), Some(hardware), 0).boot;
        worst = worst.max(boot.0.abs_diff((heard + 100).unsigned_abs()));
    }
    assert!(worst <= 20, "{worst} µs");
}

proptest! {
    /// Whatever the three clocks say, and in whatever order.
    #[test]
    fn the_boot_clock_never_goes_back_nor_ahead_of_now(
        reads in prop::collection::vec((0..200_000_i64, any::<Option<i64>>(), any::<Option<i64>>(), 0..3u8), 1..80),
    ) {
        let mut machine = Machine::at(0);
        let (mut now, mut last) = (0, 0);
        for (step, software, hardware, near) in reads {
            now += step;
            // Mostly near the truth, so that the ways behind the checks are taken too.
            let heard = software.map(|it| if near > 0 { (now - it.rem_euclid(100_000)).max(0) } else { it >> 2 });
            let hardware = hardware.map(|it| if near > 1 { now / 2 } else { it });
            let stamp = machine.read(now, heard, hardware, 0);
            prop_assert!(stamp.boot.0 >= last, "back");
            prop_assert!(stamp.boot.0 <= now.unsigned_abs(), "ahead");
            prop_assert_eq!(stamp.wall.0 - WALL, signed(stamp.boot.0));
            last = stamp.boot.0;
        }
    }
}
