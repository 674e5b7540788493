//! Which consents stand, as the counter asks for them.

use crate::common::{ASSET, VIN, World, refused, taken, with_visit};
use serde_json::json;
use vernport_api::{Code, ConsentsAnswer, PATH_CONSENTS};
use vernport_registry::Role;
use vernport_types::Category;

#[tokio::test]
async fn a_consent_is_told_by_its_receipt_and_by_the_vehicle_until_it_is_withdrawn() {
    let central = with_visit().await;
    let by_receipt = json!({"receipt": World::receipt()});
    let by_vehicle = json!({"vehicle": {"vin": VIN}});
    let ask = async |asked: &serde_json::Value| -> ConsentsAnswer {
        taken(central.post(&central.registrar(), PATH_CONSENTS, asked).await).await
    };
    let told = ask(&by_vehicle).await;
    assert_eq!(told.asset, Some(ASSET.parse().expect("an asset")));
    assert_eq!(told.people.iter().map(|person| person.role).collect::<Vec<_>>(), [Role::Driver]);
    let [consent] = &told.consents[..] else { panic!("one person consented once") };
    assert_eq!(consent.in_force, [Category::DrivingBehaviour]);
    assert_eq!(&ask(&by_receipt).await.consents[..], std::slice::from_ref(consent));

    let scope = json!({"receipt": World::receipt()});
    let now = central.world.now();
    central.say(json!({"kind": "consent-withdrawn", "scope": scope, "method": "spoken"})).await;
    for asked in [&by_receipt, &by_vehicle] {
        let told = ask(asked).await;
        assert_eq!((&told.consents[0].in_force[..], told.consents[0].withdrawn_at), (&[][..], Some(now)));
    }
}

#[tokio::test]
async fn only_the_counter_is_told_and_a_wrong_question_is_not_repeated() {
    let central = with_visit().await;
    let asked = json!({"receipt": World::receipt()});
    refused(central.post(&central.gateway(), PATH_CONSENTS, &asked).await, Code::RoleNotAllowed).await;
    let mistyped = json!({"receipt": "1R70-W3GE-1R7X"});
    let problem =
        refused(central.post(&central.registrar(), PATH_CONSENTS, &mistyped).await, Code::BadRequest).await;
    assert!(!format!("{problem:?}").contains("W3GE"), "a document never repeats what was sent");
    let nobody = json!({"receipt": vernport_registry::ReceiptCode::from_bytes([9; 7])});
    let told: ConsentsAnswer = taken(central.post(&central.registrar(), PATH_CONSENTS, &nobody).await).await;
    assert_eq!(told.consents, []);
}
