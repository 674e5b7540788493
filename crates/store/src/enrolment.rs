//! Invitations to enrol, and the certificates that gateways were issued.

use crate::{RecordError, Store, StoreError, Write, bytes, sql::sql, text};
use vernport_types::{ControllerId, EntryHash, Slug, UtcMicros};

/// How long an invitation is kept after its time, so that a late use can be told from an invented token.
pub(crate) const KEPT_SECONDS: i64 = 7 * 86_400;

/// A token that lets one gateway enrol, once; by its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Of the token.
    pub token_hash: [u8; 32],
    /// Who may enrol.
    pub gateway: Slug,
    /// The site where it will stand.
    pub site: Slug,
    /// The station at the site.
    pub station: Slug,
    /// Whether it may take the place of a gateway that is enrolled under this name.
    pub replace: bool,
    /// The registrar who invited.
    pub invited_by: Slug,
    /// When.
    pub invited_at: UtcMicros,
    /// Until when it may be used.
    pub expires_at: UtcMicros,
    /// For which public keys it was used (a hash of them), and the entry that recorded it.
    pub used: Option<([u8; 32], EntryHash)>,
}

/// A certificate that was issued to a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayCertificate {
    /// To whom.
    pub gateway: Slug,
    /// Its serial number.
    pub serial: Vec<u8>,
    /// The entry that enrolled the gateway.
    pub enrolment: EntryHash,
    /// SHA-256 of its public key.
    pub key_hash: [u8; 32],
    /// The certificate itself, DER.
    pub certificate: Vec<u8>,
    /// When it was issued.
    pub issued_at: UtcMicros,
    /// When it ends.
    pub not_after: UtcMicros,
}

/// An invitation is used up: recorded together with the entry that enrols the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvitationUsed {
    /// Which invitation.
    pub token_hash: [u8; 32],
    /// For which public keys.
    pub keys_hash: [u8; 32],
    /// What was issued for them.
    pub certificate: GatewayCertificate,
}

type InvitationColumns =
    (Vec<u8>, String, String, String, i64, String, i64, i64, Option<Vec<u8>>, Option<Vec<u8>>);
type CertificateColumns = (String, Vec<u8>, Vec<u8>, Vec<u8>, Vec<u8>, i64, i64);

impl Store {
    /// Keeps an invitation; false if `max_open` of the controller are open already.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn invite(
        &self,
        controller: &ControllerId,
        invitation: &Invitation,
        max_open: u32,
    ) -> Result<bool, StoreError> {
        let db = sql_or!(self, invite(controller, invitation, max_open));
        let now = invitation.invited_at;
        let mut write = db.write(controller).await?;
        sql("DELETE FROM invitation WHERE controller = $1 AND expires_at < $2")
            .bind(controller.as_str())
            .bind(now.plus_seconds(-KEPT_SECONDS).0)
            .execute(&mut write.transaction)
            .await?;
        let (open,): (i64,) = sql("SELECT COUNT(*) FROM invitation
             WHERE controller = $1 AND keys_hash IS NULL AND expires_at > $2")
        .bind(controller.as_str())
        .bind(now.0)
        .fetch_one(&mut write.transaction)
        .await?;
        if open >= i64::from(max_open) {
            return Ok(false);
        }
        sql("INSERT INTO invitation (controller, token_hash, gateway, site, station, replaces, invited_by, invited_at,
                                     expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)")
        .bind(controller.as_str())
        .bind(&invitation.token_hash)
        .bind(invitation.gateway.as_str())
        .bind(invitation.site.as_str())
        .bind(invitation.station.as_str())
        .bind(i64::from(invitation.replace))
        .bind(invitation.invited_by.as_str())
        .bind(now.0)
        .bind(invitation.expires_at.0)
        .execute(&mut write.transaction)
        .await?;
        write.commit().await?;
        Ok(true)
    }

    /// The invitation of a token, used or not, also for a while after its time.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn invitation(
        &self,
        controller: &ControllerId,
        token_hash: &[u8; 32],
    ) -> Result<Option<Invitation>, StoreError> {
        let db = sql_or!(self, invitation(controller, token_hash));
        let row: Option<InvitationColumns> = sql(
            "SELECT token_hash, gateway, site, station, replaces, invited_by, invited_at, expires_at, keys_hash, entry
             FROM invitation WHERE controller = $1 AND token_hash = $2",
        )
        .bind(controller.as_str())
        .bind(token_hash)
        .fetch_optional(&db.main)
        .await?;
        row.map(invitation).transpose()
    }

    /// The invitations of a controller that may be used now, by gateway.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open_invitations(
        &self,
        controller: &ControllerId,
        now: UtcMicros,
    ) -> Result<Vec<Invitation>, StoreError> {
        let db = sql_or!(self, open_invitations(controller, now));
        let rows: Vec<InvitationColumns> = sql(
            "SELECT token_hash, gateway, site, station, replaces, invited_by, invited_at, expires_at, keys_hash, entry
             FROM invitation WHERE controller = $1 AND keys_hash IS NULL AND expires_at > $2
             ORDER BY gateway, invited_at, token_hash",
        )
        .bind(controller.as_str())
        .bind(now.0)
        .fetch_all(&db.main)
        .await?;
        rows.into_iter().map(invitation).collect()
    }

    /// The certificates of a gateway that are known: all that have not ended, and at least the last one issued.
    /// None at all: it was never issued one here.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn gateway_certificates(
        &self,
        controller: &ControllerId,
        gateway: &Slug,
    ) -> Result<Vec<GatewayCertificate>, StoreError> {
        let db = sql_or!(self, gateway_certificates(controller, gateway));
        let rows: Vec<CertificateColumns> =
            sql("SELECT gateway, serial, enrolment, key_hash, certificate, issued_at, not_after
             FROM gateway_certificate WHERE controller = $1 AND gateway = $2 ORDER BY issued_at, serial")
            .bind(controller.as_str())
            .bind(gateway.as_str())
            .fetch_all(&db.main)
            .await?;
        rows.into_iter().map(certificate).collect()
    }

    /// Until when the certificates last issued to each gateway last.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn certificates_until(
        &self,
        controller: &ControllerId,
    ) -> Result<Vec<(Slug, UtcMicros)>, StoreError> {
        let db = sql_or!(self, certificates_until(controller));
        let rows: Vec<(String, i64)> = sql("SELECT gateway, MAX(not_after) FROM gateway_certificate
             WHERE controller = $1 GROUP BY gateway ORDER BY gateway")
        .bind(controller.as_str())
        .fetch_all(&db.main)
        .await?;
        rows.into_iter().map(|(name, at)| Ok((text("gateway_certificate", &name)?, UtcMicros(at)))).collect()
    }

    /// Notes a further certificate of a gateway; false if `max_live` of it have not ended yet. It is known
    /// before it leaves.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn note_certificate(
        &self,
        controller: &ControllerId,
        certificate: &GatewayCertificate,
        max_live: u32,
    ) -> Result<bool, StoreError> {
        let db = sql_or!(self, note_certificate(controller, certificate, max_live));
        let mut write = db.write(controller).await?;
        let (live,): (i64,) = sql("SELECT COUNT(*) FROM gateway_certificate
             WHERE controller = $1 AND gateway = $2 AND not_after > $3")
        .bind(controller.as_str())
        .bind(certificate.gateway.as_str())
        .bind(certificate.issued_at.0)
        .fetch_one(&mut write.transaction)
        .await?;
        if live >= i64::from(max_live) {
            return Ok(false);
        }
        write.certify(controller, certificate).await?;
        write.commit().await?;
        Ok(true)
    }
}

impl Write {
    /// Uses an invitation up, once among all processes, for an entry of the same transaction.
    pub(crate) async fn use_invitation(
        &mut self,
        controller: &ControllerId,
        used: &InvitationUsed,
    ) -> Result<(), RecordError> {
        let now_used = sql("UPDATE invitation SET keys_hash = $3, entry = $4
             WHERE controller = $1 AND token_hash = $2 AND keys_hash IS NULL")
        .bind(controller.as_str())
        .bind(&used.token_hash)
        .bind(&used.keys_hash)
        .bind(&used.certificate.enrolment.as_bytes()[..])
        .execute(&mut self.transaction)
        .await?;
        if now_used != 1 {
            return Err(RecordError::InvitationUsed);
        }
        Ok(self.certify(controller, &used.certificate).await?)
    }

    async fn certify(
        &mut self,
        controller: &ControllerId,
        certificate: &GatewayCertificate,
    ) -> Result<(), StoreError> {
        // The one that comes now says that this gateway has its certificates from here.
        sql("DELETE FROM gateway_certificate WHERE controller = $1 AND gateway = $2 AND not_after < $3")
            .bind(controller.as_str())
            .bind(certificate.gateway.as_str())
            .bind(certificate.issued_at.0)
            .execute(&mut self.transaction)
            .await?;
        sql("INSERT INTO gateway_certificate
                 (controller, gateway, serial, enrolment, key_hash, certificate, issued_at, not_after)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)")
        .bind(controller.as_str())
        .bind(certificate.gateway.as_str())
        .bind(&certificate.serial)
        .bind(&certificate.enrolment.as_bytes()[..])
        .bind(&certificate.key_hash)
        .bind(&certificate.certificate)
        .bind(certificate.issued_at.0)
        .bind(certificate.not_after.0)
        .execute(&mut self.transaction)
        .await?;
        Ok(())
    }
}

fn invitation(row: InvitationColumns) -> Result<Invitation, StoreError> {
    const TABLE: &str = "invitation";
    let (token_hash, gateway, site, station, replaces, invited_by, invited_at, expires_at, keys, entry) = row;
    let used = match keys.zip(entry) {
        Some((keys, entry)) => Some((bytes(TABLE, &keys)?, EntryHash::from_bytes(bytes(TABLE, &entry)?))),
        None => None,
    };
    Ok(Invitation {
        token_hash: bytes(TABLE, &token_hash)?,
        gateway: text(TABLE, &gateway)?,
        site: text(TABLE, &site)?,
        station: text(TABLE, &station)?,
        replace: replaces != 0,
        invited_by: text(TABLE, &invited_by)?,
        invited_at: UtcMicros(invited_at),
        expires_at: UtcMicros(expires_at),
        used,
    })
}

fn certificate(row: CertificateColumns) -> Result<GatewayCertificate, StoreError> {
    const TABLE: &str = "gateway_certificate";
    let (gateway, serial, enrolment, key_hash, certificate, issued_at, not_after) = row;
    Ok(GatewayCertificate {
        gateway: text(TABLE, &gateway)?,
        serial,
        enrolment: EntryHash::from_bytes(bytes(TABLE, &enrolment)?),
        key_hash: bytes(TABLE, &key_hash)?,
        certificate,
        issued_at: UtcMicros(issued_at),
        not_after: UtcMicros(not_after),
    })
}
