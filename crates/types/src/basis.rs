//! Legal bases of GDPR Article 6(1), by their DPV 2.3 names.

use serde::{Deserialize, Serialize};
use std::fmt;

/// On what ground a flow may run. Written `A6-1-a` to `A6-1-f`
/// (DPV 2.3, `eu-gdpr` extension).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum LegalBasis {
    /// Consent of the data subject.
    #[serde(rename = "A6-1-a")]
    Consent,
    /// Performance of a contract.
    #[serde(rename = "A6-1-b")]
    Contract,
    /// A legal obligation of the controller.
    #[serde(rename = "A6-1-c")]
    LegalObligation,
    /// Vital interests.
    #[serde(rename = "A6-1-d")]
    VitalInterest,
    /// A public task.
    #[serde(rename = "A6-1-e")]
    PublicTask,
    /// Legitimate interests.
    #[serde(rename = "A6-1-f")]
    LegitimateInterest,
}

impl LegalBasis {
    /// The short name: `A6-1-a` to `A6-1-f`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Consent => "A6-1-a",
            Self::Contract => "A6-1-b",
            Self::LegalObligation => "A6-1-c",
            Self::VitalInterest => "A6-1-d",
            Self::PublicTask => "A6-1-e",
            Self::LegitimateInterest => "A6-1-f",
        }
    }
}

impl fmt::Display for LegalBasis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "eu-gdpr:{}", self.code())
    }
}
