//! The network between a gateway and central, which a test can cut.

use crate::stand::Stand;
use anyhow::{Context as _, Result};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::AbortHandle,
};

/// A wire to central. Dropped, it is cut for good.
pub(crate) struct Wire {
    whole: watch::Sender<bool>,
    carrier: AbortHandle,
}

impl Wire {
    /// Puts a wire between the gateway of a stand, which is not started yet, and central.
    pub(crate) async fn lay(stand: &Stand) -> Result<Self> {
        let central = stand.stage.dev.central_url.clone();
        let to = central.strip_prefix("https://").context("central speaks TLS")?.to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let here = format!("https://{}", listener.local_addr()?);
        stand.configure(|text| text.replace(&central, &here))?;
        let (whole, state) = watch::channel(true);
        let carrier = tokio::spawn(carry(listener, to, state)).abort_handle();
        Ok(Self { whole, carrier })
    }

    /// Cuts it: what is under way is lost, and nobody connects.
    pub(crate) fn cut(&self) {
        self.whole.send_replace(false);
    }

    /// Mends it.
    pub(crate) fn mend(&self) {
        self.whole.send_replace(true);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.cut();
        self.carrier.abort();
    }
}

async fn carry(listener: TcpListener, to: String, whole: watch::Receiver<bool>) {
    while let Ok((near, _)) = listener.accept().await {
        if *whole.borrow() {
            tokio::spawn(connect(near, to.clone(), whole.clone()));
        }
    }
}

async fn connect(mut near: TcpStream, to: String, mut whole: watch::Receiver<bool>) {
    let Ok(mut far) = TcpStream::connect(to).await else { return };
    tokio::select! {
        _ = whole.wait_for(|whole| !*whole) => {}
        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
    }
}
