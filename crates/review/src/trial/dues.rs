//! The expectation on what is kept: when it has to go, by what is known at a time,
//! or that something keeps it beyond that.

use super::{
    Stage, TrialError, Unmet,
    raw::{Place, RawDue},
};
use crate::shown::Time;
use vernport_policy::{Kept, due};
use vernport_types::{AssetId, EpochId, Slug, UtcMicros};

#[derive(Debug, Clone)]
pub(super) struct Due {
    asset: AssetId,
    flow: Slug,
    read: UtcMicros,
    /// When it is asked.
    asked: UtcMicros,
    expected: Expected,
}

#[derive(Debug, Clone, Copy)]
enum Expected {
    At(UtcMicros),
    Held(bool),
}

impl Due {
    pub(super) fn read(raw: RawDue, place: &Place<'_>) -> Result<Self, TrialError> {
        let expected = match (raw.at, raw.held) {
            (Some(at), None) => Expected::At(place.time("at", &at)?),
            (None, Some(held)) => Expected::Held(held),
            _ => return Err(place.error("a due time is expected `at` a time or `held`: name one of them")),
        };
        let (asked, read) = (place.time("time", &raw.time)?, place.time("read", &raw.due.read)?);
        if asked < read {
            return Err(place.error("it is kept after it was `read`: `time` is before"));
        }
        Ok(Self { asset: place.asset(&raw.due.asset)?, flow: raw.due.flow, read, asked, expected })
    }

    pub(super) fn met(&self, stage: &Stage<'_>) -> Result<(), Unmet> {
        let flow = stage
            .rules
            .find(&self.flow)
            .ok_or_else(|| Unmet::new(format!("flow {}", self.flow), "a bundle without it"))?;
        // Holds of a trial name flows; no key epoch is theirs.
        let epoch = EpochId::from_bytes([0; 16]);
        let kept = Kept::read(stage.facts, flow, self.asset, self.read, epoch);
        let due = due(stage.facts, stage.rules, &kept, self.asked);
        match self.expected {
            Expected::At(at) if due.at == at => Ok(()),
            Expected::Held(held) if due.is_held() == held => Ok(()),
            Expected::At(at) => Err(Unmet::new(format!("due {}", Time(at)), format!("due {}", Time(due.at)))),
            Expected::Held(held) => {
                let word = |held| if held { "held" } else { "not held" };
                Err(Unmet::new(word(held), format!("{}, due {}", word(!held), Time(due.at))))
            }
        }
    }
}
