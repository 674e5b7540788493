//! Renews the gateway's own certificate at two thirds of its life, while it runs:
//! a new key, a new certificate, both in their files and then in use, without a restart.
//!
//! By the gateway's clock; pauses by the boot clock. From 80 % on it is told, after the end it is an error; what fails is tried
//! again with pauses of a minute to an hour.

use crate::{
    chain,
    enrol::{
        self,
        files::{self, FileError, Gate, Places, RENEWING, with},
    },
    status::Shared,
};
use std::{fs, sync::Arc, time::Duration};
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use vernport_api::{Blob, CertificateAnswer, RenewalRequest};
use vernport_crypto::{Zeroizing, random};
use vernport_types::{BootMicros, Clock, Stamp, UtcMicros};
use vernport_uplink::{
    Backoff, CallError, Certificate, Held, SetupError, TlsError, TlsFiles, Uplink, Validity,
};

/// How often the clock is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// First and longest pause after a failure.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(3600));

/// How the gateway's certificate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CertificateHealth {
    /// There is time.
    Good,
    /// More than 80 % of its life are over, and it was not renewed.
    Late,
    /// It ended: central lets nobody in with it. Enrol the gateway anew.
    Ended,
}

/// The gateway's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CertificateSeen {
    /// When it ends.
    pub until: UtcMicros,
    /// How it stands.
    pub health: CertificateHealth,
}

/// Why a certificate was not renewed.
#[derive(Debug, Error)]
enum RenewError {
    #[error("central did not renew it")]
    Call(#[from] CallError),
    #[error("a key or certificate request cannot be made")]
    Make(#[from] rcgen::Error),
    #[error(transparent)]
    File(#[from] FileError),
    #[error("the new certificate cannot be used")]
    Tls(#[from] TlsError),
    #[error("the connection stays as it is")]
    Setup(#[from] SetupError),
}

/// When to do what about one certificate.
#[derive(Debug)]
struct Plan {
    validity: Validity,
    backoff: Backoff,
    /// Not tried again before; by the boot clock, since the other one may be set right meanwhile.
    next: BootMicros,
}

impl Plan {
    fn new(validity: Validity) -> Self {
        Self { validity, backoff: Backoff::new(BACKOFF.0, BACKOFF.1), next: BootMicros(0) }
    }

    fn is_due(&self, now: Stamp) -> bool {
        now.wall >= self.validity.after(2, 3) && now.boot >= self.next
    }

    fn seen(&self, now: UtcMicros) -> CertificateSeen {
        let health = if now >= self.validity.not_after {
            CertificateHealth::Ended
        } else if now >= self.validity.late() {
            CertificateHealth::Late
        } else {
            CertificateHealth::Good
        };
        CertificateSeen { until: self.validity.not_after, health }
    }

    fn failed(&mut self, now: Stamp, draw: u32, retry_after: Option<Duration>) {
        let pause = self.backoff.failed(draw, retry_after);
        let micros = u64::try_from(pause.as_micros()).unwrap_or(u64::MAX);
        self.next = BootMicros(now.boot.0.saturating_add(micros));
    }
}

/// What renews.
pub(crate) struct Renew {
    uplink: Uplink,
    files: TlsFiles,
    held: Held,
    clock: Arc<dyn Clock>,
    shared: Arc<Shared>,
    plan: Plan,
    told: CertificateHealth,
}

impl Renew {
    /// For the certificate in these files, which `held` holds now.
    pub(crate) fn new(
        uplink: Uplink,
        files: TlsFiles,
        held: Held,
        clock: Arc<dyn Clock>,
        shared: Arc<Shared>,
    ) -> Result<Self, TlsError> {
        let plan = Plan::new(Certificate::read(&files.certificate)?.validity);
        shared.certificate(plan.seen(clock.now().wall));
        Ok(Self { uplink, files, held, clock, shared, plan, told: CertificateHealth::Good })
    }

    /// Renews until shutdown.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.look() => {}
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.shared.resumed.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    async fn look(&mut self) {
        let now = self.clock.now();
        if self.plan.is_due(now) {
            let uplink = self.uplink.clone();
            let renewed = self.renew(&files::open, async |request| uplink.renew(request).await).await;
            match renewed {
                Ok(()) => {
                    tracing::info!(until = self.plan.validity.not_after.0, "the certificate was renewed");
                }
                Err(error) => {
                    tracing::warn!(error = chain(&error), "the certificate was not renewed yet");
                    let retry_after =
                        if let RenewError::Call(error) = &error { error.retry_after() } else { None };
                    self.plan.failed(now, u32::from_le_bytes(random()), retry_after);
                }
            }
        }
        self.tell(now.wall);
    }

    /// Once for each change: a log that repeats itself is not read.
    fn tell(&mut self, now: UtcMicros) {
        let seen = self.plan.seen(now);
        self.shared.certificate(seen);
        if seen.health != self.told {
            self.told = seen.health;
            match seen.health {
                CertificateHealth::Good => {}
                CertificateHealth::Late => tracing::warn!(
                    until = seen.until.0,
                    "the certificate of this gateway ends soon and could not be renewed"
                ),
                CertificateHealth::Ended => tracing::error!(
                    until = seen.until.0,
                    "the certificate of this gateway ended: enrol it anew with `vernport-gateway enrol --replace`"
                ),
            }
        }
    }

    async fn renew(
        &mut self,
        gate: Gate<'_>,
        ask: impl AsyncFnOnce(&RenewalRequest) -> Result<CertificateAnswer, CallError>,
    ) -> Result<(), RenewError> {
        let files = &self.files;
        renew(gate, files, ask).await?;
        self.held.take(files)?;
        self.plan = Plan::new(Certificate::read(&files.certificate)?.validity);
        Ok(self.uplink.reconnect()?)
    }
}

/// Draws a key (or takes the one whose answer was lost), asks, and puts key and certificate in their places.
async fn renew(
    gate: Gate<'_>,
    of: &TlsFiles,
    ask: impl AsyncFnOnce(&RenewalRequest) -> Result<CertificateAnswer, CallError>,
) -> Result<(), RenewError> {
    let places = Places { certificate: of.certificate.clone(), key: of.key.clone(), device: None };
    if files::finish(gate, &places, RENEWING)? {
        return Ok(());
    }
    let next = with(&places.key, RENEWING);
    let drawn = if files::is_there(&next)? {
        let read = fs::read_to_string(&next).map(Zeroizing::new);
        let read = read.map_err(|source| FileError::Read { path: next.clone(), source })?;
        enrol::request_again(&read).ok()
    } else {
        None
    };
    let csr = match drawn {
        Some(csr) => csr,
        None => {
            let (key, csr) = enrol::draw()?;
            files::write(gate, &next, key.as_bytes())?;
            csr
        }
    };
    let answer = ask(&RenewalRequest { csr: Blob(csr) }).await?;
    files::accept(gate, &places, RENEWING, &enrol::pem(&answer))?;
    files::finish(gate, &places, RENEWING)?;
    Ok(())
}

#[cfg(test)]
mod tests;
