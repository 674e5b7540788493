//! Bytes in and out of a descriptor that does not block.

use rustix::io::retry_on_intr;
use std::{io, os::fd::OwnedFd};
use tokio::io::{Interest, unix::AsyncFd};

/// One end of a line. The descriptor must be set not to block.
#[derive(Debug)]
pub(crate) struct Line {
    fd: AsyncFd<OwnedFd>,
}

impl Line {
    // What came instead is unsafe, as descriptors of any type may be put in. An
    // owned one keeps what is asked for: it stays open, and stays the same.
    #[expect(deprecated, reason = "sound with an OwnedFd, and we write no unsafe code")]
    pub(crate) fn new(fd: OwnedFd) -> io::Result<Self> {
        Ok(Self { fd: AsyncFd::with_interest(fd, Interest::READABLE | Interest::WRITABLE)? })
    }

    /// Reads what is there, at least one byte. Losing the future loses none.
    ///
    /// # Errors
    /// Also at the end of the line: it has none while its other end is there.
    pub(crate) async fn read(&self, into: &mut [u8]) -> io::Result<usize> {
        let read = |fd: &OwnedFd| Ok(retry_on_intr(|| rustix::io::read(fd, &mut *into))?);
        match self.fd.async_io(Interest::READABLE, read).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            length => Ok(length),
        }
    }

    /// Writes what there is room for, at least one byte. Losing the future
    /// writes none.
    pub(crate) async fn write(&self, from: &[u8]) -> io::Result<usize> {
        let write = |fd: &OwnedFd| Ok(retry_on_intr(|| rustix::io::write(fd, from))?);
        self.fd.async_io(Interest::WRITABLE, write).await
    }

    pub(crate) fn fd(&self) -> &OwnedFd {
        self.fd.get_ref()
    }
}
