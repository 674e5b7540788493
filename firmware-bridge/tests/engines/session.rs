//! Sessions: how they begin, what may flow in them, how they end.

use crate::world::{QUEUE, SECOND, START, WINDOW, Way, World, frame, losing};
use vernport_wire::{
    Adapter, CanId, Filter, FrameKind, Heard, Hello, Host, HostConfig, HostEvent, LINE_BYTES, MAX_BUSES,
    MAX_UNSENT, Message, NoVersion, SendRefused, SessionEnd, SettingRefused, Versions,
};

#[test]
fn a_session_says_modes_and_filters_before_it_gives_credit() {
    let world = World::open();
    let Some(HostEvent::Began(info)) = world.events.first() else { panic!("{:?}", world.events) };
    assert_eq!((info.version, info.buses, usize::from(info.queue_frames)), (1, 2, QUEUE));
    assert_eq!(info.firmware, "test 1.0");
    let kinds: Vec<u8> =
        world.said.iter().filter(|(way, _)| *way == Way::ToAdapter).map(|(_, said)| said.kind()).collect();
    // Hello; heartbeat; two modes, two filters; what is your time; credit.
    assert_eq!(kinds[..8], [1, 6, 9, 9, 5, 5, 7, 4]);
    let answered: Vec<u8> =
        world.said.iter().filter(|(way, _)| *way == Way::ToHost).map(|(_, said)| said.kind()).collect();
    // Versions, acknowledgement; heartbeat, report; the time.
    assert_eq!(answered[..5], [10, 2, 6, 11, 8]);
}

#[test]
fn only_what_a_filter_asks_for_crosses_the_line() {
    let mut world = World::open();
    let filter = Filter { id: CanId::Standard(0x7E8), mask: 0x7F8 };
    world.host.set_filters(0, &[filter]).expect("taken");
    world.run(SECOND);
    for (number, id) in (0..).zip([0x100, 0x7E8, 0x7EF, 0x7F0, 0x7E0]) {
        world.hear(0, id, number);
    }
    assert_eq!(world.hear(1, 0x7E8, 9), Heard::Unwanted, "bus 1 has no filter");
    assert_eq!(world.hear(2, 0x7E8, 9), Heard::Unwanted, "there is no bus 2");
    world.run(SECOND);
    assert_eq!(world.numbers(), [1, 2]);
    assert_eq!((world.adapter.counters().sent, world.adapter.counters().unwanted), (2, 5));
    let crossed = world.said.iter().filter(|(_, said)| matches!(said, Message::CanFrame(_)));
    assert_eq!(crossed.count(), 2);
    assert_eq!(world.host.counters().unwanted, 0);
}

#[test]
fn an_error_frame_passes_any_filter_of_its_bus_but_not_none() {
    let mut world = World::open();
    world.host.set_filters(0, &[Filter { id: CanId::Standard(1), mask: 0x7FF }]).expect("taken");
    world.run(SECOND);
    for bus in [0, 1] {
        let mut error = frame(bus, world.adapter_now(), 0x20, &[0; 4]);
        (error.kind, error.id) = (FrameKind::Error, CanId::Extended(0x20));
        world.adapter.heard(world.adapter_now(), error);
    }
    world.run(SECOND);
    assert_eq!(world.frames.iter().map(|frame| frame.bus).collect::<Vec<_>>(), [0]);
}

#[test]
fn a_frame_that_waits_when_the_filters_change_does_not_cross_either() {
    let mut world = World::open();
    world.takes = false;
    for number in 0..WINDOW + 4 {
        world.hear(0, 0x100, number);
    }
    world.run(SECOND);
    assert_eq!(world.adapter.waiting(), 4);
    world.host.set_filters(0, &[Filter { id: CanId::Standard(0x200), mask: 0x7FF }]).expect("taken");
    world.run(SECOND);
    world.hear(0, 0x200, 99);
    world.host.taken(WINDOW);
    world.run(SECOND);
    assert_eq!(world.numbers(), (0..WINDOW).chain([99]).collect::<Vec<_>>());
}

#[test]
fn without_credit_the_adapter_holds_back_then_drops_and_tells() {
    let mut world = World::open();
    world.takes = false;
    let all = u32::try_from(QUEUE).expect("small") + WINDOW + 5;
    let heard: Vec<_> = (0..all)
        .map(|number| {
            let heard = world.hear(0, 1, number);
            world.run(1_000);
            heard
        })
        .collect();
    assert_eq!(heard.iter().filter(|heard| **heard == Heard::Dropped).count(), 5);
    world.run(2 * SECOND);
    assert_eq!(world.numbers(), (0..WINDOW).collect::<Vec<_>>(), "the window is never passed");
    assert_eq!(world.host.counters().dropped_by_adapter, 5);
    world.takes = true;
    world.host.taken(WINDOW);
    world.run(2 * SECOND);
    assert_eq!(world.numbers(), (0..all - 5).collect::<Vec<_>>(), "what was held back comes, in order");
    assert_eq!(world.host.counters().beyond_credit, 0);
    assert_eq!(world.host.counters().repairs, 0);
}

#[test]
fn an_adapter_that_sends_beyond_its_credit_is_not_heard() {
    let mut world = World::open();
    world.takes = false;
    let mut buffer = [0; LINE_BYTES - 1];
    for number in 0..WINDOW + 3 {
        let stray = Message::CanFrame(frame(0, 0, 1, &number.to_be_bytes()));
        let packet = vernport_wire::encode(&stray, &mut buffer).expect("well formed").to_vec();
        world.inject(Way::ToHost, packet);
    }
    world.run(10_000);
    assert_eq!(world.frames.len(), usize::try_from(WINDOW).expect("small"));
    assert_eq!(world.host.counters().beyond_credit, 3);
}

#[test]
fn nothing_is_sent_on_a_bus_that_the_host_has_not_opened() {
    let mut world = World::open();
    let request = frame(0, 55, 0x7DF, &[2, 1, 0xA6, 0]);
    assert_eq!(world.host.send(request.clone()), Err(SendRefused::ListenOnly));
    assert!(world.adapter.is_listen_only(0) && world.adapter.is_listen_only(200));

    // The adapter's lock does not rest on the host's.
    let packet = vernport_wire::encode(&Message::CanFrame(request.clone()), &mut [0; LINE_BYTES])
        .expect("well formed")
        .to_vec();
    world.inject(Way::ToAdapter, packet);
    world.run(2 * SECOND);
    assert!(world.on_bus.is_empty());
    assert_eq!(world.adapter.counters().refused, 1);
    assert_eq!(world.host.counters().refused_by_adapter, 1);

    world.host.set_listen_only(0, false).expect("bus 0");
    assert_eq!(world.host.send(request.clone()), Ok(()));
    world.run(SECOND);
    assert_eq!(world.on_bus, [frame(0, 0, 0x7DF, &[2, 1, 0xA6, 0])]);
    assert!(!world.adapter.is_listen_only(0) && world.adapter.is_listen_only(1));

    world.host.set_listen_only(0, true).expect("bus 0");
    world.run(SECOND);
    assert!(world.adapter.is_listen_only(0));
}

#[test]
fn what_cannot_be_sent_or_set_is_refused_by_its_reason() {
    let mut world = World::new();
    world.host.set_listen_only(0, false).expect("bus 0");
    let good = || frame(0, 0, 0x7DF, &[0; 4]);
    assert_eq!(world.host.send(good()), Err(SendRefused::NoSession));
    world.host.line_up(world.now);
    world.run(SECOND);
    assert_eq!(world.host.send(frame(2, 0, 1, &[])), Err(SendRefused::Bus));
    let mut bad = good();
    bad.id = CanId::Standard(0x800);
    assert_eq!(world.host.send(bad.clone()), Err(SendRefused::Malformed));
    bad = good();
    bad.kind = FrameKind::Error;
    assert_eq!(world.host.send(bad), Err(SendRefused::Malformed));
    for _ in 0..MAX_UNSENT {
        assert_eq!(world.host.send(good()), Ok(()));
    }
    assert!(!world.host.can_send());
    assert_eq!(world.host.send(good()), Err(SendRefused::Full));
    world.host.line_down();
    assert_eq!(world.host.counters().unsent, 32, "what was asked of one vehicle is not asked of the next");

    let beyond = u8::try_from(MAX_BUSES).expect("small");
    let filter = Filter { id: CanId::Standard(1), mask: 1 };
    assert_eq!(world.host.set_filters(beyond, &[]), Err(SettingRefused::Bus));
    assert_eq!(world.host.set_listen_only(beyond, true), Err(SettingRefused::Bus));
    assert_eq!(world.host.set_filters(0, &[filter; 33]), Err(SettingRefused::TooMany));
    let malformed = Filter { id: CanId::Standard(0x800), mask: 0 };
    assert_eq!(world.host.set_filters(0, &[malformed]), Err(SettingRefused::Malformed));
}

#[test]
fn ends_of_other_versions_agree_or_say_which_one_to_update() {
    let range = |lowest, highest| Versions { lowest, highest };
    for (host, adapter, agreed) in [
        (range(1, 1), range(1, 1), Ok(1)),
        (range(1, 1), range(1, 3), Ok(1)),
        (range(1, 4), range(2, 3), Ok(3)),
        (range(2, 4), range(1, 3), Ok(3)),
        (
            range(1, 1),
            range(2, 3),
            Err("speaks versions 1 to 1 of the wire, the adapter 2 to 3; update the gateway"),
        ),
        (range(2, 3), range(1, 1), Err("the adapter 1 to 1; update the adapter's firmware")),
        (range(0, 0), range(0, 0), Err("update")),
    ] {
        let mut world = World::new();
        world.host = Host::new(HostConfig { versions: host, window_frames: WINDOW, session_seed: 0 });
        world.adapter = Adapter::speaking(adapter, "test");
        world.host.line_up(world.now);
        world.run(SECOND);
        match (&world.events[..], agreed) {
            ([HostEvent::Began(info)], Ok(version)) => assert_eq!(info.version, version),
            ([HostEvent::NoVersion(no)], Err(part)) => {
                assert!(no.to_string().contains(part), "{no}");
                assert!(!world.host.in_session() && !world.adapter.in_session());
            }
            other => panic!("{host:?} {adapter:?}: {other:?}"),
        }
    }
}

#[test]
fn an_adapter_that_tells_no_versions_is_told_from_one_that_speaks_none() {
    let no = NoVersion { host: Versions::OURS, adapter: None };
    assert!(no.to_string().ends_with("the adapter none of them; update its firmware"), "{no}");
    let mut world = World::new();
    world.adapter =
        Adapter::speaking(Versions { lowest: 9, highest: 9 }, "a name longer than thirty-two bytes, cut");
    world.noise = losing(Way::ToHost, |said| matches!(said, Message::Versions(_)));
    world.host.line_up(world.now);
    world.run(SECOND);
    assert_eq!(world.events, [HostEvent::NoVersion(no)]);
}

#[test]
fn an_adapter_that_comes_later_is_found() {
    let mut world = World::new();
    world.want_all(0);
    world.noise = Box::new(|_, packet| packet.clear());
    world.host.line_up(world.now);
    world.run(10 * SECOND);
    let hellos = world.said.iter().filter(|(_, said)| matches!(said, Message::Hello(_))).count();
    assert!((10..=21).contains(&hellos), "twice a second: {hellos}");
    world.noise = Box::new(|_, _| {});
    world.run(SECOND);
    world.hear(0, 1, 1);
    world.run(SECOND);
    assert_eq!(world.numbers(), [1]);
}

#[test]
fn after_silence_both_ends_begin_anew_and_filters_go_before_frames() {
    let mut world = World::open();
    world.host.set_listen_only(0, false).expect("bus 0");
    world.run(SECOND);
    world.noise = Box::new(|_, packet| packet.clear());
    world.run(4 * SECOND);
    assert_eq!(world.ends(), [SessionEnd::Silence]);
    assert!(!world.adapter.in_session(), "the adapter gave up too");
    assert!(world.adapter.is_listen_only(0), "and locked its buses");
    assert_eq!(world.hear(0, 1, 1), Heard::Unwanted, "nothing waits for a host that is not there");
    world.noise = Box::new(|_, _| {});
    world.said.clear();
    world.run(SECOND);
    world.hear(0, 1, 2);
    world.run(SECOND);
    assert_eq!(world.numbers(), [2]);
    let first = |kind: u8| world.said.iter().position(|(_, said)| said.kind() == kind).expect("said");
    assert!(first(1) < first(5) && first(5) < first(3), "hello, filters, frames");
    assert!(!world.adapter.is_listen_only(0), "the host's settings are there again");
    assert_eq!(world.host.counters().sessions, 2);
}

#[test]
fn a_restarted_adapter_is_given_its_settings_again() {
    let mut world = World::open();
    world.adapter = Adapter::new("test 1.1");
    world.run(5 * SECOND);
    assert_eq!(world.ends(), [SessionEnd::Silence]);
    world.hear(0, 1, 1);
    world.run(SECOND);
    assert_eq!(world.numbers(), [1]);
}

#[test]
fn a_new_hello_ends_the_old_session_with_all_it_had() {
    let mut world = World::open();
    world.takes = false;
    for number in 0..WINDOW + 4 {
        world.hear(0, 1, number);
    }
    world.run(SECOND);
    let hello = Message::Hello(Hello { lowest: 1, highest: 1, session: 1 });
    let packet = vernport_wire::encode(&hello, &mut [0; LINE_BYTES]).expect("well formed").to_vec();
    world.adapter.receive(world.adapter_now(), &mut &packet[..]);
    assert_eq!((world.adapter.waiting(), world.adapter.counters().dropped), (0, 4));
    assert_eq!(world.hear(0, 1, 9), Heard::Unwanted);
}

#[test]
fn a_lost_setting_or_credit_is_found_and_given_again() {
    for kind in [5, 9, 4] {
        let mut world = World::new();
        world.want_all(0);
        let mut left = 1;
        world.noise = losing(Way::ToAdapter, move |said| {
            let lose = said.kind() == kind && left > 0;
            left -= i32::from(lose);
            lose
        });
        world.host.line_up(world.now);
        world.run(6 * SECOND);
        assert_eq!(world.ends(), [SessionEnd::Repair], "kind {kind}");
        world.hear(0, 1, 1);
        world.run(SECOND);
        assert_eq!(world.numbers(), [1], "kind {kind}");
        assert!(world.now - START < 8 * SECOND);
    }
}

#[test]
fn frames_that_the_line_lost_are_counted_and_cost_no_credit_for_good() {
    let mut world = World::open();
    world.noise = losing(Way::ToHost, |said| matches!(said, Message::CanFrame(_)));
    for number in 0..WINDOW {
        world.hear(0, 1, number);
    }
    world.run(SECOND);
    world.noise = Box::new(|_, _| {});
    world.run(2 * SECOND);
    assert_eq!(world.host.counters().lost_on_line, u64::from(WINDOW));
    for number in 0..WINDOW {
        world.hear(0, 1, number);
    }
    world.run(SECOND);
    assert_eq!(world.numbers(), (0..WINDOW).collect::<Vec<_>>());
    assert_eq!(world.ends(), [], "no session was needed for that");
}
