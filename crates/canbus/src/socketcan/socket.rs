//! One raw CAN socket: its options, what one read of it gives, and sending.

use super::{
    layout::{self, FD_BYTES},
    stamp::KernelTime,
};
use nix::{
    cmsg_space,
    errno::Errno,
    libc,
    sys::{
        socket::{
            ControlMessageOwned, MsgFlags, SetSockOpt, TimestampingFlag, Timestamps, getsockopt, recvmsg,
            send, setsockopt,
            sockopt::{RcvBuf, RcvBufForce, RxqOvfl, SocketError, Timestamping},
        },
        time::TimeSpec,
    },
};
use socketcan::{CanFdSocket, Socket as _, SocketOptions as _};
use std::{
    io::{self, IoSliceMut},
    os::fd::AsRawFd,
    time::Duration,
};
use tokio::io::{Interest, unix::AsyncFd};
use vernport_types::{CanFilter, CanFrame, CanId};

/// CAN_RAW_FILTER_MAX of `linux/can.h`.
pub(crate) const MAX_FILTERS: usize = 512;
/// Where SO_MEMINFO says how many frames were dropped (`linux/sock_diag.h`).
const MEMINFO_WORDS: usize = 9;
/// What a timestamp and the count of lost frames need.
const CONTROL_BYTES: usize = 128;

/// What one read gives.
pub(crate) struct Heard {
    /// None when the bytes were no frame.
    pub(crate) frame: Option<CanFrame>,
    pub(crate) time: KernelTime,
    /// Frames that the socket has lost up to this one; none when it lost none.
    pub(crate) dropped: Option<u32>,
}

/// A bound socket that never blocks.
pub(crate) struct Socket {
    io: AsyncFd<CanFdSocket>,
}

impl Socket {
    /// Opens the interface of this name, up or down.
    pub(crate) fn open(name: &str, receive_buffer_bytes: usize) -> io::Result<Self> {
        let socket = CanFdSocket::open(name)?;
        socket.set_nonblocking(true)?;
        socket.set_error_filter_accept_all()?;
        set_receive_buffer(name, &socket, receive_buffer_bytes)?;
        setsockopt(&socket, RxqOvfl, &1)?;
        let stamps = TimestampingFlag::SOF_TIMESTAMPING_SOFTWARE
            | TimestampingFlag::SOF_TIMESTAMPING_RX_SOFTWARE
            | TimestampingFlag::SOF_TIMESTAMPING_RAW_HARDWARE
            | TimestampingFlag::SOF_TIMESTAMPING_RX_HARDWARE;
        if let Err(errno) = setsockopt(&socket, Timestamping, &stamps) {
            tracing::warn!(interface = name, %errno, "the kernel stamps no frames; they get the time of reading");
        }
        let interest = Interest::READABLE | Interest::WRITABLE | Interest::ERROR;
        // What tokio warns of is a type whose descriptor changes or is closed early.
        #[expect(
            deprecated,
            reason = "the way without unsafe code; the socket owns its one descriptor until dropped"
        )]
        let io = AsyncFd::with_interest(socket, interest)?;
        Ok(Self { io })
    }

    /// The next read; waits for it. Losing the future loses nothing.
    pub(crate) async fn receive(&self) -> io::Result<Heard> {
        // An interface that goes down is an error, and makes nothing readable.
        self.io.async_io(Interest::READABLE | Interest::ERROR, receive).await
    }

    /// What is there already, else [`io::ErrorKind::WouldBlock`].
    pub(crate) fn receive_now(&self) -> io::Result<Heard> {
        receive(self.io.get_ref())
    }

    /// Sends one frame, waiting for room in the socket.
    pub(crate) async fn send(&self, frame: &[u8]) -> io::Result<()> {
        self.io
            .async_io(Interest::WRITABLE, |socket| {
                send(socket.as_raw_fd(), frame, MsgFlags::MSG_DONTWAIT)?;
                Ok(())
            })
            .await
    }

    /// Lets the kernel pass data frames by these filters only; at most [`MAX_FILTERS`].
    pub(crate) fn set_filters(&self, filters: &[CanFilter]) -> io::Result<()> {
        let socket = self.io.get_ref();
        if filters.is_empty() {
            return socket.set_filter_drop_all();
        }
        let words: Vec<(u32, u32)> = filters.iter().map(words).collect();
        socket.set_filters(&words)
    }

    /// Takes the error that waits to be told, as a down interface leaves one.
    pub(crate) fn take_error(&self) -> io::Result<()> {
        match getsockopt(self.io.get_ref(), SocketError)? {
            0 => Ok(()),
            errno => Err(io::Error::from_raw_os_error(errno)),
        }
    }

    /// Frames that the kernel dropped because the buffer was full. Unlike the
    /// count that comes with a frame it holds those behind the last one too.
    pub(crate) fn dropped(&self) -> Option<u32> {
        let mut bytes = [0; MEMINFO_WORDS * 4];
        let socket = self.io.get_ref();
        let read = socket.get_socket_option_bytes(libc::SOL_SOCKET, libc::SO_MEMINFO, &mut bytes);
        let (words, _) = bytes.as_chunks::<4>();
        (read.ok()? == bytes.len()).then(|| words.last().map(|word| u32::from_ne_bytes(*word)))?
    }
}

fn receive(socket: &CanFdSocket) -> io::Result<Heard> {
    let mut bytes = [0; FD_BYTES];
    let mut control = [0; CONTROL_BYTES];
    debug_assert!(cmsg_space!(Timestamps, u32).len() <= CONTROL_BYTES);
    let mut parts = [IoSliceMut::new(&mut bytes)];
    let received = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut control), MsgFlags::MSG_DONTWAIT)?;
    let (mut time, mut dropped) = (KernelTime::default(), None);
    // Control messages that did not fit are no reason to lose the frame.
    for message in received.cmsgs().into_iter().flatten() {
        match message {
            ControlMessageOwned::ScmTimestampsns(stamps) => {
                time = KernelTime { software: told(stamps.system), hardware: told(stamps.hw_raw) };
            }
            ControlMessageOwned::RxqOvfl(count) => dropped = Some(count),
            _ => {}
        }
    }
    let len = received.bytes;
    Ok(Heard { frame: bytes.get(..len).and_then(layout::read), time, dropped })
}

/// A time that was not taken is all zero.
fn told(time: TimeSpec) -> Option<Duration> {
    let (seconds, nanos) = (u64::try_from(time.tv_sec()).ok()?, u32::try_from(time.tv_nsec()).ok()?);
    (seconds > 0 || nanos > 0).then(|| Duration::new(seconds, nanos.min(999_999_999)))
}

/// Beyond the system's limit where we may, else up to it.
fn set_receive_buffer(name: &str, socket: &CanFdSocket, bytes: usize) -> io::Result<()> {
    if RcvBufForce.set(socket, &bytes).is_ok() {
        return Ok(());
    }
    setsockopt(socket, RcvBuf, &bytes)?;
    // The kernel keeps as much again for its own.
    let got = getsockopt(socket, RcvBuf)? / 2;
    if got < bytes {
        tracing::warn!(
            interface = name,
            wanted_bytes = bytes,
            got_bytes = got,
            "the receive buffer is small; give CAP_NET_ADMIN or raise net.core.rmem_max"
        );
    }
    Ok(())
}

/// The format counts in every filter; whether a frame is a request does not.
const fn words(filter: &CanFilter) -> (u32, u32) {
    let bits = match filter.id {
        CanId::Standard(_) => layout::STANDARD_BITS,
        CanId::Extended(_) => layout::EXTENDED_BITS,
    };
    (layout::word(filter.id), (filter.mask & bits) | layout::EXTENDED_FLAG)
}

/// The errno behind an error of the system.
pub(crate) fn errno(error: &io::Error) -> Option<Errno> {
    error.raw_os_error().map(Errno::from_raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_of_the_kernel_keeps_the_formats_apart() {
        let standard = CanFilter { id: CanId::Standard(0x7E8), mask: u32::MAX };
        assert_eq!(words(&standard), (0x7E8, 0x8000_07FF));
        let extended = CanFilter { id: CanId::Extended(0x18DA_F100), mask: 0x1FFF_FF00 };
        assert_eq!(words(&extended), (0x98DA_F100, 0x9FFF_FF00));
        assert_eq!(words(&CanFilter::ALL[0]), (0, 0x8000_0000));
        assert_eq!(words(&CanFilter::ALL[1]), (0x8000_0000, 0x8000_0000));
    }

    #[test]
    fn a_time_that_was_not_taken_is_none() {
        assert_eq!(told(TimeSpec::new(0, 0)), None);
        assert_eq!(told(TimeSpec::new(-1, 5)), None);
        assert_eq!(told(TimeSpec::new(1, -5)), None);
        assert_eq!(told(TimeSpec::new(1, 5)), Some(Duration::new(1, 5)));
    }
}
