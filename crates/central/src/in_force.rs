//! Whether the certificate of a gateway is in force: asked at each request, since
//! a connection outlives a word in the ledger.
//!
//! A gateway that was revoked is refused whatever its certificate says. One that
//! was issued certificates here has to show one of its last enrolment that has not ended; one that never
//! was stands by the authority's word, as those with certificates from files do.

use crate::{
    controller::{Controller, Controllers},
    counted::{Counted, Refused},
    refusal::Refusal,
    tls::{Peer, Role},
};
use axum::{
    Extension,
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use vernport_api::{Code, PATH_FEED};
use vernport_registry::EnrolmentState;
use vernport_store::GatewayCertificate;
use vernport_types::Slug;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// What a client showed, and the end of its connection.
#[derive(Debug, Clone)]
pub(crate) struct Presented {
    pub(crate) serial: Arc<[u8]>,
    /// Cancelled when the certificate turns out not to be in force.
    pub(crate) closing: CancellationToken,
}

impl Presented {
    /// Of a certificate that can be read, as the one of a [`Peer`] can.
    pub(crate) fn of(certificate: &[u8]) -> Self {
        let serial = X509Certificate::from_der(certificate).map(|(_, read)| read.raw_serial().into());
        Self { serial: serial.unwrap_or_else(|_| [].into()), closing: CancellationToken::new() }
    }
}

/// A layer around the routes that clients with certificates reach.
pub(crate) async fn guard(
    State((served, counted)): State<(Arc<Controllers>, Arc<Counted>)>,
    Extension(peer): Extension<Peer>,
    Extension(presented): Extension<Presented>,
    request: Request,
    next: Next,
) -> Response {
    let Some(controller) = served.get(&peer.controller).filter(|_| peer.role == Role::Gateway) else {
        return next.run(request).await;
    };
    let refuse = |refusal: Refusal| {
        if refusal.0.code == Code::CertificateRevoked {
            counted.turned_away("certificate not in force");
            presented.closing.cancel();
        }
        refusal.into_response()
    };
    let waits = request.uri().path() == PATH_FEED;
    if let Err(refusal) = controller.in_force(&peer.name, &presented.serial).await {
        return refuse(refusal);
    }
    let response = next.run(request).await;
    if response.extensions().get::<Refused>().is_some_and(|refused| refused.0 == Code::CertificateRevoked) {
        presented.closing.cancel();
    }
    // It may have waited; what was said meanwhile counts.
    if waits && let Err(refusal) = controller.in_force(&peer.name, &presented.serial).await {
        return refuse(refusal);
    }
    response
}

impl Controller {
    /// The certificate with this serial, if it was issued here; none where the gateway never was issued any.
    pub(crate) async fn in_force(
        &self,
        gateway: &Slug,
        serial: &[u8],
    ) -> Result<Option<GatewayCertificate>, Refusal> {
        let mut state = self.locked().await?;
        let now = state.now(&*self.clock);
        let Some(stands) = state.facts.gateway(gateway, now) else { return Ok(None) };
        drop(state);
        let refuse = |detail: &str| Err(Refusal::new(Code::CertificateRevoked, detail));
        if stands.state == EnrolmentState::Revoked {
            return refuse("this gateway was revoked; its controller has to invite it anew");
        }
        let issued = self.store.gateway_certificates(&self.id, gateway).await?;
        if issued.is_empty() {
            return Ok(None);
        }
        match issued.into_iter().find(|issued| issued.serial == serial) {
            Some(own) if own.enrolment != stands.entry => {
                refuse("this gateway was enrolled anew since, with another certificate")
            }
            Some(own) if own.not_after <= now => refuse("the certificate ended; enrol the gateway anew"),
            Some(own) => Ok(Some(own)),
            None => refuse("this is not a certificate that the gateway was issued; enrol it anew"),
        }
    }
}
