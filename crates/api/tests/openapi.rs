//! The document that describes the contract for programs (OpenAPI 3.1) says what our types say.
//!
//! Schemas are wider than parsers: what a parser takes its schema takes. Where a form is checked by
//! more than a schema can say (a check digit, a bound of a number), the schema is the wider one.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use vernport_api::{
    BatchAnswers, CertificateAnswer, ClockAnswer, ClockRequest, Code, ConfirmAnswer, ConfirmRequest,
    ConsentsAnswer, ConsentsRequest, DeletionsAnswer, DeletionsRequest, EnrolmentAnswer, EnrolmentRequest,
    ErasureAnswer, ErasureRequest, EventsAnswer, EventsRequest, FeedRequest, FindAnswer, FindEntryAnswer,
    FindEntryRequest, FindRequest, FleetNumberAnswer, FleetNumberRequest, GatewaysAnswer, ImportAnswer,
    ImportLine, InvitationAnswer, InvitationRequest, LedgerAnswer, LedgerRequest, OPENAPI, Problem,
    ReadAnswer, ReadRequest, RenewalRequest, SegmentAnswer, SegmentRequest, Status, WitnessAnswer,
    WitnessRequest,
    explain::{ExplainAnswer, ExplainRequest},
};
use vernport_registry::Entry;

fn document() -> Value {
    serde_json::from_str(OPENAPI).expect("JSON")
}

fn parses<T: DeserializeOwned>(value: &Value) -> bool {
    serde_json::from_str::<T>(&value.to_string()).is_ok()
}

type Parser = fn(&Value) -> bool;

/// Which schema describes which type.
const TYPES: &[(&str, Parser)] = &[
    ("BatchAnswers", parses::<BatchAnswers>),
    ("CertificateAnswer", parses::<CertificateAnswer>),
    ("EnrolmentAnswer", parses::<EnrolmentAnswer>),
    ("EnrolmentRequest", parses::<EnrolmentRequest>),
    ("GatewaysAnswer", parses::<GatewaysAnswer>),
    ("InvitationAnswer", parses::<InvitationAnswer>),
    ("InvitationRequest", parses::<InvitationRequest>),
    ("RenewalRequest", parses::<RenewalRequest>),
    ("ClockAnswer", parses::<ClockAnswer>),
    ("ClockRequest", parses::<ClockRequest>),
    ("ConfirmAnswer", parses::<ConfirmAnswer>),
    ("ConfirmRequest", parses::<ConfirmRequest>),
    ("DeletionsAnswer", parses::<DeletionsAnswer>),
    ("DeletionsRequest", parses::<DeletionsRequest>),
    ("ErasureAnswer", parses::<ErasureAnswer>),
    ("ErasureRequest", parses::<ErasureRequest>),
    ("ConsentsAnswer", parses::<ConsentsAnswer>),
    ("ConsentsRequest", parses::<ConsentsRequest>),
    ("Entry", parses::<Entry>),
    ("EventsAnswer", parses::<EventsAnswer>),
    ("EventsRequest", parses::<EventsRequest>),
    ("ExplainAnswer", parses::<ExplainAnswer>),
    ("ExplainRequest", parses::<ExplainRequest>),
    ("FeedRequest", parses::<FeedRequest>),
    ("FindAnswer", parses::<FindAnswer>),
    ("FindEntryAnswer", parses::<FindEntryAnswer>),
    ("FindEntryRequest", parses::<FindEntryRequest>),
    ("FindRequest", parses::<FindRequest>),
    ("FleetNumberAnswer", parses::<FleetNumberAnswer>),
    ("FleetNumberRequest", parses::<FleetNumberRequest>),
    ("ImportAnswer", parses::<ImportAnswer>),
    ("ImportLine", parses::<ImportLine>),
    ("LedgerAnswer", parses::<LedgerAnswer>),
    ("LedgerRequest", parses::<LedgerRequest>),
    ("Problem", parses::<Problem>),
    ("ReadAnswer", parses::<ReadAnswer>),
    ("ReadRequest", parses::<ReadRequest>),
    ("SegmentAnswer", parses::<SegmentAnswer>),
    ("SegmentRequest", parses::<SegmentRequest>),
    ("Status", parses::<Status>),
    ("WitnessAnswer", parses::<WitnessAnswer>),
    ("WitnessRequest", parses::<WitnessRequest>),
];

/// Which golden file is of which schema.
const GOLDEN: &[(&str, &str)] = &[
    ("BatchAnswers", include_str!("../golden/answers.json")),
    ("CertificateAnswer", include_str!("../golden/certificate-answer.json")),
    ("EnrolmentAnswer", include_str!("../golden/enrolment-answer.json")),
    ("EnrolmentRequest", include_str!("../golden/enrolment-request.json")),
    ("GatewaysAnswer", include_str!("../golden/gateways-answer.json")),
    ("InvitationAnswer", include_str!("../golden/invitation-answer.json")),
    ("InvitationRequest", include_str!("../golden/invitation-request.json")),
    ("RenewalRequest", include_str!("../golden/renewal-request.json")),
    ("ClockAnswer", include_str!("../golden/clock-answer.json")),
    ("ClockRequest", include_str!("../golden/clock-request.json")),
    ("ConfirmAnswer", include_str!("../golden/confirm-answer.json")),
    ("ConfirmRequest", include_str!("../golden/confirm-request.json")),
    ("DeletionsAnswer", include_str!("../golden/deletions-answer.json")),
    ("DeletionsRequest", include_str!("../golden/deletions-request.json")),
    ("ErasureAnswer", include_str!("../golden/erasure-answer.json")),
    ("ErasureRequest", include_str!("../golden/erasure-request.json")),
    ("ConsentsAnswer", include_str!("../golden/consents-answer.json")),
    ("ConsentsRequest", include_str!("../golden/consents-by-receipt.json")),
    ("ConsentsRequest", include_str!("../golden/consents-by-vehicle.json")),
    ("EventsAnswer", include_str!("../golden/events-answer.json")),
    ("EventsRequest", include_str!("../golden/events-request.json")),
    ("ExplainAnswer", include_str!("../golden/explain-answer.json")),
    ("ExplainRequest", include_str!("../golden/explain-request.json")),
    ("ExplainRequest", include_str!("../golden/explain-request-least.json")),
    ("FeedRequest", include_str!("../golden/feed-request.json")),
    ("FindAnswer", include_str!("../golden/find-answer.json")),
    ("FindEntryAnswer", include_str!("../golden/find-entry-answer.json")),
    ("FindEntryRequest", include_str!("../golden/find-entry-request.json")),
    ("FindRequest", include_str!("../golden/find-request.json")),
    ("FleetNumberAnswer", include_str!("../golden/fleet-number-answer.json")),
    ("FleetNumberRequest", include_str!("../golden/fleet-number-request.json")),
    ("ImportAnswer", include_str!("../golden/import-answer.json")),
    ("ImportLine", include_str!("../golden/import-line.json")),
    ("LedgerAnswer", include_str!("../golden/ledger-answer.json")),
    ("LedgerRequest", include_str!("../golden/ledger-request.json")),
    ("ReadAnswer", include_str!("../golden/read-answer.json")),
    ("ReadRequest", include_str!("../golden/read-request.json")),
    ("SegmentAnswer", include_str!("../golden/segment-answer.json")),
    ("SegmentRequest", include_str!("../golden/segment-request.json")),
    ("Status", include_str!("../golden/status.json")),
    ("WitnessAnswer", include_str!("../golden/witness-answer.json")),
    ("WitnessRequest", include_str!("../golden/witness-request.json")),
];

/// Golden files that are no body: a part of the feed, a form that `explain` prints, all problems, the text
/// in a signed certificate.
const NO_BODY: &[&str] = &["merged.json", "explain-recipient.json", "problems.json", "certificate.json"];

/// Every golden body with its schema, and every entry of the ledger's own golden files.
fn golden() -> Vec<(&'static str, Value)> {
    let read = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
    let mut all: Vec<(&str, Value)> = GOLDEN.iter().map(|(name, text)| (*name, read(text))).collect();
    let problems = read(include_str!("../golden/problems.json"));
    all.extend(problems.as_array().into_iter().flatten().map(|problem| ("Problem", problem.clone())));
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../registry/golden");
    for file in std::fs::read_dir(folder).expect("a folder") {
        let text = std::fs::read_to_string(file.expect("a file").path()).expect("readable");
        all.push(("Entry", read(&text)["entry"].clone()));
    }
    all
}

fn parser(schema: &str) -> Parser {
    let known = TYPES.iter().find(|(name, _)| *name == schema);
    known.unwrap_or_else(|| panic!("{schema} is in no table here")).1
}

fn validator(document: &Value, schema: &str) -> jsonschema::Validator {
    let root = json!({
        "$schema": document["jsonSchemaDialect"],
        "$ref": format!("#/components/schemas/{schema}"),
        "components": document["components"],
    });
    jsonschema::validator_for(&root).unwrap_or_else(|error| panic!("{schema}: {error}"))
}

#[test]
fn every_path_of_the_contract_is_described_and_no_other() {
    let source = include_str!("../src/lib.rs");
    let constants = source.lines().filter(|line| line.starts_with("pub const PATH_"));
    let paths: BTreeSet<&str> = constants.filter_map(|line| line.split('"').nth(1)).collect();
    let document = document();
    let described = document["paths"].as_object().expect("an object");
    assert_eq!(described.keys().map(String::as_str).collect::<BTreeSet<_>>(), paths);
    assert!(paths.len() >= 18);
}

#[test]
fn every_golden_body_fits_its_schema_and_no_golden_file_is_forgotten() {
    let document = document();
    for (schema, body) in golden() {
        let errors: Vec<String> =
            validator(&document, schema).iter_errors(&body).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{schema}: {errors:?} in {body}");
        assert!(parser(schema)(&body), "{schema}: {body}");
    }
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let files = std::fs::read_dir(folder).expect("a folder").count();
    // Those of problems are one file.
    assert_eq!(files, GOLDEN.len() + NO_BODY.len());
}

#[test]
fn every_code_is_listed_with_its_status_wherever_an_operation_may_answer_it() {
    let document = document();
    let listed = document["components"]["schemas"]["Code"]["enum"].as_array().expect("a list");
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.code()).collect();
    assert_eq!(listed.iter().filter_map(Value::as_str).collect::<Vec<_>>(), codes);
    let mut answered = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().expect("an object") {
        for operation in methods.as_object().expect("an object").values() {
            for (status, response) in operation["responses"].as_object().expect("an object") {
                let schema = &response["content"]["application/problem+json"]["schema"];
                let codes = schema["allOf"][1]["properties"]["code"]["enum"].as_array();
                for code in codes.into_iter().flatten().filter_map(Value::as_str) {
                    let code = Code::ALL.iter().find(|known| known.code() == code).expect("a known code");
                    assert_eq!(code.status().to_string(), *status, "{path}");
                    answered.insert(code.code());
                }
            }
        }
    }
    // What the router answers beside every operation.
    answered.extend(["not-found", "method-not-allowed"]);
    assert_eq!(answered, codes.into_iter().collect());
}

/// Media types with their schema and example, anywhere in the document.
fn examples(value: &Value, found: &mut Vec<(String, Value)>) {
    if let Some(example) = value.get("example") {
        let schema = value["schema"]["$ref"].as_str().or(value["x-line"]["$ref"].as_str());
        let schema = schema.expect("an example has a named schema").rsplit('/').next().unwrap_or_default();
        let example = match example {
            Value::String(line) => serde_json::from_str(line).expect("a line of JSON"),
            example => example.clone(),
        };
        found.push((schema.to_owned(), example));
        return;
    }
    match value {
        Value::Object(members) => members.values().for_each(|value| examples(value, found)),
        Value::Array(items) => items.iter().for_each(|value| examples(value, found)),
        _ => {}
    }
}

#[test]
fn every_example_is_one() {
    let document = document();
    let mut found = Vec::new();
    examples(&document["paths"], &mut found);
    assert!(found.len() >= 20, "{}", found.len());
    for (schema, example) in found {
        assert!(parser(&schema)(&example), "{schema}: {example}");
        assert!(validator(&document, &schema).is_valid(&example), "{schema}: {example}");
    }
}

/// Bodies that differ from a good one in one place.
fn mutated(body: &Value) -> Vec<(String, Value)> {
    let mut places = Vec::new();
    walk(body, String::new(), &mut places);
    let values = [
        Value::Null,
        json!(true),
        json!(-1),
        json!(0),
        json!(70_000),
        json!(1e300),
        json!("x"),
        json!(""),
        json!("NO"),
        json!("é".repeat(201)),
        json!([]),
        json!({}),
        json!([{}]),
        json!({"x": 1}),
    ];
    let mut all = Vec::new();
    for place in &places {
        for value in &values {
            let mut wrong = body.clone();
            *wrong.pointer_mut(place).expect("a place") = value.clone();
            all.push((format!("{place} is {value}"), wrong));
        }
        let (parent, member) = place.rsplit_once('/').unwrap_or_default();
        let mut without = body.clone();
        if let Some(Value::Object(members)) = without.pointer_mut(parent)
            && members.remove(member).is_some()
        {
            all.push((format!("{place} is gone"), without));
        }
        let mut more = body.clone();
        if let Some(Value::Object(members)) = more.pointer_mut(place) {
            members.insert("extra".into(), json!(1));
            all.push((format!("{place} has another member"), more));
        }
    }
    all
}

fn walk(value: &Value, place: String, places: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| walk(value, format!("{place}/{name}"), places));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, value)| walk(value, format!("{place}/{n}"), places));
        }
        _ => {}
    }
    places.push(place);
}

/// Where a schema takes what its parser refuses: forms that a schema does not say. By the end of a
/// place in a body, or by what was put there.
fn is_wider(schema: &str, place: &str) -> bool {
    let (at, change) = place.split_once(' ').unwrap_or_default();
    let member = at.rsplit('/').next().unwrap_or_default();
    // The bounds of numbers are those of their types.
    let number = ["is -1", "is 70000", "is 1e+300"].contains(&change);
    // Texts with a form of their own, which their types check.
    let text = change.starts_with("is \"")
        && (["vin", "receipt", "country", "number", "by", "reason", "withheld", "ends_as", "minimiser", "clock"].contains(&member)
            || at.contains("/categories/") || at.contains("/in_force/")
            // Blobs, and lists of flows and clauses, where what is a text is checked by its type.
            || ["sealed", "csr", "token"].contains(&member) || at.contains("/chain/") || at.contains("/envelopes/") || at.contains("/deleted/"));
    // A closed word is described as text.
    let open = ["minimiser"].contains(&member);
    // What gateways sign is described as an object.
    let signed = at.contains("/link/") || at.ends_with("/link");
    // Another kind is read as one of a newer version, a broken one is not.
    let kind = schema == "Entry" && member == "kind" && change.starts_with("is \"");
    number || text || open || signed || kind
}

#[test]
fn what_a_parser_takes_its_schema_takes_and_what_it_refuses_is_refused_but_where_it_is_wider() {
    let document = document();
    let (mut tried, mut refused, mut wrong) = (0_u32, 0_u32, Vec::new());
    for (schema, body) in golden() {
        let (validator, parse) = (validator(&document, schema), parser(schema));
        for (place, changed) in mutated(&body) {
            let (taken, valid) = (parse(&changed), validator.is_valid(&changed));
            tried += 1;
            refused += u32::from(!taken);
            if taken && !valid {
                wrong.push(format!("{schema}: the parser takes {place}, the schema does not"));
            }
            if !taken && valid && !is_wider(schema, &place) {
                wrong.push(format!("{schema}: the schema takes {place}, the parser does not"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {tried}:\n{}", wrong.len(), wrong[..wrong.len().min(60)].join("\n"));
    assert!(tried > 10_000 && refused > tried / 2, "{refused} of {tried} refused");
}
