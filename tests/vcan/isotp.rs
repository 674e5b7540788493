//! ISO-TP against the kernel's own (`isotpsend`, `isotprecv`), both ways, in
//! every addressing and frame format that its tools offer.

use crate::{
    bus::{Ours, PATIENCE, Vcan},
    peer::Peer,
};
use std::{
    io::Write as _,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tokio::time::timeout;
use vernport_decode::isotp::{
    Heard, Link, ReceivingEnd, TargetType, Terms,
    sender::{Failure, Format, Progress, Sender},
    timing::Gap,
};
use vernport_types::{BootMicros, CanId};

/// The shortest ones, the edges of single frames, of classic and FD, of 12 bits of length.
const LENGTHS: [usize; 11] = [1, 6, 7, 8, 11, 61, 62, 63, 300, 4095, 4500];

/// How both sides speak.
pub(crate) struct Way {
    pub(crate) link: Link,
    /// The kernel's words for it.
    pub(crate) options: &'static [&'static str],
    format: Format,
}

pub(crate) fn ways() -> Vec<Way> {
    let (a, b) = (CanId::Standard(0x6F1), CanId::Standard(0x612));
    let (c, d) = (CanId::Extended(0x1BC_0001), CanId::Extended(0x1BC_0002));
    let classic = Format::default();
    let long = |frame_bytes| Format { frame_bytes, ..classic };
    let way = |link, options, format| Way { link, options, format };
    vec![
        way(Link::normal(a, b), &[], classic),
        way(Link::normal(c, d), &[], Format { padding: None, ..classic }),
        way(Link::normal_fixed(0xF1, 0x10, TargetType::Physical), &[], classic),
        // The kernel checks length and bytes of what fills our frames.
        way(Link::normal(a, b), &["-p", "AA:CC", "-P", "a"], classic),
        way(Link::extended(a, b, 0xF1, 0x12), &["-x", "F1:12"], classic),
        way(Link::extended(c, d, 0xF1, 0x12), &["-x", "F1:12"], classic),
        way(Link::mixed(a, b, 0x99), &["-x", "99"], classic),
        way(Link::mixed_fixed(0xF1, 0x10, 0x99, TargetType::Physical), &["-x", "99"], classic),
        way(Link::normal(a, b), &["-L", "72:8:0"], Format { fd: true, ..classic }),
        way(Link::normal(a, b), &["-L", "72:64:0"], long(64)),
        way(Link::normal(c, d), &["-L", "72:12:0", "-p", "AA:CC"], long(12)),
        way(Link::extended(a, b, 0xF1, 0x12), &["-L", "72:32:0", "-x", "F1:12"], long(32)),
        way(
            Link::mixed_fixed(0xF1, 0x10, 0x99, TargetType::Physical),
            &["-L", "72:48:0", "-x", "99"],
            long(48),
        ),
    ]
}

pub(crate) fn message(length: usize) -> Vec<u8> {
    (0..length).map(|place| u8::try_from(place * 7 % 251).expect("below 251")).collect()
}

pub(crate) fn text(message: &[u8]) -> String {
    message.iter().map(|byte| format!("{byte:02X} ")).collect()
}

fn id(id: CanId) -> String {
    match id {
        CanId::Standard(id) => format!("{id:03X}"),
        CanId::Extended(id) => format!("{id:08X}"),
    }
}

/// The words of a tool on the other end of this link.
fn words(vcan: &Vcan, link: Link, options: &[&str]) -> Vec<String> {
    let ends = ["-s".into(), id(link.hears.id), "-d".into(), id(link.speaks.id)];
    let options = options.iter().map(|&word| word.to_owned());
    ends.into_iter().chain(options).chain([vcan.name().to_owned()]).collect()
}

/// isotprecv, waiting for one message.
pub(crate) fn receiving(vcan: &Vcan, link: Link, options: &[&str]) -> Peer {
    let before = vcan.receivers().len();
    let words = words(vcan, link, options);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Peer::start("isotprecv", &words, || vcan.receivers().len() > before)
}

/// isotpsend, sending one message.
pub(crate) fn sending(vcan: &Vcan, link: Link, options: &[&str], message: &[u8]) -> Child {
    let mut command = Command::new("isotpsend");
    command.args(words(vcan, link, options)).stdin(Stdio::piped());
    let mut child = command.spawn().expect("can-utils is installed");
    let mut input = child.stdin.take().expect("piped");
    input.write_all(text(message).as_bytes()).expect("it reads");
    child
}

/// Micros since the test began.
pub(crate) struct Watch(pub(crate) Instant);

impl Watch {
    pub(crate) fn now(&self) -> BootMicros {
        BootMicros(u64::try_from(self.0.elapsed().as_micros()).expect("short"))
    }

    fn until(&self, due: BootMicros) -> Duration {
        Duration::from_micros(due.0.saturating_sub(self.now().0))
    }
}

/// Sends one message from our side.
async fn send(ours: &mut Ours, sender: &mut Sender, message: &[u8]) -> Progress {
    let watch = Watch(Instant::now());
    sender.start(message, watch.now()).expect("nothing is under way");
    while sender.progress() == Progress::Sending {
        if let Some(frame) = sender.poll(watch.now()) {
            ours.send(&frame).await;
            sender.handed_over(watch.now());
        } else if let Some(due) = sender.next_due()
            && let Ok(heard) = timeout(watch.until(due), ours.source.next()).await
        {
            sender.push(&heard.expect("readable").expect("a live bus has no end").frame, watch.now());
        }
    }
    sender.progress()
}

/// Receives one message on our side; none if it was dropped. Says "wait" so
/// often before the first "continue".
pub(crate) async fn receive(ours: &mut Ours, end: &mut ReceivingEnd, waits: usize) -> Option<Vec<u8>> {
    let watch = Watch(Instant::now());
    end.set_busy(waits > 0, watch.now());
    let mut said = 0;
    let receive = async {
        loop {
            if let Some(frame) = end.poll(watch.now()) {
                ours.send(&frame).await;
                said += 1;
                if said == waits {
                    end.set_busy(false, watch.now());
                }
                // "Overflow", in the normal addressing that is used for it.
                if frame.data().first() == Some(&0x32) {
                    return None;
                }
                continue;
            }
            let due = end.next_due().map_or(PATIENCE, |due| watch.until(due));
            if let Ok(heard) = timeout(due, ours.source.next()).await {
                let frame = heard.expect("readable").expect("a live bus has no end").frame;
                if let Heard::Message(message) = end.push(&frame, watch.now()).heard {
                    return Some(message.to_vec());
                }
            } else if end.expire(watch.now()).is_some() {
                return None;
            }
        }
    };
    timeout(PATIENCE, receive).await.expect("a message or its end")
}

#[tokio::test]
async fn the_kernel_receives_what_we_send_in_every_addressing_and_format() {
    let Some(vcan) = Vcan::make("isotp-to") else { return };
    let mut ours = vcan.open().await;
    for Way { link, options, format } in ways() {
        let mut sender = Sender::new(link, format).expect("a size of CAN");
        for length in LENGTHS {
            let kernel = receiving(&vcan, link, options);
            let sent = message(length);
            assert_eq!(send(&mut ours, &mut sender, &sent).await, Progress::Sent, "{options:?} {length}");
            assert_eq!(kernel.lines().concat().trim(), text(&sent).trim(), "{options:?} {length}");
        }
    }
}

#[tokio::test]
async fn we_receive_what_the_kernel_sends_in_every_addressing_and_format() {
    let Some(vcan) = Vcan::make("isotp-from") else { return };
    let mut ours = vcan.open().await;
    for Way { link, options, .. } in ways() {
        let mut end = ReceivingEnd::new(link, Terms { max_bytes: 5_000, ..Terms::default() });
        let options = [&["-b"], options].concat();
        for length in LENGTHS {
            let sent = message(length);
            let mut kernel = sending(&vcan, link, &options, &sent);
            assert_eq!(receive(&mut ours, &mut end, 0).await, Some(sent), "{options:?} {length}");
            assert!(kernel.wait().expect("ends").success(), "{options:?} {length}");
        }
    }
}

#[tokio::test]
async fn blocks_and_gaps_that_the_kernel_asks_for_are_kept() {
    let Some(vcan) = Vcan::make("isotp-blocks") else { return };
    let mut ours = vcan.open().await;
    let Way { link, format, .. } = ways().remove(0);
    let mut sender = Sender::new(link, format).expect("a size of CAN");
    for options in [["-b", "1", "-m", "0"], ["-b", "4", "-m", "F5"], ["-b", "F", "-m", "2"]] {
        let kernel = receiving(&vcan, link, &options);
        let sent = message(200);
        assert_eq!(send(&mut ours, &mut sender, &sent).await, Progress::Sent, "{options:?}");
        assert_eq!(kernel.lines().concat().trim(), text(&sent).trim(), "{options:?}");
    }
}

#[tokio::test]
async fn the_kernel_keeps_our_blocks_and_gaps_and_waits_when_told_to() {
    let Some(vcan) = Vcan::make("isotp-waits") else { return };
    let mut ours = vcan.open().await;
    let link = ways().remove(0).link;
    for (block_size, gap, waits, options) in [
        (1, 0, 0, &["-b"][..]),
        (3, 0xF5, 0, &["-b"]),
        (0, 2, 0, &["-b", "-f", "100000"]),
        (2, 0, 2, &["-b"]),
    ] {
        let terms = Terms { block_size, gap: Gap::from_byte(gap), ..Terms::default() };
        let mut end = ReceivingEnd::new(link, terms);
        let sent = message(100);
        let mut kernel = sending(&vcan, link, options, &sent);
        assert_eq!(receive(&mut ours, &mut end, waits).await, Some(sent), "{block_size} {gap} {waits}");
        assert!(kernel.wait().expect("ends").success(), "{block_size} {gap} {waits}");
    }
}

#[tokio::test]
async fn what_is_too_long_for_either_side_ends_at_once() {
    let Some(vcan) = Vcan::make("isotp-long") else { return };
    let mut ours = vcan.open().await;
    let Way { link, format, .. } = ways().remove(0);
    // Longer than what the kernel takes by default.
    let kernel = receiving(&vcan, link, &[]);
    let mut sender = Sender::new(link, format).expect("a size of CAN");
    let progress = send(&mut ours, &mut sender, &message(100_000)).await;
    assert_eq!(progress, Progress::Failed(Failure::Overflow));
    drop(kernel);
    // Longer than what we take.
    let mut end = ReceivingEnd::new(link, Terms { max_bytes: 50, ..Terms::default() });
    let mut kernel = sending(&vcan, link, &["-b"], &message(51));
    assert_eq!(receive(&mut ours, &mut end, 0).await, None);
    kernel.wait().expect("ends");
    // Nobody there.
    let progress = send(&mut ours, &mut sender, &message(20)).await;
    assert_eq!(progress, Progress::Failed(Failure::NoFlowControl));
}
