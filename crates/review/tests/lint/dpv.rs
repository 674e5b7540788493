//! The shape of a record of processing: every node has what its type has to have, in the words of
//! DPV 2.3 that its type takes, and refers to nothing that is not there.

use crate::{BUNDLE, catalogue, change, rules};
use serde_json::{Value, json};
use vernport_review::export::record_of_processing;

/// What stands under a property.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    /// At least one text.
    Texts,
    /// One node, named with one of these prefixes.
    Named(&'static [&'static str]),
    /// Nodes, each named with one of these prefixes.
    AllNamed(&'static [&'static str]),
    /// A node of its own type, written out.
    Within(&'static str),
    /// Nodes of one type, written out.
    AllWithin(&'static str),
    /// Measures: named, or written out.
    Measures,
    /// A typed literal of `xsd:duration` in ISO 8601.
    Duration,
}

use Kind::{AllNamed, AllWithin, Duration, Measures, Named, Text, Texts, Within};

/// What a type has: the property, what stands there, and whether it has to.
type Shape = &'static [(&'static str, Kind, bool)];

const SHAPES: &[(&str, Shape)] = &[
    (
        "dpv:ROPA",
        &[
            ("dct:title", Text, true),
            ("dct:source", Text, true),
            ("dct:conformsTo", Text, true),
            ("dpv:hasDataController", Named(&["vernport:"]), true),
            ("dpv:hasNotice", AllWithin("dpv:PrivacyNotice"), true),
            ("dpv:hasRight", AllNamed(&["eu-gdpr:"]), true),
            ("dpv:hasProcess", AllNamed(&["vernport:"]), true),
        ],
    ),
    ("dpv:PrivacyNotice", &[("dct:identifier", Text, true), ("dct:source", Texts, true)]),
    ("dpv:DataController", ENTITY),
    ("dpv:JointDataControllers", ENTITY),
    ("dpv:DataProcessor", ENTITY),
    ("dpv:ThirdParty", ENTITY),
    ("dpv:Authority", ENTITY),
    ("dpv:Contract", &[("dct:identifier", Text, true), ("dct:valid", Text, true)]),
    (
        "dpv:Process",
        &[
            ("dct:title", Text, true),
            ("dct:source", Texts, true),
            ("dpv:hasDataController", Named(&["vernport:"]), true),
            ("dpv:hasPurpose", Named(&["https://w3id.org/dpv#"]), true),
            ("dpv:hasLegalBasis", Named(&["eu-gdpr:A6-1-"]), true),
            ("dpv:hasPersonalData", AllNamed(&["vernport:category:"]), true),
            ("dpv:hasNecessity", Within("dpv:Necessity"), true),
            ("dpv:hasDataSubject", AllNamed(&["dpv:Customer", "dpv:User"]), false),
            ("dpv:hasRecipient", Named(&["vernport:"]), false),
            ("dpv:hasDataSource", Texts, false),
            ("dpv:hasStorageCondition", Within("dpv:StorageCondition"), false),
            ("dpv:hasTechnicalMeasure", Measures, false),
            ("dpv:hasApplicableLaw", Text, false),
            ("dpv:hasAssessment", Within("dpv:LegitimateInterestAssessment"), false),
            ("dpv:hasThirdCountry", Named(&["loc:"]), false),
            ("dpv:hasLegalMeasure", Within("eu-gdpr:A4"), false),
        ],
    ),
    ("dpv:Necessity", &[("dct:description", Text, true)]),
    (
        "dpv:StorageCondition",
        &[("dct:identifier", Text, true), ("dpv:hasDuration", Within("dpv:StorageDuration"), true)],
    ),
    ("dpv:StorageDuration", &[("dct:description", Text, true), ("dct:extent", Duration, true)]),
    ("dpv:TechnicalMeasure", &[("dct:title", Text, true), ("dct:description", Texts, true)]),
    ("dpv:LegitimateInterestAssessment", &[("dct:identifier", Text, true)]),
    ("eu-gdpr:A45-3", TOOL),
    ("eu-gdpr:A46-2-b", TOOL),
    ("eu-gdpr:A46-2-c", TOOL),
    ("eu-gdpr:A46-2-f", TOOL),
    ("skos:Concept", &[("skos:prefLabel", Text, true), ("skos:broader", Named(&["pd:"]), true)]),
];

const ENTITY: Shape = &[
    ("dpv:hasName", Text, false),
    ("dpv:hasIdentifier", Text, false),
    ("dpv:hasJurisdiction", Named(&["loc:"]), false),
    ("dpv:hasLocation", AllNamed(&["loc:"]), false),
    ("dpv:hasDataProcessor", Within("dpv:DataProcessor"), false),
    ("dpv:hasOrganisationalMeasure", Within("dpv:Contract"), false),
    ("dct:source", Texts, false),
];

const TOOL: Shape = &[("dct:identifier", Text, true), ("dct:valid", Text, true)];

/// What is wrong with a record, one line each.
fn faults(record: &Value) -> Vec<String> {
    let Some(graph) = record["@graph"].as_array() else { return vec!["no @graph".into()] };
    let ids: Vec<&str> = graph.iter().filter_map(|node| node["@id"].as_str()).collect();
    let mut faults = Vec::new();
    if ids.len() != graph.len() {
        faults.push("a node of the graph without @id".into());
    }
    for (at, id) in ids.iter().enumerate() {
        if ids[..at].contains(id) {
            faults.push(format!("{id}: twice"));
        }
    }
    let known = Known { prefixes: &record["@context"], ids: &ids };
    for node in graph {
        known.node(node, node["@id"].as_str().unwrap_or("?"), &mut faults);
    }
    faults
}

struct Known<'a> {
    prefixes: &'a Value,
    ids: &'a [&'a str],
}

impl Known<'_> {
    fn node(&self, node: &Value, at: &str, faults: &mut Vec<String>) {
        let Some(members) = node.as_object() else { return faults.push(format!("{at}: no node")) };
        let types: Vec<&str> = match &node["@type"] {
            Value::String(one) => vec![one],
            Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        // What DPV says of something is said of its last type: "a recipient, and a processor".
        let Some((_, shape)) = SHAPES.iter().find(|(name, _)| types.last() == Some(name)) else {
            return faults.push(format!("{at}: of no known type"));
        };
        for name in types.iter().copied().chain(members.keys().map(String::as_str)) {
            let prefix = name.split(':').next().unwrap_or_default();
            if !name.starts_with('@') && !self.prefixes[prefix].is_string() {
                faults.push(format!("{at}: {name} has a prefix that the context lacks"));
            }
        }
        for (name, value) in members.iter().filter(|(name, _)| !name.starts_with('@')) {
            match shape.iter().find(|(known, ..)| known == name) {
                Some((_, kind, _)) => self.value(*kind, value, &format!("{at} {name}"), faults),
                None => faults.push(format!("{at}: {name} is not for it")),
            }
        }
        let needed = shape.iter().filter(|(name, _, needed)| *needed && !members.contains_key(*name));
        faults.extend(needed.map(|(name, ..)| format!("{at}: no {name}")));
    }

    fn value(&self, kind: Kind, value: &Value, at: &str, faults: &mut Vec<String>) {
        let is_text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
        let all = || value.as_array().map_or_else(|| vec![value], |all| all.iter().collect());
        let fits = match kind {
            Text => is_text(value),
            Texts => value.as_array().is_some_and(|all| !all.is_empty() && all.iter().all(is_text)),
            Named(prefixes) => self.is_named(value, prefixes),
            AllNamed(prefixes) => all().into_iter().all(|one| self.is_named(one, prefixes)),
            Within(of) => return self.within(of, value, at, faults),
            AllWithin(of) => return all().into_iter().for_each(|one| self.within(of, one, at, faults)),
            Measures => {
                let (named, written): (Vec<&Value>, Vec<&Value>) =
                    all().into_iter().partition(|one| one["@id"].is_string());
                for one in written {
                    self.within("dpv:TechnicalMeasure", one, at, faults);
                }
                named.into_iter().all(|one| self.is_named(one, &["dpv:"]))
            }
            Duration => {
                let text = value["@value"].as_str().unwrap_or_default();
                value["@type"] == "xsd:duration" && text.parse::<vernport_policy::Period>().is_ok()
            }
        };
        if !fits {
            faults.push(format!("{at}: {value}"));
        }
    }

    fn within(&self, of: &str, node: &Value, at: &str, faults: &mut Vec<String>) {
        if !node["@type"].as_str().is_some_and(|name| name.starts_with(of)) {
            faults.push(format!("{at}: not of type {of}"));
        }
        self.node(node, at, faults);
    }

    /// Whether a node is named so, and nothing else stands there; one of ours is in the graph.
    fn is_named(&self, node: &Value, prefixes: &[&str]) -> bool {
        let Some(id) = node["@id"].as_str() else { return false };
        node.as_object().is_some_and(|members| members.len() == 1)
            && prefixes.iter().any(|prefix| id.starts_with(prefix))
            && (!id.starts_with("vernport:") || self.ids.contains(&id))
    }
}

const SHIPPED: [&str; 4] = [
    include_str!("../../../../config/bundles/cars-software/bundle.toml"),
    include_str!("../../../../config/bundles/westrum/bundle.toml"),
    include_str!("../../../../config/bundles/car-special/bundle.toml"),
    include_str!("../../../../config/bundles/example-fleet/bundle.toml"),
];

#[test]
fn the_records_of_all_bundles_are_in_shape() {
    for text in SHIPPED.into_iter().chain([BUNDLE]) {
        let record = record_of_processing(&rules(text), &catalogue());
        assert_eq!(faults(&record), [""; 0], "{}", record["@graph"][0]["@id"]);
    }
}

#[test]
fn a_record_that_is_out_of_shape_is_told_from_one_that_is_not() {
    let record = record_of_processing(&rules(BUNDLE), &catalogue());
    let place = |id: &str| {
        let graph = record["@graph"].as_array().expect("a graph");
        graph.iter().position(|node| node["@id"] == id).expect("in the graph")
    };
    let flow = place("vernport:NO-999999999:flow:partner");
    let data = place("vernport:category:odometer");
    for (node, property, value) in [
        (flow, "dpv:hasLegalBasis", json!({ "@id": "eu-gdpr:A9-2-a" })),
        (flow, "dpv:hasLegalBasis", Value::Null),
        (flow, "dpv:hasLegalGround", json!({ "@id": "eu-gdpr:A6-1-b" })),
        (flow, "dpv:hasRecipient", json!({ "@id": "vernport:NO-999999999:recipient:gone" })),
        (flow, "odrl:hasPolicy", json!("x")),
        (flow, "dpv:hasDataSource", json!([])),
        (flow, "dpv:hasLegalMeasure", json!({ "@type": "eu-gdpr:A46-2-c", "dct:identifier": "scc-1" })),
        (data, "skos:broader", json!({ "@id": "dpv:Odometer" })),
        (data, "@type", json!("dpv:Thing")),
    ] {
        let mut changed = record.clone();
        let member = &mut changed["@graph"][node][property];
        *member = value;
        assert_ne!(faults(&changed), [""; 0], "{property}");
    }
    let mut missing = record.clone();
    let members = missing["@graph"][flow].as_object_mut().expect("a node");
    members.remove("dpv:hasNecessity").expect("it is there");
    assert_eq!(faults(&missing), ["vernport:NO-999999999:flow:partner: no dpv:hasNecessity"]);
}

/// GDPR Art. 30(1): what the record has to name, and that it follows the rules.
#[test]
fn what_the_rules_say_of_a_flow_stands_in_its_process() {
    let process = |text: &str, flow: &str| {
        let record = record_of_processing(&rules(text), &catalogue());
        let id = format!("vernport:NO-999999999:flow:{flow}");
        let graph = record["@graph"].as_array().expect("a graph");
        graph.iter().find(|node| node["@id"] == id.as_str()).expect("a process").clone()
    };
    let before = process(BUNDLE, "workshop");
    assert_eq!(before["dpv:hasStorageCondition"]["dpv:hasDuration"]["dct:extent"]["@value"], "P1Y");
    assert_eq!(before["dpv:hasDataSubject"], json!([{ "@id": "dpv:User" }]), "the driver");
    for (old, new, property) in [
        ("at_most = \"P1Y\"", "at_most = \"P2Y\"", "dpv:hasStorageCondition"),
        ("cell-5", "cell-4", "dpv:hasTechnicalMeasure"),
        ("roles = [\"driver\"]", "roles = [\"driver\", \"owner\"]", "dpv:hasDataSubject"),
        ("private_mode = true\n", "private_mode = true\nsources = [\"tool\"]\n", "dpv:hasDataSource"),
        ("The work needs the distance.", "It does.", "dpv:hasNecessity"),
        ("dpv#ServiceProvision", "dpv#CustomerCare", "dpv:hasPurpose"),
    ] {
        let after = process(&change(BUNDLE, old, new), "workshop");
        assert_ne!(before[property], after[property], "{old} → {new}");
        let others = before.as_object().expect("a node").keys().filter(|key| *key != property);
        for other in others {
            assert_eq!(before[other], after[other], "{old} → {new}: {other}");
        }
    }
}
