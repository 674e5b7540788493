//! The way to a fleet operator through a bad broker: real gateway, spool and
//! publisher, and the operator's own subscription.
//!
//! The broker is killed every few seconds, withholds, delays and doubles
//! acknowledgements, cuts connections and, in one of the tests, loses the
//! operator's session. What must never be: a reading that neither arrives, nor is
//! named by `skipped`, nor is told to be missing; a number under two ids; a message
//! out of its order. `VERNPORT_STORM_SECONDS` makes the storm longer (15 for each of two), and
//! `VERNPORT_SEED` draws another; a test that fails prints its seed.

use crate::{
    dice::Dice,
    fleet::{self, Heard},
    stand::{OnBus, Stand},
};
use anyhow::{Context as _, Result, ensure};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::{Instant, sleep, timeout_at};
use vernport_broker::{
    Broker,
    fault::{Fate, Hook, Packet},
};
use vernport_gateway::Status;
use vernport_mqtt::{StreamLimits, Streams, Subscription};

/// How long nothing may come while messages are on their way. What an operator's new session did not see shows with the
/// second after it.
const PATIENCE: Duration = Duration::from_secs(3);
const LAST_SECONDS: u32 = 20;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// What the broker does to packets while it storms: of a hundred.
fn weather(dice: Arc<Mutex<Dice>>, storm: Arc<AtomicBool>) -> Hook {
    Arc::new(move |client, packet| {
        if !storm.load(Ordering::SeqCst) {
            return Fate::Pass;
        }
        let drawn = dice.lock().unwrap_or_else(PoisonError::into_inner).below(100);
        let is_gateway = client.starts_with("vernport-");
        match (packet, drawn) {
            (Packet::PubAckOut, 0..3) if is_gateway => Fate::Drop,
            (Packet::PubAckOut, 3..13) if is_gateway => Fate::Later,
            (Packet::PubAckOut, 13) if is_gateway => Fate::Twice,
            (Packet::PubAckOut, 14) if is_gateway => Fate::Cut,
            (Packet::PublishIn { .. }, 0) if is_gateway => Fate::Cut,
            (Packet::PublishOut { .. }, 0..3) => Fate::Twice,
            (Packet::PublishOut { .. }, 3) => Fate::Drop,
            (Packet::PublishOut { .. }, 4) => Fate::Cut,
            (Packet::PubAckIn, 0..3) => Fate::Drop,
            (Packet::PubAckIn, 3) => Fate::Cut,
            _ => Fate::Pass,
        }
    })
}

/// A gateway with a truck at it, a broker between, an operator behind.
struct Storm {
    stand: Stand,
    truck: OnBus,
    /// None while it is killed.
    broker: Option<Broker>,
    /// None while the operator is away.
    operator: Option<Subscription>,
    /// What the operator remembers while it is away.
    known: Option<Streams>,
    heard: Heard,
    dice: Dice,
    blowing: Arc<AtomicBool>,
    seed: u64,
}

impl Storm {
    async fn begin() -> Result<Self> {
        let drawn = u64::from_le_bytes(vernport_crypto::random());
        let seed = number("VERNPORT_SEED").unwrap_or(drawn);
        let blowing = Arc::new(AtomicBool::new(false));
        let hook = weather(Arc::new(Mutex::new(Dice::from_seed(!seed))), Arc::clone(&blowing));
        let broker = fleet::broker(|config| {
            config.faults = Some(hook);
            config.limits.queue_messages = 1 << 16;
            config.limits.queue_bytes = 64 << 20;
        })
        .await?;
        let mut stand = Stand::of(&["westrum"], "virtual:{name}", true).await?;
        fleet::lead_to(&stand, "fleet", &broker, "")?;
        let operator = fleet::subscribe(&broker, Streams::new(StreamLimits::default()), 72)?;
        fleet::subscribed(&operator).await?;
        stand.start().await?;
        stand.until("grants heard", |status| status.head.is_some()).await?;
        // Its time passes faster than ours: at a truck's pace the odometer would jump (decode::odometer).
        let truck = OnBus::arrive_halting(&stand, 10)?;
        let dice = Dice::from_seed(seed);
        let (broker, operator, heard) = (Some(broker), Some(operator), Heard::default());
        Ok(Self { stand, truck, broker, operator, known: None, heard, dice, blowing, seed })
    }

    /// The operator hears the stream begin: one that met it later could not tell what was before.
    async fn first_message(&mut self) -> Result<()> {
        // Without a pause before it says its VIN: what it said by then is known by that.
        self.truck.drive(&self.stand, 3).await?;
        for _ in 0..10 * LAST_SECONDS {
            self.listen(PATIENCE / 10).await?;
            if self.heard.highest() > 0 {
                return Ok(());
            }
        }
        anyhow::bail!("the first message does not arrive")
    }

    /// Storms for a while. `loses_sessions`: the broker forgets the operator now and then.
    async fn blow(&mut self, loses_sessions: bool) -> Result<()> {
        let seconds = number("VERNPORT_STORM_SECONDS").unwrap_or(15);
        let end = Instant::now() + Duration::from_secs(seconds);
        self.blowing.store(true, Ordering::SeqCst);
        while Instant::now() < end {
            self.truck.drive(&self.stand, 1).await?;
            match self.dice.below(if loses_sessions { 24 } else { 22 }) {
                0..2 => self.kill().await?,
                2..5 => self.cut("vernport-"),
                5..7 => self.cut("operator."),
                7 => self.leave().await?,
                8..10 => self.come_back().await?,
                22.. => self.forget_operator(),
                _ => {}
            }
            let pause = Duration::from_millis(20 + self.dice.below(80));
            self.listen(pause).await?;
        }
        Ok(())
    }

    /// The broker is killed, and comes back with what it had.
    async fn kill(&mut self) -> Result<()> {
        let kept = self.broker.take().context("it runs")?.kill().await;
        sleep(Duration::from_millis(10 + self.dice.below(300))).await;
        self.broker = Some(kept.start().await?);
        Ok(())
    }

    fn cut(&self, whose: &str) {
        let Some(broker) = &self.broker else { return };
        match whose {
            "vernport-" => broker.cut(&format!("vernport-{}-fleet", self.stand.controller.gateway)),
            _ => broker.cut(&client_of_operator()),
        }
    }

    fn forget_operator(&self) {
        if let Some(broker) = &self.broker {
            broker.forget(&client_of_operator());
        }
    }

    /// The operator's program ends, with what it knows in a file.
    async fn leave(&mut self) -> Result<()> {
        if let Some(operator) = self.operator.take() {
            self.known = Some(fleet::saved(&operator)?);
            operator.stop().await;
        }
        Ok(())
    }

    async fn come_back(&mut self) -> Result<()> {
        if let Some(known) = self.known.take() {
            let broker = self.broker.as_ref().context("it runs")?;
            self.operator = Some(fleet::subscribe(broker, known, 72)?);
        }
        Ok(())
    }

    /// The operator hears what comes within this time.
    async fn listen(&mut self, time: Duration) -> Result<()> {
        let end = Instant::now() + time;
        let Some(operator) = &mut self.operator else {
            sleep(time).await;
            return Ok(());
        };
        while let Ok(delivery) = timeout_at(end, operator.next()).await {
            self.heard.note(delivery.context("the subscription runs")?)?;
        }
        Ok(())
    }

    /// It is calm: what waits arrives, and what is missing at the end shows with the next message.
    async fn calm(&mut self) -> Result<Vec<(String, Option<i64>)>> {
        self.blowing.store(false, Ordering::SeqCst);
        self.cut("vernport-");
        self.come_back().await?;
        self.cut("operator.");
        for _ in 0..LAST_SECONDS {
            self.truck.drive(&self.stand, 1).await?;
            self.stand.until("everything sent", Status::is_settled).await?;
            let all = fleet::reported(&self.truck.sent)?;
            // As long as something comes, what a long storm left is on its way.
            let (mut end, mut highest) = (Instant::now() + PATIENCE, self.heard.highest());
            while self.heard.highest() < all.len() as u64 && Instant::now() < end {
                self.listen(Duration::from_millis(50)).await?;
                if self.heard.highest() > highest {
                    (end, highest) = (Instant::now() + PATIENCE, self.heard.highest());
                }
            }
            if self.heard.highest() >= all.len() as u64 {
                // What comes again comes after it.
                self.listen(Duration::from_millis(200)).await?;
                return Ok(all);
            }
        }
        let (highest, sent) = (self.heard.highest(), fleet::reported(&self.truck.sent)?.len());
        anyhow::bail!("the last message does not arrive: {highest} of {sent} is the highest")
    }

    async fn end(self) -> Result<()> {
        if let Some(operator) = self.operator {
            operator.stop().await;
        }
        self.stand.stage.stop().await;
        Ok(())
    }
}

fn client_of_operator() -> String {
    format!("operator.{}.subscribe", fleet::OPERATOR)
}

/// Runs a storm; the seed is told where it fails.
async fn storm(loses_sessions: bool) -> Result<Heard> {
    let mut storm = Storm::begin().await?;
    let seed = storm.seed;
    let weathered = async {
        storm.first_message().await?;
        storm.blow(loses_sessions).await?;
        let all = storm.calm().await?;
        let heard = std::mem::take(&mut storm.heard);
        heard.accounts_for_all()?;
        heard.fits(&all)?;
        ensure!(heard.highest() == all.len() as u64 && all.len() > 100, "{} readings", all.len());
        storm.end().await?;
        anyhow::Ok(heard)
    };
    weathered.await.with_context(|| format!("VERNPORT_SEED={seed} draws this storm again"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn through_a_bad_broker_every_reading_arrives_in_its_order_and_repeated_ones_bear_their_id()
-> Result<()> {
    let heard = storm(false).await?;
    assert!(heard.missing.is_empty() && heard.skipped.is_empty(), "missing {:?}", heard.missing);
    assert!(heard.repeated > 0, "a storm that repeats nothing is none");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_broker_loses_with_a_session_is_told_to_be_missing_and_all_else_arrives() -> Result<()> {
    storm(true).await.map(drop)
}
