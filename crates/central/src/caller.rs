//! Who asks, and for which controller: from the client certificate and the
//! header `Vernport-Controller`.
//!
//! Promises:
//! - One request, one controller. A gateway, registrar or recipient asks for that of its certificate;
//!   a header that says otherwise is refused.
//! - A processor asks for a controller that has an agreement with it in force at this moment. What it
//!   is told otherwise is the same for every controller, served here or not.

use crate::{
    controller::{Controller, Controllers},
    refusal::Refusal,
    tls::{Peer, Role},
};
use axum::{
    Extension,
    extract::FromRequestParts,
    http::{HeaderMap, request::Parts},
};
use std::collections::BTreeSet;
use vernport_api::{Code, HEADER_CONTROLLER};
use vernport_registry::{Actor, ActorRole, Entry, Event, Facts};
use vernport_types::{ControllerId, Slug, UtcMicros};

/// Somebody with a certificate, and the controller that the request names.
pub(crate) struct Caller {
    peer: Peer,
    named: Option<ControllerId>,
}

/// Somebody at a controller's desk: who records and looks up there.
pub(crate) struct Desk<'a> {
    pub(crate) controller: &'a Controller,
    pub(crate) by: By,
    /// Tells callers of a controller apart.
    pub(crate) caller: String,
}

/// For whom something is recorded.
pub(crate) enum By {
    /// The controller itself: its own system, or central for it.
    Controller,
    Processor(Processor),
}

/// Another firm.
pub(crate) struct Processor {
    organisation: ControllerId,
    /// As what it stands in entries: its organisation number in small letters.
    own: Slug,
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let Extension(peer) = Extension::<Peer>::from_request_parts(parts, state)
            .await
            .map_err(|_| Refusal::new(Code::Internal, "the certificate of the connection is not known"))?;
        let named = named(&parts.headers)?;
        if peer.role != Role::Processor && named.as_ref().is_some_and(|named| *named != peer.controller) {
            let detail = "Vernport-Controller names another controller than the certificate; leave it out";
            return Err(Refusal::new(Code::OtherController, detail));
        }
        Ok(Self { peer, named })
    }
}

/// The controller that a request names.
fn named(headers: &HeaderMap) -> Result<Option<ControllerId>, Refusal> {
    let mut values = headers.get_all(HEADER_CONTROLLER).iter();
    let (Some(value), rest) = (values.next(), values.next()) else { return Ok(None) };
    let read = value.to_str().ok().filter(|_| rest.is_none()).and_then(|text| text.parse().ok());
    let detail = "Vernport-Controller is one organisation number: NO- and 9 digits, or DK- and 8";
    read.map(Some).ok_or_else(|| Refusal::new(Code::BadRequest, detail))
}

impl Caller {
    /// The desk that this caller may stand at: a registrar's own, or one that a processor was let to.
    pub(crate) async fn desk<'a>(&self, served: &'a Controllers) -> Result<Desk<'a>, Refusal> {
        let Peer { role, name, controller: organisation } = &self.peer;
        let caller = format!("{}\0{organisation}\0{name}", role.as_str());
        match role {
            Role::Registrar => Ok(Desk { controller: served.of(&self.peer)?, by: By::Controller, caller }),
            Role::Processor => {
                let detail =
                    "say for which controller: the header Vernport-Controller with its organisation number";
                let named = self.named.as_ref().ok_or_else(|| Refusal::new(Code::BadRequest, detail))?;
                let controller = served.get(named).ok_or_else(no_agreement)?;
                let by = By::Processor(Processor::of(organisation));
                controller.scope(&by).await?;
                Ok(Desk { controller, by, caller })
            }
            Role::Gateway | Role::Recipient => {
                let detail = "ask with a certificate whose organisational unit is registrar or processor";
                Err(Refusal::new(Code::RoleNotAllowed, detail))
            }
        }
    }

    /// The controller whose state this caller may be told.
    pub(crate) async fn controller<'a>(&self, served: &'a Controllers) -> Result<&'a Controller, Refusal> {
        match self.peer.role {
            Role::Processor => Ok(self.desk(served).await?.controller),
            Role::Gateway | Role::Registrar | Role::Recipient => served.of(&self.peer),
        }
    }
}

impl Processor {
    fn of(organisation: &ControllerId) -> Self {
        let own = organisation.as_str().to_ascii_lowercase();
        let own = own.parse().expect("an organisation number in small letters is a slug");
        Self { organisation: organisation.clone(), own }
    }

    /// Whether it may write an entry, given what stands in the ledger.
    fn may_write(&self, facts: &Facts, entry: &Entry, now: UtcMicros) -> Result<(), Refusal> {
        let agreement = facts.agreement(&self.organisation, now).ok_or_else(no_agreement)?;
        let actor = Actor { role: ActorRole::System, id: self.own.clone() };
        if entry.source != self.own || entry.actor != actor {
            let detail = format!(
                "an entry of a processor names it: source {own}, actor {{\"role\": \"system\", \"id\": \"{own}\"}}",
                own = self.own
            );
            return Err(Refusal::new(Code::EntryRefused, detail));
        }
        let kind = entry.event.kind();
        match &entry.event {
            // A mistake of one's own can always be mended, another's never.
            Event::Voided(voided) if facts.source_of(&voided.entry) == Some(&self.own) => Ok(()),
            Event::Voided(_) => {
                Err(Refusal::new(Code::OutOfScope, "a processor voids entries of its own only"))
            }
            _ if covers(&agreement.scope, kind) => Ok(()),
            // The kind came from the caller, so it is not repeated.
            _ => Err(Refusal::new(Code::OutOfScope, "the agreement does not cover entries of this kind")),
        }
    }
}

impl By {
    /// Whether this caller may write an entry, given what stands in the ledger.
    pub(crate) fn may_write(&self, facts: &Facts, entry: &Entry, now: UtcMicros) -> Result<(), Refusal> {
        match self {
            Self::Controller => Ok(()),
            Self::Processor(processor) => processor.may_write(facts, entry, now),
        }
    }

    /// Whether entries of a source are those of this caller.
    pub(crate) fn owns(&self, source: &Slug) -> bool {
        match self {
            Self::Controller => true,
            Self::Processor(processor) => processor.own == *source,
        }
    }
}

/// Which entries a caller may see.
pub(crate) enum Scope {
    All,
    Kinds(BTreeSet<Slug>),
}

impl Scope {
    pub(crate) fn covers(&self, kind: &str) -> bool {
        match self {
            Self::All => true,
            Self::Kinds(kinds) => covers(kinds, kind),
        }
    }
}

fn covers(kinds: &BTreeSet<Slug>, kind: &str) -> bool {
    kinds.iter().any(|of| of.as_str() == kind)
}

impl Desk<'_> {
    /// Refuses unless the caller may see entries of one of these kinds.
    pub(crate) async fn sees(&self, kinds: &[&str]) -> Result<(), Refusal> {
        let scope = self.controller.scope(&self.by).await?;
        if kinds.iter().any(|kind| scope.covers(kind)) {
            return Ok(());
        }
        let detail = format!("the agreement covers none of {}", kinds.join(", "));
        Err(Refusal::new(Code::OutOfScope, detail))
    }
}

impl Controller {
    /// What a caller may see and write at this moment.
    pub(crate) async fn scope(&self, by: &By) -> Result<Scope, Refusal> {
        let By::Processor(processor) = by else { return Ok(Scope::All) };
        let mut state = self.locked().await?;
        let now = state.now(&*self.clock);
        let agreement = state.facts.agreement(&processor.organisation, now);
        agreement.map(|agreement| Scope::Kinds(agreement.scope)).ok_or_else(no_agreement)
    }
}

pub(crate) fn no_agreement() -> Refusal {
    let detail = "no agreement with the processor of the certificate is in force at the controller that \
                  Vernport-Controller names; the controller records processor-agreed";
    Refusal::new(Code::NoAgreement, detail)
}
