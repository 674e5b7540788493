//! A live bus: hands its frames to the driver, keeps away what nobody wants, and asks
//! where that is allowed.
//!
//! Frames come before anything is sent: a request goes out only when no frame waits to
//! be heard, so that another tester silences us with its first one.
//!
//! An adapter may have several buses ([`TimedFrame::bus`]), each with its own vehicle. Only
//! [`ASKED_BUS`] is asked, and the asker hears only that one. Signs of life are watched bus
//! by bus, and the filters, which are the adapter's, let pass what any of its buses needs.

use crate::{
    chain,
    driver::Input,
    status::{Asking, BusStatus, Shared},
    wants::Wants,
};
use std::{sync::Arc, time::Duration};
use tokio::sync::{mpsc, watch};
use vernport_canbus::{FrameSink, FrameSource, ReadError, TimedFrame};
use vernport_decode::{
    poll::{Asker, Wanted},
    presence::Presence,
};
use vernport_types::{BootMicros, CanFilter, Clock, Stamp};

/// How long a frame may take to get onto the bus. What is later is not sent.
const SEND_TIMEOUT: Duration = Duration::from_millis(100);

/// The bus that is asked, of an adapter with several: the one that a [`FrameSink`] sends on.
const ASKED_BUS: u8 = 0;
/// Buses of one adapter whose signs of life are watched apart; those beyond share the last place.
const MAX_WATCHED: usize = 8;

/// Why reading paused.
#[derive(Debug)]
pub(crate) enum Pause {
    /// The gateway stops.
    Stopped,
    /// The bus is down.
    Down(Option<ReadError>),
}

/// What is needed to ask a bus.
pub(crate) struct Mouth {
    pub(crate) asker: Asker,
    pub(crate) sink: FrameSink,
}

/// One live bus.
pub(crate) struct LiveBus {
    place: usize,
    frames: FrameSource,
    clock: Arc<dyn Clock>,
    shared: Arc<Shared>,
    wants: watch::Receiver<Wants>,
    mouth: Option<Mouth>,
    /// What the asker was told last.
    asked: Wanted,
    unsent: u64,
    /// Where filters are set: the signs of life of each bus that was heard.
    presence: Option<Vec<Presence>>,
    /// The filters that are set.
    set: Option<Vec<CanFilter>>,
    last: Option<Stamp>,
}

impl LiveBus {
    pub(crate) fn new(
        place: usize,
        frames: FrameSource,
        clock: Arc<dyn Clock>,
        shared: Arc<Shared>,
        wants: watch::Receiver<Wants>,
    ) -> Self {
        let (mouth, presence) = (None, None);
        let asked = Wanted::default();
        let (unsent, set, last) = (0, None, None);
        Self { place, frames, clock, shared, wants, mouth, asked, unsent, presence, set, last }
    }

    /// From now on asks.
    pub(crate) fn with_mouth(mut self, mouth: Mouth) -> Self {
        self.mouth = Some(mouth);
        self
    }

    /// From now on lets pass only what is wanted.
    pub(crate) fn with_filters(mut self) -> Self {
        self.presence = Some(vec![Presence::default()]);
        self
    }

    /// The time of the last frame.
    pub(crate) fn last_heard(&self) -> Option<Stamp> {
        self.last
    }

    /// Reads, filters and asks until the bus goes down or nobody takes its frames. One that is down is
    /// waited for.
    pub(crate) async fn listen(&mut self, sender: &mpsc::Sender<Input>) -> Pause {
        loop {
            let now = self.clock.now().boot;
            let due = self.next_due(now);
            tokio::select! {
                biased;
                told = self.wants.changed() => {
                    if told.is_err() {
                        return Pause::Stopped;
                    }
                    self.told();
                }
                heard = self.frames.next() => match heard {
                    Ok(Some(timed)) => {
                        self.heard(&timed);
                        if sender.send(Input::Frame { place: self.place, timed }).await.is_err() {
                            return Pause::Stopped;
                        }
                    }
                    Ok(None) => return Pause::Down(None),
                    Err(error) => return Pause::Down(Some(error)),
                },
                () = wait(due, now) => self.act().await,
            }
        }
    }

    /// The bus went down, and the vehicle with it.
    pub(crate) fn detached(&mut self) {
        if let Some(mouth) = &mut self.mouth {
            mouth.asker.visit_ended();
        }
        if let Some(presence) = &mut self.presence {
            *presence = vec![Presence::default()];
            self.filter();
        }
        self.tell();
    }

    fn next_due(&self, now: BootMicros) -> Option<BootMicros> {
        let asks = self.mouth.as_ref().and_then(|mouth| mouth.asker.next_due(now));
        asks.into_iter().chain(self.presence.iter().flatten().filter_map(Presence::next_due)).min()
    }

    fn heard(&mut self, TimedFrame { frame, at, bus, .. }: &TimedFrame) {
        self.last = Some(*at);
        if let Some(mouth) = self.mouth.as_mut().filter(|_| *bus == ASKED_BUS) {
            mouth.asker.heard(frame, at.boot);
        }
        let Some(presence) = &mut self.presence else { return };
        let place = usize::from(*bus).min(MAX_WATCHED - 1);
        let known = presence.len();
        if known <= place {
            presence.resize_with(place + 1, Presence::default);
        }
        if presence[place].heard(frame, at.boot) || known <= place {
            self.filter();
        }
    }

    /// Sends what is due, if it still is.
    async fn act(&mut self) {
        let now = self.clock.now().boot;
        let presence = self.presence.iter_mut().flatten();
        if presence.filter_map(|presence| presence.tick(now).then_some(())).count() > 0 {
            self.filter();
        }
        self.allow(now);
        let Some(mouth) = &mut self.mouth else { return };
        let Some(frame) = mouth.asker.due(now) else { return };
        // The rest is for the next time: frames that came meanwhile are heard first.
        match tokio::time::timeout(SEND_TIMEOUT, mouth.sink.send(&frame)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                self.unsent += 1;
                tracing::debug!(error = chain(&error), "a request was not sent");
            }
            Err(_) => self.unsent += 1,
        }
    }

    /// The driver said what is wanted.
    fn told(&mut self) {
        let now = self.clock.now().boot;
        self.allow(now);
        self.filter();
        self.tell();
    }

    /// Lets the asker ask for what is wanted now, and for nothing when that was said too long ago.
    fn allow(&mut self, now: BootMicros) {
        let Some(mouth) = &mut self.mouth else { return };
        let ask = self.wants.borrow().ask_at(now);
        if ask != self.asked {
            mouth.asker.want(&ask);
            self.asked = ask;
        }
    }

    fn filter(&mut self) {
        let Some(presence) = &self.presence else { return };
        let mut wanted = self.wants.borrow().interest.clone();
        if self.mouth.is_some() {
            wanted.extend(Asker::filters());
        }
        let filters = filters(presence, &wanted);
        if self.set.as_ref() == Some(&filters) {
            return;
        }
        if let Err(error) = self.frames.set_filters(&filters) {
            tracing::warn!(error = chain(&error), "frames that nobody wants are kept away here only");
        }
        self.set = Some(filters);
    }

    /// Tells operators how it is.
    fn tell(&self) {
        let now = self.clock.now().boot;
        let asking = self.mouth.as_ref().map(|Mouth { asker, .. }| Asking {
            standing: asker.standing(now),
            counts: asker.counts(),
            unsent: self.unsent,
        });
        let filtered = self.presence.as_ref().is_some_and(|presence| presence.iter().all(Presence::is_kept));
        let (place, is_down, counters) = (self.place, !self.frames.is_up(), self.frames.counters());
        self.shared.bus(place, BusStatus { place, is_down, counters, filtered, asking });
    }
}

/// What has to pass on all buses: everything, until each has its signs of life.
fn filters(presence: &[Presence], wanted: &[CanFilter]) -> Vec<CanFilter> {
    if !presence.iter().all(Presence::is_kept) {
        return CanFilter::ALL.to_vec();
    }
    let mut filters: Vec<CanFilter> = presence.iter().flat_map(|presence| presence.filters(wanted)).collect();
    filters.sort_unstable();
    filters.dedup();
    filters
}

/// Waits until a time of the boot clock that was `now` just now; for ever for none.
async fn wait(until: Option<BootMicros>, now: BootMicros) {
    match until {
        Some(until) => tokio::time::sleep(Duration::from_micros(until.0.saturating_sub(now.0))).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
