//! Over random buses, against naive models: what is sent only asks for data
//! (invariant 14), never beside another tester, never to a silent bus, never more
//! than the budget, and one request at a time.

use super::*;
use proptest::prelude::*;
use vernport_types::{CanId, FrameKind};

#[derive(Debug, Clone, Copy)]
enum Step {
    /// The vehicle talks every 100 ms for so many times.
    Talk(u8, bool),
    /// Nothing is heard.
    Pause(u64),
    Tester(usize),
    /// A unit says something about the last request, or something else.
    Answer(u8, u8, [u8; 6]),
    Want(u8),
    Leave,
    Any(u32, bool, [u8; 8]),
}

const TESTERS: [&str; 6] = [
    "7DF#0209020000000000",
    "7E0#300000CCCCCCCCCC",
    "18DAEEFB#0322F190",
    "18EAFFFA#ECFE00",
    "7E0#021003CCCCCCCCCC",
    "7E0#022701CCCCCCCCCC",
];

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1_u8..60, any::<bool>()).prop_map(|(times, truck)| Step::Talk(times, truck)),
        2 => (0_u64..3_000_000).prop_map(Step::Pause),
        1 => Just(Step::Pause(QUIET_MICROS)),
        1 => (0..TESTERS.len()).prop_map(Step::Tester),
        6 => (0_u8..4, 0_u8..8, any::<[u8; 6]>()).prop_map(|(unit, kind, data)| Step::Answer(unit, kind, data)),
        2 => any::<u8>().prop_map(Step::Want),
        1 => Just(Step::Leave),
        2 => (any::<u32>(), any::<bool>(), any::<[u8; 8]>()).prop_map(|(id, long, data)| Step::Any(id, long, data)),
    ]
}

/// What a reader of the standards would note beside the bus.
#[derive(Default)]
struct Model {
    now: u64,
    talk: Vec<u64>,
    tester_at: Option<u64>,
    changes: bool,
    requests: Vec<(u64, CanFrame)>,
    /// Whether something that may be an answer was heard since the last request.
    answer_since: bool,
    last_heard: u64,
}

impl Model {
    fn check(&mut self, frame: &CanFrame) {
        let (now, data) = (self.now, frame.data());
        assert!(is_read_only(frame), "{}", text(frame));
        assert!(!self.changes, "in a session that may change the vehicle");
        assert!(self.tester_at.is_none_or(|at| now - at >= QUIET_MICROS), "beside another tester");
        let is_reply = data[0] >> 4 == 3 && data.len() == 8 || frame.id().raw() & 0x00FF_0000 == 0x00EC_0000;
        if is_reply {
            return;
        }
        let last = self.talk.last().copied().unwrap_or(0);
        assert!(now - last <= AWAKE_MICROS, "to a silent bus");
        // Going back from now, talk without a gap for the time of listening.
        let mut since = last;
        for at in self.talk.iter().rev() {
            if since - at > AWAKE_MICROS {
                break;
            }
            since = *at;
        }
        assert!(now - since >= LISTEN_MICROS, "without listening first");
        if let Some((before, _)) = self.requests.last() {
            assert!(now - before >= Config::default().bus_gap_micros, "over the budget of the bus");
            assert!(self.answer_since || now - before > 150 * MS, "two requests at a time");
        }
        let hears = |other: &CanFrame| {
            let all = |id: CanId| matches!(id, CanId::Standard(0x7DF) | CanId::Extended(0x18DB_33F1));
            let j1939 = |id: CanId| id == CanId::Extended(0x18EA_FFF9);
            !j1939(other.id())
                && !j1939(frame.id())
                && (all(frame.id()) || all(other.id()) || other.id() == frame.id())
        };
        if let Some((before, _)) = self.requests.iter().rev().find(|(_, other)| hears(other)) {
            assert!(now - before >= Config::default().unit_gap_micros, "over the budget of a unit");
        }
        self.requests.push((now, *frame));
        self.answer_since = false;
    }
}

/// Independent of [`Request`]: the bytes that only ask for data.
fn is_read_only(frame: &CanFrame) -> bool {
    let data = frame.data();
    match (frame.id(), data) {
        (CanId::Extended(0x18EA_FFF9), [low, mid, 0]) => {
            const TELLING: [u32; 19] = [
                65260, 65217, 65248, 65267, 65265, 65276, 65271, 65253, 65216, 64932, 65226, 65227, 65257,
                65262, 65263, 65110, 65258, 65268, 65264,
            ];
            TELLING.contains(&(u32::from(*mid) << 8 | u32::from(*low)))
        }
        (CanId::Extended(id), [17 | 19 | 255, ..]) => id & 0x1FFF_00FF == 0x1CEC_00F9 && data.len() == 8,
        (CanId::Standard(0x7DF..=0x7E7), data) => is_read_only_message(data),
        (CanId::Extended(id), data) => {
            (id == 0x18DB_33F1 || id & 0x1FFF_00FF == 0x18DA_00F1) && is_read_only_message(data)
        }
        _ => false,
    }
}

fn is_read_only_message(data: &[u8]) -> bool {
    match data {
        [0x30, 0, 0, ..] => true,
        [2..=7, 1, ..] | [1, 3 | 7 | 0x0A, ..] | [2, 9, 2, ..] | [3, 0x22, ..] | [3, 0x19, 2, ..] => {
            data.len() == 8
        }
        _ => false,
    }
}

fn answer(last: Option<&CanFrame>, unit: u8, kind: u8, bytes: [u8; 6]) -> CanFrame {
    let asked = last.map_or(vec![2, 1, 0], |frame| frame.data().to_vec());
    let (service, parameter) = (asked[1], asked.get(2).copied().unwrap_or(0));
    let extended = last.is_some_and(|frame| matches!(frame.id(), CanId::Extended(_)));
    let id = if extended {
        CanId::Extended(0x18DA_F100 | u32::from(unit))
    } else {
        CanId::Standard(0x7E8 + u16::from(unit))
    };
    let [a, b, c, d, e, f] = bytes;
    let data = match kind {
        0..=2 => [6, service | 0x40, parameter, a, b, c, d | 1, 0],
        3 => [3, 0x7F, service, 0x78, 0, 0, 0, 0],
        4 => [3, 0x7F, service, [0x21, 0x11, 0x12, 0x31, 0x22][usize::from(a) % 5], 0, 0, 0, 0],
        5 => [0x10, 10 + a % 40, service | 0x40, parameter, b, c, d, e],
        6 => [0x20 | a & 0xF, b, c, d, e, f, 0, 0],
        // A request to send the group that was asked for, to us.
        _ => {
            let group = [asked[0], asked[1], 0];
            let data = [16, 18, 0, 3, a, group[0], group[1], group[2]];
            return CanFrame::data_frame(CanId::Extended(0x1CEC_F900 | u32::from(unit)), &data)
                .expect("8 bytes");
        }
    };
    CanFrame::data_frame(id, &data).expect("8 bytes")
}

struct World {
    asker: Asker,
    model: Model,
}

impl World {
    fn pass(&mut self, micros: u64) {
        let until = self.model.now + micros;
        loop {
            self.drain();
            let next = self.asker.next_due(BootMicros(self.model.now));
            let Some(next) = next.filter(|next| next.0 <= until) else { break };
            assert!(next.0 > self.model.now, "whoever waits for it would spin");
            self.model.now = next.0;
        }
        self.model.now = until;
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(frame) = self.asker.due(BootMicros(self.model.now)) {
            self.model.check(&frame);
        }
    }

    fn hear(&mut self, frame: &CanFrame) {
        if self.model.now - self.model.last_heard > 5 * SECOND {
            self.model.changes = false;
        }
        self.model.last_heard = self.model.now;
        self.asker.heard(frame, BootMicros(self.model.now));
        self.drain();
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Talk(times, truck) => {
                let said = if truck { "18FEF100#FF0050CCFF0000F0" } else { "3D0#0011" };
                for _ in 0..times {
                    self.model.talk.push(self.model.now);
                    self.hear(&frame(said));
                    self.pass(100 * MS);
                }
            }
            Step::Pause(micros) => self.pass(micros),
            Step::Tester(which) => {
                // Past the time in which it might be an echo of ours.
                self.pass(201 * MS);
                self.model.tester_at = Some(self.model.now);
                self.hear(&frame(TESTERS[which]));
                self.model.changes |= which == TESTERS.len() - 1;
            }
            Step::Answer(unit, kind, bytes) => {
                let last = self.model.requests.last().map(|(_, frame)| *frame);
                self.model.answer_since = true;
                self.hear(&answer(last.as_ref(), unit, kind, bytes));
                self.pass(MS);
            }
            Step::Want(bits) => {
                let paths = [ODOMETER, SPEED, FUEL, CODES, HOURS];
                let on = |place: usize| bits >> place & 1 == 1;
                let chosen: Vec<&str> = (0..5).filter(|place| on(*place)).map(|place| paths[place]).collect();
                self.asker.want(&wanted(&chosen, on(5)));
                // What was waited for may be wanted no more.
                self.model.answer_since = true;
            }
            Step::Leave => {
                self.asker.visit_ended();
                self.model.changes = false;
                self.model.talk.clear();
                self.model.answer_since = true;
                self.pass(AWAKE_MICROS + 1);
            }
            Step::Any(id, extended, data) => {
                let raw = id & 0x1FFF_FFFF;
                // Neither a tester's nor what might be one.
                let id = if extended {
                    CanId::Extended(0x18FF_0000 | raw & 0xFF7F)
                } else {
                    CanId::Standard(0x300)
                };
                self.model.talk.push(self.model.now);
                self.hear(&CanFrame::new(id, FrameKind::Data, &data).expect("8 bytes"));
            }
        }
    }
}

proptest! {
    #[test]
    fn on_no_bus_it_breaks_its_word(steps in proptest::collection::vec(step(), 1..120), bits: u8) {
        let asker = Asker::new(catalogue(), &Dids::default(), Config::default());
        let mut world = World { asker, model: Model { now: SECOND, ..Model::default() } };
        world.take(Step::Want(bits | 1));
        world.take(Step::Talk(40, bits & 64 != 0));
        for step in steps {
            world.take(step);
        }
    }

    #[test]
    fn whatever_is_heard_what_is_sent_only_asks_for_data(
        heard in proptest::collection::vec((any::<bool>(), any::<u32>(), any::<[u8; 8]>()), 0..200),
        bits: u8,
    ) {
        let asker = Asker::new(catalogue(), &Dids::default(), Config::default());
        let mut world = World { asker, model: Model { now: SECOND, ..Model::default() } };
        world.take(Step::Want(bits));
        world.take(Step::Talk(40, bits & 64 != 0));
        for (standard, raw, data) in heard {
            let raw = match raw % 4 {
                0 => 0x18DA_F100 | raw & 0xFF,
                1 => 0x1CEC_F900 | raw & 0xFF,
                _ => raw & 0x1FFF_FFFF,
            };
            let id = if standard { CanId::Standard(0x7E8 + (raw & 7) as u16) } else { CanId::Extended(raw) };
            let now = BootMicros(world.model.now);
            world.asker.heard(&CanFrame::data_frame(id, &data).expect("8 bytes"), now);
            while let Some(frame) = world.asker.due(now) {
                prop_assert!(is_read_only(&frame), "{}", text(&frame));
            }
            world.model.now += 20 * MS;
        }
    }
}
