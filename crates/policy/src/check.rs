//! Composite rules: what the flows of one recipient must not say together
//! (invariant 15). The recipient of a flow is also the reader of its topics.

use crate::{Bundle, BundleError, Flow, Minimiser};
use vernport_types::{Catalogue, Category};

/// From this H3 resolution on a cell is a precise place: about 500 m (EDPB Guidelines 01/2020, 64 and 65).
const PRECISE_CELL: u8 = 8;
/// Below this step, in metres, an odometer says how far a vehicle went within one cell: 10 km.
const EXACT_ODOMETER_STEP: u32 = 10_000;

/// One release that a recipient gets, as far as the rules are about it.
struct Gets<'a> {
    recipient: &'a str,
    flow: &'a Flow,
    category: Category,
    minimiser: Minimiser,
}

/// Speed with a precise place never; a place with an exact odometer never.
pub(crate) fn composites(bundle: &Bundle, flows: &[Flow], catalogue: &Catalogue) -> Result<(), BundleError> {
    let gets: Vec<Gets<'_>> = flows
        .iter()
        .flat_map(|flow| {
            flow.signals.iter().map(|(signal, minimiser)| Gets {
                recipient: flow.recipient.as_str(),
                flow,
                category: catalogue.signal(*signal).category,
                minimiser: *minimiser,
            })
        })
        .filter(|gets| !matches!(gets.minimiser, Minimiser::Drop | Minimiser::Presence))
        .collect();
    for place in gets.iter().filter(|gets| gets.category == Category::Location) {
        for other in gets.iter().filter(|other| other.recipient == place.recipient) {
            let what = match other.category {
                Category::DrivingBehaviour if is_precise(place.minimiser) => "speed with a precise place",
                Category::Odometer if is_exact(other.minimiser) => "a place with an exact odometer",
                _ => continue,
            };
            let span = bundle.raw.flow[place.flow.index.place()].id.span();
            return Err(bundle.fault(
                &span,
                format!(
                    "recipient `{}` gets {what}, by the flows `{}` and `{}`",
                    place.recipient, place.flow.slug, other.flow.slug
                ),
                "coarsen one of them (cell-7 or coarser; round-10000 or coarser), or take it out",
            ));
        }
    }
    Ok(())
}

fn is_precise(place: Minimiser) -> bool {
    match place {
        Minimiser::Cell(resolution) => resolution >= PRECISE_CELL,
        _ => true,
    }
}

fn is_exact(odometer: Minimiser) -> bool {
    match odometer {
        Minimiser::Round(step) | Minimiser::Bucket(step) => step < EXACT_ODOMETER_STEP,
        _ => true,
    }
}
