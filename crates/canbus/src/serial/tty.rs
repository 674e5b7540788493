//! A terminal as a line of plain bytes: raw and locked.

use super::line::Line;
use rustix::{
    fs::{FlockOperation, Mode, OFlags, flock, open},
    io::Errno,
    termios::{
        ControlModes, OptionalActions, QueueSelector, SpecialCodeIndex, Termios, ioctl_tiocexcl,
        ioctl_tiocnxcl, tcflush, tcgetattr, tcsetattr,
    },
};
use std::{io, os::fd::AsFd, path::Path};

/// An open terminal that is ours alone; it is given back when dropped.
#[derive(Debug)]
pub(super) struct Tty(Line);

impl Tty {
    /// Opens and locks a terminal. What it held of before is thrown away.
    pub(super) fn open(path: &Path, baud: u32) -> io::Result<Self> {
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = open(path, flags, Mode::empty())?;
        // One lock for programs that ask, one that the kernel keeps for all but root.
        flock(&fd, FlockOperation::NonBlockingLockExclusive)?;
        make_raw(&fd, baud)?;
        tcflush(&fd, QueueSelector::IOFlush)?;
        ioctl_tiocexcl(&fd)?;
        Ok(Self(Line::new(fd)?))
    }

    pub(super) const fn line(&self) -> &Line {
        &self.0
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        // A pseudo terminal outlives us, and nobody else could open it. One
        // that is gone needs nothing.
        let _ = ioctl_tiocnxcl(self.0.fd());
    }
}

/// Bytes as they are: eight bits, no echo, no flow control, no modem lines.
pub(crate) fn make_raw(fd: impl AsFd, baud: u32) -> Result<(), Errno> {
    let mut termios: Termios = tcgetattr(&fd)?;
    termios.make_raw();
    termios.control_modes |= ControlModes::CREAD | ControlModes::CLOCAL;
    termios.control_modes -= ControlModes::CSTOPB | ControlModes::CRTSCTS;
    termios.special_codes[SpecialCodeIndex::VMIN] = 1;
    termios.special_codes[SpecialCodeIndex::VTIME] = 0;
    termios.set_speed(baud)?;
    tcsetattr(&fd, OptionalActions::Now, &termios)
}
