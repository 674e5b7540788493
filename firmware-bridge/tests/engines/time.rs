//! Frames in the host's time, with the adapter's clock as bad as it may be.

use crate::world::{MILLISECOND, SECOND, START, Way, World, losing};
use vernport_wire::Message;

/// Hears a frame every 10 ms for a while; gives when each was heard and what time it got.
fn heard(world: &mut World, micros: u64) -> Vec<(u64, u64)> {
    let before = world.frames.len();
    let mut heard = Vec::new();
    let end = world.now + micros;
    while world.now < end {
        heard.push(world.now);
        world.hear(0, 1, 0);
        world.run(10 * MILLISECOND);
    }
    world.run(SECOND);
    let got = world.frames[before..].iter().map(|frame| frame.at_micros);
    assert_eq!(got.len(), heard.len(), "all frames came");
    heard.into_iter().zip(got).collect()
}

fn never_back(world: &World) {
    assert!(world.frames.is_sorted_by_key(|frame| frame.at_micros));
}

#[test]
fn a_frame_gets_the_time_at_which_it_was_heard() {
    let mut world = World::open();
    world.latency = 5 * MILLISECOND;
    world.run(10 * SECOND);
    for (heard, got) in heard(&mut world, 2 * SECOND) {
        let bound = world.host.clock_bound_micros(world.now).expect("answers came");
        assert!(got.abs_diff(heard) <= bound, "{got} for {heard}, bound {bound}");
    }
    never_back(&world);
}

#[test]
fn a_clock_that_drifts_is_followed() {
    let mut world = World::open();
    // 100 ppm fast, from the start.
    world.adapter_clock = |now| now - 90 * SECOND + (now - START) / 10_000;
    world.run(10 * SECOND);
    for (heard, got) in heard(&mut world, 20 * SECOND) {
        let bound = world.host.clock_bound_micros(world.now).expect("answers came");
        assert!(got.abs_diff(heard) <= bound + 200, "{got} for {heard}, bound {bound}");
    }
    never_back(&world);
    assert_eq!(world.ends(), []);
}

#[test]
fn a_clock_that_is_set_gives_no_time_back_nor_of_the_future() {
    let clocks: [fn(u64) -> u64; 4] = [
        |now| now + 2 * SECOND,
        |now| now - 92 * SECOND,
        |now| now + 3_600 * SECOND,
        |now| (now - START) / 2,
    ];
    for clock in clocks {
        let mut world = World::open();
        heard(&mut world, SECOND);
        world.adapter_clock = clock;
        for _ in 0..100 {
            world.hear(0, 1, 0);
            world.run(10 * MILLISECOND);
            assert!(world.frames.last().is_some_and(|frame| frame.at_micros <= world.now));
        }
        // A session may have ended over it; time stays in order all the same.
        world.run(6 * SECOND);
        let step = |now: u64| clock(now + MILLISECOND) - clock(now) == MILLISECOND;
        for (heard, got) in heard(&mut world, 2 * SECOND) {
            if step(START) {
                assert!(got.abs_diff(heard) <= 1_000, "{got} for {heard}");
            }
        }
        never_back(&world);
    }
}

#[test]
fn without_answers_about_the_time_frames_have_the_time_of_coming_in() {
    let mut world = World::new();
    world.want_all(0);
    world.latency = 2 * MILLISECOND;
    world.noise = losing(Way::ToHost, |said| matches!(said, Message::ClockReply(_)));
    world.host.line_up(world.now);
    world.run(3 * SECOND);
    for (heard, got) in heard(&mut world, SECOND) {
        assert_eq!(got, heard + 2 * MILLISECOND);
    }
    assert_eq!(world.host.clock_bound_micros(world.now), None);
}
