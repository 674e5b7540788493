//! Hands the frames of one source to the driver, in order. A log waits for the
//! first grants and ends with its last frame. A live bus that goes down is a
//! vehicle that left; it is read on when it is back.

use crate::{
    bus::{LiveBus, Mouth, Pause},
    chain,
    config::Bus,
    dbc,
    driver::Input,
    pipeline::{OwnSignals, Pipeline},
    running::{Deps, StartError},
    status::Shared,
    wants::Wants,
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;
use vernport_canbus::{FrameSource, OpenOptions, SourceUrl, Time};
use vernport_decode::poll::{Asker, Config as AskerConfig};
use vernport_spool::Spool;
use vernport_types::{Catalogue, Stamp, TimeQuality};

/// A bus that goes down again and again is read anew once in this time: whoever reads one that is down
/// waits until it is back, so that one which was up goes on at once.
const ANEW: Duration = Duration::from_secs(1);

/// One source of frames.
pub(crate) struct Source {
    place: usize,
    kind: Kind,
}

enum Kind {
    Log(FrameSource),
    Live(Box<LiveBus>),
}

impl Source {
    /// Opens a configured source and enters it with the pipeline. A live bus comes with
    /// where it is told what is wanted of it.
    pub(crate) async fn open(
        place: usize,
        bus: &Bus,
        (deps, spool, shared): (&Deps, &Spool, &Arc<Shared>),
        pipeline: &mut Pipeline,
        catalogue: &Catalogue,
    ) -> Result<(Self, Option<watch::Sender<Wants>>), StartError> {
        let invalid = |source| StartError::DataIdentifier { source_url: bus.source.clone(), source };
        let dids = Arc::new(bus.data_identifiers(catalogue).map_err(invalid)?);
        let unusable = |source| StartError::Dbc { source_url: bus.source.clone(), source };
        let files = dbc::read(&bus.dbc, bus.dbc_map.as_deref(), catalogue).map_err(unusable)?;
        for finding in &files.findings {
            tracing::warn!(bus = bus.source, finding, "a DBC file is not as it should be");
        }
        let url = bus.url();
        let replays = matches!(url, SourceUrl::Candump(_));
        let done_before = if replays { spool.cursor(&bus.source).await? } else { 0 };
        let own = OwnSignals { dids: Arc::clone(&dids), dbc: files.plan };
        pipeline.add_input(bus.source.clone(), replays, done_before, own);
        let mut options = OpenOptions::new(Arc::clone(&deps.clock));
        options.buses = deps.buses.clone();
        options.listen_only = bus.listen_only;
        if bus.file_time {
            options.time = Time::File { quality: TimeQuality::Bounded };
        }
        let failed = |source| StartError::Source { source_url: bus.source.clone(), source };
        let opened = vernport_canbus::open(&url, options).await.map_err(failed)?;
        if replays {
            return Ok((Self { place, kind: Kind::Log(opened.source) }, None));
        }
        let (sender, wants) = watch::channel(Wants::nothing_known());
        let clock = Arc::clone(&deps.clock);
        let mut live = LiveBus::new(place, opened.source, clock, Arc::clone(shared), wants);
        if let Some(sink) = opened.sink.filter(|_| !bus.listen_only) {
            let asker = Asker::new(catalogue, &dids, asker_config(bus));
            live = live.with_mouth(Mouth { asker, sink });
        }
        if bus.is_filtered() {
            live = live.with_filters();
        }
        Ok((Self { place, kind: Kind::Live(Box::new(live)) }, Some(sender)))
    }

    /// Reads until the log ends or the gateway stops.
    pub(crate) async fn run(self, sender: mpsc::Sender<Input>, shared: Arc<Shared>, stop: CancellationToken) {
        let place = self.place;
        let reading = async {
            match self.kind {
                Kind::Log(frames) => {
                    shared.first_head().await;
                    replay(place, frames, &sender).await;
                }
                Kind::Live(bus) => listen(place, *bus, &sender).await,
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = reading => {}
        }
    }
}

fn asker_config(bus: &Bus) -> AskerConfig {
    let defaults = AskerConfig::default();
    let bus_gap_micros = 1_000_000 / u64::from(bus.requests_per_second.max(1));
    AskerConfig {
        listen_micros: bus.listen_first_ms * 1000,
        bus_gap_micros,
        unit_gap_micros: defaults.unit_gap_micros.max(bus_gap_micros),
        ..defaults
    }
}

/// Reads a log to its end.
async fn replay(place: usize, mut frames: FrameSource, sender: &mpsc::Sender<Input>) {
    let mut last: Option<Stamp> = None;
    loop {
        match frames.next().await {
            Ok(Some(timed)) => {
                last = Some(timed.at);
                if sender.send(Input::Frame { place, timed }).await.is_err() {
                    return;
                }
                continue;
            }
            Ok(None) => {}
            Err(error) => tracing::error!(error = chain(&error), "a log cannot be read any more"),
        }
        // When the driver is gone, so are we.
        let _ = sender.send(Input::Ended { place, last, for_good: true }).await;
        return;
    }
}

/// Listens to a live bus, also after it was down.
async fn listen(place: usize, mut bus: LiveBus, sender: &mpsc::Sender<Input>) {
    loop {
        let began = Instant::now();
        match bus.listen(sender).await {
            Pause::Stopped => return,
            Pause::Down(error) => {
                let error = error.as_ref().map(|error| chain(error));
                tracing::error!(error, "a bus is down; it is read on when it is back");
            }
        }
        bus.detached();
        let told = Input::Ended { place, last: bus.last_heard(), for_good: false };
        if sender.send(told).await.is_err() {
            return;
        }
        sleep_until(began + ANEW).await;
    }
}

#[cfg(test)]
mod tests;
