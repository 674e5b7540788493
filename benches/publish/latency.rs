//! From a CAN frame to a subscriber: a whole gateway with a spool on this disk, mosquitto with TLS, and a bus
//! that is full of frames of others. A payload says when its frame was read, by the same clock.

use crate::{PATIENCE, installation::Installation, rate::endpoint};
use anyhow::{Context as _, Result};
use serde_json::Value;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;
use vernport_mqtt::{Inbox, InboxConfig, LinkState};
use vernport_types::{CanFrame, CanId};

/// What a bus of 500 kbit/s carries, in frames a millisecond.
const NOISE_PER_MS: usize = 4;

/// Prints p50 and p99.
pub(crate) async fn measure(seconds: u64) -> Result<()> {
    let mut of = Installation::set_up().await?;
    let controller = of.controller.clone();
    let who = of.client("nordic-haulage");
    let endpoint = endpoint(&of.fleet, &who, "dispatch")?;
    let mut inbox =
        Inbox::start(InboxConfig::new(endpoint, vec!["vernport/v1/fleet/nordic-haulage/#".into()]));
    inbox.status().wait_for(|status| status.state == LinkState::Up).await?;
    of.stage.start_gateway(&controller).await?;
    of.stage.wait_for(&controller, "vehicle expected", |status| status.expected_assets > 0).await?;
    let mut truck = of.truck()?;
    truck.drive(3, &of).await?;
    of.stage.wait_for(&controller, "vehicle recognised", |status| status.tally.visits > 0).await?;

    let node = of.stage.buses.attach(&controller.name, Arc::clone(&of.stage.clock))?;
    let (stop, wire) = (CancellationToken::new(), node.sender());
    let stopped = stop.clone();
    let noise = std::thread::spawn(move || -> Option<u64> {
        let frame = CanFrame::data_frame(CanId::extended(0x0CF0_0400)?, &[0xFF; 8])?;
        let mut sent = 0;
        while !stopped.is_cancelled() {
            (0..NOISE_PER_MS).for_each(|_| wire.send(&frame));
            sent += NOISE_PER_MS as u64;
            std::thread::sleep(Duration::from_millis(1));
        }
        Some(sent)
    });
    let begun = Instant::now();
    let mut times = Vec::new();
    while begun.elapsed().as_secs() < seconds {
        truck.second();
        let pause = tokio::time::sleep(Duration::from_millis(97));
        tokio::pin!(pause);
        loop {
            tokio::select! {
                () = &mut pause => break,
                message = inbox.next() => {
                    let message = message.context("the subscriber runs")?;
                    let now = of.stage.clock.now().wall;
                    times.extend(read_at(&message.payload).map(|at| now.0 - at));
                    message.ack.done();
                }
            }
        }
    }
    stop.cancel();
    let frames = noise.join().ok().flatten().context("frames of others")?;
    tokio::time::timeout(PATIENCE, inbox.stop()).await?;
    times.sort_unstable();
    let at =
        |share: usize| times.get(times.len() * share / 100).map_or(0.0, |micros| *micros as f64 / 1000.0);
    println!("{} values beside {} frames/s of others, max_wait_ms 100", times.len(), frames / seconds.max(1));
    println!("frame to subscriber   p50 {:.1} ms   p99 {:.1} ms", at(50), at(99));
    of.stage.stop().await;
    Ok(())
}

/// When the frame of a value was read, in microseconds; nothing for sealed messages and gaps.
fn read_at(payload: &[u8]) -> Option<i64> {
    let json: Value = serde_json::from_slice(payload).ok()?;
    let time: jiff::Timestamp = json["time"].as_str()?.parse().ok()?;
    Some(time.as_microsecond())
}
