//! Random steps: central tells, readings come with values at their edges, clocks jump.

use super::bundles::CATALOGUE;
use super::dice::{Dice, NOON};
use super::ledgers::Grid;
use super::real::paths;
use crate::reference::{
    ASSETS, Asked, Bundle, CELLS, Clock, Identified, Kind, Micros, Origin, Quality, SECOND, Value,
};

/// What happens next.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// Central computes grants, and the gateway hears of them.
    Tell { at: Micros, boot: Micros },
    /// The gateway hears that nothing changed.
    Refresh { at: Micros, boot: Micros },
    /// A reading.
    Read { asked: Asked, now: Clock },
    /// What was read so far is to be sent: the gateway is asked.
    Send { now: Clock },
}

/// Random steps.
pub(super) fn steps(dice: &mut Dice, bundle: &Bundle, grid: Grid, as_it_went: bool) -> Vec<Step> {
    let mut moments: Vec<Micros> = (0..3 + dice.below(6)).map(|_| grid.moment(dice, -4, 12)).collect();
    if as_it_went {
        moments.sort_unstable();
    }
    let (mut steps, mut boot) = (Vec::new(), 1_000 * SECOND);
    let mut wall = NOON;
    for (n, at) in moments.into_iter().enumerate() {
        // Now and then something is read before the first head.
        if n > 0 || dice.percent(90) {
            steps.push(Step::Tell { at, boot });
            wall = at;
        }
        for _ in 0..4 + dice.below(14) {
            let on = dice.one_of(&[0, 1, 5, 10, 59, 60, 61, 120, 299, 300, 301, 3_600]);
            boot += on * SECOND + dice.one_of(&[0, 0, 0, 0, 0, 1]);
            let jump = match dice.below(12) {
                0 => grid.0 * dice.between(-6, 6),
                1 => dice.between(-400, 400) * SECOND,
                2 => grid.moment(dice, -4, 14) - wall,
                _ => on * SECOND,
            };
            wall += jump;
            let quality = dice.one_of(&[Quality::Synced; 12]);
            let quality =
                if dice.percent(6) { dice.one_of(&[Quality::Unset, Quality::Bounded]) } else { quality };
            let now = Clock { wall, boot, quality };
            match dice.below(14) {
                0 => steps.push(Step::Refresh { at: wall.max(at), boot }),
                1 => steps.push(Step::Send { now }),
                _ => steps.push(Step::Read { asked: asked(dice, bundle, now), now }),
            }
        }
    }
    steps
}

fn asked(dice: &mut Dice, bundle: &Bundle, now: Clock) -> Asked {
    let signal = match dice.below(20) {
        0 => None,
        1..4 => Some(dice.one_of(&paths())),
        _ => {
            let flow = dice.one_of(&bundle.flows);
            Some(dice.one_of(&flow.signals).0)
        }
    };
    let kind = signal.and_then(|path| CATALOGUE.iter().find(|s| s.path == path)).map(|signal| signal.kind);
    let kinds = [Kind::Integer, Kind::Number, Kind::Flag, Kind::Label, Kind::Position, Kind::TroubleCode];
    let kind = kind.filter(|_| dice.percent(95)).unwrap_or_else(|| dice.one_of(&kinds));
    // Read at that moment, or a while before.
    let ago = dice.one_of(&[0, 0, 0, 1, 90, 3_700]) * SECOND;
    let read = Clock { wall: now.wall - ago, boot: (now.boot - ago).max(0), quality: now.quality };
    let asset = if dice.percent(88) { 0 } else { dice.below(ASSETS.len()) };
    let by = [Identified::Pinned, Identified::Tool, Identified::Asserted, Identified::BusVin];
    let by = if dice.percent(70) { Identified::BusVin } else { dice.one_of(&by) };
    let from = if dice.percent(80) { Origin::Vehicle } else { dice.one_of(&[Origin::Tool, Origin::Manual]) };
    Asked { asset, signal, value: value(dice, kind), read, by, from }
}

/// One value of a kind.
pub(super) fn typical(kind: Kind) -> Value {
    match kind {
        Kind::Integer => Value::Integer(158_910_605),
        Kind::Number => Value::Number(81.6),
        Kind::Flag => Value::Flag(true),
        Kind::Label => Value::Label("A 000 123 45 67"),
        Kind::Position => {
            let (north, east) = CELLS[0].0;
            Value::Position(north, east)
        }
        Kind::TroubleCode => Value::TroubleCode(0x0126),
    }
}

/// Values with their edges; now and then a signal has none.
fn value(dice: &mut Dice, kind: Kind) -> Value {
    if dice.percent(5) {
        return Value::Nothing;
    }
    match kind {
        Kind::Integer if dice.percent(40) => Value::Integer(dice.between(-12, 12) * 5),
        Kind::Integer => Value::Integer(dice.one_of(&[
            0,
            158_910_605,
            158_910_500,
            4_999_999_999,
            i64::MAX,
            i64::MIN,
            i64::MAX - 3,
            500,
            -500,
            9_999,
            10_000,
        ])),
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        Kind::Number if dice.percent(60) => Value::Number(dice.between(-400, 400) as f64 / 4.0),
        Kind::Number => Value::Number(
            dice.one_of(&[0.0, -0.5, 0.1, 81.6, 2.5, 19.999_999, 1e9, -1e9, 12_345.678, 1e15, 1e-300]),
        ),
        Kind::Flag => Value::Flag(dice.percent(50)),
        Kind::Label => Value::Label(dice.one_of(&["", "A 000 123 45 67"])),
        Kind::Position => {
            let (north, east) = dice.one_of(&CELLS).0;
            Value::Position(north, east)
        }
        Kind::TroubleCode => Value::TroubleCode(dice.one_of(&[0, 0x0126, u16::MAX])),
    }
}
