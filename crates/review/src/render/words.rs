//! The closed lists of the bundle in plain English.

use vernport_policy::{Minimiser, Payload, Right, Role};
use vernport_registry::{DisclosureGround, HoldGround};
use vernport_types::{Category, Identification, LegalBasis};

/// Text of a bundle in Markdown: on one line, and taken literally.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.split_whitespace().collect::<Vec<_>>().join(" ").chars() {
        if matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#') {
            plain.push('\\');
        }
        plain.push(c);
    }
    plain
}

/// `a, b and c`.
pub(super) fn all<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    match items.as_slice() {
        [] => "nothing".into(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

pub(super) fn clauses(clauses: &[String]) -> String {
    format!("({})", clauses.join(", "))
}

pub(super) const fn category(category: Category) -> &'static str {
    match category {
        Category::Odometer => "distance driven",
        Category::ComponentStatus => "state of components",
        Category::BodyFunction => "use of the body's functions",
        Category::Location => "place of the vehicle",
        Category::Identifier => "numbers that identify the vehicle",
        Category::ServiceHistory => "what was done to the vehicle",
        Category::DrivingBehaviour => "how it is driven",
        Category::DriverIdentity => "who drives",
        Category::Contact => "contact data",
        Category::Employment => "work data",
        Category::Credential => "login data",
        Category::Preference => "preferences",
        Category::Order => "orders and purchases",
        Category::Invoice => "invoices and payments",
        Category::Technical => "technical data of a person's device",
        Category::Usage => "use of sites and products",
        Category::IdentityDocument => "identity documents",
        Category::Enquiry => "questions asked",
    }
}

pub(super) const fn basis(basis: LegalBasis) -> &'static str {
    match basis {
        LegalBasis::Consent => "consent (GDPR Art. 6(1)(a))",
        LegalBasis::Contract => "a contract (GDPR Art. 6(1)(b))",
        LegalBasis::LegalObligation => "a legal duty (GDPR Art. 6(1)(c))",
        LegalBasis::VitalInterest => "vital interests (GDPR Art. 6(1)(d))",
        LegalBasis::PublicTask => "a public task (GDPR Art. 6(1)(e))",
        LegalBasis::LegitimateInterest => "legitimate interest, with a right to object (GDPR Art. 6(1)(f))",
    }
}

pub(super) const fn role(role: Role) -> &'static str {
    match role {
        Role::Owner => "owner",
        Role::Driver => "driver",
        Role::Deliverer => "who hands it in",
        Role::Orderer => "who orders the work",
    }
}

pub(super) const fn identification(identification: Identification) -> &'static str {
    match identification {
        Identification::Pinned => "the gateway that is mounted in it",
        Identification::Tool => "a workshop tool that names it",
        Identification::Asserted => "a technician's order at the station",
        Identification::BusVin => "the number that it says itself",
    }
}

pub(super) const fn hold(ground: HoldGround) -> &'static str {
    match ground {
        HoldGround::Statute => "a statute",
        HoldGround::Dispute => "a dispute or claim",
        HoldGround::Query => "a query of an authority or a person",
        HoldGround::Incident => "a security incident",
    }
}

pub(super) const fn disclosed(ground: DisclosureGround) -> &'static str {
    match ground {
        DisclosureGround::CourtOrder => "a court order",
        DisclosureGround::Terms => "a breach of the terms",
        DisclosureGround::Security => "a threat to security",
        DisclosureGround::Protection => "rights, property or safety to protect",
        DisclosureGround::LegalDuty => "a legal duty",
    }
}

pub(super) const fn right(right: Right) -> &'static str {
    match right {
        Right::Access => "to see what is held",
        Right::Portability => "to get it in a form for machines",
        Right::Rectification => "to have it corrected",
        Right::Erasure => "to have it erased",
        Right::Restriction => "to have its use suspended",
        Right::Objection => "to object",
        Right::Withdrawal => "to withdraw a consent",
    }
}

pub(super) fn start(start: &str) -> &str {
    match start {
        "reading" => "the reading",
        "order-closed" => "the work order is closed",
        "last-interaction" => "the last contact of the person and of the customer",
        "relationship-end" => "the customer relation ends",
        "warranty-end" => "warranty and complaints have ended",
        "vehicle-end-of-life" => "the vehicle is no more",
        "consent-end" => "the consent ends",
        "account-closed" => "the account is closed",
        other => other,
    }
}

pub(super) fn delivered(store: bool, topic: Option<Payload>) -> String {
    let topic = match topic {
        None => None,
        Some(Payload::Sealed) => Some("to the recipient's topics, sealed"),
        Some(Payload::Plain) => Some("to the recipient's topics, readable there"),
    };
    let store = store.then_some("sealed into the store");
    all(store.into_iter().chain(topic))
}

/// A whole number of seconds in the largest unit that fits.
pub(super) fn seconds(micros: i64) -> String {
    let seconds = micros / 1_000_000;
    for (unit, length) in [("day", 86_400), ("hour", 3_600), ("minute", 60)] {
        if seconds >= length && seconds % length == 0 {
            return counted(seconds / length, unit);
        }
    }
    counted(seconds, "second")
}

fn counted(n: i64, unit: &str) -> String {
    if n == 1 { format!("one {unit}") } else { format!("{n} {unit}s") }
}

/// A period of ISO 8601 in words: `P1Y6M` is "one year and 6 months".
pub(super) fn period(iso: &str) -> String {
    let mut parts = Vec::new();
    let mut number = 0_i64;
    let mut of_clock = false;
    for c in iso.chars() {
        match c {
            'T' => of_clock = true,
            '0'..='9' => number = number.saturating_mul(10).saturating_add(i64::from(c as u8 - b'0')),
            unit => {
                let unit = match (unit, of_clock) {
                    ('Y', _) => "year",
                    ('M', false) => "month",
                    ('W', _) => "week",
                    ('D', _) => "day",
                    ('H', _) => "hour",
                    ('M', true) => "minute",
                    ('S', _) => "second",
                    _ => continue,
                };
                parts.push(counted(number, unit));
                number = 0;
            }
        }
    }
    all(parts)
}

/// What a minimiser leaves, in words.
pub(super) fn minimised(minimiser: Minimiser, unit: &str) -> String {
    let of = |n: u32| if unit.is_empty() { grouped(n) } else { format!("{} {unit}", grouped(n)) };
    match minimiser {
        Minimiser::Exact => "the value as it is".into(),
        Minimiser::Round(step) => format!("the value to the nearest {}", of(step)),
        Minimiser::Bucket(width) => format!("in which range of {} the value lies", of(width)),
        Minimiser::Cell(resolution) => {
            format!("the H3 cell of resolution {resolution}, about {} km² large", area_km2(resolution))
        }
        Minimiser::Presence => "that there is a value".into(),
        Minimiser::Drop => "nothing: it is withheld".into(),
    }
}

/// `1 000 000`.
fn grouped(n: u32) -> String {
    let digits = n.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped
}

/// The average area of an H3 cell (H3 4, table of cell areas), to two or three digits.
const fn area_km2(resolution: u8) -> &'static str {
    match resolution {
        0 => "4 360 000",
        1 => "610 000",
        2 => "86 800",
        3 => "12 400",
        4 => "1 770",
        5 => "253",
        6 => "36",
        7 => "5.2",
        8 => "0.74",
        9 => "0.11",
        10 => "0.015",
        11 => "0.002",
        _ => "less than 0.001",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_and_steps_are_written_out() {
        assert_eq!(period("P1Y6M"), "one year and 6 months");
        assert_eq!(period("P2Y"), "2 years");
        assert_eq!(period("P1DT12H30M"), "one day, 12 hours and 30 minutes");
        assert_eq!(seconds(300_000_000), "5 minutes");
        assert_eq!(seconds(86_400_000_000), "one day");
        assert_eq!(seconds(90_000_000), "90 seconds");
    }

    #[test]
    fn a_minimiser_says_what_is_left() {
        assert_eq!(minimised(Minimiser::Round(1_000_000), "m"), "the value to the nearest 1 000 000 m");
        assert_eq!(minimised(Minimiser::Bucket(50), ""), "in which range of 50 the value lies");
        assert_eq!(
            minimised(Minimiser::Cell(6), "degrees"),
            "the H3 cell of resolution 6, about 36 km² large"
        );
    }

    #[test]
    fn text_of_a_bundle_cannot_shape_the_page() {
        assert_eq!(plain("a\n# b <i>*c*</i>"), "a \\# b \\<i\\>\\*c\\*\\</i\\>");
    }
}
