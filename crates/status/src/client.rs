//! Asks a daemon of this machine.

use crate::Address;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::{
    Request, StatusCode,
    body::Bytes,
    client::conn::http1::handshake,
    header::{ACCEPT, HOST},
};
use hyper_util::rt::TokioIo;
use std::time::Duration;
use thiserror::Error;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    time::timeout,
};

/// The longest answer that is read, in bytes.
const MAX_ANSWER_BYTES: usize = 4 << 20;
/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum AskError {
    /// Nobody listens there.
    #[error("{address}: nobody listens there")]
    Nobody {
        /// Where.
        address: Address,
        /// What the system said.
        source: std::io::Error,
    },
    /// What listens there gave another answer, or none in time.
    #[error("{address}: no answer of a vernport daemon; is [status] address that of another program?")]
    Other {
        /// Where.
        address: Address,
    },
}

/// Asks for a path; the body of a good answer.
///
/// # Errors
/// [`AskError`].
pub async fn ask(address: &Address, path: &str, accept: &str) -> Result<Vec<u8>, AskError> {
    let nobody = |source| AskError::Nobody { address: address.clone(), source };
    let answer = match address {
        Address::Loopback(at) => {
            let stream = TcpStream::connect(at).await.map_err(nobody)?;
            timeout(PATIENCE, exchange(stream, path, accept)).await
        }
        Address::Unix(at) => {
            let stream = UnixStream::connect(at).await.map_err(nobody)?;
            timeout(PATIENCE, exchange(stream, path, accept)).await
        }
    };
    answer.ok().flatten().ok_or_else(|| AskError::Other { address: address.clone() })
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    path: &str,
    accept: &str,
) -> Option<Vec<u8>> {
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await.ok()?;
    let connection = tokio::spawn(connection);
    let request = Request::get(path).header(HOST, "localhost").header(ACCEPT, accept);
    let response = sender.send_request(request.body(Empty::<Bytes>::new()).ok()?).await.ok()?;
    let good = response.status() == StatusCode::OK;
    let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await.ok()?;
    connection.abort();
    good.then(|| body.to_bytes().to_vec())
}
