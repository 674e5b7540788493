//! The tables of a bundle as they stand in its file.

use crate::{
    Payload, Period, SourceClass, Window,
    minimise::Minimiser,
    rules::{
        ControllerRole, Elsewhere, MessageClass, Proof, RecipientRole, RetentionGround, Right, ServedWhen,
        StartEvent, TransferTool,
    },
};
use serde::{Deserialize, Deserializer, de::Error as _};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};
use toml::{Spanned, value::Datetime};
use vernport_registry::{DisclosureGround, HoldGround, Role};
use vernport_types::{Category, ControllerId, Identification, LegalBasis, Reason, Slug};

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Raw {
    pub(super) format: u32,
    #[serde(default)]
    pub(super) requires: Vec<String>,
    pub(super) extends: Option<RawExtends>,
    pub(crate) name: Slug,
    #[serde(default)]
    pub(crate) parameters: BTreeMap<Spanned<Slug>, RawParameter>,
    pub(crate) controller: RawController,
    pub(crate) hosting: Option<RawHosting>,
    #[serde(default)]
    pub(crate) notice: Vec<RawNotice>,
    #[serde(default)]
    pub(crate) purpose: Vec<RawPurpose>,
    #[serde(default)]
    pub(crate) recipient: Vec<RawRecipient>,
    #[serde(default)]
    pub(crate) retention: Vec<RawRetention>,
    #[serde(default)]
    pub(crate) form: Vec<RawForm>,
    pub(crate) identify: Option<RawIdentify>,
    #[serde(default)]
    pub(crate) flow: Vec<RawFlow>,
    #[serde(default)]
    pub(crate) refusal: Vec<RawRefusal>,
    #[serde(default)]
    pub(crate) hold: Vec<RawHold>,
    #[serde(default)]
    pub(crate) message: Vec<RawMessage>,
    #[serde(default)]
    pub(crate) right: Vec<RawRight>,
    #[serde(default)]
    pub(crate) acknowledged: Vec<RawAcknowledged>,
}

/// The bundle that this one tightens, and the SHA-256 of its file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawExtends {
    pub(crate) bundle: Spanned<Slug>,
    pub(crate) hash: Spanned<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawParameter {
    pub(crate) value: Spanned<toml::Value>,
    pub(crate) clauses: Spanned<Vec<String>>,
    #[serde(default)]
    pub(crate) assumed: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawController {
    pub(crate) id: Spanned<ControllerId>,
    pub(crate) name: String,
    pub(crate) role: ControllerRole,
    pub(crate) jurisdiction: Spanned<String>,
    pub(crate) time_zone: Spanned<String>,
    pub(crate) regions: Vec<Spanned<String>>,
    #[serde(default = "never")]
    pub(crate) elsewhere: Elsewhere,
    pub(crate) review_by: Option<Spanned<Datetime>>,
    #[serde(default)]
    pub(crate) attested: bool,
    pub(crate) clauses: Spanned<Vec<String>>,
    #[serde(default)]
    pub(crate) assumed: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawHosting {
    pub(crate) regions: Spanned<Vec<Spanned<String>>>,
    pub(crate) processor: Option<Spanned<String>>,
    pub(crate) agreement: Option<RawAgreement>,
    pub(crate) clauses: Spanned<Vec<String>>,
    #[serde(default)]
    pub(crate) assumed: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawNotice {
    pub(crate) version: Spanned<Slug>,
    pub(crate) served_when: ServedWhen,
    pub(crate) categories: Vec<Category>,
    pub(crate) sources: Option<Spanned<BTreeSet<SourceClass>>>,
    pub(crate) clauses: Spanned<Vec<String>>,
    #[serde(default)]
    pub(crate) assumed: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawPurpose {
    pub(crate) id: Spanned<Slug>,
    pub(crate) iri: Spanned<String>,
    pub(crate) basis: Spanned<LegalBasis>,
    pub(crate) necessity: Spanned<String>,
    pub(crate) clauses: Spanned<Vec<String>>,
    pub(crate) statute: Option<String>,
    pub(crate) balancing: Option<String>,
    #[serde(default)]
    pub(crate) marketing: bool,
    #[serde(default)]
    pub(crate) profiling: bool,
    #[serde(default)]
    pub(crate) internal_administration: bool,
    #[serde(default)]
    pub(crate) required_for_contract: bool,
    pub(crate) categories: Option<Vec<Category>>,
    #[serde(default)]
    pub(crate) assumed: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawRecipient {
    pub(crate) id: Spanned<Slug>,
    pub(crate) name: String,
    pub(crate) role: RecipientRole,
    pub(crate) region: Spanned<String>,
    pub(crate) agreement: Option<RawAgreement>,
    pub(crate) transfer: Option<RawTransfer>,
    pub(crate) clauses: Spanned<Vec<String>>,
    #[serde(default)]
    pub(crate) assumed: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawAgreement {
    pub(crate) id: Spanned<String>,
    pub(crate) from: Spanned<Datetime>,
    pub(crate) until: Spanned<Datetime>,
    pub(crate) attested_until: Option<Spanned<Datetime>>,
    #[serde(default)]
    pub(crate) assumed: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawTransfer {
    pub(crate) tool: TransferTool,
    pub(crate) reference: String,
    pub(crate) until: Spanned<Datetime>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawRetention {
    pub(crate) id: Spanned<Slug>,
    pub(crate) start: StartEvent,
    #[serde(deserialize_with = "period")]
    pub(crate) period: Spanned<Period>,
    #[serde(deserialize_with = "period")]
    pub(crate) at_most: Spanned<Period>,
    #[serde(default = "service")]
    pub(crate) ground: RetentionGround,
    #[serde(default)]
    pub(crate) categories: Vec<Category>,
    pub(crate) clauses: Spanned<Vec<String>>,
    #[serde(default)]
    pub(crate) assumed: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawForm {
    pub(crate) id: Spanned<Slug>,
    pub(crate) purpose: Spanned<Slug>,
    pub(crate) recipient: Spanned<Slug>,
    pub(crate) categories: Spanned<Vec<Category>>,
    #[serde(deserialize_with = "period")]
    pub(crate) valid: Spanned<Period>,
    pub(crate) clauses: Spanned<Vec<String>>,
    pub(crate) texts: Spanned<BTreeMap<String, String>>,
    #[serde(default)]
    pub(crate) assumed: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawIdentify {
    pub(crate) purpose: Spanned<Slug>,
    pub(crate) signals: Vec<Spanned<String>>,
    pub(crate) clauses: Spanned<Vec<String>>,
    #[serde(default)]
    pub(crate) assumed: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawFlow {
    pub(crate) id: Spanned<Slug>,
    pub(crate) purpose: Spanned<Slug>,
    pub(crate) recipient: Spanned<Slug>,
    pub(crate) retention: Spanned<Slug>,
    pub(crate) deliver: Spanned<RawDeliver>,
    pub(crate) weakest: Identification,
    #[serde(default = "order")]
    pub(crate) window: Spanned<Window>,
    #[serde(default)]
    pub(crate) roles: Vec<Role>,
    #[serde(default)]
    pub(crate) private_mode: bool,
    #[serde(default)]
    pub(crate) offline: bool,
    #[serde(default)]
    pub(crate) account: bool,
    pub(crate) grounds: Option<Spanned<Vec<DisclosureGround>>>,
    pub(crate) notice: Option<Spanned<Slug>>,
    pub(crate) sources: Option<Spanned<BTreeSet<SourceClass>>>,
    pub(crate) sample: Option<Spanned<String>>,
    pub(crate) time: Option<Spanned<String>>,
    pub(crate) believe: Option<Spanned<String>>,
    pub(crate) clauses: Spanned<Vec<String>>,
    pub(crate) signals: BTreeMap<Spanned<String>, Spanned<Minimiser>>,
    #[serde(default)]
    pub(crate) assumed: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawDeliver {
    #[serde(default)]
    pub(crate) store: bool,
    pub(crate) topic: Option<Payload>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawRefusal {
    pub(crate) reason: Spanned<Reason>,
    pub(crate) category: Option<Category>,
    pub(crate) clause: Spanned<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawHold {
    pub(crate) ground: Spanned<HoldGround>,
    #[serde(deserialize_with = "period")]
    pub(crate) at_most: Spanned<Period>,
    pub(crate) clauses: Spanned<Vec<String>>,
    #[serde(default)]
    pub(crate) assumed: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawMessage {
    pub(crate) id: Spanned<Slug>,
    pub(crate) class: MessageClass,
    pub(crate) purpose: Spanned<Slug>,
    pub(crate) categories: Spanned<Vec<Category>>,
    #[serde(default)]
    pub(crate) similar_goods: bool,
    #[serde(default)]
    pub(crate) opt_out: bool,
    pub(crate) form: Option<Spanned<Slug>>,
    pub(crate) clauses: Spanned<Vec<String>>,
    #[serde(default)]
    pub(crate) assumed: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawRight {
    pub(crate) right: Spanned<Right>,
    #[serde(deserialize_with = "period")]
    pub(crate) deadline: Spanned<Period>,
    pub(crate) identity: Proof,
    pub(crate) clauses: Spanned<Vec<String>>,
    #[serde(default)]
    pub(crate) assumed: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawAcknowledged {
    pub(crate) finding: Spanned<String>,
    pub(crate) rule: Option<Spanned<String>>,
    pub(crate) reason: Spanned<String>,
}

/// What every rule has: a path, the place where it stands, and what it follows.
pub(crate) struct Stands<'a> {
    pub(crate) path: String,
    pub(crate) span: Range<usize>,
    pub(crate) clauses: &'a Spanned<Vec<String>>,
    pub(crate) assumed: bool,
}

impl Raw {
    /// Every rule but the refusals, which have one clause each, in the order of the tables.
    pub(crate) fn stands(&self) -> Vec<Stands<'_>> {
        let mut all = Vec::new();
        let mut add = |path: String, span, clauses, assumed| {
            all.push(Stands { path, span, clauses, assumed });
        };
        let c = &self.controller;
        add("controller".into(), c.id.span(), &c.clauses, c.assumed);
        if let Some(r) = &self.hosting {
            add("hosting".into(), r.regions.span(), &r.clauses, r.assumed);
        }
        for r in &self.notice {
            add(format!("notice.{}", r.version.get_ref()), r.version.span(), &r.clauses, r.assumed);
        }
        for r in &self.purpose {
            add(format!("purpose.{}", r.id.get_ref()), r.id.span(), &r.clauses, r.assumed);
        }
        for r in &self.recipient {
            add(format!("recipient.{}", r.id.get_ref()), r.id.span(), &r.clauses, r.assumed);
        }
        for r in &self.retention {
            add(format!("retention.{}", r.id.get_ref()), r.id.span(), &r.clauses, r.assumed);
        }
        for r in &self.form {
            add(format!("form.{}", r.id.get_ref()), r.id.span(), &r.clauses, r.assumed);
        }
        if let Some(r) = &self.identify {
            add("identify".into(), r.purpose.span(), &r.clauses, r.assumed);
        }
        for r in &self.hold {
            add(format!("hold.{}", ground_name(*r.ground.get_ref())), r.ground.span(), &r.clauses, r.assumed);
        }
        for r in &self.message {
            add(format!("message.{}", r.id.get_ref()), r.id.span(), &r.clauses, r.assumed);
        }
        for r in &self.right {
            add(format!("right.{}", r.right.get_ref()), r.right.span(), &r.clauses, r.assumed);
        }
        for r in &self.flow {
            add(format!("flow.{}", r.id.get_ref()), r.id.span(), &r.clauses, r.assumed);
            for path in r.signals.keys() {
                let path_text = format!("flow.{}.signals.{}", r.id.get_ref(), path.get_ref());
                add(path_text, path.span(), &r.clauses, r.assumed);
            }
        }
        all
    }
}

/// The written form of a ground of a hold.
pub(crate) const fn ground_name(ground: HoldGround) -> &'static str {
    match ground {
        HoldGround::Statute => "statute",
        HoldGround::Dispute => "dispute",
        HoldGround::Query => "query",
        HoldGround::Incident => "incident",
    }
}

const fn never() -> Elsewhere {
    Elsewhere::Never
}

const fn service() -> RetentionGround {
    RetentionGround::Service
}

fn order() -> Spanned<Window> {
    Spanned::new(0..0, Window::Order)
}

fn period<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Spanned<Period>, D::Error> {
    let text = Spanned::<String>::deserialize(deserializer)?;
    let period = text.get_ref().parse().map_err(D::Error::custom)?;
    Ok(Spanned::new(text.span(), period))
}
