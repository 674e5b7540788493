//! What an entry changed, in words for the person at the counter: which flows
//! stopped, where and when, and what goes on under which basis.

use crate::show;
use vernport_api::LedgerEffect;

/// What the answer of central means for the person.
pub(crate) fn told(effect: &LedgerEffect) -> String {
    if effect.stopped.is_empty() {
        return "nothing rested on it at this moment, and from now on nothing can\n".into();
    }
    let mut rows = Vec::new();
    for stopped in &effect.stopped {
        let why = stopped.reason.to_string();
        for gateway in &stopped.gateways {
            let when = match (gateway.took_effect_at, gateway.at_the_latest) {
                (Some(at), _) => format!("stopped at {}", show::time(at)),
                (None, Some(at)) => format!("stops at {} at the latest", show::time(at)),
                (None, None) => "stops as soon as it hears of it".into(),
            };
            rows.push([stopped.flow.to_string(), why.clone(), gateway.gateway.to_string(), when]);
        }
        if stopped.gateways.is_empty() {
            rows.push([stopped.flow.to_string(), why, "-".into(), "nothing is read for it".into()]);
        }
    }
    let mut said = show::table(&["stopped", "why", "gateway", "when"], rows);
    for on in &effect.goes_on {
        said += &format!("goes on: {} for {}, basis {}\n", on.flow, on.purpose, on.basis);
    }
    said
}
