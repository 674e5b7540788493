//! Any noise on the line: nothing is invented, nothing changes places, and
//! when the noise is over frames come through again.

use crate::{
    strategies::message,
    world::{MILLISECOND, QUEUE, SECOND, WINDOW, Way, World},
};
use proptest::prelude::*;
use vernport_wire::{
    Adapter, CanFrame, CanId, Filter, Heard, Host, HostConfig, LINE_BYTES, MAX_PACKET_BYTES, Versions, encode,
};

/// What befalls a packet.
#[derive(Debug, Clone)]
enum Fault {
    None,
    Lost,
    Torn(prop::sample::Index),
    Flipped(prop::sample::Index, u8),
    Behind(Vec<u8>),
    Twice,
}

fn faults() -> impl Strategy<Value = Vec<Fault>> {
    let index = any::<prop::sample::Index>;
    let fault = prop_oneof![
        8 => Just(Fault::None),
        1 => Just(Fault::Lost),
        1 => index().prop_map(Fault::Torn),
        1 => (index(), 0u8..8).prop_map(|(at, bit)| Fault::Flipped(at, bit)),
        1 => prop::collection::vec(any::<u8>(), 1..40).prop_map(Fault::Behind),
    ];
    prop::collection::vec(fault, 1..60)
}

impl Fault {
    fn befall(&self, packet: &mut Vec<u8>) {
        match self {
            Self::None => {}
            Self::Lost => packet.clear(),
            Self::Torn(at) => packet.truncate(at.index(packet.len())),
            Self::Flipped(at, bit) => {
                let at = at.index(packet.len());
                packet[at] ^= 1 << bit;
            }
            Self::Behind(bytes) => packet.extend_from_slice(bytes),
            Self::Twice => packet.extend_from_within(..),
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Hear { bus: u8, id: u16 },
    Pass { millis: u64 },
    Take(u32),
    Filter { bus: u8, id: u16, mask: u16 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0u8..2, 0u16..8).prop_map(|(bus, id)| Step::Hear { bus, id }),
        3 => (1u64..400).prop_map(|millis| Step::Pass { millis }),
        2 => (1..2 * WINDOW).prop_map(Step::Take),
        1 => (0u8..2, 0u16..8, 0u16..8).prop_map(|(bus, id, mask)| Step::Filter { bus, id, mask }),
    ];
    prop::collection::vec(step, 0..120)
}

fn is_subsequence(part: &[u32], whole: &[u32]) -> bool {
    let mut whole = whole.iter();
    part.iter().all(|wanted| whole.any(|number| number == wanted))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// The model: a list of the frames that the filters of their moment let
    /// pass, less those for which the queue had no room.
    #[test]
    fn on_a_good_line_all_that_is_wanted_comes_once_and_in_order(steps in steps()) {
        let mut world = World::open();
        world.want_all(1);
        world.run(SECOND);
        world.takes = false;
        let (mut expected, mut taken) = (Vec::new(), 0usize);
        let mut filters = [Filter { id: CanId::Standard(0), mask: 0 }; 2];
        for (number, step) in (0..).zip(steps) {
            match step {
                Step::Hear { bus, id } => {
                    let heard = world.hear(bus, id, number);
                    let wanted = filters[usize::from(bus)].passes(CanId::Standard(id));
                    prop_assert_eq!(heard == Heard::Unwanted, !wanted);
                    if heard == Heard::Queued {
                        expected.push(number);
                    }
                }
                Step::Pass { millis } => world.run(millis * MILLISECOND),
                Step::Take(frames) => {
                    let frames = world.frames.len().saturating_sub(taken).min(frames as usize);
                    taken += frames;
                    world.host.taken(u32::try_from(frames).expect("few"));
                }
                Step::Filter { bus, id, mask } => {
                    // What waits now would be judged by the new filter: let it go first.
                    let held = u32::try_from(world.frames.len() - taken).expect("few");
                    world.takes = true;
                    world.host.taken(held);
                    world.run(SECOND);
                    (world.takes, taken) = (false, world.frames.len());
                    let filter = Filter { id: CanId::Standard(id), mask: u32::from(mask) };
                    world.host.set_filters(bus, &[filter]).expect("taken");
                    filters[usize::from(bus)] = filter;
                    world.run(10 * MILLISECOND);
                }
            }
            prop_assert!(world.frames.len() - taken <= WINDOW as usize, "the window is never passed");
        }
        world.takes = true;
        let held = u32::try_from(world.frames.len() - taken).expect("few");
        world.host.taken(held);
        world.run(3 * SECOND);
        prop_assert_eq!(world.numbers(), expected);
        prop_assert_eq!(world.host.counters().bad.total() + world.adapter.counters().bad.total(), 0);
        prop_assert_eq!(world.host.counters().repairs, 0);
        prop_assert!(world.frames.is_sorted_by_key(|frame| frame.at_micros));
    }

    #[test]
    fn noise_invents_nothing_and_changes_no_places_and_passes(
        faults in faults(),
        gaps in prop::collection::vec(1u64..200, 1..80),
    ) {
        let mut world = World::new();
        world.want_all(0);
        let mut fault = faults.into_iter().cycle();
        world.noise = Box::new(move |_, packet| {
            fault.next().unwrap_or(Fault::None).befall(packet);
        });
        world.host.line_up(world.now);
        world.run(SECOND);
        let mut heard = Vec::new();
        for (number, gap) in (0..).zip(gaps) {
            world.hear(0, 1, number);
            heard.push(number);
            world.run(gap * MILLISECOND);
        }
        prop_assert!(is_subsequence(&world.numbers(), &heard), "{:?} of {heard:?}", world.numbers());
        world.noise = Box::new(|_, _| {});
        world.run(12 * SECOND);
        world.hear(0, 1, u32::MAX);
        world.run(SECOND);
        prop_assert_eq!(world.numbers().pop(), Some(u32::MAX));
        prop_assert!(world.frames.is_sorted_by_key(|frame| frame.at_micros));
    }

    /// Good packets of any content, in any order: the engines stay within
    /// their bounds, and say nothing that cannot be read.
    #[test]
    fn any_messages_leave_the_engines_whole(
        messages in prop::collection::vec((any::<bool>(), message()), 0..40),
        garbage in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut world = World::open();
        for (to_host, message) in messages {
            let packet = encode(&message, &mut [0; MAX_PACKET_BYTES]).expect("well formed").to_vec();
            world.inject(if to_host { Way::ToHost } else { Way::ToAdapter }, packet);
            world.run(20 * MILLISECOND);
            prop_assert!(world.adapter.waiting() <= QUEUE);
        }
        world.inject(Way::ToHost, garbage.clone());
        world.inject(Way::ToAdapter, garbage);
        world.run(SECOND);
        prop_assert!(world.frames.is_sorted_by_key(|frame| frame.at_micros));
    }

    /// Times of any size and order.
    #[test]
    fn no_time_makes_an_engine_panic(
        times in prop::collection::vec(any::<u64>(), 1..20),
        messages in prop::collection::vec(message(), 0..20),
    ) {
        let config = HostConfig { versions: Versions::OURS, window_frames: u32::MAX, session_seed: u32::MAX };
        let (mut host, mut adapter) = (Host::new(config), Adapter::<2, 4>::new("test"));
        let (mut out, mut back) = ([0; LINE_BYTES], [0; LINE_BYTES]);
        let mut messages = messages.iter().cycle();
        for now in times {
            host.line_up(now);
            for _ in 0..8 {
                if let Some(packet) = host.poll(now, &mut out) {
                    _ = adapter.receive(now, &mut &packet[..]);
                }
                if let Some(packet) = adapter.poll(now, &mut back) {
                    _ = host.receive(now, &mut &packet[..]);
                }
                if let Some(message) = messages.next() {
                    let packet = encode(message, &mut out).expect("well formed");
                    _ = host.receive(now, &mut &packet[..]);
                    _ = adapter.receive(now, &mut &packet[..]);
                }
                _ = host.tick(now);
                _ = adapter.heard(now, CanFrame { at_micros: now, ..crate::world::frame(0, 0, 1, &[0; 4]) });
            }
        }
    }
}

/// A packet that a line gives twice is a frame heard twice: the checksum finds
/// noise, not malice. The credit bounds it all the same.
#[test]
fn a_packet_given_twice_does_not_pass_the_window() {
    let mut world = World::open();
    world.takes = false;
    world.noise = Box::new(|_, packet| Fault::Twice.befall(packet));
    for number in 0..2 * WINDOW {
        world.hear(0, 1, number);
    }
    world.run(10 * SECOND);
    assert!(world.frames.len() <= WINDOW as usize);
}
