//! Who decides, who runs the machines and who receives.

use crate::words::words;
use vernport_types::{ControllerId, Reason, Slug, UtcMicros};

words! {
    /// What the controller is.
    pub enum ControllerRole {
        /// It decides alone.
        Controller = "controller",
        /// It decides with others (GDPR Art. 26).
        JointController = "joint-controller",
    }
}

words! {
    /// What happens to recipients outside of the regions.
    pub enum Elsewhere {
        /// They get nothing.
        Never = "never",
        /// They need a transfer tool.
        WithTool = "with-tool",
    }
}

words! {
    /// What a recipient is to the controller.
    pub enum RecipientRole {
        /// The controller itself.
        Controller = "controller",
        /// Decides with the controller (GDPR Art. 26).
        JointController = "joint-controller",
        /// Acts on the controller's instructions (Art. 28).
        Processor = "processor",
        /// A controller of its own that helps to deliver the service.
        Partner = "partner",
        /// The firm whose vehicle it is.
        Customer = "customer",
        /// A company of the same group: internal administration only.
        Group = "group",
        /// Police, a court or an agency: only by an approved disclosure.
        Authority = "authority",
    }
}

words! {
    /// What allows a transfer out of the regions.
    pub enum TransferTool {
        /// An adequacy decision (GDPR Art. 45).
        Adequacy = "adequacy",
        /// Standard contractual clauses (Art. 46(2)(c)).
        StandardClauses = "standard-clauses",
        /// Binding corporate rules (Art. 47).
        BindingRules = "binding-rules",
        /// An approved certification scheme (Art. 46(2)(f)).
        Certification = "certification",
    }
}

/// The controller, as its bundle says. Path `controller`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControllerInfo {
    /// Its number.
    pub id: ControllerId,
    /// Its name.
    pub name: String,
    /// Alone or with others.
    pub role: ControllerRole,
    /// Whose law: a country code of ISO 3166.
    pub jurisdiction: String,
    /// The zone of its calendar, by the IANA list.
    pub time_zone: String,
    /// Where recipients may be: country codes, or `EEA` for all of them.
    pub regions: Vec<String>,
    /// What happens to recipients elsewhere.
    pub elsewhere: Elsewhere,
    /// When the bundle has to be looked at again.
    pub review_by: Option<UtcMicros>,
    /// Whether every agreement has to be attested by the other side.
    pub attested: bool,
    /// The clauses that it follows.
    pub clauses: Vec<String>,
    /// Whether no notice states it.
    pub assumed: bool,
}

/// Where store, broker and backups stand, and who runs them. Path `hosting`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hosting {
    /// Country codes, or `EEA` for all of them.
    pub regions: Vec<String>,
    /// Who runs them; none: the controller itself.
    pub processor: Option<String>,
    /// The agreement with whoever runs them.
    pub agreement: Option<Agreement>,
    /// The clauses that it follows.
    pub clauses: Vec<String>,
    /// Whether no notice states it.
    pub assumed: bool,
}

impl Hosting {
    /// Whether machines may stand in a country (ISO 3166, such as `NO`).
    pub fn allows(&self, region: &str) -> bool {
        within(&self.regions, region)
    }

    /// Whether it is agreed at a time.
    pub(crate) fn allowed(&self, now: UtcMicros) -> Result<(), Reason> {
        self.agreement.as_ref().map_or(Ok(()), |agreement| agreement.allowed(now))
    }
}

/// What was agreed, from when until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    /// Its name.
    pub id: String,
    /// From when on.
    pub from: UtcMicros,
    /// Until before when.
    pub until: UtcMicros,
    /// Until before when the other side has attested that it keeps it.
    pub attested_until: Option<UtcMicros>,
    /// Whether no notice states it.
    pub assumed: bool,
}

impl Agreement {
    /// When it ends: by itself, or because the attestation does.
    pub fn ends(&self) -> UtcMicros {
        self.attested_until.map_or(self.until, |attested| attested.min(self.until))
    }

    pub(crate) fn allowed(&self, now: UtcMicros) -> Result<(), Reason> {
        if now < self.from || self.ends() <= now { Err(Reason::AgreementMissing) } else { Ok(()) }
    }
}

/// What a transfer out of the regions rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// Which kind of tool.
    pub tool: TransferTool,
    /// Which one.
    pub reference: String,
    /// Until before when.
    pub until: UtcMicros,
}

/// Who receives, and from when until when that is agreed. Path `recipient.<slug>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// Its name in the bundle.
    pub slug: Slug,
    /// Its name for people.
    pub name: String,
    /// What it is to the controller.
    pub role: RecipientRole,
    /// Where it is: a country code of ISO 3166.
    pub region: String,
    /// Whether that is outside of the controller's regions: then the transfer tool counts.
    pub outside: bool,
    /// The agreement; none for the controller itself.
    pub agreement: Option<Agreement>,
    /// The transfer tool, as far as one is stated.
    pub transfer: Option<Transfer>,
    /// The clauses that it follows.
    pub clauses: Vec<String>,
    /// Whether no notice states it.
    pub assumed: bool,
}

impl Recipient {
    /// Whether it may receive at a time: its agreement and, where one is needed,
    /// its transfer tool are in force.
    pub(crate) fn allowed(&self, now: UtcMicros) -> Result<(), Reason> {
        if let Some(agreement) = &self.agreement {
            agreement.allowed(now)?;
        }
        if self.transfer_until().is_some_and(|until| until <= now) {
            return Err(Reason::TransferNotAllowed);
        }
        Ok(())
    }

    /// The end of the transfer tool; none where no tool is needed.
    pub fn transfer_until(&self) -> Option<UtcMicros> {
        self.transfer.as_ref().filter(|_| self.outside).map(|transfer| transfer.until)
    }

    /// When agreement or transfer tool end, if they do.
    pub(crate) fn ends(&self) -> Option<(UtcMicros, Reason)> {
        let agreement = self.agreement.as_ref().map(|agreement| (agreement.ends(), Reason::AgreementMissing));
        let transfer = self.transfer_until().map(|until| (until, Reason::TransferNotAllowed));
        agreement.into_iter().chain(transfer).min_by_key(|(until, _)| *until)
    }
}

/// The countries of the European Economic Area, by ISO 3166.
const EEA: &[&str] = &[
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IS", "IT",
    "LI", "LT", "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK",
];

/// Whether a country, or `EEA` itself, lies within regions.
pub(crate) fn within(regions: &[String], country: &str) -> bool {
    regions.iter().any(|allowed| allowed == country || (allowed == "EEA" && EEA.contains(&country)))
}
