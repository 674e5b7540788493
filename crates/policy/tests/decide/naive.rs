//! The decision once more, written from the prose: slow, and easy to check by eye.

use crate::drawn::DrawnFlow;
use std::collections::HashMap;
use vernport_policy::{
    Believe, FlowIndex, Grant, GrantId, Head, How, Minimiser, Outcomes, Rules, Sampling, Snapshot, Standing,
    no_wider,
};
use vernport_types::{
    AssetId, BootMicros, Catalogue, Fate, OrderId, Reading, Reason, SignalId, Stamp, TimeQuality, UtcMicros,
    Value,
};

/// What one flow, or no flow, says about a reading.
#[derive(Debug, PartialEq)]
pub(crate) enum Said {
    Released { flow: FlowIndex, grant: GrantId, value: Value, wall: UtcMicros, boot: BootMicros, how: How },
    Withheld { flow: Option<FlowIndex>, reason: Reason },
}

/// The same, word by word: lists are searched, nothing is computed ahead.
pub(crate) struct Naive<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) drawn: &'a [DrawnFlow],
    pub(crate) catalogue: &'a Catalogue,
    pub(crate) told: Option<(Snapshot, Head, Stamp)>,
    pub(crate) latest_seen: i64,
    pub(crate) taken: HashMap<(usize, SignalId, AssetId, Option<OrderId>), i64>,
}

impl Naive<'_> {
    /// The wall clock never counts for less than the latest that was seen since the last
    /// head, with whatever question.
    pub(crate) fn see(&mut self, now: Stamp) -> i64 {
        self.latest_seen = self.latest_seen.max(now.wall.0);
        self.latest_seen
    }

    pub(crate) fn over(&mut self, believe: &Believe, now: Stamp) -> Option<Reason> {
        if now.quality == TimeQuality::Unset {
            return Some(Reason::ClockUntrusted);
        }
        let wall = self.see(now);
        if wall >= believe.until.0 {
            return Some(believe.ends_as);
        }
        let (_, _, received) = self.told.as_ref().expect("there is a grant");
        let age_micros = now.boot.0 - received.boot.0;
        match believe.lease_seconds {
            Some(seconds) if age_micros > u64::from(seconds) * 1_000_000 => Some(Reason::GrantStale),
            _ => None,
        }
    }

    pub(crate) fn decide(&mut self, reading: &Reading, now: Stamp) -> Vec<Said> {
        let withheld = |flow, reason| Said::Withheld { flow, reason };
        if now.quality != TimeQuality::Unset {
            self.see(now);
        }
        if usize::from(reading.signal.0) >= self.catalogue.len() {
            return vec![withheld(None, Reason::UnknownSignal)];
        }
        let rules = self.rules;
        let named: Vec<_> =
            rules.flows().iter().filter(|f| f.signals.iter().any(|(s, _)| *s == reading.signal)).collect();
        if named.is_empty() {
            return vec![withheld(None, Reason::NoPurpose)];
        }
        named
            .into_iter()
            .map(|flow| {
                self.one(flow, reading, now).unwrap_or_else(|reason| withheld(Some(flow.index), reason))
            })
            .collect()
    }

    pub(crate) fn one(
        &mut self,
        flow: &vernport_policy::Flow,
        reading: &Reading,
        now: Stamp,
    ) -> Result<Said, Reason> {
        let grant = match &self.told {
            _ if now.quality == TimeQuality::Unset && !self.has_grant(reading.asset) => {
                return Err(Reason::ClockUntrusted);
            }
            None => return Err(Reason::GrantStale),
            Some((snapshot, head, _)) => {
                let grant = snapshot.grants.iter().find(|grant| grant.asset == reading.asset);
                let grant = grant.ok_or(Reason::NoGrant)?.clone();
                if let Some((_, reason)) = grant.closed.iter().find(|(slug, _)| *slug == flow.slug) {
                    return Err(*reason);
                }
                let opened = grant.flows.iter().find(|opened| opened.flow == flow.slug);
                let opened = opened.ok_or(Reason::NoGrant)?.clone();
                let alone = Grant { flows: vec![opened.clone()], ..grant };
                if no_wider(&alone, self.rules, head.at).is_err() {
                    return Err(Reason::RuleBroken);
                }
                if let Some(closed) = snapshot.closed.iter().find(|closed| closed.id == opened.id) {
                    return Err(closed.reason);
                }
                (alone.order, opened)
            }
        };
        let (order, opened) = grant;
        if let Some(reason) = self.over(&opened.believe, now) {
            return Err(reason);
        }
        if reading.identified_by < flow.weakest {
            return Err(Reason::IdentificationTooWeak);
        }
        let told = self.drawn[flow.index.place()].sources;
        let class = match reading.source.to_string().split(':').next() {
            Some("tool") => 1,
            Some("manual") => 2,
            _ => 0,
        };
        if told != 0 && told & (1 << class) == 0 {
            return Err(Reason::SourceNotInNotice);
        }
        let kinds = ["integer", "number", "flag", "label", "position", "integer"];
        let kind = kinds[usize::from(reading.signal.0)];
        if reading.value != Value::Nothing && reading.value.kind() != kind {
            return Err(Reason::RuleBroken);
        }
        let minimiser = flow.minimiser(reading.signal).expect("the flow names it");
        if minimiser == Minimiser::Drop {
            return Err(Reason::DroppedByRule);
        }
        let value = minimiser.apply(reading.value).expect("checked when the bundle was compiled");
        let wall = self.see(now);
        let mark = match flow.sampling {
            Sampling::Every => None,
            Sampling::PerOrder => Some((order, i64::MAX)),
            Sampling::Interval(micros) => Some((None, wall + micros)),
        };
        if let Some((order, until)) = mark {
            let key = (flow.index.place(), reading.signal, reading.asset, order);
            if self.taken.get(&key).is_some_and(|until| wall < *until) {
                return Err(Reason::SampledOut);
            }
            self.taken.insert(key, until);
        }
        let cut =
            if flow.time_step_micros == 0 { 0 } else { reading.at.wall.0.rem_euclid(flow.time_step_micros) };
        let exact = minimiser == Minimiser::Exact && flow.time_step_micros == 0;
        Ok(Said::Released {
            flow: flow.index,
            grant: opened.id,
            value,
            wall: UtcMicros(reading.at.wall.0 - cut),
            boot: BootMicros(reading.at.boot.0.saturating_sub(u64::try_from(cut).expect("positive"))),
            how: if exact { How::Exact } else { How::Coarsened },
        })
    }

    pub(crate) fn has_grant(&self, asset: AssetId) -> bool {
        self.told.as_ref().is_some_and(|(s, ..)| s.grants.iter().any(|grant| grant.asset == asset))
    }

    pub(crate) fn standing(&mut self, id: GrantId, now: Stamp) -> Standing {
        if now.quality != TimeQuality::Unset {
            self.see(now);
        }
        let fate = |reason: Reason| match reason.fate() {
            Fate::Send => Standing::Send,
            Fate::Park => Standing::Park(reason),
            Fate::Destroy => Standing::Destroy(reason),
        };
        let unknown = Standing::Park(Reason::GrantStale);
        let Some((snapshot, head, _)) = self.told.clone() else { return unknown };
        if let Some(closed) = snapshot.closed.iter().find(|closed| closed.id == id) {
            return fate(closed.reason);
        }
        for grant in &snapshot.grants {
            for opened in grant.flows.iter().filter(|opened| opened.id == id) {
                let alone = Grant { flows: vec![opened.clone()], ..grant.clone() };
                if no_wider(&alone, self.rules, head.at).is_ok() {
                    return self.over(&opened.believe, now).map_or(Standing::Send, fate);
                }
            }
        }
        unknown
    }
}

pub(crate) fn said_by(out: &Outcomes) -> Vec<Said> {
    let released = out.released().iter().map(|r| Said::Released {
        flow: r.flow(),
        grant: r.grant_id(),
        value: r.value(),
        wall: r.at().wall,
        boot: r.at().boot,
        how: r.how(),
    });
    let withheld = out.withheld().iter().map(|w| Said::Withheld { flow: w.flow, reason: w.reason });
    let mut said: Vec<Said> = released.chain(withheld).collect();
    said.sort_by_key(|said| match said {
        Said::Released { flow, .. } => Some(*flow),
        Said::Withheld { flow, .. } => *flow,
    });
    said
}
