//! An adapter on a serial line that is unplugged and plugged in again.

use super::*;
use crate::SystemClock;
use vernport_canbus::{SimulatedAdapter, SimulatedOptions, VirtualBuses, VirtualSender};
use vernport_types::{CanFrame, CanId, Clock};

/// How often the driver says what is wanted, and the vehicle something.
const TICK: Duration = Duration::from_millis(20);
/// How long a state is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// A source that is read, behind an adapter on whose bus somebody talks.
struct Bay {
    folder: tempfile::TempDir,
    buses: VirtualBuses,
    shared: Arc<Shared>,
    told: watch::Sender<Wants>,
    talker: VirtualSender,
    inputs: mpsc::Receiver<Input>,
}

impl Bay {
    async fn open() -> (Self, SimulatedAdapter) {
        let folder = tempfile::tempdir().expect("a folder");
        let buses = VirtualBuses::default();
        let adapter = plug_in(&folder, &buses);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let url = format!("serial:{}", folder.path().join("adapter").display());
        let options = OpenOptions::new(Arc::clone(&clock));
        let opened = vernport_canbus::open(&url.parse().expect("a source"), options).await.expect("opens");
        let talker =
            buses.attach(&"bay".parse().expect("a name"), Arc::clone(&clock)).expect("room").sender();
        let shared = Arc::new(Shared::default());
        let (told, wants) = watch::channel(Wants::nothing_known());
        let bus = LiveBus::new(0, opened.source, clock, Arc::clone(&shared), wants);
        let (sender, inputs) = mpsc::channel(64);
        tokio::spawn(async move { listen(0, bus, &sender).await });
        (Self { folder, buses, shared, told, talker, inputs }, adapter)
    }

    /// What comes next; meanwhile somebody talks on the bus.
    async fn tick(&mut self) -> Option<Input> {
        let frame = CanFrame::data_frame(CanId::Standard(0x123), &[1]).expect("a frame");
        self.talker.send(&frame);
        self.told.send_replace(Wants::nothing_known());
        tokio::time::timeout(TICK, self.inputs.recv()).await.ok().map(|input| input.expect("it is read"))
    }

    async fn until(&mut self, what: &str, is_it: impl Fn(&Input) -> bool) {
        let waits = async { while !self.tick().await.as_ref().is_some_and(&is_it) {} };
        tokio::time::timeout(PATIENCE, waits).await.unwrap_or_else(|_| panic!("{what}: never"));
    }

    fn is_down(&self) -> bool {
        self.shared.only_bus().expect("it told how it is").is_down
    }
}

fn plug_in(folder: &tempfile::TempDir, buses: &VirtualBuses) -> SimulatedAdapter {
    let (link, name) = (folder.path().join("adapter"), "bay".parse().expect("a name"));
    let options = SimulatedOptions::new(Arc::new(SystemClock));
    SimulatedAdapter::plug_in(&link, buses, &[name], options).expect("an adapter")
}

#[tokio::test]
async fn an_adapter_that_is_unplugged_is_down_until_it_is_plugged_in_again() {
    let (mut bay, adapter) = Bay::open().await;
    bay.until("a frame", |input| matches!(input, Input::Frame { .. })).await;
    bay.tick().await;
    assert!(!bay.is_down());

    adapter.unplug().await;
    bay.until("its end", |input| matches!(input, Input::Ended { for_good: false, .. })).await;
    let began = Instant::now();
    // Longer than the pause after which it is read anew.
    while began.elapsed() < 2 * ANEW {
        assert!(bay.tick().await.is_none(), "nothing can be heard");
        assert!(bay.is_down(), "after {:?}", began.elapsed());
    }

    let _adapter = plug_in(&bay.folder, &bay.buses);
    bay.until("a frame", |input| matches!(input, Input::Frame { .. })).await;
    bay.tick().await;
    assert!(!bay.is_down());
}
