//! Central without a socket: what answers requests and does the duties beside that.
//! [`run`](crate::run) puts mutual TLS before it, the suite `simulation` a network of its own.
//!
//! It opens no port. Who calls is told by the caller, so it can be made only by code that
//! holds the databases and central's keys anyway.

use crate::{
    StartError, cache,
    controller::Controllers,
    counted::{self, Counted},
    deps::Serving,
    enrolment::SharedIssuer,
    in_force::{self, Presented},
    journal::{self, OpenJournal},
    routes,
    tls::Peer,
};
use axum::{
    Extension, Router,
    body::Body,
    extract::Request,
    middleware::{from_fn, from_fn_with_state},
    response::Response,
};
use std::{fmt, sync::Arc, time::Duration};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use vernport_store::Store;
use vernport_types::ControllerId;

/// A central that serves. Dropped, it ends wherever it is.
pub struct Service {
    router: Router,
    controllers: Arc<Controllers>,
    counted: Arc<Counted>,
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
        let Serving { head_key, controllers, issuer, clock } = serving;
        let ids: Vec<ControllerId> = controllers.iter().map(|of| of.rules.controller().clone()).collect();
        let store = Arc::new(journal::join(store, journal, &ids, clock.now().wall).await?);
        let controllers = Controllers::load(&store, head_key, clock, controllers, &shutdown).await?;
        let controllers = Arc::new(controllers);
        let counted = Arc::new(Counted::default());
        let router = routes::router(Arc::clone(&controllers), request_timeout)
            .layer(from_fn_with_state((Arc::clone(&controllers), Arc::clone(&counted)), in_force::guard))
            .layer(Extension::<SharedIssuer>(issuer))
            .layer(from_fn(counted::count))
            .layer(Extension(Arc::clone(&counted)));
        let mut duties = JoinSet::new();
        duties.spawn(cache::listen(Arc::clone(&store), Arc::clone(&controllers), shutdown.clone()));
        duties.spawn(Arc::clone(&controllers).work(shutdown));
        Ok(Self { router, controllers, counted, store, duties })
    }

    pub(crate) const fn controllers(&self) -> &Arc<Controllers> {
        &self.controllers
    }

    pub(crate) const fn counted(&self) -> &Arc<Counted> {
        &self.counted
    }

    pub(crate) const fn store(&self) -> &Arc<Store> {
        &self.store
    }

    pub(crate) fn router(&self) -> Router {
        self.router.clone()
    }

    /// Answers a request of a peer whose certificate was verified.
    pub async fn call(&self, peer: Peer, request: Request<Body>) -> Response {
        // Without a certificate there is no serial number: as of a gateway that has one from elsewhere.
        let router = self.router().layer(Extension(peer)).layer(Extension(Presented::of(&[])));
        let answered = router.oneshot(request).await;
        answered.unwrap_or_else(|never| match never {})
    }

    /// Waits until its duties have ended, after its token was cancelled, and closes the databases.
    pub async fn stopped(mut self) {
        while self.duties.join_next().await.is_some() {}
        self.store.close().await;
    }
}
