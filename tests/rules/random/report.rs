//! A difference as somebody reads it: what differs, the bundle, and the world file with what the
//! reference expects, as `vernport bundle test` reads it.

use super::case::{Case, Difference};
use super::written;
use crate::reference::{
    ASSETS, Answer, Asked, Clock, Head, Micros, Name, Opening, Quality, SECOND, Said, Value,
    written as written_time,
};
use std::fmt::Write;

/// All of it, with the seed that repeats it.
pub(super) fn whole(seed: u64, case: &Case, difference: &Difference) -> String {
    format!(
        "the two implementations differ (VERNPORT_SEED={seed})\n  reference: {}\n  real:      {}\n\n\
         # ---- bundle.toml\n{}\n# ---- world.toml\n{}",
        difference.reference,
        difference.real,
        written::bundle(&case.bundle),
        world(case, difference)
    )
}

/// The world file, with the question that is answered in two ways.
pub(super) fn world(case: &Case, difference: &Difference) -> String {
    let knows = if case.as_it_went { "what was recorded until then" } else { "all from the beginning" };
    let recipients: Vec<Name> = case.bundle.recipients.iter().map(|recipient| recipient.id).collect();
    let mut text = format!(
        "# At each moment central knows {knows}.\nclause = \"1\"\nsays = \"What the reference expects.\"\n\
         without_keys = {}\n{}",
        written::list(&recipients),
        written::world(&case.entries)
    );
    for step in &case.steps[..=difference.step] {
        let _ = writeln!(text, "# then: {step:?}");
    }
    text + "\n" + &difference.expect
}

/// The question about a batch, with the answer of the reference.
pub(super) fn batch(opening: &Opening, at: Micros, sent: &str) -> String {
    format!(
        "[[expect]]\ntime = {}\nbatch = {{ asset = \"{}\", flow = \"{}\", opened = {} }}\nsent = \"{sent}\"\n",
        written_time(at),
        ASSETS[opening.asset],
        opening.flow,
        written_time(opening.at),
    )
}

/// The question about a reading, with the answers of the reference.
pub(super) fn reading(asked: &Asked, now: Clock, head: Option<Head>, answers: &[Answer]) -> String {
    let mut text = match head {
        Some(head) => format!("# the last head came {} s before\n", (now.boot - head.boot) / SECOND),
        None => "# before the first head\n".to_owned(),
    };
    if now.quality == Quality::Unset {
        text += "# with a clock that is not set\n";
    }
    for answer in answers {
        let _ = write!(
            text,
            "[[expect]]\ntime = {}\nasset = \"{}\"\nsignal = \"{}\"\nvalue = {}\nby = \"{}\"\nfrom = \"{}\"\n",
            written_time(now.wall),
            ASSETS[asked.asset],
            asked.signal.unwrap_or("Vehicle.Unknown"),
            plain(&asked.value),
            written::identified(asked.by),
            written::origin(asked.from)
        );
        if let Some(head) = head {
            let _ = writeln!(text, "head = {}", written_time(head.told));
        }
        if let Some(flow) = answer.flow {
            let _ = writeln!(text, "flow = \"{flow}\"");
        }
        let _ = match &answer.said {
            Said::Withheld(reason) => writeln!(text, "withheld = \"{reason}\""),
            Said::Released { value, .. } => writeln!(text, "released = {}", plain(value)),
        };
    }
    text
}

/// A value as world files write it.
fn plain(value: &Value) -> String {
    match value {
        Value::Integer(n) => n.to_string(),
        Value::Number(x) => format!("{x:?}"),
        Value::Flag(flag) => flag.to_string(),
        Value::Label(text) => format!("\"{text}\""),
        Value::Position(north, east) => {
            format!("{{ lat = {:?}, lon = {:?} }}", f64::from(*north) / 1e7, f64::from(*east) / 1e7)
        }
        // SAE J2012: the first two bits are the system.
        Value::TroubleCode(code) => {
            let system = ["P", "C", "B", "U"][usize::from(code >> 14)];
            format!("\"{system}{:04X}\"", code & 0x3FFF)
        }
        Value::Nothing => "{ none = true }".into(),
        Value::Cell(cell) => format!("{{ h3 = \"{cell:015x}\" }}"),
        Value::Bucket(from, to) => format!("{{ from = {from}, to = {to} }}"),
        Value::Present => "\"present\"".into(),
    }
}
