//! Refusals: problem documents (RFC 9457) with a stable code.
//!
//! A document says what was wrong, where and how to mend it. It never repeats
//! a value, identifier or key that the caller sent.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The media type of a problem document (RFC 9457, section 6.1).
pub const PROBLEM_JSON: &str = "application/problem+json";

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $status:literal, $code:literal, $title:literal;)*) => {
        /// What was wrong: a closed list, frozen. New codes are added at the end.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Code {
            $($(#[$doc])* $name,)*
        }

        impl Code {
            /// All codes.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The code, as written everywhere.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The HTTP status that goes with it.
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            /// The title that goes with it.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

codes! {
    /// The body is not what the path takes.
    BadRequest = 400, "bad-request", "the body is not what this path takes";
    /// The body is longer than the path takes.
    BodyTooLarge = 413, "body-too-large", "the body is longer than this path takes";
    /// Nothing is at this path.
    NotFound = 404, "not-found", "nothing is at this path";
    /// The path takes another method.
    MethodNotAllowed = 405, "method-not-allowed", "this path takes another method";
    /// The client certificate has no role that may do this.
    RoleNotAllowed = 403, "role-not-allowed", "the role in the client certificate may not do this";
    /// The request is about another controller than the client certificate.
    OtherController = 403, "other-controller", "the client certificate belongs to another controller";
    /// The gateway in the request or envelope is not the one of the client certificate, or not enrolled.
    OtherGateway = 403, "other-gateway", "the gateway is not the one of the client certificate";
    /// An envelope cannot be read.
    EnvelopeMalformed = 422, "envelope-malformed", "an envelope cannot be read";
    /// The signature of an envelope does not verify.
    EnvelopeForged = 422, "envelope-forged", "the signature of an envelope does not verify";
    /// An envelope names another flow or epoch than its grant.
    EnvelopeNotOfGrant = 422, "envelope-not-of-grant", "an envelope does not belong to its grant";
    /// The id of a batch was used before, for other bytes.
    BatchIdReused = 409, "batch-id-reused", "the id of a batch was used before for other bytes";
    /// The facts do not allow this entry.
    EntryRefused = 422, "entry-refused", "an entry cannot be recorded";
    /// The external reference of an entry was used before, for another entry.
    ExternalRefReused = 409, "external-ref-reused", "the external reference was used before for another entry";
    /// No active key of this recipient has this id.
    RecipientKeyUnknown = 403, "recipient-key-unknown", "the recipient has no active key with this id";
    /// Too many requests of this client, or too many connections.
    Busy = 503, "busy", "central is busy, ask again later";
    /// Something failed at central.
    Internal = 500, "internal", "something failed at central";
    /// A link of a segment is not signed by its gateway, or says what no station may say.
    LinkForged = 422, "link-forged", "a link is not one that this gateway may have signed";
    /// A link does not follow the last one that central has.
    LinkGap = 409, "link-gap", "a link does not follow the last one of its chain";
    /// The place of a link was taken before, by another link.
    LinkReplaced = 409, "link-replaced", "the place of a link was taken before by another one";
    /// No agreement lets this processor act for the controller that it names, if there is such a one.
    NoAgreement = 403, "no-agreement", "no agreement with this processor is in force";
    /// The agreement of this processor does not cover what it asks.
    OutOfScope = 403, "out-of-scope", "the agreement with this processor does not cover this";
    /// An Idempotency-Key was used before, for another request.
    IdempotencyKeyReused = 422, "idempotency-key-reused", "the key was used before for another request";
    /// The first request with this Idempotency-Key is still being worked on.
    IdempotencyKeyInUse = 409, "idempotency-key-in-use", "a request with this key is still being worked on";
    /// A cursor is of another state of this registry: it was restored or rolled back.
    CursorOutdated = 410, "cursor-outdated", "the cursor is of another state of this registry";
    /// Token, name, keys and proof are not those of an invitation that is open. Which of them is not said.
    EnrolmentRefused = 403, "enrolment-refused", "this is no open invitation of this gateway";
    /// A certificate request cannot be used: not PKCS #10, not signed by its own key, another kind of key, or asks to
    /// be an authority.
    CertificateRequestRefused = 422, "certificate-request-refused", "a certificate request cannot be used";
    /// The client certificate is not in force any more, or the gateway was revoked.
    CertificateRevoked = 403, "certificate-revoked", "the client certificate is not in force any more";
    /// The enrolment of the gateway ended: it hears nothing and its certificate is not renewed.
    EnrolmentEnded = 403, "enrolment-ended", "the enrolment of this gateway ended";
    /// A gateway of this name is enrolled, and the invitation is not to replace it.
    AlreadyEnrolled = 409, "already-enrolled", "a gateway of this name is enrolled";
    /// So many invitations are open that no further one is made.
    TooManyInvitations = 409, "too-many-invitations", "too many invitations are open";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A problem document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// A name for the kind of problem: `urn:vernport:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the kind means.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What was wrong this time, and how to mend it.
    pub detail: String,
    /// The code.
    pub code: Code,
    /// Which item or entry of the request, from 0, where one is to blame. Nothing of the request took effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<usize>,
}

impl Problem {
    /// A problem of this kind.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:vernport:problem:{code}"),
            title: code.title().into(),
            status: code.status(),
            detail: detail.into(),
            code,
            item: None,
        }
    }

    /// The same, with one item or entry of the request to blame.
    #[must_use]
    pub fn at_item(mut self, item: usize) -> Self {
        self.item = Some(item);
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)?;
        if let Some(item) = self.item { write!(f, " (item {item})") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_what_serde_writes_and_has_an_error_status() {
        for code in Code::ALL {
            assert_eq!(serde_json::to_value(code).expect("encodes"), code.code());
            assert!((400..600).contains(&code.status()), "{code}");
        }
    }
}
