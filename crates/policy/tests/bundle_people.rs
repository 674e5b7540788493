//! What a bundle says of hosting, groups, authorities, holds, messages and rights:
//! each refusal at its line, and what is accepted as it is read back.

mod world;

use vernport_policy::{Bundle, BundleError, Proof, Right, RightRule, Rules, SourceClass, Window};
use vernport_registry::{DisclosureGround, HoldGround};
use vernport_types::Reason;
use world::{DAY, NOON, catalogue, example, id};

fn compile(text: &str) -> Result<Rules, BundleError> {
    Rules::compile(&Bundle::from_toml("b.toml", text)?, &catalogue())
}

/// The example of a workshop, changed in one place and with more tables at its end.
fn with(old: &str, new: &str, tables: &str) -> String {
    let text = example("westrum");
    assert_eq!(text.matches(old).count(), 1, "one place to change: {old}");
    text.replace(old, new) + tables
}

/// The line where the error stands has to begin with `at`, and the error to say `what`.
#[track_caller]
fn refused(text: &str, at: &str, what: &str) {
    let error = compile(text).expect_err("a bundle that is refused");
    let line = text.lines().nth(error.line - 1).expect("a line of the text");
    assert!(line.trim_start().starts_with(at), "{error}\nstands at: {line}");
    assert!(error.what.contains(what), "{error}");
    assert!(!error.remedy.is_empty());
}

const CONTACT: &str = "categories = [\"odometer\", \"component-status\", \"body-function\", \"identifier\", \
                       \"service-history\"]";

/// The example with contact data in its notice, so that messages have something to use.
fn contact(tables: &str) -> String {
    with(CONTACT, &CONTACT.replace(']', ", \"contact\", \"credential\"]"), tables)
}

#[test]
fn machines_stand_within_the_regions_and_are_run_by_agreement() {
    let hosting = |keys: &str| {
        let table = format!("[hosting]\n{keys}\nclauses = [\"WEST-6.1\"]\n\n[[notice]]");
        with("[[notice]]", &table, "")
    };
    refused(&hosting("regions = []"), "regions", "nowhere");
    refused(&hosting("regions = [\"Norway\"]"), "regions", "no region");
    refused(&hosting("regions = [\"DK\"]"), "regions", "outside of the regions");
    refused(&hosting("regions = [\"NO\"]\nprocessor = \"x\""), "processor", "without an agreement");
    let agreed = "regions = [\"NO\"]\nprocessor = \"x\"\nagreement = { id = \"a\", from = 2018-01-01, until = 2032-01-01 }";
    let rules = compile(&hosting(agreed)).expect("rules");
    let hosting = rules.hosting().expect("hosting");
    assert!(hosting.allows("NO") && !hosting.allows("SE") && !hosting.allows("EEA"));
    assert_eq!(hosting.clauses, ["WEST-6.1"]);
    let eea = compile(example("cars-software")).expect("rules").controller_info().regions.clone();
    assert_eq!(eea, ["EEA"]);
}

#[test]
fn where_agreements_are_attested_each_one_is() {
    let attested = "elsewhere = \"never\"\nattested = true";
    let text = with("elsewhere = \"never\"", attested, "");
    refused(&text, "agreement", "nobody attests");
    let text = text.replace("until = 2031-01-01", "until = 2031-01-01, attested_until = 2027-01-01");
    let rules = compile(&text).expect("rules");
    assert!(rules.controller_info().attested);
    let agreement = rules.recipient(&id("nordic-haulage")).expect("a recipient").agreement.clone();
    let agreement = agreement.expect("an agreement");
    assert_eq!(Some(agreement.ends()), agreement.attested_until);
    assert!(agreement.ends() < agreement.until);
}

#[test]
fn a_review_has_a_day() {
    let by =
        |day: &str| with("elsewhere = \"never\"", &format!("elsewhere = \"never\"\nreview_by = {day}"), "");
    assert!(compile(&by("2027-06-01")).expect("rules").controller_info().review_by.is_some());
    refused(&by("2027-06-01T10:00:00Z"), "review_by", "not a date");
}

const GROUP: &str = "[[recipient]]\nid = \"group\"\nname = \"G\"\nrole = \"group\"\nregion = \"NO\"\n\
    agreement = { id = \"a\", from = 2018-01-01, until = 2032-01-01 }\nclauses = [\"WEST-5.1\"]\n";

fn flow(keys: &str, signals: &str) -> String {
    format!(
        "[[flow]]\nid = \"made\"\n{keys}\nretention = \"warranty\"\ndeliver = {{ store = true }}\nweakest = \"tool\"\n\
         clauses = [\"X\"]\n[flow.signals]\n{signals}\n"
    )
}

#[test]
fn a_group_company_gets_internal_administration_and_nothing_of_a_vehicle() {
    let to_group = "purpose = \"service-delivery\"\nrecipient = \"group\"";
    let text =
        with("[[retention]]\nid = \"warranty\"", &format!("{GROUP}\n[[retention]]\nid = \"warranty\""), "");
    let vin = "\"Vehicle.VehicleIdentification.VIN\" = \"exact\"";
    let odometer = "\"Vehicle.TraveledDistance\" = \"presence\"";
    refused(&(text.clone() + &flow(to_group, vin)), "purpose", "more than internal administration");
    let internal = text.replace(
        "clauses = [\"WEST-3.1\", \"WEST-3.3\", \"WEST-9.1\"]",
        "internal_administration = true\nclauses = [\"WEST-3.1\"]",
    );
    refused(
        &(internal.clone() + &flow(to_group, odometer)),
        "id = \"made\"",
        "gives a group company `odometer`",
    );
    assert!(compile(&(internal + &flow(to_group, vin))).is_ok());
}

const AUTHORITY: &str = "[[recipient]]\nid = \"police\"\nname = \"P\"\nrole = \"authority\"\nregion = \"NO\"\n\
    clauses = [\"X\"]\n";

#[test]
fn an_authority_gets_what_is_disclosed_and_nobody_else_does() {
    let text = with(
        "[[retention]]\nid = \"warranty\"",
        &format!("{AUTHORITY}\n[[retention]]\nid = \"warranty\""),
        "",
    );
    let odometer = "\"Vehicle.TraveledDistance\" = \"exact\"";
    let made = |recipient: &str, keys: &str| {
        let keys = format!("purpose = \"service-delivery\"\nrecipient = \"{recipient}\"\n{keys}");
        text.clone() + &flow(&keys, odometer)
    };
    let disclosed = "window = \"disclosure\"\ngrounds = [\"court-order\"]";
    refused(&made("police", "window = \"order\""), "id = \"made\"", "without a disclosure");
    refused(&made("westrum-workshop", disclosed), "id = \"made\"", "no authority");
    refused(&made("police", "window = \"disclosure\""), "id = \"made\"", "on no ground");
    refused(&made("police", "window = \"disclosure\"\ngrounds = []"), "grounds", "at least one");
    refused(&made("westrum-workshop", "grounds = [\"terms\"]"), "grounds", "are for `window");
    let rules = compile(&made("police", disclosed)).expect("rules");
    let made = rules.find(&id("made")).expect("a flow");
    assert_eq!((made.window, &made.grounds[..]), (Window::Disclosure, &[DisclosureGround::CourtOrder][..]));
}

#[test]
fn a_station_alone_opens_only_what_it_can_judge() {
    let odometer = "\"Vehicle.TraveledDistance\" = \"exact\"";
    let made = |purpose: &str, keys: &str| {
        let keys =
            format!("purpose = \"{purpose}\"\nrecipient = \"westrum-workshop\"\noffline = true\n{keys}");
        with("format = 1", "format = 1", &flow(&keys, odometer))
    };
    assert!(
        compile(&made("service-delivery", "")).expect("rules").find(&id("made")).expect("a flow").offline
    );
    let refuse = |text: &str, what: &str| refused(text, "id = \"made\"", what);
    refuse(&made("maintenance-reminder", "roles = [\"owner\"]"), "rests on no contract");
    refuse(&made("service-delivery", "window = \"link\"\nroles = [\"owner\"]"), "without an order");
    refuse(&made("service-delivery", "roles = [\"owner\"]"), "knows nobody");
    refuse(&made("service-delivery", "account = true"), "knows no account");
    let topic = made("service-delivery", "").replace(
        "deliver = { store = true }\nweakest = \"tool\"\nclauses = [\"X\"]",
        "deliver = { store = true, topic = \"sealed\" }\nweakest = \"tool\"\nclauses = [\"X\"]",
    );
    refuse(&topic, "goes to a topic");
}

#[test]
fn an_account_is_asked_for_by_the_window_or_beside_an_order() {
    let odometer = "\"Vehicle.TraveledDistance\" = \"exact\"";
    let made = |keys: &str| {
        let keys = format!("purpose = \"service-delivery\"\nrecipient = \"westrum-workshop\"\n{keys}");
        with("format = 1", "format = 1", &flow(&keys, odometer))
    };
    for (keys, order) in [("window = \"account\"", false), ("window = \"order\"\naccount = true", true)] {
        let rules = compile(&made(keys)).expect("rules");
        let flow = rules.find(&id("made")).expect("a flow");
        assert!(flow.account && flow.needs_order() == order, "{keys}");
    }
    let link = made("window = \"link\"\nroles = [\"owner\"]\naccount = true");
    refused(&link, "id = \"made\"", "beside its window");
}

#[test]
fn a_notice_says_where_data_comes_from_and_a_flow_no_more_than_that() {
    let served = "served_when = \"recorded\"";
    let of = |notice: &str, flow: &str| {
        with(served, &format!("{served}\nsources = {notice}"), "")
            .replace("sample = \"per-order\"\n", &format!("sample = \"per-order\"\n{flow}\n"))
    };
    refused(&of("[]", ""), "sources", "takes data from nowhere");
    refused(&of("[\"vehicle\"]", "sources = [\"tool\"]"), "sources", "does not tell of");
    refused(&of("[\"vehicle\"]", "sources = []"), "sources", "does not tell of");
    refused(&of("[\"bus\"]", ""), "sources", "");
    refused(&of("[\"vehicle\"]", "notice = \"westrum-2\""), "notice", "no notice `westrum-2`");
    let rules = compile(&of("[\"vehicle\", \"tool\"]", "sources = [\"tool\"]")).expect("rules");
    let sources = |flow: &str| rules.find(&id(flow)).expect("a flow").sources.iter().collect::<Vec<_>>();
    assert_eq!(sources("warranty"), [SourceClass::Tool]);
    assert_eq!(sources("workshop"), [SourceClass::Vehicle, SourceClass::Tool]);
    // A flow of two versions has what both tell of; none is no flow.
    let newer = "[[notice]]\nversion = \"westrum-2\"\nserved_when = \"recorded\"\nsources = [\"manual\"]\n\
                 categories = [\"odometer\"]\nclauses = [\"X\"]\n\n[[purpose]]\nid = \"service-delivery\"";
    let text = of("[\"vehicle\"]", "").replace("[[purpose]]\nid = \"service-delivery\"", newer);
    refused(&text, "id = \"workshop\"", "no source that all its notices tell of");
}

#[test]
fn a_purpose_has_its_own_data_and_a_contract_requires_no_consent() {
    let reminder = "necessity = \"A reminder";
    let of = |key: &str| with(reminder, &format!("{key}\n{reminder}"), "");
    refused(&of("required_for_contract = true"), "basis", "requires what rests on");
    refused(
        &of("categories = [\"contact\"]"),
        "categories = [\"odometer\"]",
        "none of the categories of purpose",
    );
    let form = with("categories = [\"odometer\"]\nvalid", "categories = [\"contact\"]\nvalid", "");
    let form = form.replace(reminder, &format!("categories = [\"contact\"]\n{reminder}"));
    refused(&form, "\"Vehicle.TraveledDistance\"", "none of the categories of purpose");
    let rules = compile(&of("categories = [\"odometer\"]\nprofiling = true")).expect("rules");
    assert!(rules.find(&id("maintenance-reminder")).expect("a flow").profiling);
}

#[test]
fn what_is_kept_on_a_consent_rests_on_one() {
    let ground = "id = \"warranty\"\nstart = \"warranty-end\"";
    refused(
        &with(ground, &format!("{ground}\nground = \"consent\""), ""),
        "id = \"warranty\"",
        "kept on a consent",
    );
    let until = "id = \"until-withdrawn\"\nstart = \"consent-end\"";
    let rules = compile(&with(until, &format!("{until}\nground = \"consent\""), "")).expect("rules");
    assert!(rules.find(&id("maintenance-reminder")).is_some());
    assert!(compile(&with("start = \"warranty-end\"", "start = \"account-closed\"", "")).is_ok());
}

fn message(class: &str, purpose: &str, keys: &str) -> String {
    format!(
        "[[message]]\nid = \"m\"\nclass = \"{class}\"\npurpose = \"{purpose}\"\n{keys}\nclauses = [\"X\"]\n"
    )
}

const NEWS: &str = "[[form]]\nid = \"news\"\npurpose = \"marketing\"\nrecipient = \"westrum-workshop\"\n\
    categories = [\"contact\"]\nvalid = \"P1Y\"\nclauses = [\"X\"]\ntexts = { en = \"yes\" }\n";

#[test]
fn messages_have_a_way_out_a_ground_and_only_what_notices_list() {
    let refuse = |tables: &str, at: &str, what: &str| refused(&contact(&format!("{NEWS}{tables}")), at, what);
    let of = "categories = [\"contact\"]";
    refuse(
        &message("marketing", "marketing", &format!("{of}\nform = \"news\"")),
        "id = \"m\"",
        "without a way out",
    );
    let out = format!("{of}\nopt_out = true");
    refuse(&message("marketing", "service-delivery", &out), "id = \"m\"", "neither consented nor bought");
    refuse(
        &message("administrative", "marketing", &format!("{of}\nform = \"news\"")),
        "id = \"m\"",
        "is administrative",
    );
    refuse(&message("marketing", "marketing", &out), "id = \"m\"", "no form asks for");
    refuse(&message("marketing", "marketing", &format!("{out}\nform = \"olds\"")), "form", "no form `olds`");
    let form = "categories = [\"contact\", \"odometer\"]\nopt_out = true\nform = \"news\"";
    refuse(&message("marketing", "marketing", form), "form", "for this purpose and these data");
    let other = format!("{of}\nform = \"maintenance-reminder-1\"\nopt_out = true");
    refuse(&message("marketing", "marketing", &other), "form", "for this purpose");
    let unlisted = message("administrative", "service-delivery", "categories = [\"usage\"]");
    refuse(&unlisted, "categories", "no version of the notice lists `usage`");
    let secret = message("administrative", "service-delivery", "categories = [\"credential\"]");
    refuse(&secret, "categories", "`credential` is used");
    let good = message("marketing", "marketing", &format!("{out}\nform = \"news\""));
    let rules = compile(&contact(&format!("{NEWS}{good}"))).expect("rules");
    assert_eq!(rules.messages()[0].form, Some(id("news")));
    let similar = message("marketing", "service-delivery", &format!("{out}\nsimilar_goods = true"));
    assert!(compile(&contact(&similar)).expect("rules").messages()[0].similar_goods);
    refuse(&format!("{good}{good}"), "id = \"m\"", "message `m` stands twice");
}

#[test]
fn holds_have_an_end_and_stand_once() {
    let hold = |at_most: &str| {
        format!("[[hold]]\nground = \"statute\"\nat_most = \"{at_most}\"\nclauses = [\"X\"]\n")
    };
    let rules = compile(&contact(&hold("P5Y"))).expect("rules");
    let found = rules.hold(HoldGround::Statute).expect("a hold");
    assert_eq!(found.latest_end(NOON), NOON.plus_seconds((5 * 365 + 1) * DAY), "2028 is a leap year");
    assert_eq!(rules.hold(HoldGround::Incident), None);
    refused(&contact(&hold("P16Y")), "at_most", "more than 15 years");
    refused(&contact(&(hold("P5Y") + &hold("P1Y"))), "ground", "hold `statute` stands twice");
}

#[test]
fn an_answer_is_due_within_a_month_and_silence_means_a_month() {
    let right = |deadline: &str| {
        format!(
            "[[right]]\nright = \"access\"\ndeadline = \"{deadline}\"\nidentity = \"official\"\nclauses = [\"X\"]\n"
        )
    };
    let rules = compile(&contact(&right("P14D"))).expect("rules");
    let access = rules.right(Right::Access);
    assert_eq!((access.identity, access.deadline), (Proof::Official, "P14D".parse().expect("a period")));
    assert_eq!(rules.right(Right::Erasure), RightRule::silent(Right::Erasure));
    refused(&contact(&right("P2M")), "deadline", "later than in a month");
    refused(&contact(&(right("P1M") + &right("P14D"))), "right = ", "stands twice");
}

#[test]
fn a_known_finding_has_a_reason_and_its_rule_exists() {
    let known = |keys: &str| contact(&format!("[[acknowledged]]\n{keys}\n"));
    refused(&known("finding = \"F-1\"\nreason = \" \""), "reason", "with a reason");
    refused(&known("finding = \"F-1\"\nrule = \"flow.none\"\nreason = \"x\""), "rule", "no rule `flow.none`");
    let rules =
        compile(&known("finding = \"F-1\"\nrule = \"flow.warranty\"\nreason = \"x\"")).expect("rules");
    assert_eq!(rules.acknowledged()[0].rule.as_deref(), Some("flow.warranty"));
}

#[test]
fn every_rule_has_one_path_its_clauses_and_its_line() {
    let rules = world::compile(example("westrum"));
    let mut paths: Vec<_> = rules.paths().iter().map(|rule| rule.path.as_str()).collect();
    for path in [
        "controller",
        "notice.westrum-1",
        "purpose.marketing",
        "recipient.nordic-haulage",
        "retention.warranty",
        "form.maintenance-reminder-1",
        "identify",
        "flow.workshop",
        "flow.workshop.signals.Vehicle.TraveledDistance",
        "refusal.no-purpose",
        "refusal.dropped-by-rule.identifier",
    ] {
        assert!(paths.contains(&path), "{path}");
    }
    let count = paths.len();
    paths.sort_unstable();
    paths.dedup();
    assert_eq!(paths.len(), count, "each once");
    assert!(rules.paths().iter().all(|rule| !rule.clauses.is_empty() && rule.line > 1));
    let refusal = rules.refusals().iter().find(|refusal| refusal.reason == Reason::NoPurpose);
    assert_eq!(refusal.expect("a refusal").clause, "WEST-3.3");
    refused(&with("clause = \"WEST-3.3\"", "clause = \" \"", ""), "clause", "a refusal without a clause");
    let twice = "[[refusal]]\nreason = \"no-purpose\"\nclause = \"X\"\n";
    refused(&contact(twice), "reason", "refusal `no-purpose` stands twice");
}
