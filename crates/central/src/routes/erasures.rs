//! `POST /v1/erasures`: a registrar asks what became of an order to erase;
//! `POST /v1/deletions` and `/v1/deletions/confirm`: a recipient hears what it
//! has to delete, and says that it did;
//! `POST /v1/clock`: a registrar confirms central's clock.

use super::{MAX_JSON_BYTES, Served, admit};
use crate::{
    refusal::{Refusal, json},
    tls::{Peer, Role},
};
use axum::{Extension, Json, body::Body, extract::State};
use vernport_api::{
    ClockAnswer, ClockRequest, Code, ConfirmAnswer, ConfirmRequest, Deletion, DeletionState, DeletionsAnswer,
    DeletionsRequest, ErasureAnswer, ErasureRequest, ErasureState, MAX_DELETIONS, Notice, SignedCertificate,
};
use vernport_crypto::Signature;
use vernport_store::{DeletionRow, NoticeRow};
use vernport_types::UtcMicros;

pub(super) async fn erasure(
    served: State<Served>,
    Extension(peer): Extension<Peer>,
    from: Body,
) -> Result<Json<ErasureAnswer>, Refusal> {
    let controller = admit(&served, &peer, Role::Registrar)?;
    let ErasureRequest { entry } = json(from, MAX_JSON_BYTES).await?;
    let (store, id) = (controller.store(), controller.id());
    let completed = store.erasure_order(id, &entry).await?.ok_or_else(|| {
        Refusal::new(Code::NotFound, "the ledger holds no such order to erase; ask with its entry")
    })?;
    // Somebody waits: what came to its end meanwhile is looked at now.
    controller.duties.notify_one();
    let rows = store.certificates(id, &entry).await?;
    let state = match (completed, rows.is_empty()) {
        (Some(_), _) if controller.is_voided(&entry).await? => ErasureState::Voided,
        (Some(_), _) => ErasureState::Complete,
        (None, false) => ErasureState::Kept,
        (None, true) => ErasureState::UnderWay,
    };
    let certificate = |row: vernport_store::CertificateRow| {
        let signature: [u8; 64] = row.signature.try_into().map_err(|_| broken())?;
        let signature = Signature::from_bytes(signature);
        Ok(SignedCertificate { certificate: row.certificate, signature })
    };
    let certificates = rows.into_iter().map(certificate).collect::<Result<_, Refusal>>()?;
    let now = controller.clock.now().wall;
    let deletions = store.deletions_of(id, &entry).await?;
    let deletions = deletions.into_iter().map(|row| told(row, now)).collect();
    let notices = store.notices_of(id, &entry).await?;
    let notices = notices.into_iter().map(|row| notice(row, now)).collect();
    Ok(Json(ErasureAnswer { state, certificates, deletions, notices }))
}

pub(super) async fn fetch(
    served: State<Served>,
    Extension(peer): Extension<Peer>,
    from: Body,
) -> Result<Json<DeletionsAnswer>, Refusal> {
    let controller = admit(&served, &peer, Role::Recipient)?;
    let asked: DeletionsRequest = json(from, MAX_JSON_BYTES).await?;
    if !(1..=MAX_DELETIONS).contains(&asked.limit) {
        return Err(Refusal::new(Code::BadRequest, format!("ask for 1 to {MAX_DELETIONS} orders")));
    }
    let now = controller.clock.now().wall;
    let after = asked.after.unwrap_or(0);
    let rows =
        controller.store().fetch_deletions(controller.id(), &peer.name, after, asked.limit, now).await?;
    let cursor = rows.last().map(|row| row.position);
    Ok(Json(DeletionsAnswer { deletions: rows.into_iter().map(|row| told(row, now)).collect(), cursor }))
}

pub(super) async fn confirm(
    served: State<Served>,
    Extension(peer): Extension<Peer>,
    from: Body,
) -> Result<Json<ConfirmAnswer>, Refusal> {
    let controller = admit(&served, &peer, Role::Recipient)?;
    let asked: ConfirmRequest = json(from, MAX_JSON_BYTES).await?;
    if asked.deletions.is_empty() || asked.deletions.len() > usize::from(MAX_DELETIONS) {
        return Err(Refusal::new(Code::BadRequest, format!("confirm 1 to {MAX_DELETIONS} orders")));
    }
    let now = controller.clock.now().wall;
    let store = controller.store();
    let confirmed = store.confirm_deletions(controller.id(), &peer.name, &asked.deletions, now).await?;
    Ok(Json(ConfirmAnswer { confirmed }))
}

pub(super) async fn clock(
    served: State<Served>,
    Extension(peer): Extension<Peer>,
    from: Body,
) -> Result<Json<ClockAnswer>, Refusal> {
    let controller = admit(&served, &peer, Role::Registrar)?;
    let ClockRequest { now } = json(from, MAX_JSON_BYTES).await?;
    Ok(Json(ClockAnswer { believed: controller.confirm_clock(now).await? }))
}

fn state(confirmed_at: Option<UtcMicros>, confirm_by: UtcMicros, now: UtcMicros) -> DeletionState {
    match confirmed_at {
        Some(_) => DeletionState::Confirmed,
        None if now < confirm_by => DeletionState::Ordered,
        None => DeletionState::Late,
    }
}

fn notice(row: NoticeRow, now: UtcMicros) -> Notice {
    Notice {
        operator: row.operator,
        purpose: row.purpose,
        flow: row.flow,
        from: row.from,
        until: row.until,
        ordered_at: row.ordered_at,
        confirm_by: row.confirm_by,
        told_at: row.told_at,
        confirmed_at: row.confirmed_at,
        state: state(row.confirmed_at, row.confirm_by, now),
    }
}

fn told(row: DeletionRow, now: UtcMicros) -> Deletion {
    let state = state(row.confirmed_at, row.confirm_by, now);
    Deletion {
        id: row.position,
        recipient: row.recipient,
        purpose: row.purpose,
        flow: row.flow,
        epoch: row.epoch,
        batches: row.batches,
        entry: row.entry,
        ordered_at: row.ordered_at,
        confirm_by: row.confirm_by,
        fetched_at: row.fetched_at,
        confirmed_at: row.confirmed_at,
        state,
    }
}

fn broken() -> Refusal {
    Refusal::new(Code::Internal, "a stored certificate cannot be read")
}
