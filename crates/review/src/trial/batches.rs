//! The expectation on a batch: sealed while its flow was open, may it be sent later?

use super::{
    Stage, TrialError, Unmet,
    raw::{Place, RawBatch},
};
use crate::ask::{Names, Question, snapshot_at};
use std::fmt;
use vernport_policy::{Opening, may_be_sent};
use vernport_types::{Fate, Reason, Slug, UtcMicros};

#[derive(Debug, Clone)]
pub(super) struct Batch {
    /// Whose, where and when it was opened.
    opened: Question,
    flow: Slug,
    at: UtcMicros,
    expected: Sent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    Send,
    Park(Reason),
    Destroy(Reason),
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send => f.write_str("send"),
            Self::Park(reason) => write!(f, "park:{reason}"),
            Self::Destroy(reason) => write!(f, "destroy:{reason}"),
        }
    }
}

impl Batch {
    pub(super) fn read(raw: RawBatch, place: &Place<'_>) -> Result<Self, TrialError> {
        let at = place.time("time", &raw.time)?;
        let asset = place.asset(&raw.batch.asset)?;
        let mut opened = Question::new(asset, place.time("opened", &raw.batch.opened)?);
        opened.station = raw.batch.station.map(|station| place.station(&station)).transpose()?;
        if at < opened.at {
            return Err(place.error("a batch is sent after it was `opened`: `time` is before"));
        }
        let reason = |code: &str| place.reason("sent", code);
        let expected = match raw.sent.split_once(':') {
            None if raw.sent == "send" => Sent::Send,
            Some(("park", code)) => Sent::Park(reason(code)?),
            Some(("destroy", code)) => Sent::Destroy(reason(code)?),
            _ => return Err(place.error("`sent` is send, park:<reason> or destroy:<reason>")),
        };
        Ok(Self { opened, flow: raw.batch.flow, at, expected })
    }

    pub(super) fn met(&self, stage: &Stage<'_>) -> Result<(), Unmet> {
        let came = self.sent(stage, &self.opening(stage)?);
        if came == self.expected { Ok(()) } else { Err(Unmet::new(self.expected, came)) }
    }

    /// What the flow rested on when it was open.
    fn opening(&self, stage: &Stage<'_>) -> Result<Opening, Unmet> {
        let mut names = Names::default();
        let snapshot = snapshot_at(stage.rules, stage.facts, &self.opened, self.opened.at, &mut names);
        let grant = snapshot.grants.iter().find(|grant| grant.asset == self.opened.asset);
        let open = grant.and_then(|grant| grant.flows.iter().find(|open| open.flow == self.flow));
        open.and_then(|open| names.opening(open.id)).cloned().ok_or_else(|| {
            let closed = grant.and_then(|grant| grant.closed.iter().find(|(flow, _)| *flow == self.flow));
            let closed = closed.map(|(_, reason)| *reason);
            let came = match (stage.rules.find(&self.flow), closed) {
                (None, _) => "a bundle without it".to_owned(),
                (_, closed) => format!("closed, {}", closed.unwrap_or(Reason::NoGrant)),
            };
            Unmet::new(format!("flow {} open when the batch was opened", self.flow), came)
        })
    }

    /// Central asks after every entry, and keeps the first answer that closes for good: so
    /// here it is asked at every moment at which an entry begins to count, and just before it,
    /// since something may have run out on the way there.
    fn sent(&self, stage: &Stage<'_>, opening: &Opening) -> Sent {
        let asked = |at: UtcMicros| match may_be_sent(stage.facts, stage.rules, opening, at) {
            Ok(()) => Sent::Send,
            Err(reason) => match reason.fate() {
                Fate::Send => Sent::Send,
                Fate::Park => Sent::Park(reason),
                Fate::Destroy => Sent::Destroy(reason),
            },
        };
        let between = stage.moments.iter().filter(|at| self.opened.at < **at && **at <= self.at);
        let times = between.flat_map(|at| [at.plus_micros(-1), *at]).chain([self.at]);
        let mut last = Sent::Send;
        for at in times {
            last = asked(at);
            if matches!(last, Sent::Destroy(_)) {
                return last;
            }
        }
        let flow = stage.rules.find(&self.flow).map(|flow| flow.retention.latest_due(self.opened.at));
        // Under a restriction nothing is deleted (invariant 4).
        if last != Sent::Park(Reason::Restricted) && flow.is_some_and(|due| due <= self.at) {
            return Sent::Destroy(Reason::Overdue);
        }
        last
    }
}
