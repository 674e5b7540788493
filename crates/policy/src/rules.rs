//! Checked rules: a bundle compiled against the signal catalogue into dense tables.

mod notices;
mod parties;
mod people;
mod terms;

use crate::{
    Bundle, BundleError, Flow, FlowIndex, How, Minimiser, SampleKey, Sampling, bundle::ground_name, diff,
};
use jiff::{Timestamp, tz::TimeZone};
pub use notices::{Notice, ServedWhen, SourceClass, Sources};
pub(crate) use parties::within;
pub use parties::{
    Agreement, ControllerInfo, ControllerRole, Elsewhere, Hosting, Recipient, RecipientRole, Transfer,
    TransferTool,
};
pub use people::{Form, Message, MessageClass, Proof, Right, RightRule};
pub use terms::{
    Acknowledged, HoldError, HoldRule, Identify, Parameter, Purpose, Refusal, RetentionGround, RetentionRule,
    StartEvent,
};
use vernport_registry::{HoldGround, HoldSet};
use vernport_types::{
    Catalogue, Category, ControllerId, Reason, Signal, SignalId, Slug, UtcMicros, Value, ValueKind,
};

/// The rules of one controller. Can only be made by [`Rules::compile`].
#[derive(Debug, Clone)]
pub struct Rules {
    pub(crate) hash: [u8; 32],
    pub(crate) name: Slug,
    pub(crate) parts: Parts,
    pub(crate) signals: Vec<SignalRule>,
    /// One for each signal and flow, signal by signal; where the flow does not name it, it drops.
    steps: Vec<Step>,
    /// For each flow and each of its signals what its samples are counted under.
    sample_bases: Vec<Vec<[u8; 32]>>,
}

/// The tables of a bundle, checked.
#[derive(Debug, Clone)]
pub(crate) struct Parts {
    pub(crate) zone: TimeZone,
    pub(crate) controller: ControllerInfo,
    pub(crate) hosting: Option<Hosting>,
    pub(crate) notices: Vec<Notice>,
    pub(crate) purposes: Vec<Purpose>,
    pub(crate) recipients: Vec<Recipient>,
    pub(crate) retentions: Vec<RetentionRule>,
    pub(crate) forms: Vec<Form>,
    pub(crate) identify: Option<Identify>,
    pub(crate) flows: Vec<Flow>,
    pub(crate) refusals: Vec<Refusal>,
    pub(crate) holds: Vec<HoldRule>,
    pub(crate) messages: Vec<Message>,
    pub(crate) rights: Vec<RightRule>,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) acknowledged: Vec<Acknowledged>,
    pub(crate) paths: Vec<RulePath>,
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
    /// Where its steps begin in `Rules::steps`.
    first_step: usize,
}

impl SignalRule {
    /// Whether a value is what the catalogue says of the signal.
    #[inline]
    pub(crate) fn takes(&self, value: &Value) -> bool {
        // In the order of the kinds, so that this is one comparison and no jump.
        let kind = match value {
            Value::Integer(_) => ValueKind::Integer,
            Value::Number(_) => ValueKind::Number,
            Value::Flag(_) => ValueKind::Flag,
            Value::Label(_) => ValueKind::Label,
            Value::Position(_) => ValueKind::Position,
            Value::TroubleCode(_) => ValueKind::TroubleCode,
            Value::Nothing => return true,
            Value::Cell(_) | Value::Bucket(..) | Value::Present => return false,
        };
        kind == self.kind
    }
}

/// What one flow does to a reading of one signal: all of the flow that a release needs to know.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) minimiser: Minimiser,
    /// Whether value and time stay as they are.
    pub(crate) how: How,
    /// Whether the flow takes each reading, and samples none.
    pub(crate) every: bool,
    /// As [`Flow::time_step_micros`].
    pub(crate) time_step_micros: i64,
}

impl Step {
    const DROP: Self =
        Self { minimiser: Minimiser::Drop, how: How::Coarsened, every: true, time_step_micros: 0 };

    fn of(flow: &Flow, minimiser: Minimiser) -> Self {
        let exact = minimiser == Minimiser::Exact && flow.time_step_micros == 0;
        Self {
            minimiser,
            how: if exact { How::Exact } else { How::Coarsened },
            every: flow.sampling == Sampling::Every,
            time_step_micros: flow.time_step_micros,
        }
    }
}

/// One rule of the bundle: its path, where it stands and what it follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulePath {
    /// Its path, such as `flow.service-delivery.signals.Vehicle.Speed`.
    pub path: String,
    /// The file that it stands in.
    pub file: Box<str>,
    /// The line that it begins at, from 1.
    pub line: usize,
    /// The clauses that it follows.
    pub clauses: Vec<String>,
    /// Whether no notice states it.
    pub assumed: bool,
}

impl Rules {
    /// Checks a bundle and compiles it against the catalogue.
    ///
    /// # Errors
    /// The first [`BundleError`], with line, column and remedy.
    pub fn compile(bundle: &Bundle, catalogue: &Catalogue) -> Result<Self, BundleError> {
        let rules = Self::compile_alone(bundle, catalogue)?;
        if let Some(base) = &bundle.base {
            let diff = diff(&Self::compile(&base.bundle, catalogue)?, &rules, catalogue);
            if let Some(wider) = diff.changes().iter().find(|change| change.effect.permits()) {
                let what =
                    format!("the bundle permits what its base does not: {}: {}", wider.path, wider.what);
                return Err(bundle.fault(&base.span, what, "a bundle may only tighten what it extends"));
            }
        }
        Ok(rules)
    }

    fn compile_alone(bundle: &Bundle, catalogue: &Catalogue) -> Result<Self, BundleError> {
        let parts = crate::compile::parts(bundle, catalogue)?;
        let flows = &parts.flows;
        let listed = parts.notices.last().map_or(&[][..], |notice| &notice.categories[..]);
        let mut steps = vec![Step::DROP; catalogue.len() * flows.len()];
        let rule = |(id, signal): (SignalId, &Signal)| SignalRule {
            named: flows.iter().filter(|f| f.minimiser(id).is_some()).map(|f| f.index.bit()).sum(),
            unnamed: if !listed.contains(&signal.category) {
                Reason::CategoryNotInNotice
            } else if parts.identify.as_ref().is_some_and(|rule| rule.signals.contains(&id)) {
                // Compared here and now, kept in memory, released to nobody.
                Reason::DroppedByRule
            } else {
                Reason::NoPurpose
            },
            kind: signal.kind,
            category: signal.category,
            first_step: usize::from(id.0) * flows.len(),
        };
        let signals = catalogue.iter().map(rule).collect();
        for flow in flows {
            for (signal, minimiser) in &flow.signals {
                steps[usize::from(signal.0) * flows.len() + flow.index.place()] = Step::of(flow, *minimiser);
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
            parts,
            signals,
            steps,
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
        &self.parts.controller.id
    }

    /// All flows, each at its index.
    pub fn flows(&self) -> &[Flow] {
        &self.parts.flows
    }

    /// The flow of an index of these rules.
    ///
    /// # Panics
    /// If the index is of other rules and beyond these.
    pub fn flow(&self, index: FlowIndex) -> &Flow {
        &self.parts.flows[index.place()]
    }

    /// The flow of a name.
    pub fn find(&self, flow: &Slug) -> Option<&Flow> {
        self.parts.flows.iter().find(|known| known.slug == *flow)
    }

    /// The versions of the notice, oldest first.
    pub fn notices(&self) -> &[Notice] {
        &self.parts.notices
    }

    /// The forms that consents are given with.
    pub fn forms(&self) -> &[Form] {
        &self.parts.forms
    }

    /// The form of a name.
    pub fn form(&self, slug: &Slug) -> Option<&Form> {
        self.parts.forms.iter().find(|form| form.slug == *slug)
    }

    /// The signals that identify a vehicle: read while somebody waits for one, compared on the
    /// spot, and released only where a flow names them.
    pub fn identify(&self) -> &[SignalId] {
        self.parts.identify.as_ref().map_or(&[], |rule| &rule.signals)
    }

    /// What recognises a vehicle, with its purpose and clauses.
    pub fn identify_rule(&self) -> Option<&Identify> {
        self.parts.identify.as_ref()
    }

    /// The controller, as the bundle describes it.
    pub const fn controller_info(&self) -> &ControllerInfo {
        &self.parts.controller
    }

    /// The zone of the controller's calendar.
    pub const fn zone(&self) -> &TimeZone {
        &self.parts.zone
    }

    /// Where store, broker and backups stand; none where the bundle is silent.
    pub fn hosting(&self) -> Option<&Hosting> {
        self.parts.hosting.as_ref()
    }

    /// The purposes.
    pub fn purposes(&self) -> &[Purpose] {
        &self.parts.purposes
    }

    /// The recipients.
    pub fn recipients(&self) -> &[Recipient] {
        &self.parts.recipients
    }

    /// How long things are kept, rule by rule.
    pub fn retentions(&self) -> &[RetentionRule] {
        &self.parts.retentions
    }

    /// The clauses behind refusals.
    pub fn refusals(&self) -> &[Refusal] {
        &self.parts.refusals
    }

    /// The holds that may be set.
    pub fn holds(&self) -> &[HoldRule] {
        &self.parts.holds
    }

    /// The hold that may be set on a ground.
    pub fn hold(&self, ground: HoldGround) -> Option<&HoldRule> {
        self.parts.holds.iter().find(|hold| hold.ground == ground)
    }

    /// Whether a hold may be set at a time: on a ground of the bundle, and for no longer than it allows.
    ///
    /// # Errors
    /// [`HoldError`] says what the bundle allows.
    pub fn may_hold(&self, hold: &HoldSet, set_at: UtcMicros) -> Result<(), HoldError> {
        let ground = ground_name(hold.ground);
        let rule = self.hold(hold.ground).ok_or(HoldError::Ground { ground })?;
        let latest = rule.latest_end(set_at);
        if hold.until <= latest {
            return Ok(());
        }
        let latest =
            Timestamp::from_microsecond(latest.0).map_or_else(|_| latest.0.to_string(), |at| at.to_string());
        Err(HoldError::TooLong { ground, latest, at_most: rule.at_most })
    }

    /// The classes of messages that may be sent to people.
    pub fn messages(&self) -> &[Message] {
        &self.parts.messages
    }

    /// What the bundle says about the rights of people.
    pub fn rights(&self) -> &[RightRule] {
        &self.parts.rights
    }

    /// How a right is served, also where the bundle is silent.
    pub fn right(&self, right: Right) -> RightRule {
        let said = self.parts.rights.iter().find(|rule| rule.right == right);
        said.cloned().unwrap_or_else(|| RightRule::silent(right))
    }

    /// The values that the bundle names once.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parts.parameters
    }

    /// The findings that the controller knows.
    pub fn acknowledged(&self) -> &[Acknowledged] {
        &self.parts.acknowledged
    }

    /// Every rule by its path, in the order of the tables in `config/bundles/README.md`.
    pub fn paths(&self) -> &[RulePath] {
        &self.parts.paths
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
            self.parts.refusals.iter().find(of).map(|refusal| refusal.clause.as_str())
        };
        let flow = || self.parts.flows.iter().find(|flow| flow.minimiser(signal).is_some());
        said(Some(rule.category))
            .or_else(|| said(None))
            .or_else(|| flow().and_then(|flow| flow.clauses.first()).map(String::as_str))
    }

    /// The recipient of a name.
    pub fn recipient(&self, slug: &Slug) -> Option<&Recipient> {
        self.parts.recipients.iter().find(|recipient| recipient.slug == *slug)
    }

    /// When agreements and transfer tools begin and end.
    pub(crate) fn moments(&self) -> impl Iterator<Item = UtcMicros> {
        let hosting = self.parts.hosting.iter().filter_map(|hosting| hosting.agreement.as_ref());
        let receiving = self.parts.recipients.iter().filter_map(|recipient| recipient.agreement.as_ref());
        let agreed = hosting.chain(receiving).flat_map(|agreement| [agreement.from, agreement.ends()]);
        agreed.chain(self.parts.recipients.iter().filter_map(Recipient::transfer_until))
    }

    /// What samples of a signal are counted under in a flow that names it.
    pub(crate) fn sample_base(&self, flow: FlowIndex, signal: SignalId) -> Option<&[u8; 32]> {
        let place = self.flow(flow).signals.binary_search_by_key(&signal, |(id, _)| *id).ok()?;
        self.sample_bases[flow.place()].get(place)
    }

    /// What a flow does to a signal of these rules.
    #[inline]
    pub(crate) fn step(&self, signal: &SignalRule, flow: FlowIndex) -> &Step {
        &self.steps[signal.first_step + flow.place()]
    }
}
