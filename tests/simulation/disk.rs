//! The gateway's disk: slow or full when the storm says so; and where it is seen what was queued.

use crate::play::Play;
use std::{
    sync::{Arc, Weak},
    time::Duration,
};
use vernport_spool::{Disk, Unit};

pub(crate) struct Plate(Weak<Play>);

impl Plate {
    pub(crate) fn of(play: &Arc<Play>) -> Arc<Self> {
        Arc::new(Self(Arc::downgrade(play)))
    }
}

impl Disk for Plate {
    fn delay(&self) -> Duration {
        let Some(play) = self.0.upgrade() else { return Duration::ZERO };
        let is_slow = play.is_storm() && play.dice.percent(play.weather.slow_disk_percent);
        if is_slow { Duration::from_millis(play.dice.between(1, 1_500)) } else { Duration::ZERO }
    }

    fn has_room(&self) -> bool {
        self.0.upgrade().is_none_or(|play| !play.is_disk_full())
    }

    fn queued(&self, unit: &Unit) {
        let Some(play) = self.0.upgrade() else { return };
        for batch in &unit.batches {
            let opened = play.opened.open(&play.site, batch.sealed.as_bytes()).expect("ours");
            let header = opened.envelope.header();
            let (id, flow, records) = (header.batch, &header.flow, opened.body.records.len());
            play.history.tell(format!("queued {id} of {flow}, {records} records"));
            play.watch.queued(batch.grant, &opened, play.time.micros());
        }
    }
}
