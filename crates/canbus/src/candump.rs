//! Replay of a log in candump's format.
//!
//! Reads line by line with a bounded buffer. A line that is no frame is told
//! to the log by file and line number, counted and passed over: a torn last
//! line must not cost the lines before it. What the line holds is not told.

use crate::{
    clock::{Pace, Time},
    errors::{OpenError, ReadError},
    source::{OpenOptions, TimedFrame},
};
use std::{
    fmt,
    io::Cursor,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use thiserror::Error;
use tokio::{
    fs::File,
    io::{AsyncBufRead, AsyncBufReadExt, BufReader},
    time::Instant,
};
use vernport_decode::candump;
use vernport_types::{BootMicros, CanFrame, Clock, Stamp, UtcMicros};

/// The longest line; one of candump's has less than 200 characters.
const LINE_MAX_BYTES: usize = 512;
/// Lines passed over that are told one by one; a file of another format has
/// nothing else.
const MAX_TOLD: u64 = 20;
/// Channels of one log.
const MAX_CHANNELS: usize = 16;
const BUFFER_BYTES: usize = 64 * 1024;

/// Why a line was passed over.
#[derive(Debug, Error)]
enum Skip {
    #[error(transparent)]
    NoFrame(#[from] candump::LineError),
    #[error("the line is longer than {LINE_MAX_BYTES} bytes")]
    TooLong,
    #[error("the line is not text")]
    NotText,
    #[error("the log has more than {MAX_CHANNELS} channels")]
    TooManyChannels,
}

/// A log that is being played.
pub(crate) struct Replay {
    path: PathBuf,
    input: Box<dyn AsyncBufRead + Send + Unpin>,
    clock: Arc<dyn Clock>,
    time: Time,
    pace: Pace,
    first_index: u64,
    /// What is read of the current line; kept here so that a lost future loses nothing.
    line: Vec<u8>,
    /// The current line is too long: the rest of it is passed over.
    overlong: bool,
    /// A frame whose time has not come.
    due: Option<Heard>,
    lines: u64,
    frames: u64,
    skipped_lines: u64,
    channels: Vec<String>,
    play: Option<Play>,
    /// The clock at the first frame that was handed out, and the frame's time in the log.
    begun: Option<(Stamp, u64)>,
}

/// Where the log's time stands.
struct Play {
    first: UtcMicros,
    latest: UtcMicros,
    /// When the first frame that was handed out was played, and its time in the log.
    started: Option<(Instant, u64)>,
}

#[derive(Clone, Copy)]
struct Heard {
    frame: CanFrame,
    bus: u8,
    index: u64,
    wall: UtcMicros,
    /// Since the first frame of the log, never less than for the frame before.
    elapsed_micros: u64,
}

impl Replay {
    pub(crate) async fn open(path: &Path, options: OpenOptions) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Log { path: path.to_owned(), source };
        let input: Box<dyn AsyncBufRead + Send + Unpin> = match options.buses.log(path) {
            Some(log) => Box::new(Cursor::new(log)),
            None => Box::new(BufReader::with_capacity(BUFFER_BYTES, File::open(path).await.map_err(failed)?)),
        };
        Ok(Self {
            path: path.to_owned(),
            input,
            clock: options.clock,
            time: options.time,
            pace: options.pace,
            first_index: options.skip_frames,
            line: Vec::with_capacity(LINE_MAX_BYTES),
            overlong: false,
            due: None,
            lines: 0,
            frames: 0,
            skipped_lines: 0,
            channels: Vec::new(),
            play: None,
            begun: None,
        })
    }

    pub(crate) const fn skipped_lines(&self) -> u64 {
        self.skipped_lines
    }

    pub(crate) fn channels(&self) -> &[String] {
        &self.channels
    }

    /// The next frame, `None` at the end. Losing the future loses no frame.
    pub(crate) async fn next(&mut self) -> Result<Option<TimedFrame>, ReadError> {
        loop {
            if let Some(heard) = self.due {
                self.wait_for(heard.elapsed_micros).await;
                self.due = None;
                return Ok(Some(self.stamped(heard)));
            }
            if !self.read_line().await? {
                return Ok(None);
            }
            match self.parse() {
                Ok(Some(heard)) if heard.index >= self.first_index => self.due = Some(heard),
                Ok(_) => {}
                Err(skip) => self.tell(&skip),
            }
            self.line.clear();
            self.overlong = false;
        }
    }

    fn tell(&mut self, skip: &Skip) {
        self.skipped_lines += 1;
        let (file, line) = (self.path.display(), self.lines);
        if self.skipped_lines <= MAX_TOLD {
            tracing::warn!(%file, line, reason = %skip, "skipped a line of the log that is no frame");
        }
        if self.skipped_lines == MAX_TOLD {
            tracing::warn!(%file, line, "further lines that are no frames are only counted; is this a candump log?");
        }
    }

    /// Reads up to the next newline, or to the end of a last line without one.
    async fn read_line(&mut self) -> Result<bool, ReadError> {
        loop {
            let failed = |source| ReadError::Log { path: self.path.clone(), line: self.lines, source };
            let bytes = self.input.fill_buf().await.map_err(failed)?;
            if bytes.is_empty() {
                let torn = !self.line.is_empty() || self.overlong;
                self.lines += u64::from(torn);
                return Ok(torn);
            }
            let newline = bytes.iter().position(|byte| *byte == b'\n');
            let part = &bytes[..newline.unwrap_or(bytes.len())];
            if self.line.len() + part.len() > LINE_MAX_BYTES {
                self.overlong = true;
            } else {
                self.line.extend_from_slice(part);
            }
            let used = part.len() + usize::from(newline.is_some());
            self.input.consume(used);
            if newline.is_some() {
                self.lines += 1;
                return Ok(true);
            }
        }
    }

    /// The frame on the current line; `None` on an empty one.
    fn parse(&mut self) -> Result<Option<Heard>, Skip> {
        if self.overlong {
            return Err(Skip::TooLong);
        }
        let text = std::str::from_utf8(&self.line).map_err(|_| Skip::NotText)?.trim();
        if text.is_empty() {
            return Ok(None);
        }
        let line = candump::parse(text)?;
        let bus = match self.channels.iter().position(|channel| channel == line.channel) {
            Some(bus) => bus,
            None if self.channels.len() < MAX_CHANNELS => {
                self.channels.push(line.channel.to_owned());
                self.channels.len() - 1
            }
            None => return Err(Skip::TooManyChannels),
        };
        let play = self.play.get_or_insert(Play { first: line.time, latest: line.time, started: None });
        play.latest = play.latest.max(line.time);
        let heard = Heard {
            frame: line.frame,
            bus: u8::try_from(bus).map_err(|_| Skip::TooManyChannels)?,
            index: self.frames,
            wall: line.time,
            elapsed_micros: play.latest.0.abs_diff(play.first.0),
        };
        self.frames += 1;
        Ok(Some(heard))
    }

    /// Waits until a paced log has come to this time.
    async fn wait_for(&mut self, elapsed_micros: u64) {
        if let (Pace::Recorded, Some(play)) = (self.pace, &mut self.play) {
            let (begun, begun_micros) = *play.started.get_or_insert((Instant::now(), elapsed_micros));
            let wait = Duration::from_micros(elapsed_micros - begun_micros);
            tokio::time::sleep_until(begun + wait).await;
        }
    }

    fn stamped(&mut self, heard: Heard) -> TimedFrame {
        let at = match (self.time, self.pace) {
            (Time::Now, Pace::Recorded) => self.clock.now(),
            (Time::Now, Pace::Unpaced) => {
                let (begun, begun_micros) =
                    *self.begun.get_or_insert((self.clock.now(), heard.elapsed_micros));
                let since = heard.elapsed_micros - begun_micros;
                let wall = begun.wall.plus_micros(i64::try_from(since).unwrap_or(i64::MAX));
                Stamp { wall, boot: BootMicros(begun.boot.0.saturating_add(since)), quality: begun.quality }
            }
            (Time::File { quality }, _) => {
                Stamp { wall: heard.wall, boot: BootMicros(heard.elapsed_micros), quality }
            }
        };
        TimedFrame { frame: heard.frame, at, bus: heard.bus, index: heard.index }
    }
}

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Replay({}, line {})", self.path.display(), self.lines)
    }
}
