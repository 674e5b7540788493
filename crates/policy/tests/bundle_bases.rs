//! Bundles of several files: what `extends` inherits, replaces and refuses, and where a
//! finding stands then. Parameters, alone and across files.

mod world;

use vernport_crypto::sha256;
use vernport_policy::{Bundle, BundleError, BundleFile, Minimiser, Rules};
use world::{catalogue, example, id};

/// The head of a bundle over the example of a workshop.
fn head(base: &str) -> String {
    format!(
        "format = 1\nname = \"stricter\"\nextends = {{ bundle = \"westrum\", hash = \"{}\" }}\n",
        hex::encode(sha256(base.as_bytes()))
    ) + CONTROLLER
}

const CONTROLLER: &str = "[controller]\nid = \"NO-900000001\"\nname = \"Westrum Karosseri AS\"\n\
    role = \"joint-controller\"\njurisdiction = \"NO\"\ntime_zone = \"Europe/Oslo\"\nregions = [\"NO\"]\n\
    elsewhere = \"never\"\nclauses = [\"WEST-1.1\", \"WEST-6.1\", \"WEST-6.2\"]\nassumed = true\n";

fn load(text: &str, bases: &[(&str, &str)]) -> Result<Rules, BundleError> {
    let mut read = |name: &vernport_types::Slug| {
        let (_, text) = bases.iter().find(|(known, _)| *known == name.as_str()).ok_or("no such file")?;
        Ok(BundleFile { file: format!("{name}.toml"), text: (*text).to_owned() })
    };
    Rules::compile(&Bundle::load("upper.toml", text, &mut read)?, &catalogue())
}

fn over(rules: &str) -> Result<Rules, BundleError> {
    let base = example("westrum");
    load(&(head(base) + rules), &[("westrum", base)])
}

#[track_caller]
fn refused(found: Result<Rules, BundleError>, place: (&str, usize), what: &str) {
    let error = found.expect_err("a bundle that is refused");
    assert!(error.what.contains(what), "{error}");
    assert_eq!((error.file.as_str(), error.line), place, "{error}");
}

const REMINDER: &str = "[[flow]]\nid = \"maintenance-reminder\"\npurpose = \"maintenance-reminder\"\n\
    recipient = \"westrum-workshop\"\nretention = \"until-withdrawn\"\ndeliver = { store = true }\n\
    weakest = \"asserted\"\nwindow = \"order\"\nroles = [\"owner\"]\n\
    clauses = [\"WEST-8.1\", \"WEST-8.2\", \"WEST-7.3\"]\nassumed = true\n[flow.signals]\n";

#[test]
fn what_a_bundle_does_not_say_stands_as_in_its_base() {
    let rules = over("").expect("rules");
    let base = world::compile(example("westrum"));
    assert_eq!(rules.name(), &id("stricter"));
    assert_ne!(rules.hash(), base.hash());
    let names = |rules: &Rules| rules.flows().iter().map(|flow| flow.slug.clone()).collect::<Vec<_>>();
    assert_eq!(names(&rules), names(&base));
    assert_eq!(rules.recipients(), base.recipients());
    let path = rules.paths().iter().find(|rule| rule.path == "flow.warranty").expect("inherited");
    assert_eq!(&*path.file, "westrum.toml");
    let line = example("westrum").lines().nth(path.line - 1).expect("a line");
    assert_eq!(line, "id = \"warranty\"");
}

#[test]
fn an_entry_takes_the_place_of_the_one_with_its_id() {
    let coarser = format!("{REMINDER}\"Vehicle.TraveledDistance\" = \"round-10000000\"\n");
    let rules = over(&coarser).expect("it only tightens");
    let flow = rules.find(&id("maintenance-reminder")).expect("a flow");
    assert_eq!(flow.signals[0].1, Minimiser::Round(10_000_000));
    assert_eq!(flow.index, world::compile(example("westrum")).find(&flow.slug).expect("there, too").index);
    let path = rules.paths().iter().find(|rule| rule.path == "flow.maintenance-reminder").expect("replaced");
    assert_eq!(&*path.file, "upper.toml");
}

#[test]
fn a_bundle_may_only_tighten_what_it_extends() {
    for signals in
        ["\"Vehicle.TraveledDistance\" = \"round-1000\"\n", "\"Vehicle.TraveledDistance\" = \"exact\"\n"]
    {
        refused(over(&format!("{REMINDER}{signals}")), ("upper.toml", 3), "permits what its base does not");
    }
    let more = REMINDER.replace("id = \"maintenance-reminder\"", "id = \"more\"");
    let more = format!("{more}\"Vehicle.TraveledDistance\" = \"round-10000000\"\n");
    refused(over(&more), ("upper.toml", 3), "flow.more");
    let later = "[[retention]]\nid = \"warranty\"\nstart = \"warranty-end\"\nperiod = \"P2Y\"\nat_most = \"P7Y\"\n\
                 clauses = [\"WEST-3.6\", \"WEST-7.2\"]\nassumed = true\n";
    refused(over(later), ("upper.toml", 3), "retention.warranty");
    assert!(over(&later.replace("P2Y", "P6M")).is_ok());
}

#[test]
fn a_base_is_the_very_text_that_was_named() {
    let base = example("westrum");
    let upper = head(base);
    refused(load(&upper, &[]), ("upper.toml", 3), "cannot be read: no such file");
    let other = base.replace("P6M", "P7M");
    refused(load(&upper, &[("westrum", &other)]), ("upper.toml", 3), "another text");
    refused(
        Bundle::from_toml("upper.toml", &upper).map(|_| unreachable!("it extends another")),
        ("upper.toml", 3),
        "no other bundle beside it",
    );
    let stranger = upper.replace("NO-900000001", "NO-900000002");
    refused(load(&stranger, &[("westrum", base)]), ("upper.toml", 5), "another controller");
}

#[test]
fn a_finding_in_a_base_names_the_file_and_the_line_of_the_base() {
    for (old, new, what) in [
        ("period = \"P6M\"", "period = \"half a year\"", "not a period"),
        ("retention = \"warranty\"", "retention = \"forever\"", "no retention"),
        ("sample = \"per-order\"", "sample = \"per-order", ""),
        ("requires = []", "requires = [\"more\"]", "requires `more`"),
    ] {
        let base = example("westrum").replace(old, new);
        let line = base.lines().position(|line| line.contains(new)).expect("the change") + 1;
        refused(load(&head(&base), &[("westrum", &base)]), ("westrum.toml", line), what);
    }
}

#[test]
fn bases_have_bases_of_their_own_up_to_a_depth() {
    let mut bases = vec![("westrum".to_owned(), example("westrum").to_owned())];
    for depth in 1..=3 {
        let (name, text) = bases.last().expect("one");
        let upper = head(text).replace("bundle = \"westrum\"", &format!("bundle = \"{name}\""));
        bases.push((format!("over-{depth}"), upper));
    }
    let known: Vec<_> = bases.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let rules = load(known[3].1, &known).expect("four files");
    assert_eq!(rules.flows().len(), 4);
    let upper = head(known[3].1).replace("bundle = \"westrum\"", "bundle = \"over-3\"");
    refused(load(&upper, &known), ("over-1.toml", 3), "the base of a base");
}

#[test]
fn a_parameter_stands_wherever_a_text_stands_and_says_who_uses_it() {
    let text = example("westrum")
        .replace(
            "[controller]",
            "[parameters]\nkept = { value = \"P6M\", clauses = [\"WEST-7.2\"], assumed = true }\n\
             distance = { value = \"round-1000000\", clauses = [\"WEST-8.1\"] }\n\
             agreed = { value = 2031-01-01, clauses = [\"WEST-6.2\"] }\n\
             country = { value = \"NO\", clauses = [\"WEST-6.1\"] }\n[controller]",
        )
        .replace("period = \"P6M\"", "period = \"$kept\"")
        .replace("\"round-1000000\"\n", "\"$distance\"\n")
        .replace("until = 2031-01-01", "until = \"$agreed\"")
        .replace("regions = [\"NO\"]", "regions = [\"$country\"]");
    let (rules, plain) = (world::compile(&text), world::compile(example("westrum")));
    assert_eq!(rules.retentions(), plain.retentions());
    assert_eq!(rules.recipients(), plain.recipients());
    assert_eq!(rules.controller_info(), plain.controller_info());
    let used: Vec<_> = rules.parameters().iter().map(|p| (p.name.as_str(), &p.used_by[..])).collect();
    assert_eq!(
        used,
        [
            ("agreed", &["recipient.nordic-haulage".to_owned()][..]),
            ("country", &["controller".to_owned()]),
            ("distance", &["flow.maintenance-reminder.signals.Vehicle.TraveledDistance".to_owned()]),
            ("kept", &["retention.vehicle-life".to_owned()]),
        ]
    );
    assert_eq!(rules.parameters()[3].value, "P6M");
    assert!(rules.parameters()[3].assumed);
}

#[test]
fn a_parameter_is_one_value_is_used_and_is_known() {
    let with = |parameters: &str, period: &str| {
        let text = example("westrum")
            .replace("[controller]", &format!("[parameters]\n{parameters}\n[controller]"))
            .replace("period = \"P6M\"", &format!("period = \"{period}\""));
        Bundle::from_toml("b.toml", &text).and_then(|bundle| Rules::compile(&bundle, &catalogue()))
    };
    let kept = "kept = { value = \"P6M\", clauses = [\"X\"] }";
    assert!(with(kept, "$kept").is_ok());
    refused(with(kept, "P6M"), ("b.toml", 8), "no rule uses the parameter `kept`");
    let line = with(kept, "$other").expect_err("unknown").line;
    refused(with(kept, "$other"), ("b.toml", line), "there is no parameter `other`");
    refused(with(&kept.replace("\"P6M\"", "[\"P6M\"]"), "$kept"), ("b.toml", 8), "not one value");
    refused(with(&kept.replace("\"P6M\"", "\"$kept\""), "$kept"), ("b.toml", 8), "not one value");
    refused(with(&kept.replace("[\"X\"]", "[]"), "$kept"), ("b.toml", 8), "without a clause");
    // A value that does not fit is found where it stands.
    assert!(with(&kept.replace("P6M", "half a year"), "$kept").expect_err("no period").line > 50);
}

#[test]
fn a_bundle_sets_the_parameters_of_its_base() {
    let base = example("westrum")
        .replace("[controller]", "[parameters]\nkept = { value = \"P6M\", clauses = [\"X\"] }\n[controller]")
        .replace("period = \"P6M\"", "period = \"$kept\"");
    let set = |value: &str| {
        let text =
            head(&base) + &format!("[parameters]\nkept = {{ value = \"{value}\", clauses = [\"Y\"] }}\n");
        load(&text, &[("westrum", &base)])
    };
    let rules = set("P3M").expect("it tightens");
    assert_eq!(rules.retentions()[0].period, "P3M".parse().expect("a period"));
    assert_eq!(rules.parameters()[0].clauses, ["Y"]);
    refused(set("P7M"), ("upper.toml", 3), "retention.vehicle-life");
}
