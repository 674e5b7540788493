//! May what was read then be sent now: invariant 2 and note 0004.

use super::ledger::voided;
use super::open::{agreements, consents, held};
use super::rights::{erasures, objected, restricted};
use super::{Basis, Fault, Known, Micros, Name, Opening};

/// Invariant 2: a batch is judged by its own opening. An order that ended, a role that
/// changed hands or a private trip does not stop it. What was withdrawn, expired,
/// voided, objected to or erased does for good; but what is restricted waits first,
/// and nothing drops it. A consent that ended in between and was given again is not for it.
pub(crate) fn may_be_sent(known: &Known<'_>, opening: &Opening, now: Micros) -> Result<(), Name> {
    let flow = known.flow(opening.flow);
    if let Err(reason) = restricted(known, flow, opening.asset, &opening.people, now) {
        let destroy = known.fault == Some(Fault::RestrictionDestroys);
        return Err(if destroy { "erased" } else { reason });
    }
    if opening.rests_on.iter().any(|entry| voided(known, *entry).is_some()) {
        return Err("entry-voided");
    }
    let erased = erasures(known, flow, opening.asset, &opening.people, now);
    if erased.iter().any(|erasure| !opening.erasures.contains(erasure)) {
        return Err("erased");
    }
    objected(known, flow, &opening.people, now)?;
    if known.purpose(flow.purpose).basis == Basis::Consent {
        for (role, person) in &opening.people {
            if flow.roles.contains(role) {
                consents(known, flow, opening.asset, *role, *person, now)?;
                held(known, flow, (opening.asset, *role, *person), (opening.at, now))?;
            }
        }
    }
    agreements(known, flow, now).map(|_| ())
}

/// Why an opening that no grant holds any more is over: what stops its batches, else
/// something that lets them go on.
pub(crate) fn why_over(known: &Known<'_>, opening: &Opening, now: Micros) -> Result<(), Name> {
    may_be_sent(known, opening, now)
}
