//! A live bus: the truck behind an adapter on a serial line.

use crate::{
    daemons::built,
    truck::{VIN, truck},
};
use anyhow::{Result, ensure};
use std::{sync::Arc, time::Duration};
use tempfile::TempDir;
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};
use vernport_canbus::{SimulatedAdapter, SimulatedOptions, VirtualBuses, VirtualSender};
use vernport_gateway::SystemClock;
use vernport_types::{BootMicros, Clock};

/// How often the truck is asked what it has to say.
const BEAT: Duration = Duration::from_millis(5);

/// The line, and the bus behind it. Nobody talks there before the truck drives.
pub(crate) struct Bus {
    /// The source, as a configuration has it.
    pub(crate) source: String,
    sender: VirtualSender,
    /// For files of the measurement, too.
    pub(crate) folder: TempDir,
    _adapter: SimulatedAdapter,
}

impl Bus {
    pub(crate) fn plug_in() -> Result<Self> {
        let folder = tempfile::tempdir_in(built()?)?;
        let link = folder.path().join("adapter");
        let (clock, buses): (Arc<dyn Clock>, _) = (Arc::new(SystemClock), VirtualBuses::default());
        let options = SimulatedOptions::new(Arc::clone(&clock));
        let adapter = SimulatedAdapter::plug_in(&link, &buses, &["bay-1".parse()?], options)?;
        let sender = buses.attach(&"bay-1".parse()?, clock)?.sender();
        Ok(Self { source: format!("serial:{}", link.display()), sender, folder, _adapter: adapter })
    }

    /// The truck drives until it is stopped.
    pub(crate) fn drive(&self) -> Driving {
        let sender = self.sender.clone();
        Driving(tokio::spawn(async move {
            let begun = Instant::now();
            let mut truck = truck(VIN, 80, BootMicros(0)).expect("a truck");
            loop {
                let now = BootMicros(u64::try_from(begun.elapsed().as_micros()).expect("a short bench"));
                truck.on_tick(now).iter().for_each(|frame| sender.send(frame));
                sleep(BEAT).await;
            }
        }))
    }
}

/// A truck that drives.
pub(crate) struct Driving(JoinHandle<()>);

impl Driving {
    /// Stops it, which has to have driven until now.
    pub(crate) fn stop(self) -> Result<()> {
        ensure!(!self.0.is_finished(), "the truck stopped by itself");
        self.0.abort();
        Ok(())
    }
}
