//! The expectation on a message: may one of this class be sent to this person now?

use super::{
    Stage, TrialError, Unmet,
    raw::{Place, RawMessage},
};
use vernport_policy::may_send;
use vernport_types::{Reason, Slug, SubjectId, UtcMicros};

#[derive(Debug, Clone)]
pub(super) struct Message {
    class: Slug,
    to: SubjectId,
    similar: bool,
    at: UtcMicros,
    /// None: it may.
    expected: Option<Reason>,
}

impl Message {
    pub(super) fn read(raw: RawMessage, place: &Place<'_>) -> Result<Self, TrialError> {
        let expected = match (raw.allowed, raw.withheld) {
            (Some(true), None) => None,
            (None, Some(code)) => Some(place.reason("withheld", &code)?),
            _ => return Err(place.error("a message is expected `allowed = true` or `withheld` for a reason")),
        };
        let to = place.world.subject(&raw.subject).ok_or_else(|| {
            place.error(format!("no subject is named `{}`; declare it with [[subject]]", raw.subject))
        })?;
        Ok(Self {
            class: raw.message,
            to,
            similar: raw.similar,
            at: place.time("time", &raw.time)?,
            expected,
        })
    }

    pub(super) fn met(&self, stage: &Stage<'_>) -> Result<(), Unmet> {
        let Self { class, to, similar, at, expected } = self;
        if !stage.rules.messages().iter().any(|known| known.slug == *class) {
            return Err(Unmet::new(format!("message {class}"), "a bundle without it"));
        }
        let came = may_send(stage.facts, stage.rules, class, *to, *similar, *at).err();
        let word = |reason: &Option<Reason>| match reason {
            None => "allowed".to_owned(),
            Some(reason) => format!("withheld {reason}"),
        };
        if came == *expected { Ok(()) } else { Err(Unmet::new(word(expected), word(&came))) }
    }
}
