//! The local socket at which a technician's command speaks: owner and group only, one
//! line each way, bounded in length, time and number.

use super::{Answered, Said, Station};
use std::{
    os::unix::fs::{FileTypeExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use thiserror::Error;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{UnixListener, UnixStream},
    sync::Semaphore,
};
use tokio_util::sync::CancellationToken;

/// The longest line, in bytes.
pub(super) const MAX_LINE_BYTES: u64 = 4_096;
/// How long somebody may take to say their line, and to take the answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many may speak at a time.
const MAX_AT_A_TIME: usize = 8;
/// Owner and group.
const MODE: u32 = 0o660;

/// Why the socket does not open.
#[derive(Debug, Error)]
pub enum SocketError {
    /// A gateway listens there.
    #[error("{}: another gateway listens there; give this one a socket of its own", path.display())]
    InUse {
        /// The socket.
        path: PathBuf,
    },
    /// Something else is at its path.
    #[error("{}: is no socket; choose another path for [station] socket", path.display())]
    NoSocket {
        /// The path.
        path: PathBuf,
    },
    /// It cannot be made.
    #[error("{}: cannot be made; check that its folder exists and is this user's", path.display())]
    Open {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Opens the socket. One that a dead gateway left is replaced.
pub(crate) fn open(path: &Path) -> Result<UnixListener, SocketError> {
    let failed = |source| SocketError::Open { path: path.into(), source };
    match std::fs::symlink_metadata(path) {
        Ok(there) if !there.file_type().is_socket() => {
            return Err(SocketError::NoSocket { path: path.into() });
        }
        Ok(_) if std::os::unix::net::UnixStream::connect(path).is_ok() => {
            return Err(SocketError::InUse { path: path.into() });
        }
        Ok(_) => std::fs::remove_file(path).map_err(failed)?,
        Err(_) => {}
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    // Until here the umask lets nobody else write, and who may not write may not connect.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(MODE)).map_err(failed)?;
    Ok(listener)
}

/// Serves until shutdown, then takes the socket away.
pub(crate) async fn serve(
    station: Arc<Station>,
    listener: UnixListener,
    path: PathBuf,
    shutdown: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(MAX_AT_A_TIME));
    loop {
        let place = tokio::select! {
            () = shutdown.cancelled() => break,
            Ok(place) = Arc::clone(&places).acquire_owned() => place,
        };
        let stream = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "nobody can be heard at the station's socket");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
        };
        let station = Arc::clone(&station);
        tokio::spawn(async move {
            hear(&station, stream).await;
            drop(place);
        });
    }
    let _ = std::fs::remove_file(&path);
}

/// One line, one answer. What is said is carried out even where nobody waits for the answer.
async fn hear(station: &Station, stream: UnixStream) {
    let (from, mut to) = stream.into_split();
    let mut line = Vec::new();
    let mut from = BufReader::new(from.take(MAX_LINE_BYTES));
    let read = tokio::time::timeout(PATIENCE, from.read_until(b'\n', &mut line)).await;
    let answer = match read {
        Ok(Ok(_)) if line.ends_with(b"\n") => match serde_json::from_slice::<Said>(&line) {
            Ok(said) => station.hear(said).await,
            // Where, but not what: it may name a vehicle.
            Err(error) => refused(&format!("not what a station takes, at column {}", error.column())),
        },
        Ok(Ok(_)) => refused("say one line of at most 4096 bytes, with its end"),
        Ok(Err(_)) | Err(_) => return,
    };
    let mut text = serde_json::to_vec(&answer).expect("an answer is plain data");
    text.push(b'\n');
    if !matches!(tokio::time::timeout(PATIENCE, to.write_all(&text)).await, Ok(Ok(()))) {
        tracing::debug!("nobody took the answer of the station");
    }
}

fn refused(why: &str) -> Answered {
    Answered::Refused { why: why.into() }
}
