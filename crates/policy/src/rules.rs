//! Checked rules: a bundle compiled against the signal catalogue into dense tables.

use crate::{Bundle, BundleError, Flow, FlowIndex, Minimiser, Period, SampleKey, bundle::StartEvent};
use jiff::tz::TimeZone;
use std::collections::BTreeMap;
use vernport_types::{
    Catalogue, Category, ControllerId, Reason, Signal, SignalId, Slug, UtcMicros, Value, ValueKind,
};

/// The rules of one controller. Can only be made by [`Rules::compile`].
#[derive(Debug, Clone)]
pub struct Rules {
    pub(crate) hash: [u8; 32],
    pub(crate) name: Slug,
    pub(crate) controller: ControllerId,
    pub(crate) zone: TimeZone,
    pub(crate) notices: Vec<Notice>,
    pub(crate) recipients: Vec<Recipient>,
    pub(crate) flows: Vec<Flow>,
    pub(crate) forms: Vec<Form>,
    pub(crate) identify: Vec<SignalId>,
    pub(crate) refusals: Vec<Refusal>,
    pub(crate) signals: Vec<SignalRule>,
    /// One minimiser for each signal and flow, signal by signal; `Drop` where the flow does not name it.
    pub(crate) minimisers: Vec<Minimiser>,
    /// For each flow and each of its signals what its samples are counted under.
    sample_bases: Vec<Vec<[u8; 32]>>,
}

/// What the rules say about one signal of the catalogue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SignalRule {
    /// The flows that name it.
    pub(crate) named: u128,
    /// Why it is withheld if none does.
    pub(crate) unnamed: Reason,
    pub(crate) kind: ValueKind,
    pub(crate) category: Category,
}

impl SignalRule {
    /// Whether a value is what the catalogue says of the signal.
    pub(crate) fn takes(&self, value: &Value) -> bool {
        matches!(
            (self.kind, value),
            (ValueKind::Integer, Value::Integer(_))
                | (ValueKind::Number, Value::Number(_))
                | (ValueKind::Flag, Value::Flag(_))
                | (ValueKind::Label, Value::Label(_))
                | (ValueKind::Position, Value::Position(_))
                | (ValueKind::TroubleCode, Value::TroubleCode(_))
                | (_, Value::Nothing)
        )
    }
}

/// One version of the controller's notice, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Its name with its version, as the ledger names it when it is served.
    pub version: Slug,
    /// The categories of data that it lists.
    pub categories: Vec<Category>,
    /// The clauses that list them.
    pub clauses: Vec<String>,
}

/// Who receives, and from when until when that is agreed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// Its name.
    pub slug: Slug,
    /// The agreement: from, and until before; none for the controller itself.
    pub(crate) agreement: Option<(UtcMicros, UtcMicros)>,
    /// The end of the transfer tool; none where no tool is needed.
    pub(crate) transfer_until: Option<UtcMicros>,
}

impl Recipient {
    /// Whether it may receive at a time: its agreement and, where one is needed,
    /// its transfer tool are in force.
    pub(crate) fn allowed(&self, now: UtcMicros) -> Result<(), Reason> {
        if self.agreement.is_some_and(|(from, until)| now < from || until <= now) {
            return Err(Reason::AgreementMissing);
        }
        if self.transfer_until.is_some_and(|until| until <= now) {
            return Err(Reason::TransferNotAllowed);
        }
        Ok(())
    }

    /// When agreement or transfer tool end, if they do.
    pub(crate) fn ends(&self) -> Option<(UtcMicros, Reason)> {
        let agreement = self.agreement.map(|(_, until)| (until, Reason::AgreementMissing));
        let transfer = self.transfer_until.map(|until| (until, Reason::TransferNotAllowed));
        agreement.into_iter().chain(transfer).min_by_key(|(until, _)| *until)
    }
}

/// A form that a person consents with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// Its name.
    pub slug: Slug,
    /// The purpose of the bundle.
    pub purpose: Slug,
    /// The recipient of the bundle.
    pub recipient: Slug,
    /// Which data.
    pub categories: Vec<Category>,
    /// For how long.
    pub valid: Period,
    /// The text by language (BCP 47, small letters).
    pub texts: BTreeMap<String, String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) reason: Reason,
    pub(crate) category: Option<Category>,
    pub(crate) clause: String,
}

impl Rules {
    /// Checks a bundle and compiles it against the catalogue.
    ///
    /// # Errors
    /// The first [`BundleError`], with line, column and remedy.
    pub fn compile(bundle: &Bundle, catalogue: &Catalogue) -> Result<Self, BundleError> {
        let parts = crate::compile::parts(bundle, catalogue)?;
        let flows = parts.flows;
        let listed = parts.notices.last().map_or(&[][..], |notice| &notice.categories[..]);
        let mut minimisers = vec![Minimiser::Drop; catalogue.len() * flows.len()];
        let rule = |(id, signal): (SignalId, &Signal)| SignalRule {
            named: flows.iter().filter(|f| f.minimiser(id).is_some()).map(|f| f.index.bit()).sum(),
            unnamed: if !listed.contains(&signal.category) {
                Reason::CategoryNotInNotice
            } else if parts.identify.contains(&id) {
                // Compared here and now, kept in memory, released to nobody.
                Reason::DroppedByRule
            } else {
                Reason::NoPurpose
            },
            kind: signal.kind,
            category: signal.category,
        };
        let signals = catalogue.iter().map(rule).collect();
        for flow in &flows {
            for (signal, minimiser) in &flow.signals {
                minimisers[usize::from(signal.0) * flows.len() + flow.index.place()] = *minimiser;
            }
        }
        let bases = |flow: &Flow| {
            let base = |(id, _): &(SignalId, Minimiser)| {
                SampleKey::base(bundle.controller(), &flow.slug, &catalogue.signal(*id).path)
            };
            flow.signals.iter().map(base).collect()
        };
        Ok(Self {
            sample_bases: flows.iter().map(bases).collect(),
            hash: bundle.hash(),
            name: bundle.raw.name.clone(),
            controller: bundle.controller().clone(),
            zone: parts.zone,
            notices: parts.notices,
            recipients: parts.recipients,
            forms: parts.forms,
            identify: parts.identify,
            refusals: parts.refusals,
            flows,
            signals,
            minimisers,
        })
    }

    /// SHA-256 of the bundle's bytes.
    pub const fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// The name of the bundle.
    pub const fn name(&self) -> &Slug {
        &self.name
    }

    /// The controller.
    pub const fn controller(&self) -> &ControllerId {
        &self.controller
    }

    /// All flows, each at its index.
    pub fn flows(&self) -> &[Flow] {
        &self.flows
    }

    /// The flow of an index of these rules.
    ///
    /// # Panics
    /// If the index is of other rules and beyond these.
    pub fn flow(&self, index: FlowIndex) -> &Flow {
        &self.flows[index.place()]
    }

    /// The flow of a name.
    pub fn find(&self, flow: &Slug) -> Option<&Flow> {
        self.flows.iter().find(|known| known.slug == *flow)
    }

    /// The versions of the notice, oldest first.
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// The forms that consents are given with.
    pub fn forms(&self) -> &[Form] {
        &self.forms
    }

    /// The signals that identify a vehicle: read while somebody waits for one, compared on the
    /// spot, and released only where a flow names them.
    pub fn identify(&self) -> &[SignalId] {
        &self.identify
    }

    /// Why a signal is withheld if no flow names it; none if one does, or if the catalogue lacks it.
    pub fn unnamed_reason(&self, signal: SignalId) -> Option<Reason> {
        let rule = self.signals.get(usize::from(signal.0))?;
        (rule.named == 0).then_some(rule.unnamed)
    }

    /// The clause behind a refusal: the bundle's own answer for the category of the signal, else
    /// its answer for the reason, else the first clause of a flow that names the signal.
    pub fn clause_for(&self, signal: SignalId, reason: Reason) -> Option<&str> {
        let rule = self.signals.get(usize::from(signal.0))?;
        let said = |category: Option<Category>| {
            let of = |refusal: &&Refusal| refusal.reason == reason && refusal.category == category;
            self.refusals.iter().find(of).map(|refusal| refusal.clause.as_str())
        };
        let flow = || self.flows.iter().find(|flow| flow.minimiser(signal).is_some());
        said(Some(rule.category))
            .or_else(|| said(None))
            .or_else(|| flow().and_then(|flow| flow.clauses.first()).map(String::as_str))
    }

    pub(crate) fn recipient(&self, slug: &Slug) -> Option<&Recipient> {
        self.recipients.iter().find(|recipient| recipient.slug == *slug)
    }

    /// What samples of a signal are counted under in a flow that names it.
    pub(crate) fn sample_base(&self, flow: FlowIndex, signal: SignalId) -> Option<&[u8; 32]> {
        let place = self.flow(flow).signals.binary_search_by_key(&signal, |(id, _)| *id).ok()?;
        self.sample_bases[flow.place()].get(place)
    }

    pub(crate) fn minimiser(&self, signal: SignalId, flow: FlowIndex) -> Minimiser {
        self.minimisers[usize::from(signal.0) * self.flows.len() + flow.place()]
    }
}

/// The written form of a start event, as a slug.
pub(crate) const fn start_name(start: StartEvent) -> &'static str {
    match start {
        StartEvent::Reading => "reading",
        StartEvent::OrderClosed => "order-closed",
        StartEvent::LastInteraction => "last-interaction",
        StartEvent::RelationshipEnd => "relationship-end",
        StartEvent::WarrantyEnd => "warranty-end",
        StartEvent::VehicleEndOfLife => "vehicle-end-of-life",
        StartEvent::ConsentEnd => "consent-end",
    }
}
