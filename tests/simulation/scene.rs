//! What plays with a script are made of: fair weather, in which nothing happens but what the script says.

use crate::{
    counter::Counter,
    perform::{Outcome, aside, perform},
    play::{Play, Weather},
    site::Site,
    storm,
};
use anyhow::{Context as _, Result, bail};
use std::{sync::Arc, time::Duration};
use tokio::{task::JoinHandle, time::sleep};

/// How long, in seconds, a script waits for what it needs.
const PATIENCE_SECONDS: u64 = 300;

/// One central, the counter, the gateway and its truck, on a day on which everything works.
pub(crate) struct Scene {
    pub(crate) play: Arc<Play>,
    pub(crate) counter: Counter,
    truck: JoinHandle<()>,
}

impl Scene {
    pub(crate) async fn open(play: &Arc<Play>) -> Result<Self> {
        play.start_central(0).await?;
        let counter = Counter::open(play).await?;
        play.start_gateway().await?;
        let truck = tokio::spawn(storm::drive(Arc::clone(play)));
        Ok(Self { play: Arc::clone(play), counter, truck })
    }

    /// Waits for a state.
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn(&Play) -> bool) -> Result<()> {
        for _ in 0..PATIENCE_SECONDS * 10 {
            if is_so(&self.play) {
                self.play.history.tell(what);
                return Ok(());
            }
            sleep(Duration::from_millis(100)).await;
        }
        bail!("it was waited in vain: {what}")
    }

    /// Everything works again; then all is settled, and looked at, as after a storm.
    pub(crate) async fn close(mut self) -> Result<()> {
        storm::calm(&self.play).await?;
        self.counter.tidy().await?;
        self.settle().await?;
        self.look().await
    }

    /// Looks as after a storm.
    pub(crate) async fn look(self) -> Result<()> {
        self.truck.abort();
        storm::look(&self.play).await
    }

    /// Waits until nothing waits that may go; what is mended by then is the script's.
    pub(crate) async fn settle(&self) -> Result<()> {
        self.truck.abort();
        storm::settled(&self.play, &self.counter).await
    }
}

/// Plays a script.
pub(crate) fn played(script: impl AsyncFnOnce(&Arc<Play>) -> Result<()> + Send) -> Result<Outcome> {
    let site = Arc::new(Site::make()?);
    aside(|| perform(&site, 1, Some(Weather::FAIR), script)).context("a script")
}
