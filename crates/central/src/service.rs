//! Central without a socket: what answers requests and does the duties beside that.
//! [`run`](crate::run) puts mutual TLS before it, the suite `simulation` a network of its own.
//!
//! It opens no port. Who calls is told by the caller, so it can be made only by code that
//! holds the databases and central's keys anyway.

use crate::{
    StartError, cache,
    controller::Controllers,
    deps::Serving,
    journal::{self, OpenJournal},
    routes,
    tls::Peer,
};
use axum::{Extension, Router, body::Body, extract::Request, response::Response};
use std::{fmt, sync::Arc, time::Duration};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use vernport_store::Store;
use vernport_types::ControllerId;

/// A central that serves. Dropped, it ends wherever it is.
pub struct Service {
    router: Router,
    store: Arc<Store>,
    duties: JoinSet<()>,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").finish_non_exhaustive()
    }
}

impl Service {
    /// Holds ledgers and journal against each other, reads the ledgers, and begins its duties; until
    /// `shutdown`. A request takes `request_timeout` at most.
    ///
    /// # Errors
    /// [`StartError`], but for those of an address.
    pub async fn start(
        store: Store,
        journal: Option<OpenJournal>,
        serving: Serving,
        request_timeout: Duration,
        shutdown: CancellationToken,
    ) -> Result<Self, StartError> {
        let Serving { head_key, controllers, clock } = serving;
        let ids: Vec<ControllerId> = controllers.iter().map(|of| of.rules.controller().clone()).collect();
        let store = Arc::new(journal::join(store, journal, &ids, clock.now().wall).await?);
        let controllers = Controllers::load(&store, head_key, clock, controllers, &shutdown).await?;
        let controllers = Arc::new(controllers);
        let router = routes::router(Arc::clone(&controllers), request_timeout);
        let mut duties = JoinSet::new();
        duties.spawn(cache::listen(Arc::clone(&store), Arc::clone(&controllers), shutdown.clone()));
        duties.spawn(controllers.work(shutdown));
        Ok(Self { router, store, duties })
    }

    pub(crate) fn router(&self) -> Router {
        self.router.clone()
    }

    /// Answers a request of a peer whose certificate was verified.
    pub async fn call(&self, peer: Peer, request: Request<Body>) -> Response {
        let answered = self.router().layer(Extension(peer)).oneshot(request).await;
        answered.unwrap_or_else(|never| match never {})
    }

    /// Waits until its duties have ended, after its token was cancelled, and closes the databases.
    pub async fn stopped(mut self) {
        while self.duties.join_next().await.is_some() {}
        self.store.close().await;
    }
}
