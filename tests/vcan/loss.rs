//! An interface that goes down or away: one error, a quiet wait, and on it goes.

use crate::{
    bus::{Ours, PATIENCE, Vcan, options, say, standard},
    peer::cansend,
};
use std::{fs, os::unix::fs::symlink, path::Path, time::Duration};
use tokio::time::{sleep, timeout};
use vernport_canbus::{OpenOptions, open};

/// How long an interface stays away.
const AWAY: Duration = Duration::from_secs(3);
/// What waiting may cost meanwhile, in hundredths of a second. A busy wait takes all of the time, or half
/// of it beside other tests; an emulated processor charges much for little.
const MOST_TICKS: u64 = 100;

/// What this thread has used of the processor, in hundredths of a second.
fn used_ticks() -> u64 {
    let stat = fs::read_to_string("/proc/thread-self/stat").expect("a thread of Linux");
    // After the name, which may hold anything: the 12th and 13th are user and system time.
    let (_, numbers) = stat.rsplit_once(')').expect("a name in brackets");
    let numbers: Vec<&str> = numbers.split_whitespace().collect();
    numbers[11..=12].iter().map(|ticks| ticks.parse::<u64>().expect("a number")).sum()
}

/// Waits for a frame in vain, without being busy.
async fn waits_quietly(ours: &mut Ours) {
    let before = used_ticks();
    timeout(AWAY, ours.source.next()).await.expect_err("nothing to read and nothing to tell");
    let used = used_ticks() - before;
    say(&format!("{used} hundredths of a second in {AWAY:?} of waiting"));
    assert!(used < MOST_TICKS, "{used} hundredths of a second in {AWAY:?}");
}

/// Frames come again once the interface is back.
async fn reads_on(ours: &mut Ours, vcan: &Vcan, id: u16) {
    let sends = async {
        while vcan.receivers().is_empty() {
            sleep(Duration::from_millis(5)).await;
        }
        cansend(vcan, &format!("{id:03X}#"));
    };
    let (heard, ()) = tokio::join!(ours.next(), sends);
    assert_eq!(heard.frame, standard(id, &[]));
}

#[tokio::test]
async fn an_interface_that_goes_down_is_told_once_and_read_on_when_up() {
    let Some(vcan) = Vcan::make("loss-down") else { return };
    let mut ours = vcan.open().await;
    for id in [0x101, 0x102] {
        cansend(&vcan, &format!("{id:03X}#"));
        vcan.set(&["down"]);
        assert_eq!(ours.next().await.frame, standard(id, &[]), "what came before it comes first");
        let error = ours.result().await.expect_err("it is down");
        assert!(error.to_string().contains("'loss-down'"), "{error}");
        waits_quietly(&mut ours).await;
        assert!(!ours.source.is_up());
        vcan.set(&["up"]);
        assert!(ours.source.is_up(), "also before anybody talks there");
        reads_on(&mut ours, &vcan, id + 0x100).await;
    }
    assert_eq!(ours.source.counters().frames, 4);
}

#[tokio::test]
async fn an_interface_that_goes_away_is_told_once_and_read_on_when_made_again() {
    let Some(vcan) = Vcan::make("loss-away") else { return };
    let mut ours = vcan.open().await;
    for id in [0x101, 0x102] {
        cansend(&vcan, &format!("{id:03X}#"));
        vcan.delete();
        assert_eq!(ours.next().await.frame, standard(id, &[]), "what came before it comes first");
        ours.result().await.expect_err("it is gone");
        waits_quietly(&mut ours).await;
        assert!(!ours.source.is_up());
        vcan.create();
        reads_on(&mut ours, &vcan, id + 0x100).await;
        assert!(ours.source.is_up());
    }
}

/// As a gateway does, which is told several times a second what is wanted of the bus.
#[tokio::test]
async fn an_interface_is_found_again_by_a_reader_that_never_waits_for_long() {
    let Some(vcan) = Vcan::make("loss-often") else { return };
    let mut ours = vcan.open().await;
    vcan.delete();
    ours.result().await.expect_err("it is gone");
    vcan.create();
    let hears = async {
        loop {
            if let Ok(heard) = timeout(Duration::from_millis(20), ours.source.next()).await {
                break heard.expect("readable").expect("a live bus has no end").frame;
            }
        }
    };
    let sends = async {
        while vcan.receivers().is_empty() {
            sleep(Duration::from_millis(5)).await;
        }
        cansend(&vcan, "101#");
    };
    let both = async { tokio::join!(hears, sends).0 };
    assert_eq!(timeout(PATIENCE, both).await.expect("found again"), standard(0x101, &[]));
}

#[tokio::test]
async fn a_reader_that_waits_notices_the_loss() {
    let Some(vcan) = Vcan::make("loss-wait") else { return };
    let mut ours = vcan.open().await;
    let goes_down = async {
        sleep(Duration::from_millis(200)).await;
        vcan.set(&["down"]);
    };
    let (result, ()) = tokio::join!(ours.result(), goes_down);
    result.expect_err("it is down");
}

#[tokio::test]
async fn an_interface_that_is_down_from_the_start_is_waited_for() {
    let Some(vcan) = Vcan::make("loss-start") else { return };
    vcan.set(&["down"]);
    let mut ours = vcan.open().await;
    ours.result().await.expect_err("it is down");
    waits_quietly(&mut ours).await;
    vcan.set(&["up"]);
    reads_on(&mut ours, &vcan, 0x123).await;
}

/// An adapter that is plugged in again may get another name.
#[tokio::test]
async fn an_adapter_is_found_again_under_another_name() {
    let Some(old) = Vcan::make("loss-old") else { return };
    let sysfs = tempfile::tempdir().expect("a folder");
    plug_in(sysfs.path(), old.name());
    let options = OpenOptions { sysfs: sysfs.path().to_owned(), ..options() };
    let bus = open(&"can:serial=0042".parse().expect("a URL"), options).await.expect("opens");
    let mut ours = Ours { source: bus.source, sink: bus.sink.expect("can be sent to") };
    reads_on(&mut ours, &old, 0x101).await;

    old.delete();
    fs::remove_dir_all(sysfs.path().join("class")).expect("removed");
    let error = ours.result().await.expect_err("it is gone");
    assert!(error.to_string().contains("'serial=0042'"), "{error}");
    let new = Vcan::make("loss-new").expect("as the other one");
    plug_in(sysfs.path(), new.name());
    reads_on(&mut ours, &new, 0x102).await;
    ours.send(&standard(1, &[])).await;
}

/// Lays out what sysfs says of a USB adapter with one interface of this name.
fn plug_in(sysfs: &Path, name: &str) {
    let part = sysfs.join("devices/1-1.2/1-1.2:1.0");
    let interface = part.join("net").join(name);
    fs::create_dir_all(&interface).expect("a folder");
    fs::create_dir_all(sysfs.join("class/net")).expect("a folder");
    for (file, text) in [
        (sysfs.join("devices/1-1.2/idVendor"), "1d50\n"),
        (sysfs.join("devices/1-1.2/serial"), "0042\n"),
        (interface.join("type"), "280\n"),
        (interface.join("ifindex"), "3\n"),
    ] {
        fs::write(file, text).expect("a file");
    }
    symlink(&part, interface.join("device")).expect("a link");
    symlink(&interface, sysfs.join("class/net").join(name)).expect("a link");
}
