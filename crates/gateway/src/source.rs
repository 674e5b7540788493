//! Hands the frames of one source to the driver, in order. A log waits for the
//! first grants and ends with its last frame. A live bus that goes down is a
//! vehicle that left; it is opened again when it is back.

use crate::{
    chain,
    config::Bus,
    driver::Input,
    pipeline::Pipeline,
    running::{Deps, StartError},
    status::Shared,
};
use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use vernport_canbus::{FrameSource, OpenOptions, SourceUrl, Time};
use vernport_spool::Spool;
use vernport_types::{Stamp, TimeQuality};

/// Pause before a bus that went down is opened again.
const REOPEN: Duration = Duration::from_secs(1);

/// One source of frames.
pub(crate) struct Source {
    place: usize,
    url: SourceUrl,
    options: OpenOptions,
    frames: FrameSource,
}

impl Source {
    /// Opens a configured source and enters it with the pipeline.
    pub(crate) async fn open(
        place: usize,
        bus: &Bus,
        deps: &Deps,
        spool: &Spool,
        pipeline: &mut Pipeline,
    ) -> Result<Self, StartError> {
        let url: SourceUrl = bus.source.parse().expect("checked with the configuration");
        let replays = is_log(&url);
        let done_before = if replays { spool.cursor(&bus.source).await? } else { 0 };
        pipeline.add_input(bus.source.clone(), replays, done_before);
        let mut options = OpenOptions::new(Arc::clone(&deps.clock));
        options.buses = deps.buses.clone();
        options.listen_only = bus.listen_only;
        if bus.file_time {
            options.time = Time::File { quality: TimeQuality::Bounded };
        }
        let opened = vernport_canbus::open(&url, options.clone()).await;
        let failed = |source| StartError::Source { source_url: bus.source.clone(), source };
        Ok(Self { place, url, options, frames: opened.map_err(failed)?.source })
    }

    /// Reads until the log ends or the gateway stops.
    pub(crate) async fn run(
        mut self,
        sender: mpsc::Sender<Input>,
        shared: Arc<Shared>,
        stop: CancellationToken,
    ) {
        let reading = async {
            if is_log(&self.url) {
                shared.first_head().await;
            }
            while self.read(&sender).await {
                self.reopen().await;
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = reading => {}
        }
    }

    /// Reads up to the end of the log, or until the bus goes down; whether it can come back.
    async fn read(&mut self, sender: &mpsc::Sender<Input>) -> bool {
        let (place, for_good) = (self.place, is_log(&self.url));
        let mut last: Option<Stamp> = None;
        loop {
            match self.frames.next().await {
                Ok(Some(timed)) => {
                    last = Some(timed.at);
                    if sender.send(Input::Frame { place, timed }).await.is_err() {
                        return false;
                    }
                    continue;
                }
                Ok(None) => {}
                Err(error) => tracing::error!(error = chain(&error), "a bus cannot be read any more"),
            }
            let told = sender.send(Input::Ended { place, last, for_good }).await;
            return told.is_ok() && !for_good;
        }
    }

    async fn reopen(&mut self) {
        // Such a source waits for its interface by itself, and keeps its counters and filters.
        if matches!(self.url, SourceUrl::Can(_)) {
            return;
        }
        loop {
            tokio::time::sleep(REOPEN).await;
            match vernport_canbus::open(&self.url, self.options.clone()).await {
                Ok(bus) => {
                    tracing::info!("a bus is back");
                    self.frames = bus.source;
                    return;
                }
                Err(error) => tracing::debug!(error = chain(&error), "the bus is still away"),
            }
        }
    }
}

const fn is_log(url: &SourceUrl) -> bool {
    matches!(url, SourceUrl::Candump(_))
}
