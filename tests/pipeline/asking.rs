//! A car that tells its odometer only when it is asked, at the real gateway: asked
//! because a flow is open, and not a moment longer.

use crate::{
    opened::json,
    stand::{Stand, is_delivered},
    truck,
};
use anyhow::{Context as _, Result};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use vernport::shipped;
use vernport_decode::poll::Standing;
use vernport_gateway::{BusStatus, Status};
use vernport_registry::{Event, OrderClosed};
use vernport_sim::{Answering, CarConfig, Model};
use vernport_types::Value;

const ODOMETER: &str = "Vehicle.TraveledDistance";

/// A car with the VIN of the truck's world, on the bus until it is aborted; and how often it was asked.
fn car_on_bus(stand: &Stand) -> Result<(tokio::task::AbortHandle, Arc<AtomicUsize>)> {
    let clock = Arc::clone(&stand.stage.clock);
    let mut node = stand.stage.buses.attach(&stand.controller.name, Arc::clone(&clock))?;
    let model = Model::Car(CarConfig {
        vin: truck::VIN.parse()?,
        odometer_m: truck::ODOMETER_M,
        speed_km_per_h: 0,
        fuel_percent: 50,
        battery_mv: 13_800,
        since_clear_km: 7,
        engine_codes: Vec::new(),
        transmission_codes: Vec::new(),
        answering: Answering::Classic,
        fd_broadcast: false,
    });
    let mut car = model.start(&[], clock.now().boot);
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let task = tokio::spawn(async move {
        loop {
            let due = Duration::from_micros(car.next_due().0.saturating_sub(clock.now().boot.0));
            let out = tokio::select! {
                Some((frame, at)) = node.next() => {
                    count.fetch_add(1, Ordering::Relaxed);
                    car.on_frame(&frame, at.boot)
                }
                () = tokio::time::sleep(due) => car.on_tick(clock.now().boot),
            };
            out.iter().for_each(|frame| node.sender().send(frame));
        }
    });
    Ok((task.abort_handle(), asked))
}

#[tokio::test]
async fn a_car_is_asked_who_it_is_and_for_its_odometer_until_its_order_is_closed() -> Result<()> {
    let mut stand = Stand::on_virtual_bus().await?;
    stand.configure(|text| {
        text.replace("[[bus]]", "[[bus]]\nlisten_only = false\nfilters = true\nlisten_first_ms = 2000")
    })?;
    stand.start().await?;
    stand.until("grants heard", |status| status.head.is_some()).await?;
    let (car, asked) = car_on_bus(&stand)?;
    let odometer = shipped::catalogue().find(ODOMETER).context("a signal of the catalogue")?;
    let is_read =
        |status: &Status| status.tally.rows.iter().any(|((id, _), row)| *id == odometer && row.exact > 0);
    stand.until("its odometer read and delivered", |status| is_read(status) && is_delivered(status)).await?;
    let opened = stand.opened().await?;
    let values = opened.of("westrum-workshop", "service-delivery").values(ODOMETER);
    let metres = i64::try_from(truck::ODOMETER_M / 100 * 100)?;
    let answer = ("obd:01:A6:7E8".to_owned(), json(Value::Integer(metres)));
    assert_eq!(values.keys().collect::<Vec<_>>(), [&answer], "by nothing but an answer to us");

    stand.registrar.say(Event::OrderClosed(OrderClosed { order: stand.world.order("1017") })).await?;
    let idle = |bus: &BusStatus| bus.asking.is_some_and(|asking| asking.standing == Standing::Idle);
    let closed = stand.until("idle", |status| status.buses.iter().all(idle)).await?;
    let before = asked.load(Ordering::Relaxed);
    let frames = |status: &Status| status.buses[0].counters.frames;
    stand.until("heard on", |status| frames(status) > frames(&closed) + 20).await?;
    assert_eq!(asked.load(Ordering::Relaxed), before, "nothing was asked any more");
    car.abort();
    stand.stage.stop().await;
    Ok(())
}

#[tokio::test]
async fn what_a_car_broadcasts_is_read_by_its_dbc_file_behind_filters_that_let_it_pass() -> Result<()> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/config/dbc/sim-car.dbc");
    let mut stand = Stand::on_virtual_bus().await?;
    let bus =
        format!("[[bus]]\nlisten_only = false\nfilters = true\nlisten_first_ms = 2000\ndbc = [{file:?}]");
    stand.configure(|text| text.replace("[[bus]]", &bus))?;
    stand.start().await?;
    stand.until("grants heard", |status| status.head.is_some()).await?;
    let (car, _) = car_on_bus(&stand)?;
    let odometer = shipped::catalogue().find(ODOMETER).context("a signal of the catalogue")?;
    // Its answers come every ten seconds at most, its broadcasts several times a second.
    let is_read =
        |status: &Status| status.tally.rows.iter().any(|((id, _), row)| *id == odometer && row.exact > 10);
    stand.until("its odometer read and delivered", |status| is_read(status) && is_delivered(status)).await?;
    let values = stand.opened().await?.of("westrum-workshop", "service-delivery").values(ODOMETER);
    let metres = json(Value::Integer(i64::try_from(truck::ODOMETER_M / 100 * 100)?));
    assert!(
        values.keys().any(|(source, value)| source.starts_with("dbc:") && *value == metres),
        "{values:?}"
    );
    car.abort();
    stand.stage.stop().await;
    Ok(())
}
