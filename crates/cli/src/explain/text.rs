//! Explanations on a terminal: one block for each signal and flow; for a
//! recipient one word.

use crate::show;
use vernport_api::explain::{
    Explained, ExplainedEntry, ExplainedRelease, Explanation, RecipientAnswer, RecipientExplanation,
};
use vernport_types::{Audience, Identification};

/// How much of an entry's hash is shown: enough to find it.
const HASH_DIGITS: usize = 12;

/// Everything, for those who run it.
pub(super) fn for_operator(explanation: &Explanation) -> String {
    let Explanation { bundle, at, station, by, from, answers, .. } = explanation;
    let by = match by {
        Identification::Pinned => "the gateway is mounted in it",
        Identification::Tool => "a workshop tool named it",
        Identification::Asserted => "a technician said which it is",
        Identification::BusVin => "it said its VIN on the bus",
    };
    let mut text = format!("{bundle} at {}, station {station}; read from {from}, {by}\n", show::time(*at));
    for answer in answers {
        block(&mut text, answer);
    }
    text
}

fn block(text: &mut String, answer: &Explained) {
    let flow = answer.flow.as_ref().map_or("no flow", |flow| flow.as_str());
    let mut lines = Vec::new();
    match (&answer.released, answer.withheld) {
        (Some(release), _) => lines.extend(released(release, &answer.unit)),
        (None, Some(reason)) => lines.push(("outcome", format!("withheld, {reason}: {}", reason.remedy()))),
        (None, None) => {}
    }
    lines.push(("rule", answer.rule.as_deref().unwrap_or("none: denied by default").to_owned()));
    if !answer.clauses.is_empty() {
        lines.push(("clause", answer.clauses.join(" ")));
    }
    let behind = if answer.released.is_some() { "rests on" } else { "because" };
    lines.extend(answer.entries.iter().map(|known| (behind, entry(known))));
    *text += &format!("\n{}, {flow}\n", answer.signal);
    for (name, said) in lines {
        *text += &format!("  {name:<9} {said}\n");
    }
}

fn released(release: &ExplainedRelease, unit: &str) -> Vec<(&'static str, String)> {
    let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
    let lease = match release.lease_seconds {
        Some(seconds) => format!(", {seconds} s at most after central was heard"),
        None => String::new(),
    };
    vec![
        ("outcome", format!("released, {}", release.minimiser)),
        ("example", format!("{}{unit} becomes {}{unit}", release.before, release.after)),
        ("believed", format!("until {}, then {}{lease}", show::time(release.believe_until), release.ends_as)),
        (
            "kept",
            format!(
                "{} after {} (rule {}), until {} at the latest",
                release.period,
                release.start,
                release.retention,
                show::time(release.latest_due)
            ),
        ),
    ]
}

fn entry(known: &ExplainedEntry) -> String {
    let hash = known.entry.to_string();
    let hash = hash.get(..HASH_DIGITS).unwrap_or(&hash);
    match (&known.kind, known.recorded_at) {
        (Some(kind), Some(at)) => format!("{hash} {kind}, recorded {}", show::time(at)),
        _ => hash.to_owned(),
    }
}

/// One word for each signal and flow.
pub(super) fn for_recipient(told: &RecipientExplanation) -> String {
    let word = |status| match status {
        Audience::Open => "open",
        Audience::Paused => "paused",
        Audience::Closed => "closed",
        Audience::DeleteBy => "delete-by",
    };
    let row = |answer: &RecipientAnswer| {
        let flow = answer.flow.as_ref().map_or("-", |flow| flow.as_str());
        [answer.signal.to_string(), flow.to_owned(), word(answer.status).to_owned()]
    };
    show::table(&["signal", "flow", "status"], told.answers.iter().map(row))
}
