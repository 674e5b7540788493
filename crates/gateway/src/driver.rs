//! Drives the pipeline: takes frames, tool messages and news of grants in one
//! place, flushes when it is time, and answers only what is durable.
//!
//! When nothing can be queued (spool or disk full) it stands still and tries
//! again: what was taken in stays in memory, logs and tools wait, and a live bus
//! loses frames at its own bounded queue, where they are counted.

use crate::{chain, pipeline::Pipeline, status::Shared, wants::Wants};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use vernport_canbus::TimedFrame;
use vernport_decode::PlanError;
use vernport_mqtt::ToolMessage;
use vernport_spool::{QueueError, RefusedToolMessage, Spool, ToolMessage as SeenMessage, Unit};
use vernport_types::{BootMicros, Clock, Slug, Stamp};

/// How often time passes for visits and half-full batches.
const TICK: Duration = Duration::from_millis(100);
/// Pause before a unit is offered again to a spool that had no room.
const RETRY: Duration = Duration::from_millis(500);
/// How long counts and cursors stay in memory where nothing is released.
const COUNTS_MICROS: u64 = 60 * 1_000_000;
/// Refused messages that wait for the next unit; others are counted only.
const MAX_REFUSED: usize = 256;
/// Inputs taken in before it is looked whether to flush.
const MAX_BURST: usize = 1024;
/// Inputs that wait for the driver.
pub(crate) const MAX_WAITING: usize = 4096;

/// What comes in.
#[derive(Debug)]
pub(crate) enum Input {
    /// A frame of a source.
    Frame {
        /// The source.
        place: usize,
        /// The frame.
        timed: TimedFrame,
    },
    /// A source has ended: a log for good, a bus until it is back.
    Ended {
        /// The source.
        place: usize,
        /// The time of its last frame.
        last: Option<Stamp>,
        /// Whether it never comes back.
        for_good: bool,
    },
    /// A tool's message.
    Tool {
        /// Which tool.
        tool: Slug,
        /// Keyed hash of the tool's own id.
        id: [u8; 16],
        /// What it said.
        message: Box<ToolMessage>,
        /// Where the outcome goes, when it is durable.
        reply: oneshot::Sender<ToolOutcome>,
    },
    /// A tool's message was refused.
    Refused(RefusedToolMessage),
    /// Grants have changed.
    Grants,
}

/// What became of a tool's message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ToolOutcome {
    /// Decided on, and the outcome is durable.
    Durable,
    /// No vehicle of that name is expected here.
    UnknownVehicle,
}

pub(crate) struct Driver {
    pub(crate) pipeline: Pipeline,
    pub(crate) spool: Spool,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) max_wait_micros: u64,
    /// The live buses, and where each is told what is wanted of it.
    pub(crate) wants: Vec<(usize, watch::Sender<Wants>)>,
    /// Tool messages decided on since the last flush, and where their outcome goes.
    answers: Vec<(SeenMessage, oneshot::Sender<ToolOutcome>)>,
    /// Tool messages that were refused since the last flush, by tool and hash.
    refused: BTreeMap<(Slug, [u8; 16]), RefusedToolMessage>,
    ended: usize,
    flushed_at: BootMicros,
}

impl Driver {
    pub(crate) fn new(
        pipeline: Pipeline,
        spool: Spool,
        clock: Arc<dyn Clock>,
        shared: Arc<Shared>,
        max_wait_micros: u64,
        wants: Vec<(usize, watch::Sender<Wants>)>,
    ) -> Self {
        let flushed_at = clock.now().boot;
        let (answers, refused) = (Vec::new(), BTreeMap::new());
        Self {
            pipeline,
            spool,
            clock,
            shared,
            max_wait_micros,
            wants,
            answers,
            refused,
            ended: 0,
            flushed_at,
        }
    }

    /// Works until shutdown, then queues what it has.
    ///
    /// # Errors
    /// [`PlanError`] where the catalogue does not fit the decoder.
    pub(crate) async fn run(
        mut self,
        mut inputs: mpsc::Receiver<Input>,
        shutdown: CancellationToken,
    ) -> Result<(), PlanError> {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                _ = tick.tick() => self.tick(self.clock.now()),
                input = inputs.recv() => {
                    let Some(input) = input else { break };
                    self.take(input)?;
                    for _ in 0..MAX_BURST {
                        let Ok(input) = inputs.try_recv() else { break };
                        self.take(input)?;
                        if self.pipeline.wants_flush(self.clock.now(), self.max_wait_micros) {
                            break;
                        }
                    }
                }
            }
            self.shared.turn();
            let now = self.clock.now();
            let counts = self.has_work() && now.boot.0.saturating_sub(self.flushed_at.0) > COUNTS_MICROS;
            let due = counts || self.pipeline.wants_flush(now, self.max_wait_micros);
            if (due || !self.answers.is_empty() || self.ended > 0) && !self.flush(&shutdown).await {
                break;
            }
        }
        if self.has_work() {
            self.flush(&shutdown).await;
        }
        Ok(())
    }

    fn take(&mut self, input: Input) -> Result<(), PlanError> {
        let now = self.clock.now();
        match input {
            Input::Frame { place, timed } => self.pipeline.frame(place, &timed, now)?,
            Input::Ended { place, last, for_good } => {
                self.pipeline.end_input(place, last, now);
                self.ended += usize::from(for_good);
            }
            Input::Tool { tool, id, message, reply } => self.tool(tool, id, &message, reply, now),
            Input::Refused(message) => self.refused(message),
            Input::Grants => self.tick(now),
        }
        Ok(())
    }

    fn has_work(&self) -> bool {
        self.pipeline.has_work() || !self.refused.is_empty()
    }

    fn refused(&mut self, message: RefusedToolMessage) {
        let known = (message.tool.clone(), message.digest);
        if let Some(before) = self.refused.get_mut(&known) {
            let (count, first_at) = (before.count + 1, before.first_at);
            *before = RefusedToolMessage { count, first_at, ..message };
        } else if self.refused.len() < MAX_REFUSED {
            self.refused.insert(known, message);
        }
    }

    /// Lets time pass, and tells the buses what is wanted after it.
    fn tick(&mut self, now: Stamp) {
        self.pipeline.tick(now);
        for (place, bus) in &self.wants {
            bus.send_replace(self.pipeline.wants(*place, now));
        }
    }

    fn tool(
        &mut self,
        tool: Slug,
        id: [u8; 16],
        message: &ToolMessage,
        reply: oneshot::Sender<ToolOutcome>,
        now: Stamp,
    ) {
        let seen = SeenMessage { tool, id };
        if self.answers.iter().any(|(other, _)| *other == seen) {
            // The same message twice in one unit: the second one gets its answer with the next delivery.
            return;
        }
        if self.pipeline.tool(&seen.tool, message, now) {
            self.answers.push((seen, reply));
        } else {
            // A tool that gave up waiting asks again.
            let _ = reply.send(ToolOutcome::UnknownVehicle);
        }
    }

    /// Queues all that was gathered; false when shutdown came before there was room.
    async fn flush(&mut self, shutdown: &CancellationToken) -> bool {
        let mut unit = self.pipeline.flush(self.clock.now());
        unit.tool_messages.extend(self.answers.iter().map(|(seen, _)| seen.clone()));
        unit.refused.extend(std::mem::take(&mut self.refused).into_values());
        if !self.queue(Arc::new(unit), shutdown).await {
            return false;
        }
        self.shared.flushed();
        self.flushed_at = self.clock.now().boot;
        for (_, reply) in self.answers.drain(..) {
            // A tool that gave up waiting asks again, and is told that it was taken.
            let _ = reply.send(ToolOutcome::Durable);
        }
        for _ in 0..std::mem::take(&mut self.ended) {
            self.shared.source_ended();
        }
        self.shared.queued.notify_waiters();
        true
    }

    async fn queue(&self, unit: Arc<Unit>, shutdown: &CancellationToken) -> bool {
        let mut told = false;
        loop {
            match self.spool.queue(Arc::clone(&unit)).await {
                Ok(_) => {
                    if told {
                        tracing::info!("there is room again: reading goes on");
                        self.shared.waiting_for_room(false);
                    }
                    return true;
                }
                Err(error @ QueueError::Closed) => {
                    tracing::error!(error = chain(&error), "the spool has stopped; restart the gateway");
                    return false;
                }
                Err(error) => {
                    if !told {
                        tracing::error!(error = chain(&error), "nothing can be queued: reading stands still");
                        self.shared.waiting_for_room(true);
                        told = true;
                    }
                }
            }
            tokio::select! {
                () = shutdown.cancelled() => {
                    tracing::warn!("stopped before there was room: what was read last is read again, where that is possible");
                    return false;
                }
                () = tokio::time::sleep(RETRY) => self.shared.turn(),
            }
        }
    }
}
