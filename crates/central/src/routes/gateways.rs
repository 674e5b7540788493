//! `POST /v1/gateways/invitations`: a registrar invites a gateway; `GET /v1/gateways`:
//! it sees which there are; `POST /v1/gateways/renew`: a gateway asks for its next certificate.

use super::{MAX_JSON_BYTES, Served, admit};
use crate::{
    enrolment::SharedIssuer,
    in_force::Presented,
    refusal::{Refusal, json},
    tls::{Peer, Role},
};
use axum::{Extension, Json, body::Body, extract::State};
use vernport_api::{
    CertificateAnswer, Code, GatewaysAnswer, InvitationAnswer, InvitationRequest, RenewalRequest,
    RequestedKey,
};

/// Where nobody is enrolled, nobody is invited.
const NO_ENROLMENT: &str = "this central enrols no gateways; add [enrolment] to its configuration";

pub(super) async fn invite(
    State(served): State<Served>,
    Extension(peer): Extension<Peer>,
    Extension(issuer): Extension<SharedIssuer>,
    from: Body,
) -> Result<Json<InvitationAnswer>, Refusal> {
    let controller = admit(&served, &peer, Role::Registrar)?;
    issuer.ok_or_else(|| Refusal::new(Code::NotFound, NO_ENROLMENT))?;
    let asked: InvitationRequest = json(from, MAX_JSON_BYTES).await?;
    Ok(Json(controller.invite(&peer.name, asked).await?))
}

pub(super) async fn list(
    State(served): State<Served>,
    Extension(peer): Extension<Peer>,
) -> Result<Json<GatewaysAnswer>, Refusal> {
    Ok(Json(admit(&served, &peer, Role::Registrar)?.gateways().await?))
}

pub(super) async fn renew(
    State(served): State<Served>,
    Extension(peer): Extension<Peer>,
    Extension(presented): Extension<Presented>,
    Extension(issuer): Extension<SharedIssuer>,
    from: Body,
) -> Result<Json<CertificateAnswer>, Refusal> {
    let controller = admit(&served, &peer, Role::Gateway)?;
    let issuer = issuer.ok_or_else(|| Refusal::new(Code::NotFound, NO_ENROLMENT))?;
    let asked: RenewalRequest = json(from, MAX_JSON_BYTES).await?;
    let key = RequestedKey::of(&asked.csr.0)
        .map_err(|error| Refusal::new(Code::CertificateRequestRefused, error.to_string()))?;
    let own = controller.in_force(&peer.name, &presented.serial).await?;
    Ok(Json(controller.renew(&peer.name, own, &key, &issuer).await?))
}
