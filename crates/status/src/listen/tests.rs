//! The listener against who asks rightly, wrongly, slowly and too often.

use super::*;
use crate::{AskError, Daemon, Kind, Stage, StageKind, State, ask};
use std::sync::atomic::AtomicU64;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinHandle,
};
use vernport_types::UtcMicros;

/// A daemon whose loop goes round when it is told.
#[derive(Default)]
struct Turning(AtomicU64);

impl Subject for Turning {
    fn turns(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    async fn status(&self, _: bool) -> PathStatus {
        let stage = Stage::new(StageKind::Bus, State::Ok).named("can:can0");
        PathStatus::of(Daemon::Gateway, "bay-1".into(), "1", UtcMicros(7), vec![stage])
    }

    async fn metrics(&self, _: bool) -> Vec<Family> {
        vec![Family::new("x_total", Kind::Counter, "X.").value(2.0)]
    }
}

fn started() -> (Address, Arc<Turning>, CancellationToken, JoinHandle<()>) {
    let listener = open(&"127.0.0.1:0".parse().expect("loopback")).expect("a free port");
    let (address, subject, stop) =
        (listener.address().clone(), Arc::new(Turning::default()), CancellationToken::new());
    let task = tokio::spawn(serve(listener, Arc::clone(&subject), stop.clone()));
    (address, subject, stop, task)
}

/// What comes back for raw bytes.
async fn raw(address: &Address, text: &[u8]) -> String {
    let Address::Loopback(at) = address else { panic!("a port") };
    let mut stream = TcpStream::connect(at).await.expect("it listens");
    let _ = stream.write_all(text).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn three_paths_are_answered_and_nothing_else_is() {
    let (address, ..) = started();
    let status = ask(&address, "/status", "").await.expect("answered");
    let status: PathStatus = serde_json::from_slice(&status).expect("a status");
    assert_eq!(status.stages[0].name.as_deref(), Some("can:can0"));
    let text = ask(&address, "/metrics", "").await.expect("answered");
    assert_eq!(text, b"# HELP x_total X.\n# TYPE x_total counter\nx_total 2.0\n");
    let open = ask(&address, "/metrics", "application/openmetrics-text").await.expect("answered");
    assert!(open.ends_with(b"# EOF\n"));
    assert_eq!(ask(&address, "/health", "").await.expect("answered"), b"ok\n");
    for (path, status) in [("/", 404), ("/status/x", 404), ("/metrics?x", 200)] {
        let told = raw(&address, format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await;
        assert!(told.starts_with(&format!("HTTP/1.1 {status}")), "{path}: {told}");
    }
    let wrong = raw(&address, b"POST /status HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n").await;
    assert!(wrong.starts_with("HTTP/1.1 405") && wrong.contains("allow: GET"), "{wrong}");
    let body = raw(&address, b"GET /status HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc").await;
    assert!(body.starts_with("HTTP/1.1 413"), "{body}");
}

#[tokio::test]
async fn what_is_no_http_or_too_long_ends_and_the_next_is_answered() {
    let (address, ..) = started();
    let long = format!("GET /status HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(2 * MAX_HEAD_BYTES));
    let many = format!("GET /status HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(MAX_HEADERS + 1));
    for bytes in
        [&b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n"[..], b"GET\r\n\r\n", long.as_bytes(), many.as_bytes()]
    {
        let told = raw(&address, bytes).await;
        assert!(told.is_empty() || told.starts_with("HTTP/1.1 4"), "{told}");
    }
    // All places are taken by connections that say nothing, until their time is over.
    let Address::Loopback(at) = &address else { panic!("a port") };
    let mut silent = Vec::new();
    for _ in 0..MAX_AT_A_TIME {
        silent.push(TcpStream::connect(at).await.expect("it listens"));
    }
    assert_eq!(ask(&address, "/health", "").await.expect("answered in the end"), b"ok\n");
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_stands_still_is_not_healthy_until_it_goes_round_again() {
    let subject = Arc::new(Turning::default());
    let lives = Arc::new(AtomicBool::new(true));
    let watching = tokio::spawn(watch(Arc::clone(&subject), Arc::clone(&lives)));
    sleep(STANDS_STILL + 2 * LOOK_EVERY).await;
    assert!(!lives.load(Ordering::Relaxed));
    subject.0.fetch_add(1, Ordering::Relaxed);
    sleep(2 * LOOK_EVERY).await;
    assert!(lives.load(Ordering::Relaxed));
    watching.abort();
}

#[tokio::test]
async fn a_local_socket_is_for_owner_and_group_and_goes_with_its_daemon() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("status.sock");
    let address = Address::Unix(path.clone());
    let listener = open(&address).expect("a socket");
    let mode = std::fs::metadata(&path).expect("is there").permissions().mode();
    assert_eq!(mode & 0o777, MODE);
    let stop = CancellationToken::new();
    let task = tokio::spawn(serve(listener, Arc::new(Turning::default()), stop.clone()));
    assert_eq!(ask(&address, "/health", "").await.expect("answered"), b"ok\n");
    assert!(open(&address).is_err(), "somebody listens there");
    stop.cancel();
    task.await.expect("ends");
    assert!(!path.exists());
    assert!(matches!(ask(&address, "/health", "").await, Err(AskError::Nobody { .. })));
    // A dead daemon's socket is replaced, a file is not.
    drop(std::os::unix::net::UnixListener::bind(&path).expect("bound"));
    drop(open(&address).expect("replaced"));
    std::fs::write(&path, "a file").expect("written");
    assert!(open(&address).is_err());
    assert!(path.exists());
}
