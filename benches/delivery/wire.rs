//! The network between a gateway and central, which counts, and can be cut or fall silent.

use anyhow::{Context as _, Result};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::AbortHandle,
};

/// How the wire is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Now {
    Whole,
    /// Connections are closed, and new ones too.
    Cut,
}

/// A wire to central; dropped, it is gone.
pub(crate) struct Wire {
    /// Where the gateway finds central.
    pub(crate) url: String,
    state: watch::Sender<Now>,
    /// Connections that fell silent have another number than this.
    era: watch::Sender<u64>,
    bytes: Arc<Bytes>,
    carrier: AbortHandle,
}

/// Bytes of TCP's payload, TLS included.
#[derive(Default)]
struct Bytes {
    up: AtomicU64,
    down: AtomicU64,
}

impl Wire {
    pub(crate) async fn lay(central_url: &str) -> Result<Self> {
        let to = central_url.strip_prefix("https://").context("central speaks TLS")?.to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("https://{}", listener.local_addr()?);
        let (state, seen) = watch::channel(Now::Whole);
        let (era, eras) = watch::channel(0);
        let bytes = Arc::<Bytes>::default();
        let counted = Arc::clone(&bytes);
        let carrier = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                if *seen.borrow() == Now::Whole {
                    tokio::spawn(connect(near, to.clone(), seen.clone(), eras.clone(), Arc::clone(&counted)));
                }
            }
        })
        .abort_handle();
        Ok(Self { url, state, era, bytes, carrier })
    }

    pub(crate) fn set(&self, now: Now) {
        self.state.send_replace(now);
    }

    /// Connections there are carry nothing any more, and nobody is told; new ones are made as before.
    pub(crate) fn silence(&self) {
        self.era.send_modify(|era| *era += 1);
    }

    /// Up and down since the beginning.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        (self.bytes.up.load(Ordering::Relaxed), self.bytes.down.load(Ordering::Relaxed))
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.set(Now::Cut);
        self.carrier.abort();
    }
}

async fn connect(
    near: TcpStream,
    to: String,
    mut state: watch::Receiver<Now>,
    eras: watch::Receiver<u64>,
    bytes: Arc<Bytes>,
) {
    let Ok(far) = TcpStream::connect(to).await else { return };
    let ((from_near, to_near), (from_far, to_far)) = (near.into_split(), far.into_split());
    let up = carry(from_near, to_far, eras.clone(), &bytes.up);
    let down = carry(from_far, to_near, eras, &bytes.down);
    tokio::select! {
        _ = state.wait_for(|now| *now == Now::Cut) => {}
        _ = async { tokio::join!(up, down) } => {}
    }
}

async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut eras: watch::Receiver<u64>,
    count: &AtomicU64,
) {
    let mut part = vec![0; 64 << 10];
    let born = *eras.borrow();
    loop {
        let silent = async { drop(eras.wait_for(|era| *era != born).await) };
        let read = tokio::select! {
            () = silent => None,
            read = from.read(&mut part) => Some(read),
        };
        let read = match read {
            Some(Ok(read @ 1..)) => read,
            Some(_) => return,
            // Held, so that neither side hears of an end.
            None => std::future::pending().await,
        };
        count.fetch_add(read as u64, Ordering::Relaxed);
        if to.write_all(&part[..read]).await.is_err() {
            return;
        }
    }
}
