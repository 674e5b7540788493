//! Standard output, as commands write it: whoever reads may stop reading (`vernport demo | head -1`),
//! and that is no failure of theirs or ours.

use std::io::{self, ErrorKind, Write as _};
use thiserror::Error;

/// Why a command does not go on writing.
#[derive(Debug, Error)]
pub enum OutputError {
    /// Whoever read has closed the pipe: nobody wants to know more. Not worth a word.
    #[error("nobody reads on")]
    Closed,
    /// It cannot be written, to a full disk perhaps.
    #[error("standard output cannot be written")]
    Failed(#[source] io::Error),
}

/// Writes to standard output, and ends the last line if it is open: for a command that only shows something.
///
/// # Errors
/// [`OutputError::Closed`] ends the command, quietly.
pub fn print(text: &str) -> Result<(), OutputError> {
    write(io::stdout().lock(), text)
}

/// The same for a command that does something or passes a judgement: it goes on to its end although nobody
/// may read.
///
/// # Errors
/// [`OutputError::Failed`].
pub fn tell(text: &str) -> Result<(), OutputError> {
    match print(text) {
        Err(OutputError::Closed) => Ok(()),
        told => told,
    }
}

/// Writes a line to standard error: what a person should know beside the answer. Where nobody reads it, it is
/// not said.
pub fn remark(line: &str) {
    let _unread = writeln!(io::stderr().lock(), "{line}");
}

fn write(mut to: impl io::Write, text: &str) -> Result<(), OutputError> {
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    let mut all = || {
        to.write_all(text.as_bytes())?;
        to.write_all(end.as_bytes())?;
        to.flush()
    };
    all().map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => OutputError::Closed,
        _ => OutputError::Failed(error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Broken(ErrorKind);

    impl io::Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_closed_pipe_is_told_apart_from_a_full_disk() {
        assert!(matches!(write(Broken(ErrorKind::BrokenPipe), "x"), Err(OutputError::Closed)));
        assert!(matches!(write(Broken(ErrorKind::StorageFull), "x"), Err(OutputError::Failed(_))));
        let mut written = Vec::new();
        for text in ["a line", "another\n", ""] {
            write(&mut written, text).expect("written");
        }
        assert_eq!(written, b"a line\nanother\n", "the last line is ended, once");
    }
}
