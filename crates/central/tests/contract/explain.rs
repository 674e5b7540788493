//! Why something passes or does not, as a registrar hears it.

use crate::common::{
    ASSET, CONTROLLER, Central, OTHER_CONTROLLER, VIN, World, client, refused, taken, with_visit,
};
use serde_json::{Value, json};
use vernport_api::{
    Code, PATH_EXPLAIN,
    explain::{ExplainAnswer, Explained, Explanation},
};
use vernport_testkit::pki::Role;
use vernport_types::Reason;

const SPEED: &str = "Vehicle.Speed";

async fn explained(central: &Central, asked: &Value) -> Explanation {
    let answer: ExplainAnswer = taken(central.post(&central.registrar(), PATH_EXPLAIN, asked).await).await;
    answer.explanation.expect("the asset is known")
}

fn only(explanation: &Explanation) -> &Explained {
    let [answer] = &explanation.answers[..] else { panic!("{explanation:?}") };
    answer
}

fn kinds(answer: &Explained) -> Vec<&str> {
    answer.entries.iter().filter_map(|entry| entry.kind.as_deref()).collect()
}

#[tokio::test]
async fn a_release_is_explained_by_rule_clause_and_the_entries_of_the_ledger() {
    let central = with_visit().await;
    let by_vin = json!({"vehicle": {"identifier": {"vin": VIN}}, "signal": SPEED});
    let explanation = explained(&central, &by_vin).await;
    assert_eq!(explanation.station.station.as_str(), "bay-1", "where the order is open");
    let answer = only(&explanation);
    assert_eq!(answer.rule.as_deref(), Some("flow.speed.signals.Vehicle.Speed"));
    assert_eq!(answer.clauses, ["T-4".into()]);
    assert_eq!(kinds(answer), ["notice-served", "order-opened", "linked", "consent-given"]);
    assert!(answer.entries.iter().all(|entry| entry.recorded_at == Some(central.world.now())));
    let release = answer.released.as_ref().expect("consent is given");
    assert_eq!((&*release.before, &*release.after), ("53.7", "{ from = 40, to = 60 }"));
    assert_eq!(release.ends_as, Reason::ConsentExpired);
    assert_eq!(release.lease_seconds, Some(300), "five minutes, as consent is believed");

    let by_asset = json!({"vehicle": {"asset": ASSET}, "signal": SPEED});
    assert_eq!(explained(&central, &by_asset).await, explanation);
    let all = explained(&central, &json!({"vehicle": {"asset": ASSET}})).await;
    assert!(all.answers.contains(answer) && all.answers.len() > 1);
}

#[tokio::test]
async fn a_withdrawal_is_named_and_the_past_is_explained_as_it_was() {
    let central = with_visit().await;
    let then = central.world.now();
    central.world.advance_seconds(60);
    let withdrawal =
        json!({"kind": "consent-withdrawn", "scope": {"receipt": World::receipt()}, "method": "web"});
    central.ledger(vec![central.world.entry(withdrawal)]).await;
    let asked = json!({"vehicle": {"asset": ASSET}, "signal": SPEED, "flow": "speed"});
    let now = explained(&central, &asked).await;
    assert_eq!(only(&now).withheld, Some(Reason::ConsentWithdrawn));
    assert_eq!(kinds(only(&now)), ["consent-withdrawn"]);
    let mut before = asked;
    before["at"] = json!(then.0);
    assert!(only(&explained(&central, &before).await).released.is_some());
}

#[tokio::test]
async fn an_explanation_never_repeats_the_identifier() {
    let central = with_visit().await;
    let ask = async |asked: Value| {
        let response = central.post(&central.registrar(), PATH_EXPLAIN, &asked).await;
        let url = response.url().to_string();
        url + &response.text().await.expect("a body")
    };
    for asked in [
        json!({"vehicle": {"identifier": {"vin": VIN}}}),
        json!({"vehicle": {"identifier": {"vin": "WDB9634031L738002"}}}),
        json!({"vehicle": {"identifier": {"vin": VIN}}, "signal": VIN}),
        json!({"vehicle": {"identifier": {"vin": VIN}}, "flow": VIN.to_lowercase()}),
        json!({"vehicle": {"identifier": {"vin": VIN}}, "colour": VIN}),
    ] {
        let said = ask(asked).await;
        assert!(!said.to_uppercase().contains("WDB963"), "{said}");
    }
    let unknown = ask(json!({"vehicle": {"identifier": {"vin": "WDB9634031L738002"}}})).await;
    assert!(unknown.ends_with(r#"{"explanation":null}"#), "{unknown}");
}

#[tokio::test]
async fn only_a_registrar_of_the_controller_is_told() {
    let central = with_visit().await;
    let asked = json!({"vehicle": {"identifier": {"vin": VIN}}});
    for role in [Role::Gateway, Role::Recipient] {
        let peer = client(&central.world.ca, "bay-1", role, CONTROLLER);
        refused(central.post(&peer, PATH_EXPLAIN, &asked).await, Code::RoleNotAllowed).await;
    }
    // Another controller is asked for its own registry, and that knows no such vehicle.
    let foreign = client(&central.world.ca, "counter", Role::Registrar, OTHER_CONTROLLER);
    let answer: ExplainAnswer = taken(central.post(&foreign, PATH_EXPLAIN, &asked).await).await;
    assert_eq!(answer.explanation, None);
    for wrong in [
        json!({"vehicle": {"asset": ASSET}, "signal": "Vehicle.Sped"}),
        json!({"vehicle": {"asset": ASSET}, "flow": "no-such-flow"}),
        json!({"vehicle": {"asset": ASSET}, "by": "guess"}),
        json!({"vehicle": {}}),
        json!({}),
    ] {
        let response = central.post(&central.registrar(), PATH_EXPLAIN, &wrong).await;
        refused(response, Code::BadRequest).await;
    }
}
