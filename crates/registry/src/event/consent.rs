//! Notices and consents: told, given, renewed, withdrawn.
//!
//! What a consent has to say (clauses.md 3.3, CSPE-3.2.3 to 3.2.6): which data,
//! how it is handled, why, and how long it is valid. There is no way of giving
//! that stands for silence or use (flag F-1): implied consent cannot be written.

use crate::{ReceiptCode, Text};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, fmt, str::FromStr};
use vernport_types::{AssetId, Category, EntryHash, IdError, Slug, SubjectId, UtcMicros};

use super::asset::Role;

/// The longest consent that is accepted: ten years.
pub const MAX_CONSENT_SECONDS: i64 = 10 * 366 * 86_400;

/// How a person said it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Signed on paper.
    Paper,
    /// Signed or ticked on a screen at the counter.
    Screen,
    /// By a form on the web, behind a sign-in or a receipt code.
    Web,
    /// In an application of the firm.
    App,
    /// By e-mail or text message.
    Message,
    /// Spoken, on the telephone or at the counter, and written down.
    Spoken,
    /// At the vehicle or the station.
    Station,
}

/// SHA-256 of the text that a person was shown, as 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TextHash(pub [u8; 32]);

impl FromStr for TextHash {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| IdError::Hex { digits: 64 })?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for TextHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl TryFrom<String> for TextHash {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<TextHash> for String {
    fn from(hash: TextHash) -> Self {
        hash.to_string()
    }
}

/// `notice-served`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoticeServed {
    /// Which notice, with its version: as the bundle names it.
    pub notice: Text,
    /// SHA-256 of the text that was served.
    pub text_hash: TextHash,
    /// In which language (BCP 47, small letters).
    pub language: Slug,
    /// How.
    pub method: Method,
    /// To one person; none: published to everybody concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<SubjectId>,
    /// Where the proof lies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Text>,
}

/// `consent-given`: controller × purpose × categories × recipient × role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consent {
    /// Who.
    pub subject: SubjectId,
    /// In which role towards the vehicle.
    pub role: Role,
    /// Why: the purpose of the bundle.
    pub purpose: Slug,
    /// Which data; at least one category.
    pub categories: BTreeSet<Category>,
    /// For whom.
    pub recipient: Slug,
    /// How it is handled, as the form says.
    pub processing: Text,
    /// Which form of the bundle.
    pub form: Slug,
    /// SHA-256 of the form's text as shown.
    pub text_hash: TextHash,
    /// In which language (BCP 47, small letters).
    pub language: Slug,
    /// How it was said.
    pub method: Method,
    /// Who wrote it down: a staff pseudonym.
    pub recorded_by: Slug,
    /// Where the signed form or the recording lies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Text>,
    /// What the person got, to withdraw by.
    pub receipt: ReceiptCode,
    /// Until when: the first moment at which it is no longer valid.
    pub valid_until: UtcMicros,
}

/// `consent-renewed`: a whole new consent, which names the one it follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Renewal {
    /// The entry of the consent that is renewed.
    pub renews: EntryHash,
    /// What holds from now on.
    pub consent: Consent,
}

/// `consent-withdrawn`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Withdrawal {
    /// What is withdrawn. It covers all that was given up to `occurred_at`.
    pub scope: WithdrawalScope,
    /// How it was said.
    pub method: Method,
    /// Who wrote it down; none if the person did so without staff.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded_by: Option<Slug>,
}

/// What a withdrawal covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum WithdrawalScope {
    /// What the consent of this receipt covers, renewals of it included.
    Receipt(ReceiptCode),
    /// Consents of one person; what is left out stands for all.
    Subject {
        /// Who.
        subject: SubjectId,
        /// Only for this purpose.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        purpose: Option<Slug>,
        /// Only towards this recipient.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        recipient: Option<Slug>,
        /// Only these categories.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        categories: BTreeSet<Category>,
    },
    /// Every consent of everybody as far as it concerns this asset: all that a
    /// station can say, since it knows no persons.
    Asset(AssetId),
}
