//! How values are made coarser: format, *Minimisers*.

use super::{Fault, Kind, Minimiser, Value};

/// Positions in ten-millionths of a degree, and the cells in which they lie by resolution, as
/// the C library of H3 (4.5.0) tells them.
pub(crate) const CELLS: [((i32, i32), [u64; 16]); 8] = [
    (
        (599_100_000, 107_500_000),
        [
            0x0800_9fff_ffff_ffff,
            0x0810_9bff_ffff_ffff,
            0x0820_99ff_ffff_ffff,
            0x0830_999f_ffff_ffff,
            0x0840_9993_ffff_ffff,
            0x0850_9993_bfff_ffff,
            0x0860_9993_87ff_ffff,
            0x0870_9993_86ff_ffff,
            0x0880_9993_867f_ffff,
            0x0890_9993_867b_ffff,
            0x08a0_9993_8678_7fff,
            0x08b0_9993_867a_afff,
            0x08c0_9993_867a_a5ff,
            0x08d0_9993_867a_a43f,
            0x08e0_9993_867a_a41f,
            0x08f0_9993_867a_a418,
        ],
    ),
    (
        (0, 0),
        [
            0x0807_5fff_ffff_ffff,
            0x0817_57ff_ffff_ffff,
            0x0827_54ff_ffff_ffff,
            0x0837_54ef_ffff_ffff,
            0x0847_54a9_ffff_ffff,
            0x0857_54e6_7fff_ffff,
            0x0867_54e6_4fff_ffff,
            0x0877_54e6_4dff_ffff,
            0x0887_54e6_499f_ffff,
            0x0897_54e6_4993_ffff,
            0x08a7_54e6_4992_ffff,
            0x08b7_54e6_4992_9fff,
            0x08c7_54e6_4992_9dff,
            0x08d7_54e6_4992_d6ff,
            0x08e7_54e6_4992_d6df,
            0x08f7_54e6_4992_d6d8,
        ],
    ),
    (
        (900_000_000, 0),
        [
            0x0800_1fff_ffff_ffff,
            0x0810_33ff_ffff_ffff,
            0x0820_327f_ffff_ffff,
            0x0830_326f_ffff_ffff,
            0x0840_3263_ffff_ffff,
            0x0850_3262_3fff_ffff,
            0x0860_3262_37ff_ffff,
            0x0870_3262_33ff_ffff,
            0x0880_3262_33bf_ffff,
            0x0890_3262_33ab_ffff,
            0x08a0_3262_33ab_7fff,
            0x08b0_3262_33ab_0fff,
            0x08c0_3262_33ab_03ff,
            0x08d0_3262_33ab_03bf,
            0x08e0_3262_33ab_039f,
            0x08f0_3262_33ab_0399,
        ],
    ),
    (
        (-900_000_000, 1_800_000_000),
        [
            0x080f_3fff_ffff_ffff,
            0x081f_2bff_ffff_ffff,
            0x082f_297f_ffff_ffff,
            0x083f_293f_ffff_ffff,
            0x084f_2939_ffff_ffff,
            0x085f_2938_3fff_ffff,
            0x086f_2938_0fff_ffff,
            0x087f_2938_0eff_ffff,
            0x088f_2938_0e1f_ffff,
            0x089f_2938_0e0f_ffff,
            0x08af_2938_0e0d_7fff,
            0x08bf_2938_0e0d_0fff,
            0x08cf_2938_0e0d_0dff,
            0x08df_2938_0e0d_0cff,
            0x08ef_2938_0e0d_0cc7,
            0x08ff_2938_0e0d_0cc4,
        ],
    ),
    (
        (1, -1_800_000_000),
        [
            0x0807_ffff_ffff_ffff,
            0x0817_ebff_ffff_ffff,
            0x0827_eb7f_ffff_ffff,
            0x0837_eb5f_ffff_ffff,
            0x0847_eb57_ffff_ffff,
            0x0857_eb57_3fff_ffff,
            0x0867_eb57_27ff_ffff,
            0x0877_eb57_22ff_ffff,
            0x0887_eb57_221f_ffff,
            0x0897_eb57_221b_ffff,
            0x08a7_eb57_221a_7fff,
            0x08b7_eb57_221a_2fff,
            0x08c7_eb57_221a_2bff,
            0x08d7_eb57_221a_2bbf,
            0x08e7_eb57_221a_2bb7,
            0x08f7_eb57_221a_2bb0,
        ],
    ),
    (
        (-338_688_197, 1_512_092_955),
        [
            0x080b_ffff_ffff_ffff,
            0x081b_e3ff_ffff_ffff,
            0x082b_e0ff_ffff_ffff,
            0x083b_e0ef_ffff_ffff,
            0x084b_e0e3_ffff_ffff,
            0x085b_e0e3_7fff_ffff,
            0x086b_e0e3_5fff_ffff,
            0x087b_e0e3_5cff_ffff,
            0x088b_e0e3_5cbf_ffff,
            0x089b_e0e3_5cbb_ffff,
            0x08ab_e0e3_5cba_ffff,
            0x08bb_e0e3_5cba_dfff,
            0x08cb_e0e3_5cba_d1ff,
            0x08db_e0e3_5cba_d03f,
            0x08eb_e0e3_5cba_d017,
            0x08fb_e0e3_5cba_d013,
        ],
    ),
    (
        (647_000_000, 105_361_991),
        [
            0x0800_9fff_ffff_ffff,
            0x0810_83ff_ffff_ffff,
            0x0820_807f_ffff_ffff,
            0x0830_800f_ffff_ffff,
            0x0840_8001_ffff_ffff,
            0x0850_8000_3fff_ffff,
            0x0860_8000_07ff_ffff,
            0x0870_8000_00ff_ffff,
            0x0880_8000_001f_ffff,
            0x0890_8000_0003_ffff,
            0x08a0_8000_0000_7fff,
            0x08b0_8000_0000_0fff,
            0x08c0_8000_0000_01ff,
            0x08d0_8000_0000_003f,
            0x08e0_8000_0000_0007,
            0x08f0_8000_0000_0000,
        ],
    ),
    (
        (450_000_000, -450_000_000),
        [
            0x0801_bfff_ffff_ffff,
            0x0811_afff_ffff_ffff,
            0x0821_af7f_ffff_ffff,
            0x0831_af5f_ffff_ffff,
            0x0841_af53_ffff_ffff,
            0x0851_af53_bfff_ffff,
            0x0861_af53_17ff_ffff,
            0x0871_af53_12ff_ffff,
            0x0881_af53_127f_ffff,
            0x0891_af53_126f_ffff,
            0x08a1_af53_126e_7fff,
            0x08b1_af53_126e_5fff,
            0x08c1_af53_126e_57ff,
            0x08d1_af53_126e_573f,
            0x08e1_af53_126e_571f,
            0x08f1_af53_126e_57ad,
        ],
    ),
];

/// Whether a value is what the catalogue says of the signal. "Asked, none" always is.
pub(super) fn is_of_kind(kind: Kind, value: &Value) -> bool {
    matches!(
        (kind, value),
        (_, Value::Nothing)
            | (Kind::Integer, Value::Integer(_))
            | (Kind::Number, Value::Number(_))
            | (Kind::Flag, Value::Flag(_))
            | (Kind::Label, Value::Label(_))
            | (Kind::Position, Value::Position(..))
            | (Kind::TroubleCode, Value::TroubleCode(_))
    )
}

/// Format, *Minimisers*: the value made coarser; none where it is dropped.
pub(super) fn minimise(minimiser: Minimiser, value: &Value) -> Option<Value> {
    with_fault(minimiser, value, None)
}

/// The same with a rule broken, if it is one of these.
pub(super) fn with_fault(minimiser: Minimiser, value: &Value, fault: Option<Fault>) -> Option<Value> {
    let halves_up = fault != Some(Fault::HalvesGoDown);
    Some(match (minimiser, value) {
        (Minimiser::Drop, _) => return None,
        // "Asked, none" says nothing that could be coarser.
        (_, Value::Nothing) => Value::Nothing,
        (Minimiser::Exact, value) => value.clone(),
        (Minimiser::Presence, _) => Value::Present,
        (Minimiser::Round(step), Value::Integer(n)) => Value::Integer(round(*n, step, halves_up)),
        (Minimiser::Round(step), Value::Number(x)) => Value::Number(round_number(*x, step, halves_up)),
        (Minimiser::Bucket(width), Value::Integer(n)) => bucket(i128::from(*n), width),
        #[expect(clippy::cast_possible_truncation, reason = "the largest numbers of a world are far below")]
        (Minimiser::Bucket(width), Value::Number(x)) => bucket(x.floor() as i128, width),
        (Minimiser::Cell(resolution), Value::Position(north, east)) => {
            let (_, cells) =
                CELLS.iter().find(|(place, _)| *place == (*north, *east)).expect("a known place");
            Value::Cell(cells[resolution])
        }
        _ => return None,
    })
}

/// To the nearest multiple of the step, halves upwards; at the ends of the range the nearest that fits.
fn round(n: i64, step: i64, halves_up: bool) -> i64 {
    let (n, step) = (i128::from(n), i128::from(step));
    let below = n.div_euclid(step) * step;
    let above = below + step;
    let up = if halves_up { n - below >= above - n } else { n - below > above - n };
    let nearest = if up { above } else { below };
    let fitting = if nearest > i128::from(i64::MAX) {
        below
    } else if nearest < i128::from(i64::MIN) {
        above
    } else {
        nearest
    };
    i64::try_from(fitting).expect("one of both fits")
}

fn round_number(x: f64, step: i64, halves_up: bool) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "steps are at most a thousand million")]
    let step = step as f64;
    let below = (x / step).floor() * step;
    let above = below + step;
    let up = if halves_up { x - below >= above - x } else { x - below > above - x };
    (if up { above } else { below }) + 0.0
}

/// At least `from`, less than `to`, of the width; cut off at the ends of the range.
fn bucket(n: i128, width: i64) -> Value {
    let width = i128::from(width);
    let fitting = |n: i128| n.clamp(i128::from(i64::MIN), i128::from(i64::MAX));
    let from = fitting(n.div_euclid(width) * width);
    let end = |n: i128| i64::try_from(fitting(n)).expect("it was made to fit");
    Value::Bucket(end(from), end(from + width))
}
