//! The bundle as it stands in its file: TOML with spans, nothing checked but its shape.
//!
//! `config/bundles/README.md` teaches the format. Unknown keys are refused; a
//! bundle of another format, or one that asks for what this version lacks,
//! is refused before anything else is looked at.

use crate::{BundleError, Minimiser, Payload, Period, Window};
use serde::{Deserialize, Deserializer, de::Error as _};
use std::collections::BTreeMap;
use toml::{Spanned, value::Datetime};
use vernport_crypto::sha256;
use vernport_registry::Role;
use vernport_types::{Category, ControllerId, Identification, LegalBasis, Reason, Slug};

/// The format that this version reads.
const FORMAT: u32 = 1;
/// The longest bundle file, in bytes.
const MAX_BYTES: usize = 1 << 20;

/// A bundle whose shape is right. [`crate::Rules::compile`] checks what it says.
#[derive(Debug, Clone)]
pub struct Bundle {
    pub(crate) file: Box<str>,
    pub(crate) text: Box<str>,
    pub(crate) raw: Raw,
}

impl Bundle {
    /// Reads a bundle. `file` is only named in errors.
    ///
    /// # Errors
    /// [`BundleError`] with line, column and remedy for anything but a bundle of format 1.
    pub fn from_toml(file: &str, text: &str) -> Result<Self, BundleError> {
        let fault = |error: &toml::de::Error| {
            let what = error.message().replace('\n', ", ");
            let span = error.span().unwrap_or(0..0);
            BundleError::at(file, text, &span, what, "config/bundles/README.md shows the format")
        };
        if text.len() > MAX_BYTES {
            let what = format!("{} bytes are too many for a bundle", text.len());
            return Err(BundleError::at(file, text, &(0..0), what, "keep it below 1 MiB"));
        }
        let opening: Opening = toml::from_str(text).map_err(|error| fault(&error))?;
        if *opening.format.get_ref() != FORMAT {
            return Err(BundleError::at(
                file,
                text,
                &opening.format.span(),
                format!("format {} is not known here", opening.format.get_ref()),
                "this version reads format 1; update vernport, or write the bundle in format 1",
            ));
        }
        if let Some(needed) = opening.requires.first() {
            return Err(BundleError::at(
                file,
                text,
                &needed.span(),
                format!("the bundle requires `{}`, which this version does not have", needed.get_ref()),
                "update vernport, or take out the rules that need it",
            ));
        }
        if let Some(base) = opening.extends {
            return Err(BundleError::at(
                file,
                text,
                &base.span(),
                format!("`extends` of `{}` is not supported yet", base.get_ref()),
                "copy the rules of the base into this bundle",
            ));
        }
        let raw = toml::from_str(text).map_err(|error| fault(&error))?;
        Ok(Self { file: file.into(), text: text.into(), raw })
    }

    /// The controller whose rules these are.
    pub fn controller(&self) -> &ControllerId {
        self.raw.controller.id.get_ref()
    }

    /// SHA-256 of the file's bytes: what is signed, and what grants and batches name.
    pub fn hash(&self) -> [u8; 32] {
        sha256(self.text.as_bytes())
    }

    /// A finding at a place of this bundle.
    pub(crate) fn fault(
        &self,
        span: &std::ops::Range<usize>,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> BundleError {
        BundleError::at(&self.file, &self.text, span, what, remedy)
    }
}

/// What is read before anything else, whatever else stands there.
#[derive(Deserialize)]
struct Opening {
    format: Spanned<u32>,
    #[serde(default)]
    requires: Vec<Spanned<String>>,
    extends: Option<Spanned<String>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "`format` and `requires` are judged by `Opening`")]
pub(crate) struct Raw {
    format: u32,
    #[serde(default)]
    requires: Vec<String>,
    pub(crate) name: Slug,
    pub(crate) controller: RawController,
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
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "said for the reader of the bundle: name, role, jurisdiction, assumed")]
pub(crate) struct RawController {
    pub(crate) id: Spanned<ControllerId>,
    pub(crate) name: String,
    pub(crate) role: ControllerRole,
    pub(crate) jurisdiction: Spanned<String>,
    pub(crate) time_zone: Spanned<String>,
    /// Where recipients may be: country codes, or `EEA` for all of them.
    pub(crate) regions: Vec<Spanned<String>>,
    /// What happens to recipients elsewhere.
    #[serde(default)]
    pub(crate) elsewhere: Elsewhere,
    pub(crate) clauses: Spanned<Vec<String>>,
    #[serde(default)]
    pub(crate) assumed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ControllerRole {
    Controller,
    JointController,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Elsewhere {
    #[default]
    Never,
    WithTool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "said for the reader of the bundle: assumed")]
pub(crate) struct RawNotice {
    pub(crate) version: Spanned<Slug>,
    pub(crate) served_when: ServedWhen,
    pub(crate) categories: Vec<Category>,
    pub(crate) clauses: Spanned<Vec<String>>,
    #[serde(default)]
    pub(crate) assumed: bool,
}

/// When a notice version counts as served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ServedWhen {
    /// When the ledger says so.
    Recorded,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "said for the reader of the bundle: assumed")]
pub(crate) struct RawPurpose {
    pub(crate) id: Spanned<Slug>,
    pub(crate) iri: Spanned<String>,
    pub(crate) basis: Spanned<LegalBasis>,
    pub(crate) necessity: Spanned<String>,
    pub(crate) clauses: Spanned<Vec<String>>,
    /// The named statute: for `A6-1-c`.
    pub(crate) statute: Option<String>,
    /// The reference of the balancing test: for `A6-1-f`.
    pub(crate) balancing: Option<String>,
    #[serde(default)]
    pub(crate) marketing: bool,
    #[serde(default)]
    pub(crate) assumed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RecipientRole {
    Controller,
    JointController,
    Processor,
    Partner,
    Customer,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "said for the reader of the bundle: name, agreement id, tool, assumed")]
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
#[expect(dead_code, reason = "said for the reader of the bundle: id, assumed")]
pub(crate) struct RawAgreement {
    pub(crate) id: String,
    pub(crate) from: Spanned<Datetime>,
    pub(crate) until: Spanned<Datetime>,
    #[serde(default)]
    pub(crate) assumed: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "said for the reader of the bundle: tool, reference")]
pub(crate) struct RawTransfer {
    pub(crate) tool: TransferTool,
    pub(crate) reference: String,
    pub(crate) until: Spanned<Datetime>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TransferTool {
    /// An adequacy decision (GDPR Art. 45).
    Adequacy,
    /// Standard contractual clauses (Art. 46(2)(c)).
    StandardClauses,
    /// Binding corporate rules (Art. 47).
    BindingRules,
    /// An approved certification scheme (Art. 46(2)(f)).
    Certification,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "said for the reader of the bundle: assumed")]
pub(crate) struct RawRetention {
    pub(crate) id: Spanned<Slug>,
    pub(crate) start: StartEvent,
    #[serde(deserialize_with = "period")]
    pub(crate) period: Spanned<Period>,
    #[serde(deserialize_with = "period")]
    pub(crate) at_most: Spanned<Period>,
    pub(crate) clauses: Spanned<Vec<String>>,
    #[serde(default)]
    pub(crate) assumed: bool,
}

/// The event that a retention period starts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum StartEvent {
    /// The reading itself.
    Reading,
    /// The work order was closed.
    OrderClosed,
    /// The last contact of the person and of the customer, the later of both.
    LastInteraction,
    /// The customer relation ended.
    RelationshipEnd,
    /// The warranty or complaint period ended.
    WarrantyEnd,
    /// The vehicle is no more.
    VehicleEndOfLife,
    /// The consent was withdrawn or expired.
    ConsentEnd,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "said for the reader of the bundle: assumed")]
pub(crate) struct RawForm {
    pub(crate) id: Spanned<Slug>,
    pub(crate) purpose: Spanned<Slug>,
    pub(crate) recipient: Spanned<Slug>,
    pub(crate) categories: Vec<Category>,
    #[serde(deserialize_with = "period")]
    pub(crate) valid: Spanned<Period>,
    pub(crate) clauses: Spanned<Vec<String>>,
    pub(crate) texts: Spanned<BTreeMap<String, String>>,
    #[serde(default)]
    pub(crate) assumed: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "said for the reader of the bundle: assumed")]
pub(crate) struct RawIdentify {
    pub(crate) purpose: Spanned<Slug>,
    pub(crate) signals: Vec<Spanned<String>>,
    pub(crate) clauses: Spanned<Vec<String>>,
    #[serde(default)]
    pub(crate) assumed: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "said for the reader of the bundle: assumed")]
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
    pub(crate) reason: Reason,
    pub(crate) category: Option<Category>,
    pub(crate) clause: String,
}

fn order() -> Spanned<Window> {
    Spanned::new(0..0, Window::Order)
}

fn period<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Spanned<Period>, D::Error> {
    let text = Spanned::<String>::deserialize(deserializer)?;
    let period = text.get_ref().parse().map_err(D::Error::custom)?;
    Ok(Spanned::new(text.span(), period))
}
