//! Enrolling gateways over the network: invitations, first certificates,
//! renewals, and who is enrolled (decision note 0020).
//!
//! From outside an invitation either is open for exactly this request, or the
//! answer is one and the same refusal; what was wrong is counted here. It is used up in the
//! transaction that records the enrolment. Asked again with the same keys, the same certificate is given again.

mod door;
mod limits;

pub(crate) use door::{Door, serve};

use crate::{
    cache::{ATTEMPTS, NotAdopted, overtaken},
    chain,
    controller::Controller,
    counted::Counted,
    issuer::{Issued, Issuer},
    ledger::{note, own_entry},
    refusal::Refusal,
};
use rustls::ServerConfig;
use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};
use vernport_api::{
    Blob, CertificateAnswer, Code, EnrolmentAnswer, EnrolmentRequest, GatewayListed, GatewayState,
    GatewaysAnswer, InvitationAnswer, InvitationListed, InvitationRequest, MAX_TOKEN_HOURS, RequestedKey,
    Token,
};
use vernport_crypto::sha256;
use vernport_registry::{Actor, ActorRole, EnrolmentState, Entry, Event, GatewayEnrolled, StationRef};
use vernport_store::{Change, GatewayCertificate, Invitation, InvitationUsed};
use vernport_types::{EntryHash, Slug, UtcMicros};

/// Invitations of one controller that may be open at a time.
const MAX_OPEN_INVITATIONS: u32 = 64;
/// Certificates of one gateway that may not have ended at a time.
const MAX_LIVE_CERTIFICATES: u32 = 8;

/// What central needs to enrol gateways.
pub struct EnrolmentDeps {
    /// Where it listens for them.
    pub address: SocketAddr,
    /// The server's side of TLS without client certificates, as [`crate::enrolment_server_config`] makes it.
    pub tls: ServerConfig,
    /// Issues their certificates.
    pub issuer: Arc<Issuer>,
    /// Where central serves them afterwards, if they shall be told.
    pub central_url: Option<String>,
    /// Attempts a minute, of all and of one address.
    pub attempts_per_minute: (u32, u32),
    /// How long a connection may last, from its first byte to its last.
    pub connection_timeout: std::time::Duration,
}

/// Why a request to enrol is refused. Told in counts only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    Unknown,
    OtherName,
    Expired,
    Replayed,
    Proof,
    Enrolled,
    SaidSince,
    NotServed,
}

impl Why {
    const fn word(self) -> &'static str {
        match self {
            Self::Unknown => "token unknown",
            Self::OtherName => "token of another name",
            Self::Expired => "token expired",
            Self::Replayed => "token replayed",
            Self::Proof => "proof of the device key wrong",
            Self::Enrolled => "token may not replace",
            Self::SaidSince => "token overtaken by the ledger",
            Self::NotServed => "controller not served",
        }
    }
}

/// Refused, and nobody outside is told why.
fn refuse(counted: &Counted, why: Why) -> Refusal {
    counted.turned_away(why.word());
    tracing::warn!(reason = why.word(), "a gateway was not enrolled");
    let detail = "ask the controller for a new invitation, and enrol with the name and place in it";
    Refusal::new(Code::EnrolmentRefused, detail)
}

impl Controller {
    /// Draws a token and keeps its hash.
    pub(crate) async fn invite(
        &self,
        registrar: &Slug,
        asked: InvitationRequest,
    ) -> Result<InvitationAnswer, Refusal> {
        if !(1..=MAX_TOKEN_HOURS).contains(&asked.valid_h) {
            return Err(Refusal::new(Code::BadRequest, format!("valid_h: give 1 to {MAX_TOKEN_HOURS}")));
        }
        let mut state = self.locked().await?;
        let now = state.now(&*self.clock);
        let is_enrolled = state.facts.enrolment(&asked.gateway, now).is_some();
        drop(state);
        if is_enrolled && !asked.replace {
            let detail = "invite to replace it, or revoke it first";
            return Err(Refusal::new(Code::AlreadyEnrolled, detail));
        }
        let (token, expires_at) = (Token::generate(), now.plus_seconds(i64::from(asked.valid_h) * 3_600));
        let invitation = Invitation {
            token_hash: token.hash(),
            gateway: asked.gateway,
            site: asked.site,
            station: asked.station,
            replace: asked.replace,
            invited_by: registrar.clone(),
            invited_at: now,
            expires_at,
            used: None,
        };
        if self.store.invite(&self.id, &invitation, MAX_OPEN_INVITATIONS).await? {
            Ok(InvitationAnswer { token, expires_at })
        } else {
            let detail = format!("{MAX_OPEN_INVITATIONS} are open; use them, or wait until they end");
            Err(Refusal::new(Code::TooManyInvitations, detail))
        }
    }

    /// Enrols a gateway that was invited.
    async fn enrol(
        &self,
        asked: &EnrolmentRequest,
        key: &RequestedKey,
        (issuer, counted): (&Issuer, &Counted),
    ) -> Result<(Invitation, CertificateAnswer), Refusal> {
        for _ in 0..ATTEMPTS {
            match self.try_enrol(asked, key, (issuer, counted)).await {
                Err(NotAdopted::Stale) => {}
                Err(NotAdopted::Refused(refusal)) => return Err(refusal),
                Ok(enrolled) => return Ok(enrolled),
            }
        }
        Err(overtaken())
    }

    async fn try_enrol(
        &self,
        asked: &EnrolmentRequest,
        key: &RequestedKey,
        (issuer, counted): (&Issuer, &Counted),
    ) -> Result<(Invitation, CertificateAnswer), NotAdopted> {
        let token_hash = asked.token.hash();
        let mut state = self.locked().await?;
        let now = state.now(&*self.clock);
        self.refresh(&mut state, now).await?;
        let turn = self.turn(&mut state).await?;
        let now = state.now(&*self.clock);

        let refuse = |why| NotAdopted::Refused(refuse(counted, why));
        let invitation = self.store.invitation(&self.id, &token_hash).await?;
        let invitation = invitation.ok_or_else(|| refuse(Why::Unknown))?;
        if invitation.gateway != asked.gateway {
            return Err(refuse(Why::OtherName));
        }
        if invitation.expires_at <= now {
            return Err(refuse(Why::Expired));
        }
        asked.verify().map_err(|_| refuse(Why::Proof))?;
        let keys_hash = sha256(&[&key.hash[..], asked.device_key.as_bytes()].concat());
        let known = state.facts.gateway(&asked.gateway, now);
        if let Some((used_for, entry)) = invitation.used {
            let stands = known.is_some_and(|of| of.entry == entry && of.state == EnrolmentState::Enrolled);
            if used_for != keys_hash || !stands {
                return Err(refuse(Why::Replayed));
            }
            // The answer was lost: the same request is given the same certificate.
            let issued = self.store.gateway_certificates(&self.id, &asked.gateway).await?;
            let first = issued.into_iter().find(|of| of.enrolment == entry && of.key_hash == key.hash);
            let first = first.ok_or_else(|| refuse(Why::Replayed))?;
            return Ok((invitation, answer(issuer, first.certificate, first.not_after)));
        }
        if let Some(known) = known {
            if known.said_at > invitation.invited_at {
                return Err(refuse(Why::SaidSince));
            }
            if known.state == EnrolmentState::Enrolled && !invitation.replace {
                return Err(refuse(Why::Enrolled));
            }
        }

        let enrolled = GatewayEnrolled {
            gateway: asked.gateway.clone(),
            station: StationRef { site: invitation.site.clone(), station: invitation.station.clone() },
            device_key: asked.device_key,
            // A box on board that takes the place of another stands in the same vehicle.
            pinned: state.facts.enrolment(&asked.gateway, now).and_then(|of| of.pinned),
        };
        let reference = format!("enrolment {}", hex::encode(&token_hash[..16]));
        let entry = Entry {
            actor: Actor { role: ActorRole::System, id: invitation.invited_by.clone() },
            ..own_entry(&self.id, Event::GatewayEnrolled(enrolled), &reference, now)
        };
        let issued = self.issue(issuer, key, &asked.gateway, now)?;
        state.is_stored = false;
        let applied = state.facts.apply(&entry).map_err(|refused| {
            tracing::error!(error = chain(&refused), "the ledger does not take an enrolment");
            Refusal::new(Code::Internal, "the enrolment could not be recorded")
        })?;
        let mut change = Change::default();
        note(&mut change, &entry, applied.entry, &BTreeMap::new());
        let certificate = certificate(&asked.gateway, applied.entry, key, &issued, now);
        change.invitation = Some(InvitationUsed { token_hash, keys_hash, certificate });
        state.note(&self.rules, &entry, applied);
        let computed = self.compute(&state, now);
        self.adopt(&mut state, Some(turn), computed, change, now).await?;
        tracing::info!(gateway = %asked.gateway, by = %invitation.invited_by, "a gateway was enrolled");
        Ok((invitation, answer(issuer, issued.certificate, issued.not_after)))
    }

    /// Issues a gateway that is enrolled its next certificate.
    pub(crate) async fn renew(
        &self,
        gateway: &Slug,
        own: Option<GatewayCertificate>,
        key: &RequestedKey,
        issuer: &Issuer,
    ) -> Result<CertificateAnswer, Refusal> {
        let mut state = self.locked().await?;
        let now = state.now(&*self.clock);
        let stands = state.facts.gateway(gateway, now).ok_or_else(crate::controller::not_enrolled)?;
        drop(state);
        if stands.state != EnrolmentState::Enrolled {
            return Err(enrolment_ended());
        }
        let own = own.filter(|own| own.enrolment == stands.entry).ok_or_else(|| {
            let detail =
                "this certificate was not issued here; ask who issued it, or enrol with an invitation";
            Refusal::new(Code::EnrolmentRefused, detail)
        })?;
        // The answer was lost: the same key is given the same certificate, while most of it is left.
        let issued = self.store.gateway_certificates(&self.id, gateway).await?;
        let third = i64::from(issuer.days()) * 86_400 / 3;
        let is_fresh = |of: &GatewayCertificate| {
            of.enrolment == own.enrolment
                && of.key_hash == key.hash
                && of.not_after > now.plus_seconds(2 * third)
        };
        if let Some(same) = issued.into_iter().find(is_fresh) {
            return Ok(answer(issuer, same.certificate, same.not_after));
        }
        let issued = self.issue(issuer, key, gateway, now)?;
        let row = certificate(gateway, own.enrolment, key, &issued, now);
        if !self.store.note_certificate(&self.id, &row, MAX_LIVE_CERTIFICATES).await? {
            let detail = "this gateway was issued many certificates that have not ended; use the last one";
            return Err(Refusal::new(Code::Busy, detail));
        }
        tracing::info!(%gateway, "a certificate was renewed");
        Ok(answer(issuer, issued.certificate, issued.not_after))
    }

    fn issue(
        &self,
        issuer: &Issuer,
        key: &RequestedKey,
        gateway: &Slug,
        now: UtcMicros,
    ) -> Result<Issued, Refusal> {
        issuer.issue(key, gateway, &self.id, now).map_err(|error| {
            tracing::error!(error = chain(&error), "no certificate could be issued");
            Refusal::new(Code::Internal, "no certificate could be issued")
        })
    }

    /// All gateways that were ever enrolled, and who is invited.
    pub(crate) async fn gateways(&self) -> Result<GatewaysAnswer, Refusal> {
        let until: BTreeMap<Slug, UtcMicros> =
            self.store.certificates_until(&self.id).await?.into_iter().collect();
        let mut state = self.locked().await?;
        let now = state.now(&*self.clock);
        let listed = state.places.keys().filter_map(|gateway| {
            let of = state.facts.gateway(gateway, now)?;
            Some(GatewayListed {
                gateway: gateway.clone(),
                site: of.station.site,
                station: of.station.station,
                state: match of.state {
                    EnrolmentState::Enrolled => GatewayState::Enrolled,
                    EnrolmentState::Ended => GatewayState::Ended,
                    EnrolmentState::Revoked => GatewayState::Revoked,
                },
                enrolled_at: of.enrolled_at,
                certificate_until: until.get(gateway).copied(),
            })
        });
        let gateways = listed.collect();
        drop(state);
        let invited = self.store.open_invitations(&self.id, now).await?;
        let invited = invited.into_iter().map(|of| InvitationListed {
            gateway: of.gateway,
            expires_at: of.expires_at,
            replace: of.replace,
        });
        Ok(GatewaysAnswer { gateways, invitations: invited.collect() })
    }
}

/// What a gateway hears that is enrolled no longer.
pub(crate) fn enrolment_ended() -> Refusal {
    Refusal::new(Code::EnrolmentEnded, "deliver what waits; its controller has to invite it anew for more")
}

fn certificate(
    gateway: &Slug,
    enrolment: EntryHash,
    key: &RequestedKey,
    issued: &Issued,
    now: UtcMicros,
) -> GatewayCertificate {
    GatewayCertificate {
        gateway: gateway.clone(),
        serial: issued.serial.clone(),
        enrolment,
        key_hash: key.hash,
        certificate: issued.certificate.clone(),
        issued_at: now,
        not_after: issued.not_after,
    }
}

fn answer(issuer: &Issuer, certificate: Vec<u8>, not_after: UtcMicros) -> CertificateAnswer {
    CertificateAnswer { chain: issuer.chain(certificate).into_iter().map(Blob).collect(), not_after }
}

/// The whole answer to a gateway that was enrolled.
fn enrolled(
    controller: &Controller,
    central_url: Option<&String>,
    (invitation, certificate): (Invitation, CertificateAnswer),
) -> EnrolmentAnswer {
    EnrolmentAnswer {
        certificate,
        controller: controller.id.clone(),
        site: invitation.site,
        station: invitation.station,
        head_key: controller.head_key.verifying_key(),
        central_url: central_url.cloned(),
    }
}

/// Shared by the listener for enrolments and the route for renewals; none: this central enrols nobody.
pub(crate) type SharedIssuer = Option<Arc<Issuer>>;
