//! Real truck captures through the whole path: their recipients open what other
//! tools read in them, and under rules that list no vehicle data, nothing.

use crate::opened::{Opened, json};
use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};
use vernport::{
    args,
    replay::{Replayed, replay},
    stage::Stage,
};
use vernport_types::{
    Fault, FaultState, Identification, Identifier, Number, Reason, TroubleCode, Value, Vin,
};

const ODOMETER: &str = "Vehicle.TraveledDistance";
const FUEL: &str = "Vehicle.Powertrain.FuelSystem.RelativeLevel";
const BATTERY: &str = "Vehicle.LowVoltageBattery.CurrentVoltage";
const CODES: &str = "Vehicle.Diagnostics.DTCList";

/// A capture that was replayed, in the time of its log.
struct Whole {
    replayed: Replayed,
    opened: Opened,
    stage: Stage,
    _folder: tempfile::TempDir,
}

/// The folder of captures, or none with a line that says so.
fn captures(test: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("VERNPORT_CAPTURES");
    if folder.is_none() {
        #[expect(clippy::print_stderr, reason = "`cargo xtask test` reads it from the output of the test")]
        {
            eprintln!("SKIPPED {test}: VERNPORT_CAPTURES is not set");
        }
    }
    folder.map(Into::into)
}

async fn through(folder: &Path, log: &str, bundle: &str, world: &str) -> Result<Whole> {
    let worlds = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pipeline/worlds");
    let args = args::Replay {
        file: folder.join("j1939").join(log),
        bundle: bundle.into(),
        world: Some(worlds.join(world)),
        time: args::ReplayTime::File,
        order: None,
        json: false,
    };
    let set = tempfile::tempdir()?;
    let (replayed, stage) = replay(&args, set.path()).await?;
    let mut opened = Opened::default();
    for ((recipient, purpose), bodies) in &replayed.opened {
        for body in bodies {
            opened.add((recipient, purpose), body);
        }
    }
    Ok(Whole { replayed, opened, stage, _folder: set })
}

impl Whole {
    /// How often each value of a signal was opened by one recipient, as `source value`.
    fn values(&self, (recipient, purpose): (&str, &str), path: &str) -> Vec<(String, usize)> {
        let values = self.opened.of(recipient, purpose).values(path);
        values.into_iter().map(|((source, value), n)| (format!("{source} {value}"), n)).collect()
    }

    /// Whether a text occurs in anything that was opened.
    fn shows(&self, text: &str) -> bool {
        let bodies = self.replayed.opened.values().flatten();
        bodies
            .map(|body| serde_json::to_string(body).expect("a body has a JSON form"))
            .any(|body| body.contains(text))
    }

    async fn stored_batches(&self) -> Result<u64> {
        self.stage.registrar(&self.replayed.controller)?.stored_batches().await
    }
}

fn expected<const N: usize>(values: [(&str, Value, usize); N]) -> Vec<(String, usize)> {
    let mut values = values.map(|(source, value, n)| (format!("{source} {}", json(value)), n)).to_vec();
    values.sort();
    values
}

fn number(number: f64) -> Value {
    Value::Number(Number::new(number).expect("finite"))
}

fn code(spn: u32, fmi: u8, occurrence: u8) -> Value {
    let fault = Fault::J1939 { spn, fmi, occurrence: Some(occurrence) };
    Value::TroubleCode(TroubleCode { fault, state: FaultState::Present })
}

const WORKSHOP: (&str, &str) = ("westrum-workshop", "service-delivery");
const CUSTOMER: (&str, &str) = ("nordic-haulage", "service-delivery");

#[tokio::test]
async fn a_whole_truck_bus_ends_as_what_other_tools_read_in_it() -> Result<()> {
    let Some(folder) = captures("a_whole_truck_bus_ends_as_what_other_tools_read_in_it") else {
        return Ok(());
    };
    let whole = through(&folder, "eti_truck_keyon_2021.log", "westrum", "order.toml").await?;
    assert_eq!(
        whole.values(WORKSHOP, ODOMETER),
        expected([
            ("j1939:65217:sa=00", Value::Integer(57_088_920), 4),
            ("j1939:65217:sa=17", Value::Integer(57_090_810), 4),
            ("j1939:65248:sa=00", Value::Integer(57_088_875), 41),
        ])
    );
    assert_eq!(
        whole.values(CUSTOMER, ODOMETER),
        expected([
            ("j1939:65217:sa=00", Value::Integer(57_089_000), 4),
            ("j1939:65217:sa=17", Value::Integer(57_091_000), 4),
            ("j1939:65248:sa=00", Value::Integer(57_089_000), 41),
        ]),
        "the customer gets it to the kilometre"
    );
    assert_eq!(whole.values(WORKSHOP, FUEL), expected([("j1939:65276:sa=00", number(81.6), 4)]));
    assert_eq!(
        whole.values(WORKSHOP, BATTERY),
        expected([("j1939:65271:sa=00", number(10.95), 4), ("j1939:65271:sa=21", number(11.2), 4)])
    );
    let none =
        ["00", "03", "0B", "17", "21"].map(|sa| format!("j1939:65226:sa={sa} {}", json(Value::Nothing)));
    assert_eq!(whole.values(WORKSHOP, CODES), none.map(|none| (none, 4)), "asked of five units, and none");
    assert_eq!(whole.opened.of("westrum-workshop", "maintenance-reminder").len(), 0, "nobody consented");
    assert_eq!(whole.replayed.status.tally.frames, 2645);
    whole.stage.stop().await;
    Ok(())
}

#[tokio::test]
async fn trouble_codes_of_a_broadcast_end_as_what_other_tools_read() -> Result<()> {
    let Some(folder) = captures("trouble_codes_of_a_broadcast_end_as_what_other_tools_read") else {
        return Ok(());
    };
    // Cars reads no VIN, so the first two seconds, in which one might still come, are nobody's.
    let cars = ("cars-service", "service-delivery");
    for (bundle, reader, seconds) in [("westrum", WORKSHOP, 30), ("cars-software", cars, 28)] {
        let whole = through(&folder, "css_engine_dm1bam_gnss.log", bundle, "order.toml").await?;
        let odometer = [("j1939:65248:sa=00", Value::Integer(13_832_875), 10 * seconds)];
        assert_eq!(whole.values(reader, ODOMETER), expected(odometer), "{bundle}");
        let codes = [code(980, 9, 126), code(3216, 20, 2), code(609, 9, 1), code(609, 12, 3)];
        let codes = codes.map(|code| ("j1939:65226:sa=00", code, seconds));
        assert_eq!(whole.values(reader, CODES), expected(codes), "{bundle}");
        let volts: usize = whole.values(reader, BATTERY).iter().map(|(_, n)| n).sum();
        assert_eq!(volts, seconds, "{bundle}");
        // A purpose of Westrum needs the fuel level; none of Cars does.
        let fuel = [("j1939:65276:sa=00", number(74.8), seconds)];
        let fuel = if bundle == "westrum" { expected(fuel) } else { Vec::new() };
        assert_eq!(whole.values(reader, FUEL), fuel, "{bundle}");
        let present = [("j1939:65226:sa=00", Value::Present, 4 * seconds)];
        assert_eq!(whole.values(CUSTOMER, CODES), expected(present), "{bundle}: that there are some");
        whole.stage.stop().await;
    }
    Ok(())
}

#[tokio::test]
async fn an_odometer_that_has_just_woken_up_never_reaches_a_recipient() -> Result<()> {
    let Some(folder) = captures("an_odometer_that_has_just_woken_up_never_reaches_a_recipient") else {
        return Ok(());
    };
    let whole = through(&folder, "css_tacho_vdhr_wakeup.log", "westrum", "order.toml").await?;
    assert_eq!(
        whole.values(WORKSHOP, ODOMETER),
        expected([
            ("j1939:65217:sa=17", Value::Integer(158_910_600), 9),
            ("j1939:65217:sa=EE", Value::Integer(158_910_600), 7),
        ])
    );
    whole.stage.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_vehicle_is_recognised_by_its_vin_and_no_recipient_opens_it() -> Result<()> {
    let Some(folder) = captures("a_vehicle_is_recognised_by_its_vin_and_no_recipient_opens_it") else {
        return Ok(());
    };
    let text = std::fs::read_to_string(folder.join("expected/css_tacho_uds_session.log.json"))?;
    let said: serde_json::Value = serde_json::from_str(&text)?;
    let vin = said["diag_payloads"]["18DAFBEE 62F190"]["vin"].as_str().context("a VIN")?;
    // The log has one signal that a flow may want, and the driver wants it coached.
    let whole = through(&folder, "css_tacho_uds_session.log", "example-fleet", "coach.toml").await?;
    let speed = whole.values(("eco-coach", "eco-coaching"), "Vehicle.Speed");
    assert_eq!(speed, expected([("j1939:65265:sa=00", Value::Bucket(0, 20), 65)]));
    let bodies: Vec<_> = whole.replayed.opened.values().flatten().collect();
    assert!(!bodies.is_empty());
    assert!(bodies.iter().all(|body| body.head.identified_by == Identification::BusVin));

    let vin: Vin = vin.parse()?;
    let registrar = whole.stage.registrar(&whole.replayed.controller)?;
    let index = registrar.identity.index(&Identifier::Vin(vin));
    let known =
        registrar.find(Identifier::Vin(vin)).await?.context("the VIN on the bus is the one of the world")?;
    let in_hex = hex::encode(vin.expose());
    for secret in [vin.expose(), &in_hex, &in_hex.to_uppercase(), &index.to_string(), &known.to_string()] {
        assert!(!whole.shows(secret), "what was opened shows the VIN, its index or the id of the asset");
    }
    whole.stage.stop().await;

    // Westrum has no flow for speed: the VIN is compared, dropped by rule, and nothing is released.
    let whole = through(&folder, "css_tacho_uds_session.log", "westrum", "coach.toml").await?;
    let reasons = whole.replayed.status.tally.reasons();
    assert_eq!(reasons.get(&Reason::DroppedByRule), Some(&1), "the VIN");
    assert_eq!((whole.opened.len(), whole.stored_batches().await?), (0, 0));
    whole.stage.stop().await;
    Ok(())
}

#[tokio::test]
async fn under_rules_that_list_no_vehicle_data_nothing_is_stored_of_any_capture() -> Result<()> {
    let Some(folder) = captures("under_rules_that_list_no_vehicle_data_nothing_is_stored_of_any_capture")
    else {
        return Ok(());
    };
    for (log, world) in [
        ("eti_truck_keyon_2021.log", "order.toml"),
        ("css_engine_dm1bam_gnss.log", "order.toml"),
        ("css_tacho_uds_session.log", "coach.toml"),
        ("css_tacho_vdhr_wakeup.log", "order.toml"),
    ] {
        let whole = through(&folder, log, "car-special", world).await?;
        let status = &whole.replayed.status;
        let (exact, coarsened, withheld) = status.tally.totals();
        assert_eq!((exact, coarsened), (0, 0), "{log}");
        assert!(withheld > 50, "{log}: it was read through, and all of it withheld");
        // What was withheld is counted, and one leaf commits to the counts; nothing else left any.
        assert_eq!((status.tally.queued_batches, status.tally.queued_messages), (0, 0), "{log}");
        assert!(status.spool.leaves <= 1 && status.spool.used_bytes == 0, "{log}");
        assert_eq!((whole.opened.len(), whole.stored_batches().await?), (0, 0), "{log}");
        whole.stage.stop().await;
    }
    Ok(())
}
