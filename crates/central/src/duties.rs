//! What central does by itself, beside answering: it carries out erasures.

use crate::{
    controller::{Controller, Controllers},
    refusal::Refusal,
};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// How often central looks for itself: the end of a hold rings no bell.
const LOOK_EVERY: Duration = Duration::from_secs(30);

impl Controllers {
    /// Does its duties until `shutdown`; it may be ended anywhere.
    pub(crate) async fn work(self: Arc<Self>, shutdown: CancellationToken) {
        let mut workers = tokio::task::JoinSet::new();
        for id in self.ids() {
            let (controllers, shutdown) = (Arc::clone(&self), shutdown.clone());
            workers.spawn(async move {
                let Some(controller) = controllers.get(&id) else { return };
                tokio::select! {
                    () = shutdown.cancelled() => {}
                    () = controller.work() => {}
                }
            });
        }
        while workers.join_next().await.is_some() {}
    }
}

impl Controller {
    async fn work(&self) {
        loop {
            if let Err(Refusal(problem)) = self.erase().await {
                tracing::warn!(%problem, "an erasure was broken off; it goes on at the next look");
            }
            tokio::select! {
                () = self.duties.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }
}
