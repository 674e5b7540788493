//! What central does by itself, beside answering: it carries out erasures, tells fleet operators of
//! them, pauses who does not answer, and deletes what is due. One process does that for one controller at a time, and none by a
//! clock that went far ahead.

use crate::{
    controller::{Controller, Controllers},
    refusal::Refusal,
};
use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};
use tokio_util::sync::CancellationToken;
use vernport_crypto::random;
use vernport_store::StoreError;
use vernport_types::{UtcMicros, chain};

/// How often central looks for itself: the end of a hold rings no bell.
const LOOK_EVERY: Duration = Duration::from_secs(30);

impl Controllers {
    /// Does its duties until `shutdown`; it may be ended anywhere.
    pub(crate) async fn work(self: Arc<Self>, shutdown: CancellationToken) {
        let mut workers = tokio::task::JoinSet::new();
        for id in self.ids() {
            let (controllers, shutdown) = (Arc::clone(&self), shutdown.clone());
            workers.spawn(async move {
                let (Some(controller), holder) = (controllers.get(&id), random()) else { return };
                tokio::select! {
                    biased;
                    () = shutdown.cancelled() => {}
                    () = controller.work(&holder) => {}
                }
                if let Err(error) = controller.store().leave_duty(&id, DUTY, &holder).await {
                    tracing::warn!(error = chain(&error), "the duty to delete was not given up");
                }
            });
        }
        for id in self.ids() {
            let (controllers, shutdown) = (Arc::clone(&self), shutdown.clone());
            workers.spawn(async move {
                let (Some(controller), holder) = (controllers.get(&id), random()) else { return };
                let Some(endpoint) = &controller.fleet else { return };
                tokio::select! {
                    biased;
                    () = shutdown.cancelled() => {}
                    () = controller.tell(endpoint, &holder) => {}
                }
                controller.fall_silent(&holder).await;
            });
        }
        while workers.join_next().await.is_some() {}
    }
}

/// A name of this duty in the store.
const DUTY: &str = "retention";
/// For how long a process that does not say another word keeps the duty.
const DUTY_MICROS: i64 = 120 * 1_000_000;
/// How far ahead of the last time that was believed the clock may be: a long weekend without central.
const MAX_AHEAD_MICROS: i64 = 4 * 86_400 * 1_000_000;
/// How far central's clock and that of who confirms it may be apart.
const MAX_APART_MICROS: i64 = 600 * 1_000_000;

impl Controller {
    async fn work(&self, holder: &[u8; 16]) {
        loop {
            let done = self.do_duties(holder).await;
            self.counted.duties_fail.store(done.is_err(), Relaxed);
            if done.is_ok() {
                self.counted.duties_at.store(self.clock.now().wall.0, Relaxed);
            }
            if let Err(Refusal(problem)) = done {
                tracing::warn!(%problem, "erasing or deleting was broken off; it goes on at the next look");
            }
            tokio::select! {
                biased;
                () = self.duties.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// Two processes may erase at once, for what one did the other finds done; only one sweeps.
    async fn do_duties(&self, holder: &[u8; 16]) -> Result<(), Refusal> {
        if self.believes(self.clock.now().wall).await? {
            // What one cannot do keeps the others from nothing: what is due goes while a journal is full.
            let erased = self.erase().await;
            let paused = match self.goes_on(holder, self.clock.now().wall).await? {
                true => self.pause_late().await,
                false => Ok(()),
            };
            return erased.and(paused).and(self.sweep(holder).await);
        }
        tracing::error!(
            controller = %self.id,
            "the clock went days ahead: nothing is erased or deleted before it is right, or confirmed with \
             `vernport registry clock`"
        );
        Ok(())
    }

    /// Whether the clock is where it may be by now.
    async fn believes(&self, now: UtcMicros) -> Result<bool, StoreError> {
        Ok(now <= self.store.believe_clock(&self.id, now, MAX_AHEAD_MICROS).await?)
    }

    /// Keeps the duty while it takes long; false if another process has it now, or the clock is not believed.
    pub(crate) async fn goes_on(&self, holder: &[u8; 16], now: UtcMicros) -> Result<bool, StoreError> {
        Ok(self.store.take_duty(&self.id, DUTY, holder, now.plus_micros(DUTY_MICROS), now).await?
            && self.believes(now).await?)
    }

    /// Another clock tells the same time: then this one is believed.
    pub(crate) async fn confirm_clock(&self, other: UtcMicros) -> Result<bool, StoreError> {
        let now = self.clock.now().wall;
        let agrees = now.0.abs_diff(other.0) <= MAX_APART_MICROS.unsigned_abs();
        if agrees {
            self.store.believe_clock(&self.id, now, i64::MAX / 4).await?;
            self.duties.notify_one();
        }
        Ok(agrees)
    }
}
