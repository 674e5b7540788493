//! The simulated truck into the real gateway over the virtual bus: what comes out
//! is what it was configured with, flow by flow.

use crate::{
    opened::json,
    stand::{OnBus, Stand, is_delivered},
    truck::ODOMETER_M,
};
use anyhow::Result;
use std::collections::BTreeSet;
use vernport_types::{CanId, Fault, FaultState, Number, TroubleCode, Value};

/// How many frames of a parameter group a source has sent.
fn sent(truck: &OnBus, pgn: u32, source: u32) -> usize {
    let of = |id| matches!(id, CanId::Extended(id) if id >> 8 & 0x3_FFFF == pgn && id & 0xFF == source);
    truck.sent.iter().filter(|(_, frame)| of(frame.id())).count()
}

fn whole(number: u64) -> String {
    json(Value::Integer(i64::try_from(number).expect("small")))
}

fn number(number: f64) -> String {
    json(Value::Number(Number::new(number).expect("finite")))
}

fn code(spn: u32, fmi: u8, occurrences: u8) -> String {
    let fault = Fault::J1939 { spn, fmi, occurrence: Some(occurrences) };
    json(Value::TroubleCode(TroubleCode { fault, state: FaultState::Present }))
}

#[tokio::test]
async fn what_is_opened_is_what_the_truck_was_configured_with() -> Result<()> {
    let mut stand = Stand::on_virtual_bus().await?;
    stand.start().await?;
    stand.until("grants heard", |status| status.head.is_some()).await?;
    let mut truck = OnBus::arrive(&stand, 0)?;
    truck.drive(&stand, 8).await?;
    stand.until("delivered", is_delivered).await?;
    let opened = stand.opened().await?;

    let (coarse, fine) = ("j1939:65248:sa=00".to_owned(), "j1939:65217:sa=17".to_owned());
    let (coarse_n, fine_n) = (sent(&truck, 65_248, 0x00), sent(&truck, 65_217, 0x17));
    assert!(coarse_n >= 80 && fine_n >= 8);
    let odometer =
        |recipient: &str, purpose: &str| opened.of(recipient, purpose).values("Vehicle.TraveledDistance");
    // Of 125 m and of 5 m a bit.
    let exact = [
        ((coarse.clone(), whole(ODOMETER_M / 125 * 125)), coarse_n),
        ((fine.clone(), whole(ODOMETER_M)), fine_n),
    ];
    assert_eq!(odometer("westrum-workshop", "service-delivery"), exact.into_iter().collect());
    let rounded = |to: u64| [((coarse.clone(), whole(to)), coarse_n), ((fine.clone(), whole(to)), fine_n)];
    assert_eq!(odometer("nordic-haulage", "service-delivery"), rounded(412_346_000).into_iter().collect());
    assert_eq!(
        odometer("westrum-workshop", "maintenance-reminder"),
        rounded(412_000_000).into_iter().collect()
    );
    assert_eq!(
        odometer("westrum-workshop", "warranty-claims").values().sum::<usize>(),
        1,
        "one sample an order"
    );

    let workshop = opened.of("westrum-workshop", "service-delivery");
    for (path, pgn, source, values) in [
        ("Vehicle.Powertrain.FuelSystem.RelativeLevel", 65_276, 0x17, vec![number(62.0)]),
        ("Vehicle.LowVoltageBattery.CurrentVoltage", 65_271, 0x00, vec![number(24.7)]),
        ("Vehicle.Powertrain.CombustionEngine.EngineHours", 65_253, 0x00, vec![number(9412.0)]),
        ("Vehicle.Diagnostics.DTCList", 65_226, 0x00, vec![code(3216, 4, 2), code(609, 12, 3)]),
    ] {
        let from = format!("j1939:{pgn}:sa={source:02X}");
        // Two codes are too long for a frame: they go by a broadcast a second, of which the last is under way.
        let times = if values.len() > 1 { 8 } else { sent(&truck, pgn, source) };
        let expected = values.into_iter().map(|value| ((from.clone(), value), times)).collect();
        assert_eq!(workshop.values(path), expected, "{path}");
    }
    let paths: BTreeSet<String> = opened.paths();
    assert!(!paths.contains("Vehicle.Speed") && !paths.contains("Vehicle.CurrentLocation"), "{paths:?}");
    stand.stage.stop().await;
    Ok(())
}
