//! What central logs: a test process of its own, so that every thread is heard.

#[path = "contract/common.rs"]
#[expect(dead_code, reason = "the contract tests use the rest")]
mod common;

use common::{DRIVER, VIN, World, refused, taken, vin};
use serde_json::json;
use vernport_api::{Code, FindAnswer, LedgerAnswer, PATH_FIND_ASSET, PATH_LEDGER};
use vernport_testkit::logs::Logs;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_personal_is_logged_at_any_level() {
    let logs = Logs::of_this_process();
    let central = World::new().start().await;
    let asked = json!({"entries": central.world.visit(), "identifiers": [vin()]});
    let _: LedgerAnswer = taken(central.post(&central.registrar(), PATH_LEDGER, &asked).await).await;
    let find = json!({"identifier": vin()});
    let _: FindAnswer = taken(central.post(&central.registrar(), PATH_FIND_ASSET, &find).await).await;
    let odometer = central.grant("odometer").await;
    let batch = central.world.batch("odometer");
    central.deliver(&[(odometer, &batch)]).await;
    for bad in [json!({"identifier": {"vin": format!("{VIN}0")}}), json!({"identifier": VIN})] {
        refused(central.post(&central.registrar(), PATH_FIND_ASSET, &bad).await, Code::BadRequest).await;
    }
    let scope = json!({"receipt": World::receipt()});
    central.say(json!({"kind": "consent-withdrawn", "scope": scope, "method": "web"})).await;
    refused(central.send(&central.gateway(), &[(odometer, &batch[1..])]).await, Code::EnvelopeMalformed)
        .await;
    central.stop().await;

    let text = logs.text();
    assert!(text.contains("central serves") && text.contains("TRACE"), "the capture works");
    for canary in [VIN, DRIVER, &World::receipt(), "counter-7"] {
        assert!(!text.contains(canary), "a log holds what is personal");
    }
}
