//! Each fault, as others on the bus see it.

use crate::harness::{
    START, after_ms, car_config, ev_config, frame, models, run, text, texts, trailer_config, truck_config,
};
use vernport_sim::{
    BURST_FRAMES, EvConfig, Fault, Kind, Model, NEVER, Simulated, TruckConfig, TruckEquipment, Vehicle,
};

fn faults(texts: &[&str]) -> Vec<Fault> {
    texts.iter().map(|text| text.parse().expect("a fault")).collect()
}

fn simulated(model: &Model, texts: &[&str]) -> Simulated {
    Simulated::new(model.clone(), &faults(texts), 7, START)
}

fn car(texts: &[&str]) -> Simulated {
    simulated(&Model::Car(car_config()), texts)
}

fn ev(texts: &[&str]) -> Simulated {
    simulated(&Model::Ev(ev_config()), texts)
}

fn truck(texts: &[&str]) -> Simulated {
    simulated(&Model::Truck(truck_config(), TruckEquipment::default()), texts)
}

/// Those of one identifier, with their times.
fn of(said: &[(u64, String)], id: &str) -> Vec<(u64, String)> {
    said.iter().filter(|(_, text)| text.starts_with(id)).cloned().collect()
}

#[test]
fn without_a_fault_nothing_differs() {
    for model in models() {
        let mut plain = model.start(&[], START);
        let mut simulated = simulated(&model, &[]);
        assert_eq!(run(&mut simulated, 3_000), run(&mut *plain, 3_000), "{}", model.kind().as_str());
        assert_eq!((simulated.sent().lost, simulated.sent().crowded_out), (0, 0));
    }
}

#[test]
fn every_so_manieth_frame_is_lost() {
    let whole = run(&mut truck(&[]), 2_000);
    let mut lossy = truck(&["lost-every=4"]);
    let expected: Vec<_> =
        whole.iter().enumerate().filter(|(n, _)| n % 4 != 3).map(|(_, said)| said.clone()).collect();
    assert_eq!(run(&mut lossy, 2_000), expected);
    assert_eq!(lossy.sent().lost, whole.len() as u64 / 4);
}

#[test]
fn a_share_of_frames_is_lost_and_a_seed_decides_which() {
    let said = |seed| {
        let model = Model::Truck(truck_config(), TruckEquipment::default());
        let mut lossy = Simulated::new(model, &faults(&["lost=20"]), seed, START);
        let said = run(&mut lossy, 600_000);
        (said, lossy.sent())
    };
    let (first, sent) = said(1);
    assert_eq!((first.clone(), sent), said(1));
    assert_ne!(first, said(2).0);
    let share = sent.lost as f64 / (sent.lost + sent.frames) as f64;
    assert!((0.18..0.22).contains(&share), "{share}");
    assert_eq!(run(&mut truck(&["lost=100"]), 5_000), []);
}

#[test]
fn answers_come_late_and_meanwhile_the_unit_is_busy() {
    let mut late = ev(&["late=300"]);
    assert_eq!(texts(&late.on_frame(&frame("18DA10F1#0322DD01"), START)), [""; 0]);
    let busy = texts(&late.on_frame(&frame("18DA10F1#0322F190"), after_ms(100)));
    assert_eq!(busy, ["18DAF110#037F2221AAAAAAAA"]);
    assert_eq!(texts(&late.on_frame(&frame("18DB33F1#0103"), after_ms(100))), [""; 0], "not to all");
    assert_eq!(run(&mut late, 2_000), [(300, "18DAF110#0662DD0100B26EAA".into())]);
}

#[test]
fn a_unit_says_pending_as_often_as_told_and_then_answers() {
    let mut pending = ev(&["pending=2"]);
    let first = texts(&pending.on_frame(&frame("18DA10F1#0322DD01"), START));
    assert_eq!(first, ["18DAF110#037F2278AAAAAAAA"]);
    assert_eq!(
        run(&mut pending, 9_000),
        [(1_000, "18DAF110#037F2278AAAAAAAA".into()), (2_000, "18DAF110#0662DD0100B26EAA".into())]
    );
    let unknown = texts(&pending.on_frame(&frame("18DA10F1#0114"), after_ms(9_000)));
    assert_eq!(unknown, ["18DAF110#037F1411AAAAAAAA"], "nothing to work on");
}

#[test]
fn a_sleeping_bus_is_silent_until_a_frame_wakes_it() {
    let mut asleep = truck(&["asleep"]);
    assert_eq!(asleep.next_due(), NEVER);
    assert_eq!(texts(&asleep.on_tick(after_ms(60_000))), [""; 0]);
    let waking = texts(&asleep.on_frame(&frame("7DF#0201A6"), after_ms(60_000)));
    assert_eq!((waking, asleep.is_asleep()), (vec![], false), "that frame itself is not understood");
    assert_eq!(asleep.next_due(), after_ms(60_000));
    assert_eq!(texts(&asleep.on_tick(after_ms(60_000))), ["18FEF100#FF0000FFFFFFFFFF"]);
}

#[test]
fn a_bus_that_sleeps_for_ever_never_says_anything() {
    for model in models() {
        let mut asleep = simulated(&model, &["asleep=forever", "noise=100", "tester"]);
        for n in 0..100 {
            assert_eq!(texts(&asleep.on_frame(&frame("7DF#0201A6"), after_ms(n * 100))), [""; 0]);
            assert_eq!(texts(&asleep.on_tick(after_ms(n * 100))), [""; 0]);
        }
        assert_eq!(asleep.next_due(), NEVER);
    }
}

#[test]
fn after_the_ignition_is_off_the_bus_falls_asleep_and_the_distance_stays() {
    let driving = TruckConfig { speed_km_per_h: 72, ..truck_config() };
    let model = Model::Truck(driving, TruckEquipment::default());
    let mut truck = simulated(&model, &["ignition-off=20"]);
    let said = run(&mut truck, 300_000);
    let speeds = of(&said, "18FEF100");
    assert!(speeds.iter().all(|(at, text)| (*at < 20_000) == text.contains("#FF0048")), "72, then 0 km/h");
    assert!(of(&said, "18FEF700").iter().any(|(at, text)| *at > 20_000 && text.contains("F001")), "24.8 V");
    assert_eq!(said.last().map(|(at, _)| *at / 1000), Some(29), "asleep after 30 s");
    assert!(truck.is_asleep());
    assert_eq!(truck.odometer_m(after_ms(300_000)), 57_088_920 + 400);

    truck.on_frame(&frame("18EAFFF9#ECFE00"), after_ms(400_000));
    assert_eq!(truck.odometer_m(after_ms(400_000)), 57_088_920 + 400, "it goes on where it stood");
    let woken = of(&run(&mut truck, 500_000), "18FEF100");
    assert_eq!((woken[0].0, woken.last().map(|(at, _)| at / 1000)), (400_000, Some(429)));
}

#[test]
fn another_tester_asks_and_helps_its_answers_along() {
    let said = run(&mut car(&["tester"]), 30_000);
    let asked = of(&said, "7DF");
    assert!(asked.len() >= 2 && asked[0] == (2_000, "7DF#0201005555555555".into()), "{asked:?}");
    let all: Vec<_> = said.iter().map(|(_, text)| text.as_str()).collect();
    let vin = all.iter().position(|text| *text == "7E0#0322F19055555555").expect("it asks for the VIN");
    assert_eq!(
        all[vin + 1..vin + 5],
        ["7E8#101462F190595631", "7E0#3000005555555555", "7E8#21534D5430303030", "7E8#2230303030303137"]
    );
}

#[test]
fn another_tester_opens_a_session_and_holds_it() {
    for (fault, opened) in [
        ("tester=programming", ["7E0#0210025555555555", "7E8#065002003201F4AA"]),
        ("tester=extended", ["7E0#0210035555555555", "7E8#065003003201F4AA"]),
    ] {
        let mut watched = car(&[fault]);
        let said = run(&mut watched, 60_000);
        let begun: Vec<_> = said.iter().filter(|(at, text)| *at == 2_000 && text.starts_with("7E")).collect();
        assert_eq!(begun.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(), opened);
        let present = of(&said, "7E0#023E80");
        assert_eq!(present.len(), 29, "every two seconds");
        let refused = of(&said, "7E8#037F227F").len();
        assert_eq!(refused > 0, fault == "tester=programming", "while programming nothing is read");
        let ours = texts(&watched.on_frame(&frame("7E0#0322DD01"), after_ms(60_001)));
        assert_eq!(ours[0].starts_with("7E8#037F227F"), fault == "tester=programming");
    }
}

#[test]
fn each_kind_is_asked_in_its_own_form() {
    let forms = [
        (Kind::Car, "7DF#"),
        (Kind::Truck, "18DB33F1#"),
        (Kind::Trailer, "18EAFFFA#"),
        (Kind::Ev, "18DB33F1#"),
    ];
    for (model, (kind, form)) in models().iter().zip(forms) {
        assert_eq!(model.kind(), kind);
        let said = run(&mut simulated(model, &["tester"]), 30_000);
        assert!(!of(&said, form).is_empty(), "{}", kind.as_str());
    }
    let said = run(&mut simulated(&Model::Trailer(trailer_config()), &["tester"]), 10_000);
    assert!(!of(&said, "1CECFFC8#2012").is_empty(), "and the trailer says its VIN");
}

#[test]
fn noise_comes_between_the_frames_and_changes_none_of_them() {
    let mut noisy = car(&["noise=100"]);
    let said = run(&mut noisy, 10_000);
    let own = |(_, text): &(u64, String)| ["1A0#", "430#", "4A0#"].iter().any(|id| text.starts_with(id));
    let (own, noise): (Vec<_>, Vec<_>) = said.into_iter().partition(own);
    assert_eq!(own, run(&mut car(&[]), 10_000));
    assert_eq!(noise.len(), 1000);
}

#[test]
fn the_odometer_jumps_and_falls_at_its_second() {
    let mut jumping = truck(&["odometer-step=500000@2", "odometer-step=-700000@4"]);
    let said = of(&run(&mut jumping, 5_500), "18FEC117");
    // 57 088 920 m, 500 km more, then 200 km less than at first; 5 m a bit.
    let raws = ["B838AE00", "B838AE00", "58BFAF00", "58BFAF00", "789CAD00", "789CAD00"];
    let expected: Vec<_> = raws.iter().map(|raw| format!("18FEC117#{raw}FFFFFFFF")).collect();
    assert_eq!(said.iter().map(|(_, text)| text.clone()).collect::<Vec<_>>(), expected);
    assert_eq!(jumping.odometer_m(after_ms(5_500)), 57_088_920, "the true one stands");
}

#[test]
fn instruments_wake_up_with_a_start_value_and_zero() {
    let said = of(&run(&mut truck(&["odometer-wakes=4"]), 4_500), "18FEC117");
    let raws = ["4C1D0000", "4C1D0000", "00000000", "00000000", "B838AE00"];
    let expected: Vec<_> = raws.iter().map(|raw| format!("18FEC117#{raw}FFFFFFFF")).collect();
    assert_eq!(said.iter().map(|(_, text)| text.clone()).collect::<Vec<_>>(), expected);
}

#[test]
fn sources_disagree_by_as_much_as_told() {
    let said = run(&mut truck(&["odometers-differ=1890"]), 100);
    assert_eq!(of(&said, "18FEE000")[0].1, "18FEE000#FFFFFFFF07F80600", "57 088.875 km");
    assert_eq!(of(&said, "18FEC117")[0].1, "18FEC117#323AAE00FFFFFFFF", "57 090.810 km");
    let mut car = car(&["odometers-differ=1890"]);
    assert_eq!(texts(&car.on_frame(&frame("7E0#0322DD01"), START)), ["7E8#0662DD0101E240AA"], "123 456 km");
    assert_eq!(texts(&car.on_frame(&frame("6F1#600322DD01"), START)), ["660#F10662DD0101E242"], "123 458 km");
}

#[test]
fn the_vin_changes_midway() {
    let mut swapped = car(&["vin-change=10"]);
    let mut last = |ms: u64| {
        swapped.on_frame(&frame("7E0#020902"), after_ms(ms));
        swapped.on_frame(&frame("7E0#300000"), after_ms(ms));
        run(&mut swapped, ms + 10).into_iter().map(|(_, text)| text).find(|text| text.starts_with("7E8#22"))
    };
    assert_eq!(last(9_000).as_deref(), Some("7E8#2230303030303137"), "…00017");
    assert_eq!(last(10_000).as_deref(), Some("7E8#2230303030303139"), "…00019");
}

#[test]
fn long_answers_come_out_of_sequence_or_never_end() {
    let rest = |fault: &str| {
        let mut car = car(&[fault]);
        let first = texts(&car.on_frame(&frame("7E0#020902"), START));
        assert_eq!(first, ["7E8#1014490201595631"]);
        let mut said = texts(&car.on_frame(&frame("7E0#300000"), START));
        said.extend(of(&run(&mut car, 3_000), "7E8").into_iter().map(|(_, text)| text));
        said
    };
    assert_eq!(rest("out-of-sequence"), ["7E8#22534D5430303030", "7E8#2330303030303137"]);
    assert_eq!(rest("no-consecutive"), [""; 0]);
}

#[test]
fn faults_work_together() {
    let mut bad = ev(&["late=100", "pending=1", "out-of-sequence"]);
    bad.on_frame(&frame("18DA10F1#0322F190"), START);
    let said = run(&mut bad, 1_099);
    assert_eq!(said, [(100, "18DAF110#037F2278AAAAAAAA".into())]);
    assert_eq!(run(&mut bad, 1_100), [(1_100, "18DAF110#101462F190595631".into())]);
    let next = texts(&bad.on_frame(&frame("18DA10F1#300000"), after_ms(1_101)));
    assert!(next[0].starts_with("18DAF110#22"), "{next:?}");
}

#[test]
fn the_bus_takes_no_more_than_a_burst_at_once() {
    let model = Model::Ev(EvConfig { ..ev_config() });
    let mut ev = simulated(&model, &[]);
    let question = frame("18DB33F1#0201A6");
    let answered = (0..1000).filter(|_| !ev.on_frame(&question, START).is_empty()).count() as u64;
    assert_eq!((answered, ev.sent().crowded_out), (BURST_FRAMES, 1000 - BURST_FRAMES));
    assert_eq!(ev.on_frame(&question, after_ms(1)).iter().map(text).count(), 1, "with time there is room");
}
