//! Renderings and exports say what the rules say.

use crate::{BUNDLE, catalogue, change, rules};
use vernport_review::{
    export::{purpose_list, record_of_processing},
    render::render,
};

#[test]
fn every_rule_of_a_bundle_shows_in_its_rendering() {
    let text = render(&rules(BUNDLE), &catalogue());
    for (old, new) in [
        ("round-10000", "round-20000"),
        ("cell-5", "cell-4"),
        ("period = \"P1Y\"", "period = \"P6M\""),
        ("at_most = \"P3Y\"", "at_most = \"P2Y\""),
        ("deadline = \"P1M\"", "deadline = \"P20D\""),
        ("roles = [\"driver\"]", "roles = [\"driver\", \"owner\"]"),
        ("private_mode = true\n", "private_mode = true\nsample = \"PT5M\"\n"),
        ("private_mode = true\n", "private_mode = true\ntime = \"PT5M\"\n"),
        ("private_mode = true\n", "private_mode = true\nwindow = \"link\"\n"),
        ("until = 2028-01-01", "until = 2029-01-01"),
        ("standard-clauses", "certification"),
        ("region = \"US\"", "region = \"CA\""),
        ("I want news.", "I want all news."),
        ("The work needs the distance.", "The work needs it."),
        ("served_when = \"recorded\"", "served_when = \"told\""),
        ("clauses = [\"S-5\"]\n[[form]]", "clauses = [\"S-5\"]\nassumed = true\n[[form]]"),
    ] {
        let changed = render(&rules(&change(BUNDLE, old, new)), &catalogue());
        let body = |text: &str| text[..text.find("Made from the bundle").expect("a foot")].to_owned();
        assert_ne!(body(&changed), body(&text), "{old} → {new}");
    }
}

#[test]
fn a_text_of_the_bundle_cannot_break_a_table() {
    let name = "name = \"A | B <script> *C*\"";
    let text = render(&rules(&change(BUNDLE, "name = \"The partner\"", name)), &catalogue());
    let row = text.lines().find(|line| line.contains("(`partner`)")).expect("a row");
    assert!(row.contains("A \\| B \\<script\\> \\*C\\*"), "{row}");
}

#[test]
fn a_record_names_each_transfer_with_its_tool() {
    let record = record_of_processing(&rules(BUNDLE), &catalogue());
    let graph = record["@graph"].as_array().expect("a graph");
    let node = |id: &str| graph.iter().find(|node| node["@id"] == id).expect(id);
    let partner = node("vernport:NO-999999999:flow:partner");
    assert_eq!(partner["dpv:hasThirdCountry"]["@id"], "loc:US");
    assert_eq!(partner["dpv:hasLegalMeasure"]["@type"], "eu-gdpr:A46-2-c");
    assert!(node("vernport:NO-999999999:flow:workshop").get("dpv:hasThirdCountry").is_none());
    // A purpose that no flow serves is in the record, with the data of its messages.
    let news = node("vernport:NO-999999999:purpose:news");
    assert_eq!(news["dpv:hasLegalBasis"]["@id"], "eu-gdpr:A6-1-a");
    assert_eq!(news["dpv:hasPersonalData"][0]["@id"], "vernport:category:odometer");
    // What the graph refers to by an id of ours is in it.
    let text = record.to_string();
    for id in text.split("\"@id\":\"").skip(1).map(|rest| &rest[..rest.find('"').expect("quoted")]) {
        let ours = id.starts_with("vernport:");
        assert!(!ours || graph.iter().any(|node| node["@id"] == id), "{id}");
    }
}

#[test]
fn a_purpose_list_grants_no_more_than_the_bundle() {
    let list = purpose_list(&rules(BUNDLE), &catalogue());
    let purposes = list.list["purposes"].as_array().expect("a list");
    assert_eq!(purposes.len(), 1, "what is coarsened cannot be on it: {:#}", list.list);
    assert_eq!(purposes[0]["signal_access"][0]["path"], "Vehicle.TraveledDistance");
    assert_eq!(list.left_out.len(), 2, "{:?}", list.left_out);
    // A list speaks of roles, not of recipients: what two recipients of one role get is theirs together.
    let coarse = change(
        BUNDLE,
        "\"Vehicle.TraveledDistance\" = \"exact\"",
        "\"Vehicle.TraveledDistance\" = \"round-10\"",
    );
    let list = purpose_list(&rules(&coarse), &catalogue());
    assert_eq!(list.list["purposes"].as_array().map(Vec::len), Some(0));
}
