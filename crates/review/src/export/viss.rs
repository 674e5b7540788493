//! The purpose list of COVESA VISS 3.0 (Core, section "Purpose List"): for each purpose its
//! names, the contexts of clients that may ask for it, and the signals that they may read.
//!
//! A server that follows it hands out values as they are: the list cannot say "rounded". So a
//! signal is listed only where a flow of the purpose passes it on exactly; the others are named
//! beside, for whoever exports. What a client may read, it may read with consent only if the list
//! says so, which VISS does in the tree (`+consent`), not here: consent flows are left out too.

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use vernport_policy::{Flow, Minimiser, RecipientRole, Rules};
use vernport_types::{Catalogue, LegalBasis};

/// A purpose list, and what could not be said in it.
#[derive(Debug, Clone, PartialEq)]
pub struct PurposeList {
    /// The list, as VISS 3.0 writes it.
    pub list: Value,
    /// The signals of flows that a purpose list cannot bound as the bundle does: flow, path, why.
    pub left_out: Vec<String>,
}

/// The purposes of a bundle as a VISS server takes them.
pub fn purpose_list(rules: &Rules, catalogue: &Catalogue) -> PurposeList {
    let mut left_out = Vec::new();
    let mut purposes = Vec::new();
    for purpose in rules.purposes() {
        // One entry for each role of clients, so that no client gets the signals of another's flow.
        let mut by_user: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for flow in rules.flows().iter().filter(|flow| flow.purpose == purpose.slug) {
            let listed = by_user.entry(user(rules, flow)).or_default();
            for (id, minimiser) in &flow.signals {
                let path = &*catalogue.signal(*id).path;
                match why_not(flow, *minimiser) {
                    None => {
                        listed.insert(path);
                    }
                    Some(why) => left_out.push(format!("flow.{}.signals.{path}: {why}", flow.slug)),
                }
            }
        }
        for (user, paths) in by_user.into_iter().filter(|(_, paths)| !paths.is_empty()) {
            let read = |path| json!({ "path": path, "access_permission": "read-only" });
            let signals: Vec<Value> = paths.into_iter().map(read).collect();
            purposes.push(json!({
                "short": format!("{}-{}", purpose.slug, user.to_lowercase()),
                "long": purpose.necessity,
                "contexts": [{ "user": user, "app": "Third party", "device": "Cloud" }],
                "signal_access": signals,
            }));
        }
    }
    PurposeList { list: json!({ "purposes": purposes }), left_out }
}

/// Why a purpose list cannot bound a signal as its flow does.
fn why_not(flow: &Flow, minimiser: Minimiser) -> Option<String> {
    if minimiser == Minimiser::Drop {
        return Some("withheld".into());
    }
    if minimiser != Minimiser::Exact {
        return Some(format!("passed on as {minimiser} only"));
    }
    (flow.basis == LegalBasis::Consent).then(|| "rests on consent, which the tree has to ask for".into())
}

/// The role of the user in a client's context (VISS 3.0 Core, section "Client Context"). Nobody who
/// receives from a gateway is the vehicle's maker or its dealer.
fn user(rules: &Rules, flow: &Flow) -> &'static str {
    match rules.recipient(&flow.recipient).map(|recipient| recipient.role) {
        Some(RecipientRole::Customer) => "Owner",
        _ => "Independent",
    }
}
