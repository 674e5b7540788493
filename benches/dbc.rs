//! Budget: one frame through the plan of a DBC file (figures and method in `README.md`), in time
//! that this thread had the processor. Nothing here fails on time.
//!
//! `VERNPORT_CAPTURES` names a folder with `dbc/ford_lincoln_base_pt.dbc`; without it the cases of
//! a real file are left out. `cargo bench --bench dbc -- instructions CASE` runs one case so many
//! times and ends, for callgrind; without a case it lists them.

mod time;

use criterion::{Criterion, Throughput};
use std::{env, fmt::Write as _, fs, hint::black_box, path::Path, time::Duration};
use time::ProcessorTime;
use vernport_decode::dbc::{Database, Mapping, Plan, Read};
use vernport_types::{CanId, Catalogue};

/// Frames of one case: more than a branch predictor learns by heart.
const FRAMES: usize = 8_192;
/// Runs of one case for callgrind.
const ROUNDS: usize = 20;

/// A bench's own random numbers: the same in every run.
struct Drawn(u64);

impl Drawn {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() >> 33).expect("31 bits") % bound
    }
}

/// A made file: messages of 8 bytes full of signals, Intel and Motorola in turn, some of them multiplexed.
fn made(ids: impl Iterator<Item = u32>, is_j1939: bool) -> String {
    let mut drawn = Drawn(0x2545_F491_4F6C_DD1D);
    let mut text = String::from("VERSION \"\"\nBU_: A\n");
    for (number, id) in ids.enumerate() {
        let _ = writeln!(text, "\nBO_ {id} M{number}: 8 A");
        let is_intel = is_j1939 || number % 2 == 0;
        let is_multiplexed = !is_j1939 && number % 5 == 0;
        let mut at = 0;
        while at < 64 {
            let mut len = [1, 4, 8, 8, 12, 16, 16][drawn.below(7)].min(64 - at);
            let mut switch = String::new();
            if is_multiplexed && at == 0 {
                (len, switch) = (2, "M".into());
            } else if is_multiplexed && at >= 32 {
                switch = format!("m{}", at / 8 % 4);
            }
            let start = if is_intel { at } else { at / 8 * 8 + 7 - at % 8 };
            let sign = if is_j1939 || drawn.below(2) == 0 { '+' } else { '-' };
            let _ = writeln!(
                text,
                " SG_ s{at} {switch} : {start}|{len}@{}{sign} (0.25,-40) [0|0] \"km/h\" A",
                u8::from(is_intel)
            );
            at += len;
        }
    }
    if is_j1939 {
        text += "BA_DEF_ BO_ \"VFrameFormat\" ENUM \"StandardCAN\",\"ExtendedCAN\",\"reserved\",\"J1939PG\";\n\
                 BA_DEF_DEF_ \"VFrameFormat\" \"J1939PG\";\n";
    }
    text
}

/// A plan and frames for it.
struct Case {
    name: &'static str,
    plan: Plan,
    frames: Vec<(CanId, [u8; 8])>,
}

impl Case {
    fn new(name: &'static str, database: &Database, plan: Plan, sources: usize) -> Self {
        let mut drawn = Drawn(0x9E37_79B9_7F4A_7C15);
        let short: Vec<CanId> = database
            .messages
            .iter()
            .filter(|message| message.len_bytes == 8)
            .map(|message| message.id)
            .collect();
        let frames = (0..FRAMES).map(|_| {
            let id = match short[drawn.below(short.len())] {
                CanId::Extended(raw) if sources > 1 => {
                    CanId::Extended(raw & !0xFF | u32::try_from(drawn.below(sources)).expect("a byte"))
                }
                id => id,
            };
            (id, drawn.next().to_le_bytes())
        });
        Self { name, plan, frames: frames.collect() }
    }

    fn signals(&self) -> usize {
        let mut signals = 0;
        for (id, data) in &self.frames {
            self.plan.frame(*id, false, data, &mut |_| signals += 1);
        }
        signals
    }

    /// The sum of all values, so that each has to be made.
    #[inline(never)]
    fn counted(&self) {
        let mut sum = 0.0;
        for (id, data) in &self.frames {
            self.plan.frame(black_box(*id), false, black_box(data), &mut |read: Read| {
                if let Ok(value) = read.value {
                    sum += value.as_f64().unwrap_or(1.0);
                }
            });
        }
        black_box(sum);
    }
}

fn everything(name: &'static str, text: &[u8], sources: usize) -> Case {
    let (database, _) = Database::read(text).expect("a DBC file");
    let plan = Plan::everything(std::slice::from_ref(&database)).expect("small");
    Case::new(name, &database, plan, sources)
}

/// As a gateway has it: ten signals of the file are in the catalogue.
fn ten_wanted(name: &'static str, text: &str) -> Case {
    let (mut catalogue, mut mapping) = (String::from("format = 1\n"), String::from("format = 1\n"));
    for number in 1..=10 {
        let _ = writeln!(
            catalogue,
            "[[signal]]\npath = \"P{number}\"\nunit = \"km/h\"\nkind = \"number\"\ncategory = \"odometer\"\nmin = -1e9\nmax = 1e9"
        );
        let _ = writeln!(
            mapping,
            "[[rule]]\npath = \"P{number}\"\nmessage = \"M{}\"\nsignal = [\"s0\"]",
            number * 3
        );
    }
    let (database, _) = Database::read(text.as_bytes()).expect("a DBC file");
    let catalogue = Catalogue::from_toml([("bench", catalogue.as_str())]).expect("a catalogue");
    let mapping = Mapping::from_toml("bench", &mapping).expect("rules");
    let plan = Plan::new(std::slice::from_ref(&database), &mapping, &catalogue).expect("small");
    assert_eq!(plan.len(), 10);
    Case::new(name, &database, plan, 1)
}

fn cases() -> Vec<Case> {
    let extended = |number: u32| 0x8000_0000 | 0x0CF0_0400 | number << 8 | number;
    let mixed = made((0..24).map(|n| 0x100 + n * 13).chain((0..8).map(extended)), false);
    let groups = made((0..500).map(|n| 0x8000_0000 | 0x18F0_00FE | n << 8), true);
    let mut cases = vec![
        everything("made_32_messages_all", mixed.as_bytes(), 1),
        ten_wanted("made_32_messages_10_wanted", &mixed),
        everything("made_500_j1939_groups_all", groups.as_bytes(), 40),
    ];
    if let Some(folder) = env::var_os("VERNPORT_CAPTURES") {
        let file = Path::new(&folder).join("dbc/ford_lincoln_base_pt.dbc");
        let text = fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        cases.push(everything("real_331_messages_all", &text, 1));
        let (database, _) = Database::read(&text).expect("a DBC file");
        let signals = include_str!("../config/signals/vehicle.toml");
        let catalogue = Catalogue::from_toml([("vehicle.toml", signals)]).expect("the shipped catalogue");
        let plan =
            Plan::new(std::slice::from_ref(&database), &Mapping::shipped(), &catalogue).expect("small");
        cases.push(Case::new("real_331_messages_shipped_mapping", &database, plan, 1));
    }
    cases
}

#[expect(clippy::print_stdout, reason = "the answer of the command")]
fn main() {
    let mut arguments = env::args().skip(1).filter(|argument| argument != "--bench");
    let cases = cases();
    if arguments.next().as_deref() == Some("instructions") {
        let wanted = arguments.next();
        match cases.iter().find(|case| Some(case.name) == wanted.as_deref()) {
            Some(case) => {
                (0..ROUNDS).for_each(|_| case.counted());
                println!("{} frames, {} signals a round", ROUNDS * FRAMES, case.signals());
            }
            None => cases.iter().for_each(|case| println!("{}", case.name)),
        }
        return;
    }
    let mut criterion = Criterion::default()
        .with_measurement(ProcessorTime)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    for case in &cases {
        let mut group = criterion.benchmark_group("dbc");
        group.throughput(Throughput::Elements(FRAMES as u64));
        group.bench_function(case.name, |bencher| bencher.iter(|| case.counted()));
        group.finish();
    }
    criterion.final_summary();
}
