//! J1939 against the kernel's own: long messages to everybody, to us and between
//! others, and requests of ours that reach it.
//!
//! The kernel's sockets are held by `peer.py`. `j1939cat` will not do: where the kernel
//! tells more of a message than it knew of, it says "truncated" whatever became of it.

use crate::{
    bus::{Ours, Vcan, say},
    peer::{Peer, stay_on},
};
use std::{
    collections::BTreeMap,
    process::{Command, Stdio},
};
use vernport_decode::{
    RejectCode,
    j1939::{
        Id, Responder, pgn,
        responder::MAX_TRANSFERS,
        transport::{self, Transport},
    },
    poll::{Addressing, Group, Request, To},
};
use vernport_types::{BootMicros, CanFilter, CanFrame, CanId};

/// Debian's first: one that stands before it in the path may be a script, which takes seconds in a guest.
const PYTHONS: [&str; 2] = ["/usr/bin/python3", "python3"];
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vcan/peer.py");
/// The edges of packets, of what we ask for at once, and of the protocol.
const LENGTHS: [usize; 8] = [9, 14, 15, 112, 113, 700, 1784, 1785];
/// What the extended protocol is for.
const TOO_LONG: usize = 1786;
const ENGINE: u8 = 0x00;
const BRAKES: u8 = 0x0B;
const US: u8 = Id::SERVICE_TOOL_1;
const VI: u32 = pgn::VEHICLE_IDENTIFICATION;
const REQUEST: u32 = 0xEA00;
/// A group that has a destination.
const PROPRIETARY: u32 = 0xEF00;

/// From whom, the group, and the bytes.
type Message = (u8, u32, Vec<u8>);

fn message(length: usize) -> Vec<u8> {
    (0..length).map(|place| u8::try_from(place * 7 % 251).expect("below 251")).collect()
}

/// Units on the bus that are the kernel.
struct Kernel {
    peer: Peer,
    /// What it wrote that nobody asked after yet.
    said: Vec<String>,
}

impl Kernel {
    /// Units at these addresses, or SKIPPED where there is no Python that has them.
    fn listen(vcan: &Vcan, addresses: impl IntoIterator<Item = u8>) -> Option<Self> {
        let Some(python) = PYTHONS.into_iter().find(|python| has(python)) else {
            say("SKIPPED vcan: python3 is not installed; run cargo xtask setup");
            return None;
        };
        let addresses: Vec<String> = addresses.into_iter().map(|address| address.to_string()).collect();
        let mut arguments = vec!["-IS", SCRIPT, vcan.name()];
        arguments.extend(addresses.iter().map(String::as_str));
        // Kernels lose count of a transfer whose timers run on one processor while another has our
        // answer, which no real bus brings so soon: it never ends, and the interface stays in use.
        stay_on(0);
        let mut peer = Peer::start_told(python, &arguments);
        match peer.line().as_str() {
            "ready" => Some(Self { peer, said: Vec::new() }),
            other => {
                assert_eq!(other, "missing");
                say("SKIPPED vcan: python3 has no CAN_J1939: it is older than 3.9");
                None
            }
        }
    }

    /// Has one of them send.
    fn send(&mut self, from: u8, to: u8, group: u32, length: usize) {
        self.peer.tell(&format!("{from} {to} {group} {length}"));
    }

    /// Whether what this unit sent was delivered, once that is known.
    fn delivers(&mut self, from: u8) -> bool {
        let (sent, failed) = (format!("sent {from}"), format!("failed {from}"));
        self.says(|line| line == sent || line == failed) == sent
    }

    /// The next message that this unit hears.
    fn hears(&mut self, address: u8) -> Message {
        let heard = format!("heard {address} ");
        let line = self.says(|line| line.starts_with(&heard));
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, _, source, group, bytes] = words[..] else { panic!("not a message: {line}") };
        let bytes = hex::decode(bytes).expect("hexadecimal");
        (source.parse().expect("an address"), group.parse().expect("a group"), bytes)
    }

    fn says(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        if let Some(place) = self.said.iter().position(|line| wanted(line)) {
            return self.said.remove(place);
        }
        loop {
            let line = self.peer.line();
            if wanted(&line) {
                return line;
            }
            self.said.push(line);
        }
    }
}

/// Whether this program is there.
fn has(program: &str) -> bool {
    Command::new(program).arg("--version").stdout(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Our side: listens, and helps along what it asked for.
struct Tool {
    ours: Ours,
    transport: Transport,
    responder: Responder,
    /// How many frames it sent beside requests.
    answers: usize,
    /// A millisecond a frame: a guest may stand still for longer than the protocol allows.
    now: BootMicros,
}

impl Tool {
    async fn open(vcan: &Vcan) -> Self {
        let ours = vcan.open().await;
        let (transport, responder) = (Transport::default(), Responder::new(US));
        Self { ours, transport, responder, answers: 0, now: BootMicros(0) }
    }

    /// Asks everybody for the group VI.
    async fn ask(&mut self) {
        self.responder.asked(VI, Id::GLOBAL, self.now);
        self.ours
            .send(&Request::J1939(Group::VehicleIdentification).frame(To::All(Addressing::Extended)))
            .await;
    }

    /// The next message that is whole, or why one was dropped.
    async fn next(&mut self) -> Result<Message, RejectCode> {
        self.next_without(|_| false).await
    }

    /// The same where these frames were not heard.
    async fn next_without(&mut self, mut lost: impl FnMut(&CanFrame) -> bool) -> Result<Message, RejectCode> {
        loop {
            let frame = self.ours.next().await.frame;
            self.now.0 += 1_000;
            if lost(&frame) {
                continue;
            }
            if let Some(answer) = self.responder.heard(&frame, self.now) {
                self.ours.send(&answer).await;
                self.answers += 1;
            }
            let id = Id::from_can(frame.id()).expect("the kernel speaks J1939");
            if !Transport::is(id.pgn) {
                continue;
            }
            let step = self.transport.push(id, frame.data(), self.now, |_| true);
            if let Some(why) = step.dropped {
                return Err(why);
            }
            if let Some((group, bytes)) = step.message {
                return Ok((id.source, group, bytes.to_vec()));
            }
        }
    }
}

#[tokio::test]
async fn broadcasts_of_many_units_at_once_are_put_together() {
    let Some(vcan) = Vcan::make("j1939-bam") else { return };
    let sources: BTreeMap<u8, usize> = (0x10..).zip(LENGTHS).collect();
    let Some(mut kernel) = Kernel::listen(&vcan, sources.keys().copied()) else { return };
    let mut tool = Tool::open(&vcan).await;
    for (&from, &length) in &sources {
        kernel.send(from, Id::GLOBAL, VI, length);
    }
    let mut heard = BTreeMap::new();
    while heard.len() < sources.len() {
        let (source, group, bytes) = tool.next().await.expect("whole");
        assert!(group == VI && bytes == message(sources[&source]), "of {source:02X}");
        assert_eq!(heard.insert(source, bytes.len()), None, "once");
    }
    assert_eq!(heard, sources);
    assert!(sources.keys().all(|from| kernel.delivers(*from)));
    assert_eq!(tool.answers, 0, "nobody answers a broadcast");
}

#[tokio::test]
async fn our_request_reaches_the_kernel_and_its_answer_of_any_length_is_helped_along() {
    let Some(vcan) = Vcan::make("j1939-ask") else { return };
    let Some(mut kernel) = Kernel::listen(&vcan, [ENGINE]) else { return };
    let mut tool = Tool::open(&vcan).await;
    for length in LENGTHS {
        tool.ask().await;
        assert_eq!(kernel.hears(ENGINE), (US, REQUEST, vec![0xEC, 0xFE, 0x00]));
        kernel.send(ENGINE, US, VI, length);
        assert!(tool.next().await == Ok((ENGINE, VI, message(length))), "{length}");
        assert!(kernel.delivers(ENGINE), "the kernel took our end of message for {length}");
        assert!(!tool.responder.is_busy());
    }
}

#[tokio::test]
async fn as_many_units_as_we_answer_at_once_are_all_helped_along() {
    let Some(vcan) = Vcan::make("j1939-many") else { return };
    let sources: Vec<u8> = (0x10..).take(MAX_TRANSFERS).collect();
    let Some(mut kernel) = Kernel::listen(&vcan, sources.clone()) else { return };
    let mut tool = Tool::open(&vcan).await;
    tool.ask().await;
    for &from in &sources {
        kernel.send(from, US, VI, 1785);
    }
    let mut heard = Vec::new();
    for _ in &sources {
        let (source, group, bytes) = tool.next().await.expect("whole");
        assert!(group == VI && bytes == message(1785), "of {source:02X}");
        heard.push(source);
    }
    heard.sort_unstable();
    assert_eq!(heard, sources);
    assert!(sources.iter().all(|from| kernel.delivers(*from)));
}

#[tokio::test]
async fn a_packet_that_we_missed_is_sent_again_by_the_kernel() {
    let Some(vcan) = Vcan::make("j1939-again") else { return };
    let Some(mut kernel) = Kernel::listen(&vcan, [ENGINE]) else { return };
    let mut tool = Tool::open(&vcan).await;
    // 29 packets in two rounds. Of the first round only: once its last packet went out, the
    // kernel gives up (reason 5) where it is asked for any again.
    for missed in [1, 5, 15] {
        tool.ask().await;
        kernel.send(ENGINE, US, VI, 200);
        let mut times = 0;
        let lost = |frame: &CanFrame| {
            let is_it = Id::from_can(frame.id()).is_some_and(|id| id.pgn == transport::DATA)
                && frame.data().first() == Some(&missed);
            times += usize::from(is_it);
            is_it && times == 1
        };
        let heard = tool.next_without(lost).await;
        assert!(heard == Ok((ENGINE, VI, message(200))), "without {missed}");
        assert_eq!(times, 2, "{missed}");
        assert!(kernel.delivers(ENGINE), "{missed}");
    }
}

#[tokio::test]
async fn what_nobody_asked_for_gets_no_answer_and_the_kernel_gives_it_up() {
    let Some(vcan) = Vcan::make("j1939-unasked") else { return };
    let Some(mut kernel) = Kernel::listen(&vcan, [ENGINE]) else { return };
    let mut tool = Tool::open(&vcan).await;
    kernel.send(ENGINE, US, VI, 100);
    assert_eq!(tool.next().await, Err(RejectCode::TransportAborted));
    assert!(!kernel.delivers(ENGINE));
    assert_eq!(tool.answers, 0);
}

#[tokio::test]
async fn a_message_between_two_units_is_heard_also_where_only_one_of_them_is() {
    let Some(vcan) = Vcan::make("j1939-third") else { return };
    let Some(mut kernel) = Kernel::listen(&vcan, [ENGINE, BRAKES]) else { return };
    let (mut both, mut one) = (Tool::open(&vcan).await, Tool::open(&vcan).await);
    let of_engine = CanFilter { id: CanId::Extended(ENGINE.into()), mask: 0xFF };
    one.ours.source.set_filters(&[of_engine]).expect("taken");
    for length in LENGTHS {
        kernel.send(ENGINE, BRAKES, PROPRIETARY, length);
        kernel.send(BRAKES, ENGINE, VI, length);
        let sent = [(ENGINE, PROPRIETARY, message(length)), (BRAKES, VI, message(length))];
        let mut heard = [both.next().await.expect("whole"), both.next().await.expect("whole")];
        heard.sort_unstable();
        assert!(heard == sent, "{length}");
        assert!(one.next().await.expect("whole") == sent[0], "{length} of one side");
        assert!(kernel.hears(BRAKES) == sent[0] && kernel.hears(ENGINE) == sent[1], "{length}");
        assert!(kernel.delivers(ENGINE) && kernel.delivers(BRAKES), "{length}");
    }
    assert_eq!((both.answers, one.answers), (0, 0), "it is not for us");
}

#[tokio::test]
async fn the_extended_protocol_beside_it_disturbs_nothing() {
    let Some(vcan) = Vcan::make("j1939-etp") else { return };
    let Some(mut kernel) = Kernel::listen(&vcan, [ENGINE, BRAKES]) else { return };
    let mut tool = Tool::open(&vcan).await;
    tool.ask().await;
    assert_eq!(kernel.hears(BRAKES).0, US);
    kernel.send(ENGINE, BRAKES, PROPRIETARY, TOO_LONG);
    assert!(kernel.hears(BRAKES) == (ENGINE, PROPRIETARY, message(TOO_LONG)));
    assert!(kernel.delivers(ENGINE));
    kernel.send(ENGINE, US, VI, TOO_LONG);
    kernel.send(BRAKES, US, VI, 9);
    assert!(tool.next().await == Ok((BRAKES, VI, message(9))), "the first that is whole");
    assert!(kernel.delivers(BRAKES));
    assert!(!kernel.delivers(ENGINE), "we know nothing of that protocol");
    assert_eq!(tool.answers, 2, "to the short one");
}
