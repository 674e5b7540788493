//! Everything a test logs, at trace level, as text to search in.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};
use tracing::{Level, subscriber::DefaultGuard};
use tracing_subscriber::fmt::MakeWriter;

/// What was logged so far. Clones share it.
#[derive(Clone, Default)]
pub struct Logs {
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl Logs {
    /// Captures what this thread logs, until the guard is dropped.
    #[must_use = "the capture ends when the guard is dropped"]
    pub fn of_this_thread() -> (Self, DefaultGuard) {
        let logs = Self::default();
        let guard = tracing::subscriber::set_default(logs.subscriber());
        (logs, guard)
    }

    /// Captures what every thread of this process logs, from the first call
    /// on; later calls give the same text.
    ///
    /// # Panics
    /// When something else has set the process's subscriber already.
    pub fn of_this_process() -> Self {
        static PROCESS: OnceLock<Logs> = OnceLock::new();
        PROCESS
            .get_or_init(|| {
                let logs = Self::default();
                tracing::subscriber::set_global_default(logs.subscriber())
                    .expect("a test that captures the whole process sets no subscriber of its own");
                logs
            })
            .clone()
    }

    /// The text so far.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    /// The bytes so far.
    pub fn bytes(&self) -> Vec<u8> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn subscriber(&self) -> impl tracing::Subscriber + Send + Sync + 'static {
        tracing_subscriber::fmt()
            .with_max_level(Level::TRACE)
            .with_ansi(false)
            .with_writer(self.clone())
            .finish()
    }
}

impl Write for Logs {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Logs {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thread_is_captured_at_trace_level_until_the_guard_goes() {
        let (logs, guard) = Logs::of_this_thread();
        tracing::trace!(line = 7, "quiet words");
        std::thread::spawn(|| tracing::error!("elsewhere")).join().expect("the thread ends");
        drop(guard);
        tracing::error!("afterwards");
        let text = logs.text();
        assert!(text.contains("TRACE") && text.contains("quiet words line=7"), "{text}");
        assert!(!text.contains("elsewhere") && !text.contains("afterwards"), "{text}");
    }

    #[test]
    fn the_process_is_captured_from_every_thread() {
        let logs = Logs::of_this_process();
        std::thread::spawn(|| tracing::trace!("from another thread")).join().expect("the thread ends");
        assert!(Logs::of_this_process().text().contains("from another thread"));
        assert!(logs.text().contains("from another thread"));
    }
}
