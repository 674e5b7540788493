//! What the bundles of Westrum and Car Special say that no world can show, by clause: to whom and
//! why each flow goes, which data a form and a message name, where machines stand, what people
//! may ask. Asked of any rules, so that a bundle with one thing changed can be asked, too.

use vernport_policy::{
    ControllerRole, Elsewhere, MessageClass, Payload, Period, Proof, Right, Rules, SourceClass, StartEvent,
};
use vernport_types::{Category, LegalBasis};

/// One thing that a bundle says, the clause that it follows, and whether it still says so.
pub(crate) type Term = (&'static str, &'static str, bool);

/// Fails unless a shipped bundle keeps every term of a clause, and there is one.
pub(super) fn says(bundle: &str, clause: &str) {
    let rules = super::world::rules(bundle);
    let terms = if bundle == "westrum" { westrum(&rules) } else { car_special(&rules) };
    let of_clause: Vec<_> = terms.into_iter().filter(|(of, ..)| *of == clause).collect();
    assert!(!of_clause.is_empty(), "{clause} has terms");
    for (_, what, kept) in of_clause {
        assert!(kept, "{clause}: {what}");
    }
}

/// A flow: its purpose, its recipient, its basis, and whether it goes to the store only or in
/// the clear to its recipient's topic as well.
fn flow(
    rules: &Rules,
    slug: &str,
    purpose: &str,
    recipient: &str,
    basis: LegalBasis,
    plain_topic: bool,
) -> bool {
    let found = rules.flows().iter().find(|flow| flow.slug.as_str() == slug);
    found.is_some_and(|flow| {
        let topic = flow.deliver.topic.as_ref().map(|topic| topic.payload);
        (flow.purpose.as_str(), flow.recipient.as_str(), flow.basis) == (purpose, recipient, basis)
            && flow.deliver.store
            && topic == plain_topic.then_some(Payload::Plain)
    })
}

fn form(rules: &Rules, slug: &str, purpose: &str, recipient: &str, category: Category, valid: &str) -> bool {
    let found = rules.forms().iter().find(|form| form.slug.as_str() == slug);
    found.is_some_and(|form| {
        (form.purpose.as_str(), form.recipient.as_str()) == (purpose, recipient)
            && form.categories == [category]
            && form.valid == period(valid)
    })
}

fn message(rules: &Rules, slug: &str, class: MessageClass, purpose: &str, categories: &[Category]) -> bool {
    let found = rules.messages().iter().find(|message| message.slug.as_str() == slug);
    found.is_some_and(|message| {
        (message.class, message.purpose.as_str()) == (class, purpose)
            && message.categories == categories
            && !message.similar_goods
            && message.opt_out == (class == MessageClass::Marketing)
    })
}

/// A purpose: its basis, whether it is marketing, whether the contract needs it, its own list of data.
fn purpose(
    rules: &Rules,
    slug: &str,
    basis: LegalBasis,
    marketing: bool,
    required: bool,
    list: &[Category],
) -> bool {
    let found = rules.purposes().iter().find(|purpose| purpose.slug.as_str() == slug);
    found.is_some_and(|purpose| {
        (purpose.basis, purpose.marketing, purpose.required_for_contract) == (basis, marketing, required)
            && purpose.categories.clone().unwrap_or_default() == list
    })
}

fn right(rules: &Rules, right: Right, deadline: &str, identity: Proof) -> bool {
    let said = rules.right(right);
    said.deadline == period(deadline) && said.identity == identity
}

fn period(text: &str) -> Period {
    text.parse().expect("a period")
}

/// Westrum.
pub(crate) fn westrum(rules: &Rules) -> Vec<Term> {
    use Category::{
        BodyFunction, ComponentStatus, Contact, Enquiry, Identifier, Invoice, Odometer, Order, ServiceHistory,
    };
    use LegalBasis::{Consent, Contract, LegalObligation};
    let info = rules.controller_info();
    let listed = &rules.notices()[0].categories;
    let technical = [
        Odometer,
        ComponentStatus,
        BodyFunction,
        Identifier,
        ServiceHistory,
        Contact,
        Order,
        Invoice,
        Enquiry,
    ];
    let desk = "westrum-workshop";
    let hosted = rules.hosting().is_some_and(|h| h.regions == ["NO"] && h.processor.is_some());
    let identify = rules.identify_rule().is_some_and(|rule| rule.purpose.as_str() == "service-delivery");
    vec![
        (
            "WEST-1.1",
            "the controller decides with the other firm",
            info.role == ControllerRole::JointController,
        ),
        (
            "WEST-2.1",
            "sources",
            SourceClass::ALL.iter().all(|class| rules.notices()[0].sources.contains(*class)),
        ),
        ("WEST-2.4", "a VIN is compared for the work", identify),
        (
            "WEST-2.4",
            "contact and questions are listed",
            listed.contains(&Contact) && listed.contains(&Enquiry),
        ),
        (
            "WEST-2.6",
            "nothing else is listed",
            listed.len() == technical.len() && technical.iter().all(|c| listed.contains(c)),
        ),
        ("WEST-2.7", "what was done is listed", listed.contains(&ServiceHistory)),
        (
            "WEST-2.8",
            "marketing is by consent and of contact data",
            purpose(rules, "marketing", Consent, true, false, &[Contact]),
        ),
        ("WEST-2.8", "the form", form(rules, "newsletter-1", "marketing", desk, Contact, "P3Y")),
        (
            "WEST-2.8",
            "the letters",
            message(rules, "newsletter", MessageClass::Marketing, "marketing", &[Contact]),
        ),
        ("WEST-3.1", "the workshop", flow(rules, "workshop", "service-delivery", desk, Contract, false)),
        (
            "WEST-3.1",
            "messages",
            message(
                rules,
                "service-message",
                MessageClass::Administrative,
                "service-delivery",
                &[Contact, Order],
            ),
        ),
        ("WEST-3.3", "orders and invoices are listed", listed.contains(&Order) && listed.contains(&Invoice)),
        (
            "WEST-3.3",
            "the customer",
            flow(rules, "customer-report", "service-delivery", "nordic-haulage", Contract, true),
        ),
        (
            "WEST-3.5",
            "the history",
            flow(rules, "account-history", "account-history", "westrum-as", Contract, false),
        ),
        ("WEST-3.6", "warranty", flow(rules, "warranty", "warranty-claims", desk, Contract, false)),
        (
            "WEST-4.1",
            "the statute",
            flow(rules, "statutory-records", "statutory-records", desk, LegalObligation, false),
        ),
        ("WEST-6.1", "machines stand in Norway", hosted),
        (
            "WEST-6.2",
            "recipients are in Norway",
            info.regions == ["NO"] && info.elsewhere == Elsewhere::Never,
        ),
        (
            "WEST-8.1",
            "the reminder",
            flow(rules, "maintenance-reminder", "maintenance-reminder", desk, Consent, false),
        ),
        (
            "WEST-8.1",
            "its form",
            form(rules, "maintenance-reminder-1", "maintenance-reminder", desk, Odometer, "P2Y"),
        ),
        (
            "WEST-8.1",
            "withdrawing takes effect within a day",
            right(rules, Right::Withdrawal, "P1D", Proof::Known),
        ),
        ("WEST-8.3", "access within a month", right(rules, Right::Access, "P1M", Proof::Known)),
        ("WEST-8.4", "correction within a month", right(rules, Right::Rectification, "P1M", Proof::Known)),
        (
            "WEST-9.1",
            "the contract needs its data",
            purpose(rules, "service-delivery", Contract, false, true, &[]),
        ),
        ("WEST-9.1", "erasure within a month", right(rules, Right::Erasure, "P1M", Proof::Known)),
    ]
}

/// Car Special, without the made flows.
pub(crate) fn car_special(rules: &Rules) -> Vec<Term> {
    use Category::{Contact, Employment, IdentityDocument};
    use LegalBasis::{Consent, Contract, LegalObligation, LegitimateInterest};
    let info = rules.controller_info();
    let notice = &rules.notices()[0];
    let told: Vec<_> = notice.sources.iter().collect();
    let hosted = rules.hosting().is_some_and(|h| h.regions == ["DK"] && h.processor.is_some());
    let firm = "car-special";
    let plain = |slug, basis| purpose(rules, slug, basis, false, false, &[]);
    let starts: Vec<_> = rules.retentions().iter().map(|rule| rule.start).collect();
    let expected = [
        StartEvent::OrderClosed,
        StartEvent::RelationshipEnd,
        StartEvent::OrderClosed,
        StartEvent::Reading,
        StartEvent::Reading,
        StartEvent::ConsentEnd,
    ];
    let week = rules.retentions().iter().find(|rule| rule.slug.as_str() == "test-drive");
    let week =
        week.is_some_and(|rule| rule.at_most == period("P7D") && rule.categories == [IdentityDocument]);
    vec![
        ("CSPE-1.2", "machines stand in Denmark", hosted),
        ("CSPE-3.0.1", "services", purpose(rules, "services", Contract, false, true, &[])),
        (
            "CSPE-3.0.1",
            "messages",
            message(rules, "service-message", MessageClass::Administrative, "services", &[Contact]),
        ),
        ("CSPE-3.0.2", "people are the source", told == [SourceClass::Manual]),
        ("CSPE-3.1.1", "the list", notice.categories == [Contact, Employment, IdentityDocument]),
        (
            "CSPE-3.1.3",
            "test drives",
            purpose(rules, "test-drive", Contract, false, false, &[Contact, IdentityDocument]),
        ),
        ("CSPE-3.1.3", "a week", week),
        ("CSPE-3.2.1", "marketing", purpose(rules, "marketing", Consent, true, false, &[Contact])),
        ("CSPE-3.2.1", "surveys", purpose(rules, "customer-survey", Consent, false, false, &[Contact])),
        (
            "CSPE-3.2.1",
            "letters",
            message(rules, "newsletter", MessageClass::Marketing, "marketing", &[Contact]),
        ),
        (
            "CSPE-3.2.1",
            "questions",
            message(rules, "survey", MessageClass::Marketing, "customer-survey", &[Contact]),
        ),
        ("CSPE-3.2.3", "the letters' form", form(rules, "newsletter-1", "marketing", firm, Contact, "P1Y")),
        ("CSPE-3.2.3", "the survey's form", form(rules, "survey-1", "customer-survey", firm, Contact, "P1Y")),
        (
            "CSPE-3.2.8",
            "withdrawing takes effect within a day",
            right(rules, Right::Withdrawal, "P1D", Proof::Known),
        ),
        ("CSPE-4.1.4", "who receives attests", info.attested),
        ("CSPE-4.1.8", "sharing is by consent", plain("partner-service", Consent)),
        (
            "CSPE-4.1.8",
            "its form",
            form(rules, "partner-service-1", "partner-service", "insurer", Contact, "P1Y"),
        ),
        ("CSPE-4.1.9", "a duty of law", plain("legal-process", LegalObligation)),
        ("CSPE-4.1.12", "an interest that is weighed", plain("protection", LegitimateInterest)),
        (
            "CSPE-4.1.13",
            "elsewhere with a tool",
            info.regions == ["EEA"] && info.elsewhere == Elsewhere::WithTool,
        ),
        ("CSPE-4.2.1", "law", plain("legal-duties", LegalObligation)),
        ("CSPE-4.2.1", "traceability", plain("traceability", LegitimateInterest)),
        ("CSPE-4.2.2", "what each period runs from", starts == expected),
        ("CSPE-6.1.2", "access after an official proof", right(rules, Right::Access, "P1M", Proof::Official)),
        (
            "CSPE-6.2.2",
            "export after an official proof",
            right(rules, Right::Portability, "P1M", Proof::Official),
        ),
        ("CSPE-6.3.6", "correction within a month", right(rules, Right::Rectification, "P1M", Proof::Known)),
        ("CSPE-6.4.3", "erasure within a month", right(rules, Right::Erasure, "P1M", Proof::Known)),
        ("CSPE-6.5.1", "suspension within a month", right(rules, Right::Restriction, "P1M", Proof::Known)),
        ("CSPE-6.5.5", "objections within a month", right(rules, Right::Objection, "P1M", Proof::Known)),
        (
            "CSPE-8.1",
            "the day of the review",
            info.review_by == Some(vernport_types::UtcMicros(1_811_800_800_000_000)),
        ),
    ]
}

#[test]
fn every_term_of_the_shipped_bundles_is_kept() {
    let broken = |terms: Vec<Term>| -> Vec<Term> { terms.into_iter().filter(|(.., kept)| !kept).collect() };
    assert_eq!(broken(westrum(&super::world::rules("westrum"))), []);
    assert_eq!(broken(car_special(&super::world::rules("car-special"))), []);
}
