//! Budget: one frame through the plan of a DBC file (figures and method in `README.md`), in time
//! that this thread had the processor. Nothing here fails on time.
//!
//! `VERNPORT_CAPTURES` names a folder with `dbc/ford_lincoln_base_pt.dbc`; without it the cases of
//! a real file are left out. `cargo bench --bench dbc -- instructions CASE` runs one case so many
//! times and ends, for callgrind; without a case it lists them.

mod harness;

use harness::{Case, Run};
use std::{collections::HashSet, env, fmt::Write as _, fs, hint::black_box, path::Path};
use vernport_decode::dbc::{Database, Mapping, Plan, Read};
use vernport_types::{CanId, Catalogue};

/// Frames of one case: more than a branch predictor learns by heart.
const FRAMES: usize = 8_192;
/// Runs of one case for callgrind.
const ROUNDS: u32 = 20;

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
struct Planned {
    plan: Plan,
    frames: Vec<(CanId, [u8; 8])>,
}

impl Planned {
    fn new(database: &Database, plan: Plan, sources: usize) -> Self {
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
        Self { plan, frames: frames.collect() }
    }

    /// Frames that the file does not know, as most on a bus are to a file with few messages.
    fn strangers(self, database: &Database, id: impl Fn(u32) -> CanId) -> Self {
        let known: HashSet<CanId> = database.messages.iter().map(|message| message.id).collect();
        let mut drawn = Drawn(0xD134_2543_DE82_EF95);
        let ids = std::iter::repeat_with(|| id(u32::try_from(drawn.below(1 << 18)).expect("18 bits")));
        let ids = ids.filter(|id| !known.contains(id)).take(FRAMES);
        Self { plan: self.plan, frames: ids.map(|id| (id, [0x5A; 8])).collect() }
    }

    /// One run: every frame once, and the sum of all values, so that each has to be made.
    fn run(self) -> Run {
        let count = self.frames.len() as u64;
        let once = move || {
            let mut sum = 0.0;
            for (id, data) in &self.frames {
                self.plan.frame(black_box(*id), false, black_box(data), &mut |read: Read| {
                    if let Ok(value) = read.value {
                        sum += value.as_f64().unwrap_or(1.0);
                    }
                });
            }
            black_box(sum);
        };
        (Box::new(once), count)
    }
}

fn everything(text: &[u8], sources: usize) -> Planned {
    let database = database(text);
    let plan = Plan::everything(std::slice::from_ref(&database)).expect("small");
    Planned::new(&database, plan, sources)
}

fn database(text: &[u8]) -> Database {
    Database::read(text).expect("a DBC file").0
}

/// As a gateway has it: ten signals of the file are in the catalogue.
fn ten_wanted(text: &str) -> Planned {
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
    let database = database(text.as_bytes());
    let catalogue = Catalogue::from_toml([("bench", catalogue.as_str())]).expect("a catalogue");
    let mapping = Mapping::from_toml("bench", &mapping).expect("rules");
    let plan = Plan::new(std::slice::from_ref(&database), &mapping, &catalogue).expect("small");
    assert_eq!(plan.len(), 10);
    Planned::new(&database, plan, 1)
}

fn made_mixed() -> String {
    let extended = |number: u32| 0x8000_0000 | 0x0CF0_0400 | number << 8 | number;
    made((0..24).map(|n| 0x100 + n * 13).chain((0..8).map(extended)), false)
}

fn made_all() -> Option<Run> {
    Some(everything(made_mixed().as_bytes(), 1).run())
}

fn made_ten() -> Option<Run> {
    Some(ten_wanted(&made_mixed()).run())
}

fn made_groups() -> String {
    made((0..500).map(|n| 0x8000_0000 | 0x18F0_00FE | n << 8), true)
}

fn made_j1939() -> Option<Run> {
    Some(everything(made_groups().as_bytes(), 40).run())
}

fn made_strangers() -> Option<Run> {
    let text = made_mixed();
    let id = |drawn: u32| match drawn % 2 {
        0 => CanId::Standard(u16::try_from(drawn >> 1 & 0x7FF).expect("11 bits")),
        _ => CanId::Extended(0x0CF0_0000 | drawn >> 1),
    };
    Some(everything(text.as_bytes(), 1).strangers(&database(text.as_bytes()), id).run())
}

fn made_j1939_strangers() -> Option<Run> {
    let text = made_groups();
    let id = |drawn: u32| CanId::Extended(0x18E0_0000 | drawn);
    Some(everything(text.as_bytes(), 40).strangers(&database(text.as_bytes()), id).run())
}

/// A large file of a real car, where the captures are.
fn real() -> Option<Vec<u8>> {
    let file = Path::new(&env::var_os("VERNPORT_CAPTURES")?).join("dbc/ford_lincoln_base_pt.dbc");
    Some(fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display())))
}

fn real_all() -> Option<Run> {
    Some(everything(&real()?, 1).run())
}

fn real_shipped() -> Option<Run> {
    let database = database(&real()?);
    let signals = include_str!("../config/signals/vehicle.toml");
    let catalogue = Catalogue::from_toml([("vehicle.toml", signals)]).expect("the shipped catalogue");
    let plan = Plan::new(std::slice::from_ref(&database), &Mapping::shipped(), &catalogue).expect("small");
    Some(Planned::new(&database, plan, 1).run())
}

const CASES: [Case; 7] = [
    Case { name: "made_32_messages_all", build: made_all },
    Case { name: "made_32_messages_10_wanted", build: made_ten },
    Case { name: "made_500_j1939_groups_all", build: made_j1939 },
    Case { name: "made_32_messages_strangers", build: made_strangers },
    Case { name: "made_500_j1939_groups_strangers", build: made_j1939_strangers },
    Case { name: "real_331_messages_all", build: real_all },
    Case { name: "real_331_messages_shipped_mapping", build: real_shipped },
];

fn main() {
    harness::run("dbc", &CASES, ROUNDS);
}
