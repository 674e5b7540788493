//! What is published of each bundle (`rules.md` beside it) is what its rules say: a
//! rule that changes without its text fails here (CARS-1.2, CSPE-4.2.2, CSPE-8.1).

use crate::clauses::{catalogue, compile, text};
use std::{fs, path::Path};
use vernport_review::render::render;

#[test]
fn the_published_text_of_each_bundle_says_what_its_rules_say() {
    for bundle in ["cars-software", "westrum", "car-special", "example-fleet"] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/bundles").join(bundle).join("rules.md");
        let published =
            fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let rules = compile(&text(bundle)).unwrap_or_else(|error| panic!("{error}"));
        let says = render(&rules, &catalogue());
        let remedy =
            format!("vernport bundle render config/bundles/{bundle} > config/bundles/{bundle}/rules.md");
        assert!(published == says, "{} is not what the bundle says: {remedy}", file.display());
    }
}
