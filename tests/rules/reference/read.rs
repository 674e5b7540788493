//! At the gateway: what was told, what the clock says, and one reading.

use super::minimise::{is_of_kind, with_fault};
use super::open::takes_from;
use super::{
    Asset, Fault, Flow, Identified, Known, Micros, Minimiser, Name, Opening, Origin, Sampling, Value,
    calendar, is_known_asset, open,
};

/// How far the wall clock can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quality {
    Unset,
    Bounded,
    Synced,
}

/// The gateway's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Clock {
    pub(crate) wall: Micros,
    pub(crate) boot: Micros,
    pub(crate) quality: Quality,
}

/// A head, and the boot clock when it came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head {
    /// When the grants that it names were computed.
    pub(crate) told: Micros,
    /// When it was signed.
    pub(crate) at: Micros,
    pub(crate) boot: Micros,
}

/// A sample that was taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taken {
    flow: Name,
    signal: Name,
    asset: Asset,
    order: Option<u32>,
    at: Micros,
}

/// What happened at the gateway so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Past {
    /// The last head.
    pub(crate) head: Option<Head>,
    /// The wall clocks seen since then.
    pub(crate) seen: Vec<Micros>,
    /// The samples taken, ever.
    pub(crate) taken: Vec<Taken>,
}

/// One reading.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) asset: Asset,
    /// None: not in the catalogue.
    pub(crate) signal: Option<Name>,
    pub(crate) value: Value,
    pub(crate) read: Clock,
    pub(crate) by: Identified,
    pub(crate) from: Origin,
}

/// What a flow (or, where none names the signal, nobody) says to a reading.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) flow: Option<Name>,
    pub(crate) said: Said,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Said {
    Released {
        value: Value,
        wall: Micros,
        boot: Micros,
        exact: bool,
        /// Kept until then at the latest.
        latest_due: Micros,
    },
    Withheld(Name),
}

impl Past {
    /// Invariant 3, note 0004, *Time*: the wall clock counts for no less than the latest
    /// seen since the last head, whose time is the floor.
    fn wall(&self, known: &Known<'_>, now: Clock) -> Micros {
        if known.fault == Some(Fault::ClockMayGoBack) {
            return now.wall;
        }
        let seen = self.seen.iter().copied().chain(self.head.map(|head| head.at));
        seen.fold(now.wall, Micros::max)
    }

    /// A clock that is set was looked at.
    pub(crate) fn see(&mut self, now: Clock) {
        if now.quality != Quality::Unset {
            self.seen.push(now.wall);
        }
    }

    /// A head came: it sets anew what counts as seen.
    pub(crate) fn hear(&mut self, head: Head) {
        self.head = Some(head);
        self.seen.clear();
    }
}

/// Note 0004, *Believe*; note 0008: clock, end, lease.
fn over(known: &Known<'_>, past: &Past, opening: &Opening, now: Clock) -> Option<Name> {
    let Some(head) = past.head else { return Some("grant-stale") };
    if now.quality == Quality::Unset {
        return Some("clock-untrusted");
    }
    if opening.until.0 <= past.wall(known, now) {
        return Some(opening.until.1);
    }
    opening.lease.filter(|lease| now.boot - head.boot > *lease).map(|_| "grant-stale")
}

/// Invariant 1, note 0008: each flow that names the signal answers for itself; else one answer.
/// `known` is what central knew at the last head.
pub(crate) fn read(
    known: &Known<'_>,
    past: &mut Past,
    station: Name,
    asked: &Asked,
    now: Clock,
) -> Vec<Answer> {
    let refused = |reason| vec![Answer { flow: None, said: Said::Withheld(reason) }];
    past.see(now);
    let Some(signal) = asked.signal else { return refused("unknown-signal") };
    let named: Vec<&Flow> = known
        .bundle
        .flows
        .iter()
        .filter(|flow| flow.signals.iter().any(|(path, _)| *path == signal))
        .collect();
    if named.is_empty() {
        return refused(unnamed(known, signal));
    }
    let mut answers = Vec::new();
    for flow in named {
        let said = one(known, past, station, flow, asked, now).unwrap_or_else(Said::Withheld);
        answers.push(Answer { flow: Some(flow.id), said });
    }
    answers
}

/// Notes 0007 and 0008: a signal that no flow names.
fn unnamed(known: &Known<'_>, signal: Name) -> Name {
    let category = known.signal(signal).category;
    let newest = known.bundle.notices.last().expect("a bundle has a notice");
    if !newest.categories.contains(&category) {
        "category-not-in-notice"
    } else if known.bundle.identify.contains(&signal) {
        // Compared on the spot, released to nobody.
        "dropped-by-rule"
    } else {
        "no-purpose"
    }
}

fn one(
    known: &Known<'_>,
    past: &mut Past,
    station: Name,
    flow: &Flow,
    asked: &Asked,
    now: Clock,
) -> Result<Said, Name> {
    let (asset, signal) = (asked.asset, asked.signal.expect("a flow names it"));
    let head_at = past.head.map(|head| head.told).filter(|at| is_known_asset(known, asset, station, *at));
    let Some(at) = head_at else {
        // Nothing was told about the asset; with a clock that is not set, that comes first.
        return Err(match past.head {
            _ if now.quality == Quality::Unset => "clock-untrusted",
            None => "grant-stale",
            Some(_) => "no-grant",
        });
    };
    let opening = open(known, flow, asset, station, at)?;
    if let Some(reason) = over(known, past, &opening, now) {
        return Err(reason);
    }
    if asked.by < flow.weakest {
        return Err("identification-too-weak");
    }
    // Format (`sources`).
    if !takes_from(known, flow, asked.from) {
        return Err("source-not-in-notice");
    }
    if !is_of_kind(known.signal(signal).kind, &asked.value) {
        return Err("rule-broken");
    }
    let (_, minimiser) = flow.signals.iter().find(|(path, _)| *path == signal).expect("a flow names it");
    let value = with_fault(*minimiser, &asked.value, known.fault).ok_or("dropped-by-rule")?;
    sample(known, past, flow, asked, &opening, now)?;
    // Format (`time`): times are cut down, the boot clock by as much.
    let cut = if flow.time_step == 0 { 0 } else { asked.read.wall.rem_euclid(flow.time_step) };
    Ok(Said::Released {
        value,
        wall: asked.read.wall - cut,
        boot: (asked.read.boot - cut).max(0),
        exact: *minimiser == Minimiser::Exact && flow.time_step == 0,
        latest_due: calendar::months_later(asked.read.wall, flow.months),
    })
}

/// Format (`sample`): once in an interval, or once in an order, of each signal of each asset. Where the last one
/// was taken more than an interval from now on, the clock had run ahead, and it keeps nothing waiting.
fn sample(
    known: &Known<'_>,
    past: &mut Past,
    flow: &Flow,
    asked: &Asked,
    opening: &Opening,
    now: Clock,
) -> Result<(), Name> {
    let signal = asked.signal.expect("a flow names it");
    let wall = past.wall(known, now);
    let mut of_this = past
        .taken
        .iter()
        .filter(|taken| taken.flow == flow.id && taken.signal == signal && taken.asset == asked.asset);
    let too_soon = match flow.sampling {
        Sampling::Every => return Ok(()),
        Sampling::PerOrder => of_this.any(|taken| taken.order == opening.order),
        Sampling::Interval(interval) => {
            of_this.next_back().is_some_and(|taken| wall < taken.at + interval && taken.at <= wall + interval)
        }
    };
    if too_soon {
        return Err("sampled-out");
    }
    past.taken.push(Taken { flow: flow.id, signal, asset: asked.asset, order: opening.order, at: wall });
    Ok(())
}

/// Invariant 2: may a batch of an opening be sent now, as far as the gateway knows? `held`: it
/// stands in what was told last; else why it does not, if that was told.
pub(crate) fn standing(
    known: &Known<'_>,
    past: &mut Past,
    opening: &Opening,
    held: bool,
    now: Clock,
) -> Result<(), Name> {
    past.see(now);
    if !held {
        return Err("grant-stale");
    }
    over(known, past, opening, now).map_or(Ok(()), Err)
}
