//! The closed list of reasons: why a reading did not pass, or a batch did not go on.
//!
//! One list for code, docs, metrics and `explain`. Numbers and codes are frozen
//! (decision note 0008): new reasons are added at the end, none is reused.
//! Recipients never see a reason, only its [`Audience`] word.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $code:literal, $fate:ident, $audience:ident, $remedy:literal;)*) => {
        /// Why something was withheld, parked or destroyed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        #[repr(u8)]
        pub enum Reason {
            $($(#[$doc])* $name = $number,)*
        }

        impl Reason {
            /// All reasons, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The code, as written everywhere.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// What the reason does to a batch that is sealed and not yet sent (invariant 2).
            pub const fn fate(self) -> Fate {
                match self { $(Self::$name => Fate::$fate,)* }
            }

            /// The word a recipient may see.
            pub const fn audience(self) -> Audience {
                match self { $(Self::$name => Audience::$audience,)* }
            }

            /// What an operator can do about it.
            pub const fn remedy(self) -> &'static str {
                match self { $(Self::$name => $remedy,)* }
            }
        }
    };
}

/// What happens to a sealed batch whose flow closed for a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// It was lawful when read and still is: it goes on.
    Send,
    /// It waits, sealed.
    Park,
    /// It is destroyed, and a note is left.
    Destroy,
}

/// All that a recipient learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Audience {
    /// Data flows.
    Open,
    /// Data may flow again.
    Paused,
    /// No data flows.
    Closed,
    /// What was received has to be deleted.
    DeleteBy,
}

reasons! {
    /// The controller has no active bundle here.
    NoBundle = 0, "no-bundle", Park, Closed, "sign and activate a bundle for this controller";
    /// The signal is not in the catalogue.
    UnknownSignal = 1, "unknown-signal", Destroy, Closed, "add the signal to the catalogue, if it should be read at all";
    /// The notice was not served yet.
    NoticeNotServed = 2, "notice-not-served", Destroy, Closed, "serve the notice and record it: a notice binds from its served-when";
    /// The served notice does not list the category of this signal.
    CategoryNotInNotice = 3, "category-not-in-notice", Destroy, Closed, "the notice has to list the category before such data is read";
    /// The notice lists the category, but no flow names this signal.
    NoPurpose = 4, "no-purpose", Destroy, Closed, "name a purpose, a recipient and a precision in a flow of the bundle";
    /// The vehicle was not recognised.
    Unidentified = 5, "unidentified", Destroy, Closed, "open an order for the vehicle, or let it tell its VIN";
    /// It was recognised in a weaker way than the flow accepts.
    IdentificationTooWeak = 6, "identification-too-weak", Destroy, Closed, "let the vehicle tell its VIN on the bus";
    /// No work order is open for the vehicle.
    OrderNotOpen = 7, "order-not-open", Send, Closed, "open a work order for the vehicle at this station";
    /// No one gave this consent.
    ConsentMissing = 8, "consent-missing", Destroy, Closed, "ask for consent; the service must not depend on it";
    /// Consent was given and withdrawn.
    ConsentWithdrawn = 9, "consent-withdrawn", Destroy, Closed, "nothing to mend: the person has decided";
    /// Consent has run out.
    ConsentExpired = 10, "consent-expired", Destroy, Closed, "ask again if it is still wanted";
    /// The flow needs a person in a role that nobody holds.
    RoleMissing = 11, "role-missing", Destroy, Closed, "link the person in that role to the vehicle";
    /// An objection was upheld, or it was against marketing.
    ObjectionUpheld = 12, "objection-upheld", Destroy, Closed, "nothing to mend: the person has decided";
    /// An objection is being weighed.
    ObjectionPending = 13, "objection-pending", Park, Paused, "weigh the objection and record the outcome";
    /// Processing is restricted (GDPR Art. 18).
    Restricted = 14, "restricted", Park, Paused, "announce and then lift the restriction when its ground is gone";
    /// The driver is on a private trip.
    PrivateMode = 15, "private-mode", Send, Paused, "nothing to mend: the driver switched to private";
    /// No agreement with the recipient is in force.
    AgreementMissing = 16, "agreement-missing", Park, Closed, "enter the agreement with its validity in the bundle";
    /// The recipient is outside of the allowed region and no transfer tool is in force.
    TransferNotAllowed = 17, "transfer-not-allowed", Park, Closed, "enter the transfer tool with its validity in the bundle";
    /// The recipient has no active key.
    RecipientKeyMissing = 18, "recipient-key-missing", Park, Closed, "activate a key of the recipient for this purpose";
    /// There is no grant for this vehicle and flow.
    NoGrant = 19, "no-grant", Destroy, Closed, "open an order, link the vehicle, or record what the flow rests on";
    /// The grant may no longer be believed without a fresh head.
    GrantStale = 20, "grant-stale", Park, Paused, "restore the connection to central";
    /// The clock cannot be trusted.
    ClockUntrusted = 21, "clock-untrusted", Park, Paused, "let the clock be set, or connect to central once";
    /// The rule drops the value on purpose.
    DroppedByRule = 22, "dropped-by-rule", Destroy, Open, "nothing to mend: the rule says so";
    /// The flow takes fewer samples than there are readings.
    SampledOut = 23, "sampled-out", Destroy, Open, "nothing to mend: the rule says how often";
    /// Flows of one recipient would together say too much.
    CompositeRule = 24, "composite-rule", Destroy, Closed, "take one of the signals out, or coarsen it";
    /// The entry that the flow rested on was a mistake.
    EntryVoided = 25, "entry-voided", Destroy, Closed, "nothing to mend: the entry never had a basis";
    /// The reading belonged to another vehicle.
    WrongAsset = 26, "wrong-asset", Destroy, Closed, "nothing to mend: it must not be kept";
    /// The data was erased.
    Erased = 27, "erased", Destroy, DeleteBy, "nothing to mend: it was erased";
    /// The time it had to be deleted by is over.
    Overdue = 28, "overdue", Destroy, DeleteBy, "nothing to mend: its time was over";
    /// The queue is full.
    QueueFull = 29, "queue-full", Park, Paused, "restore the connection, or give the spool more room";
    /// Evidence could not be written.
    NoEvidence = 30, "no-evidence", Park, Paused, "make room on the disk";
    /// The enrolment of this gateway ended.
    EnrolmentEnded = 31, "enrolment-ended", Send, Closed, "enrol the gateway again";
    /// A rule could not be evaluated.
    RuleBroken = 32, "rule-broken", Park, Closed, "run `vernport bundle check`";
    /// Nobody approved that this is disclosed to an authority.
    DisclosureNotOpen = 33, "disclosure-not-open", Send, Closed, "record the disclosure with its reference and two approvers";
    /// The person has no account, and the flow is for those who have one.
    AccountNotOpen = 34, "account-not-open", Send, Closed, "nothing to mend: the person has no account";
    /// The notice does not list where the reading came from.
    SourceNotInNotice = 35, "source-not-in-notice", Destroy, Closed, "the notice has to say that data is taken from there";
    /// The recipient gets nothing for a while: it did not confirm in time what it had to delete, for instance.
    RecipientPaused = 36, "recipient-paused", Park, Paused, "let the recipient confirm what it had to delete, or lift the pause";
}

impl Reason {
    /// Reads a code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.code() == code)
    }

    /// The number, as stored.
    pub const fn number(self) -> u8 {
        self as u8
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_own_number_and_its_code_is_what_serde_writes() {
        for (place, reason) in Reason::ALL.iter().enumerate() {
            assert_eq!(usize::from(reason.number()), place);
            assert_eq!(Reason::from_code(reason.code()), Some(*reason));
            assert_eq!(serde_json::to_value(reason).expect("encodes"), reason.code());
        }
    }
}
