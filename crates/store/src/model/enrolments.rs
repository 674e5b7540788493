//! Invitations, and certificates that were issued.

use super::{Session, Write};
use crate::{
    GatewayCertificate, Invitation, InvitationUsed, RecordError, StoreError, enrolment::KEPT_SECONDS,
};
use std::collections::BTreeMap;
use vernport_types::{ControllerId, Slug, UtcMicros};

impl Session {
    pub(crate) async fn invite(
        &self,
        controller: &ControllerId,
        invitation: &Invitation,
        max_open: u32,
    ) -> Result<bool, StoreError> {
        let mut write = self.writing("invite", controller).await?;
        let now = invitation.invited_at;
        let kept = now.plus_seconds(-KEPT_SECONDS);
        let open = write.tables.invitations.values().filter(|of| is_open(of, now)).count();
        if open >= usize::try_from(max_open).unwrap_or(usize::MAX) {
            return Ok(false);
        }
        write.tables.invitations.retain(|_, of| of.expires_at >= kept);
        write
            .tables
            .invitations
            .insert(invitation.token_hash, Invitation { used: None, ..invitation.clone() });
        write.commit().await?;
        Ok(true)
    }

    pub(crate) async fn invitation(
        &self,
        controller: &ControllerId,
        token_hash: &[u8; 32],
    ) -> Result<Option<Invitation>, StoreError> {
        Ok(self.reading("invitation", controller).await?.invitations.get(token_hash).cloned())
    }

    pub(crate) async fn open_invitations(
        &self,
        controller: &ControllerId,
        now: UtcMicros,
    ) -> Result<Vec<Invitation>, StoreError> {
        let tables = self.reading("open_invitations", controller).await?;
        let mut open: Vec<Invitation> =
            tables.invitations.values().filter(|of| is_open(of, now)).cloned().collect();
        open.sort_by(|one, other| {
            (&one.gateway, one.invited_at, one.token_hash).cmp(&(
                &other.gateway,
                other.invited_at,
                other.token_hash,
            ))
        });
        Ok(open)
    }

    pub(crate) async fn gateway_certificates(
        &self,
        controller: &ControllerId,
        gateway: &Slug,
    ) -> Result<Vec<GatewayCertificate>, StoreError> {
        let tables = self.reading("gateway_certificates", controller).await?;
        let issued = tables.gateway_certificates.values().filter(|of| of.gateway == *gateway);
        let mut issued: Vec<GatewayCertificate> = issued.cloned().collect();
        issued.sort_by(|one, other| (one.issued_at, &one.serial).cmp(&(other.issued_at, &other.serial)));
        Ok(issued)
    }

    pub(crate) async fn certificates_until(
        &self,
        controller: &ControllerId,
    ) -> Result<Vec<(Slug, UtcMicros)>, StoreError> {
        let tables = self.reading("certificates_until", controller).await?;
        let mut until: BTreeMap<Slug, UtcMicros> = BTreeMap::new();
        for of in tables.gateway_certificates.values() {
            let last = until.entry(of.gateway.clone()).or_insert(of.not_after);
            *last = of.not_after.max(*last);
        }
        Ok(until.into_iter().collect())
    }

    pub(crate) async fn note_certificate(
        &self,
        controller: &ControllerId,
        certificate: &GatewayCertificate,
        max_live: u32,
    ) -> Result<bool, StoreError> {
        let mut write = self.writing("note_certificate", controller).await?;
        let issued = write.tables.gateway_certificates.values();
        let live = issued
            .filter(|of| of.gateway == certificate.gateway && of.not_after > certificate.issued_at)
            .count();
        if live >= usize::try_from(max_live).unwrap_or(usize::MAX) {
            return Ok(false);
        }
        write.certify(certificate);
        write.commit().await?;
        Ok(true)
    }
}

impl Write {
    pub(super) fn use_invitation(&mut self, used: &InvitationUsed) -> Result<(), RecordError> {
        let invitation = self.tables.invitations.get_mut(&used.token_hash);
        let open = invitation.filter(|of| of.used.is_none()).ok_or(RecordError::InvitationUsed)?;
        open.used = Some((used.keys_hash, used.certificate.enrolment));
        self.certify(&used.certificate);
        Ok(())
    }

    fn certify(&mut self, certificate: &GatewayCertificate) {
        let ended = |of: &GatewayCertificate| {
            of.gateway == certificate.gateway && of.not_after < certificate.issued_at
        };
        self.tables.gateway_certificates.retain(|_, of| !ended(of));
        let place = (certificate.gateway.clone(), certificate.serial.clone());
        self.tables.gateway_certificates.insert(place, certificate.clone());
    }
}

/// Whether it may be used.
fn is_open(of: &Invitation, now: UtcMicros) -> bool {
    of.used.is_none() && of.expires_at > now
}
