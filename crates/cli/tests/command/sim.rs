//! `vernport sim`: a vehicle on a bus that others can join.

use crate::program::{stderr, stdout, vernport};
use clap::Parser as _;
use std::sync::Arc;
use tokio::sync::oneshot;
use vernport::{
    args::{self, Cli},
    sim::{self, Simulation},
};
use vernport_canbus::{VirtualBuses, VirtualNode};
use vernport_gateway::SystemClock;
use vernport_types::{CanFrame, CanId};

/// What was typed, for running inside this process.
fn typed(line: &str) -> args::Sim {
    let cli = Cli::try_parse_from(["vernport", "sim"].into_iter().chain(line.split(' '))).expect("arguments");
    match cli.command {
        args::Command::Sim(args) => args,
        other => panic!("another command: {other:?}"),
    }
}

/// Another node on the vehicle's bus, and what it hears.
struct Other(VirtualNode);

impl Other {
    fn say(&self, id: CanId, bytes: &[u8]) {
        self.0.sender().send(&CanFrame::data_frame(id, bytes).expect("at most 8 bytes"));
    }

    /// The next frame under one of these identifiers.
    async fn hear(&mut self, id: CanId) -> CanFrame {
        loop {
            let (frame, _) = self.0.next().await.expect("a live bus has no end");
            if frame.id() == id {
                return frame;
            }
        }
    }
}

/// Runs a vehicle beside another node until that is done with it. The vehicle
/// is on the bus before the other says its first word.
async fn beside(line: &str, talk: impl AsyncFnOnce(&mut Other)) -> Simulation {
    let buses = VirtualBuses::default();
    let bus = "bay".parse().expect("a slug");
    let mut other = Other(buses.attach(&bus, Arc::new(SystemClock)).expect("room"));
    let (done, stop) = oneshot::channel::<()>();
    let args = typed(line);
    let talk = async {
        talk(&mut other).await;
        drop(done);
    };
    let stop = async {
        // Either end of the channel says the same.
        let _ = stop.await;
        Ok(())
    };
    // Both are polled in this order, and a virtual bus is joined at the first poll.
    let (simulation, ()) = tokio::join!(biased; sim::simulate(&args, buses, stop), talk);
    simulation.expect("it runs")
}

#[tokio::test]
async fn a_car_answers_another_node_of_its_bus() {
    let line = "car --on virtual:bay --odometer-m 99000000 --vin YV1SMT00000000090";
    let simulation = beside(line, async |other| {
        other.hear(CanId::Standard(0x430)).await;
        other.say(CanId::Standard(0x7DF), &[2, 0x01, 0xA6]);
        let answer = other.hear(CanId::Standard(0x7E8)).await;
        assert_eq!(answer.data()[..7], [0x06, 0x41, 0xA6, 0x00, 0x0F, 0x1B, 0x30]);
        other.say(CanId::Standard(0x7E0), &[2, 0x09, 0x02]);
        let first = other.hear(CanId::Standard(0x7E8)).await;
        assert_eq!(first.data()[..5], [0x10, 0x14, 0x49, 0x02, 0x01]);
        other.say(CanId::Standard(0x7E0), &[0x30, 0, 0]);
        other.hear(CanId::Standard(0x7E8)).await;
        let last = other.hear(CanId::Standard(0x7E8)).await;
        assert_eq!(last.data(), *b"\x220000090");
    })
    .await;
    assert_eq!(simulation.frames("diagnostic question"), (0, 2));
    assert_eq!(simulation.frames("ISO-TP flow control"), (0, 1));
    assert_eq!(simulation.frames("diagnostic answer"), (4, 0));
    assert!(!simulation.asleep);
}

#[tokio::test]
async fn a_sleeping_truck_wakes_when_it_is_spoken_to() {
    let simulation = beside("truck --on virtual:bay --fault asleep", async |other| {
        other.say(CanId::Extended(0x18EA_FFF9), &[0xEC, 0xFE, 0x00]);
        other.hear(CanId::Extended(0x18EE_FF00)).await;
    })
    .await;
    assert!(!simulation.asleep);
    assert_eq!(simulation.frames("J1939 request"), (0, 1));
}

#[test]
fn a_bus_that_sleeps_for_ever_is_silent() {
    let output =
        vernport(&["sim", "truck", "--on", "virtual:bay", "--for", "1", "--fault", "asleep=forever"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let said = stdout(&output);
    assert!(said.contains("no frame was sent or heard") && said.contains("the bus sleeps"), "{said}");
}

#[test]
fn a_truck_says_what_it_is_and_what_a_decoder_understood() {
    let output =
        vernport(&["sim", "truck", "--on", "virtual:bay", "--for", "2", "--listen", "--fault", "noise=20"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let said = stdout(&output);
    for part in [
        "truck YV2RT40A8KB123456 on virtual:bay, for 2 s",
        "odometer 412345675 m, faults noise=20, seed 0",
        "J1939 message",
        "Vehicle.TraveledDistance",
        "412345675 m",
        "Vehicle.CurrentLocation",
        "Vehicle.Diagnostics.DTCList",
        "not taken",
    ] {
        assert!(said.contains(part), "{part} is missing in:\n{said}");
    }
}

#[test]
fn an_electric_car_that_nobody_asks_says_nothing_and_how_to_change_that() {
    let output = vernport(&["sim", "ev", "--on", "virtual:bay", "--for", "0", "--listen"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let said = stdout(&output);
    assert!(said.contains("no frame was sent or heard") && said.contains("--fault tester"), "{said}");
}

#[test]
fn what_cannot_be_is_refused_with_what_to_write_instead() {
    for (line, part) in [
        ("sim truck --on candump:drive.log --for 0", "put the vehicle on can:IFACE"),
        ("sim truck --on can:none-such0 --for 0", "'none-such0'"),
        ("sim trailer --on virtual:bay --fault pending=2", "a trailer cannot have the fault 'pending=2'"),
        ("sim truck --on virtual:bay --fd", "leave out --fd"),
    ] {
        let output = vernport(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(output.status.code(), Some(1), "{line}");
        assert!(stderr(&output).contains(part), "{line}: {}", stderr(&output));
    }
    for (line, part) in [
        ("sim boat --on virtual:bay", "possible values: car, truck, trailer, ev"),
        ("sim car --on bay", "names no kind of source"),
        ("sim car --on virtual:bay --fault smoke", "'smoke' is not a fault; write one of: lost-every=N"),
        ("sim car --on virtual:bay --fault late=soon", "write late=200, in milliseconds"),
        ("sim car --on virtual:bay --vin TOO-SHORT", "a VIN has 17 characters"),
    ] {
        let output = vernport(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(output.status.code(), Some(2), "{line}");
        assert!(stderr(&output).contains(part), "{line}: {}", stderr(&output));
    }
}

#[test]
fn the_help_lists_every_fault() {
    let help = stdout(&vernport(&["sim", "--help"]));
    for name in [
        "lost-every=N",
        "asleep=forever",
        "tester=programming",
        "odometer-step=METRES@SECONDS",
        "no-consecutive",
    ] {
        assert!(help.contains(name), "{name} is missing in:\n{help}");
    }
}
