//! What people are asked, told and may ask.

use crate::{Period, words::words};
use std::collections::BTreeMap;
use vernport_types::{Category, Slug};

words! {
    /// What a message to a person is.
    pub enum MessageClass {
        /// Needed for an order, an account or a service: goes on whatever was objected to.
        Administrative = "administrative",
        /// An offer.
        Marketing = "marketing",
    }
}

words! {
    /// What a person may ask for (GDPR Art. 7(3) and 15 to 21).
    pub enum Right {
        /// To see what is held (Art. 15).
        Access = "access",
        /// To get it in a form for machines (Art. 20).
        Portability = "portability",
        /// To have it corrected (Art. 16).
        Rectification = "rectification",
        /// To have it erased (Art. 17).
        Erasure = "erasure",
        /// To have its use suspended (Art. 18).
        Restriction = "restriction",
        /// To object (Art. 21).
        Objection = "objection",
        /// To withdraw a consent (Art. 7(3)).
        Withdrawal = "withdrawal",
    }
}

words! {
    /// How sure the controller has to be of who asks.
    pub enum Proof {
        /// The person is known to whoever takes the request.
        Known = "known",
        /// An official document was seen.
        Official = "official",
    }
}

/// A form that a person consents with. Path `form.<slug>`.
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
    /// The clauses that it follows.
    pub clauses: Vec<String>,
    /// Whether no notice states it.
    pub assumed: bool,
}

/// A class of messages that the controller may send to people. Path `message.<slug>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its name.
    pub slug: Slug,
    /// What it is.
    pub class: MessageClass,
    /// The purpose of the bundle.
    pub purpose: Slug,
    /// Which data it uses.
    pub categories: Vec<Category>,
    /// Whether an existing customer gets it about similar goods, without a consent.
    pub similar_goods: bool,
    /// Whether each message says how to get no more of them.
    pub opt_out: bool,
    /// The form of the consent that it rests on.
    pub form: Option<Slug>,
    /// The clauses that it follows.
    pub clauses: Vec<String>,
    /// Whether no notice states it.
    pub assumed: bool,
}

/// How a right is served. Path `right.<right>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RightRule {
    /// Which right.
    pub right: Right,
    /// By when an answer is due.
    pub deadline: Period,
    /// How sure the controller has to be of who asks.
    pub identity: Proof,
    /// The clauses that it follows; none where the bundle is silent.
    pub clauses: Vec<String>,
    /// Whether no notice states it.
    pub assumed: bool,
}

impl RightRule {
    /// What holds where the bundle is silent: a month (GDPR Art. 12(3)), from a person who is known.
    pub fn silent(right: Right) -> Self {
        let deadline = Period::MONTH.parse().expect("a period");
        Self { right, deadline, identity: Proof::Known, clauses: Vec::new(), assumed: false }
    }
}
