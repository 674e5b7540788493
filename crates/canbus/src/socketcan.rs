//! The adapter to Linux's SocketCAN: classic and FD frames of one interface.
//!
//! Thin: it turns frames into ours and back. Own frames are not heard (the
//! kernel's default), error frames are.

use crate::source::{OpenError, ReadError, SendError};
use socketcan::{
    CanAnyFrame, CanDataFrame, CanFdFrame, CanRemoteFrame, EmbeddedFrame, ExtendedId, Frame, Id,
    SocketOptions, StandardId, id::IdFlags, tokio::CanFdSocket,
};
use std::{fmt, io, sync::Arc};
use vernport_types::{CanFrame, CanId, Clock, FrameKind, Stamp};

/// The identifier bits of a SocketCAN id word, without its flags.
const ID_BITS: u32 = 0x1FFF_FFFF;

/// One open interface; clones share the socket.
#[derive(Clone)]
pub(crate) struct Interface {
    name: Arc<str>,
    socket: Arc<CanFdSocket>,
    clock: Arc<dyn Clock>,
}

impl Interface {
    pub(crate) fn open(name: &str, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Interface { interface: name.into(), source };
        let socket = CanFdSocket::open(name).map_err(failed)?;
        socket.set_error_filter_accept_all().map_err(failed)?;
        Ok(Self { name: name.into(), socket: Arc::new(socket), clock })
    }

    /// The next frame. Losing the future loses no frame.
    pub(crate) async fn next(&self) -> Result<(CanFrame, Stamp), ReadError> {
        loop {
            let heard = self.socket.read_frame().await.map_err(|source| self.read_error(source))?;
            if let Some(frame) = ours(&heard) {
                return Ok((frame, self.clock.now()));
            }
        }
    }

    pub(crate) async fn send(&self, frame: &CanFrame) -> Result<(), SendError> {
        let interface = || self.name.to_string();
        let theirs = theirs(frame).ok_or_else(|| SendError::ErrorFrame { interface: interface() })?;
        self.socket
            .write_frame(&theirs)
            .await
            .map_err(|source| SendError::Interface { interface: interface(), source })
    }

    fn read_error(&self, source: io::Error) -> ReadError {
        ReadError::Interface { interface: self.name.to_string(), source }
    }
}

impl fmt::Debug for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Interface({})", self.name)
    }
}

fn ours(heard: &CanAnyFrame) -> Option<CanFrame> {
    let word = heard.id_word();
    let (kind, data) = match heard {
        CanAnyFrame::Normal(frame) => (FrameKind::Data, frame.data()),
        CanAnyFrame::Fd(frame) => (FrameKind::FdData, frame.data()),
        CanAnyFrame::Remote(_) => (FrameKind::Remote, &[][..]),
        CanAnyFrame::Error(frame) => (FrameKind::Error, frame.data()),
    };
    let flags = IdFlags::from_bits_truncate(word);
    let id = if kind == FrameKind::Error || flags.contains(IdFlags::EFF) {
        CanId::extended(word & ID_BITS)?
    } else {
        CanId::standard(u16::try_from(word & ID_BITS).ok()?)?
    };
    CanFrame::new(id, kind, data)
}

fn theirs(frame: &CanFrame) -> Option<CanAnyFrame> {
    let id = match frame.id() {
        CanId::Standard(id) => Id::Standard(StandardId::new(id)?),
        CanId::Extended(id) => Id::Extended(ExtendedId::new(id)?),
    };
    match frame.kind() {
        FrameKind::Data => CanDataFrame::new(id, frame.data()).map(CanAnyFrame::Normal),
        FrameKind::FdData => CanFdFrame::new(id, frame.data()).map(CanAnyFrame::Fd),
        FrameKind::Remote => CanRemoteFrame::new_remote(id, frame.data().len()).map(CanAnyFrame::Remote),
        FrameKind::Error => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_every_kind_go_to_the_kernels_form_and_back() {
        let ids = [CanId::standard(0), CanId::standard(0x7FF), CanId::extended(0), CanId::extended(ID_BITS)];
        for id in ids.into_iter().flatten() {
            for (kind, bytes) in [
                (FrameKind::Data, vec![]),
                (FrameKind::Data, (1..=8).collect()),
                (FrameKind::FdData, (0..64).collect()),
                (FrameKind::Remote, vec![]),
            ] {
                let frame = CanFrame::new(id, kind, &bytes).expect("short enough");
                assert_eq!(theirs(&frame).as_ref().and_then(ours), Some(frame));
            }
            let error = CanFrame::new(id, FrameKind::Error, &[0; 8]).expect("short enough");
            assert!(theirs(&error).is_none(), "nobody sends an error frame");
        }
    }

    #[tokio::test]
    async fn a_missing_interface_is_refused_by_name() {
        let error = Interface::open("none-such0", crate::testing::ticking_clock()).expect_err("no such one");
        assert!(error.to_string().contains("'none-such0'"), "{error}");
        assert!(std::error::Error::source(&error).is_some(), "the system's answer is the cause");
    }
}
