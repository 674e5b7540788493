//! The reader of a capture: told the bytes of a file one after the other.

use super::{
    Event, Format, LineFormat, SkipReason, UnknownFormat,
    blf::Blf,
    detect,
    lines::{Lines, Piece},
};
use std::fmt;

/// How much of a file is looked at to tell its format.
const HEAD_BYTES: usize = 64 * 1024;

/// What was found in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Frames: data, remote and error frames.
    pub frames: u64,
    /// Lines or objects that should have been frames and could not be read.
    pub skipped: u64,
}

/// Reads one capture.
pub struct Reader {
    state: State,
    counts: Counts,
}

enum State {
    /// The format is not known yet.
    Head(Vec<u8>),
    Text(Format, Lines, Box<dyn LineFormat>),
    Blf(Box<Blf>),
}

impl Default for Reader {
    fn default() -> Self {
        Self::new()
    }
}

impl Reader {
    /// A reader that finds the format by itself.
    pub fn new() -> Self {
        Self { state: State::Head(Vec::new()), counts: Counts::default() }
    }

    /// A reader of one format, whatever it is given.
    pub fn of(format: Format) -> Self {
        let state = match detect::line_format(format) {
            Some(reader) => State::Text(format, Lines::default(), reader),
            None => State::Blf(Box::default()),
        };
        Self { state, counts: Counts::default() }
    }

    /// Takes the next bytes of the file.
    ///
    /// # Errors
    /// [`UnknownFormat`] if the beginning of the file is of no known format.
    pub fn push(&mut self, bytes: &[u8], sink: &mut impl FnMut(Event<'_>)) -> Result<(), UnknownFormat> {
        if let State::Head(head) = &mut self.state {
            let (part, rest) = bytes.split_at(bytes.len().min(HEAD_BYTES - head.len()));
            head.extend_from_slice(part);
            if head.len() < HEAD_BYTES {
                return Ok(());
            }
            self.begin(sink)?;
            self.known(rest, sink);
        } else {
            self.known(bytes, sink);
        }
        Ok(())
    }

    /// The file has ended: reads what is left, and says what was found in all.
    ///
    /// # Errors
    /// [`UnknownFormat`] if the file is of no known format.
    pub fn finish(mut self, sink: &mut impl FnMut(Event<'_>)) -> Result<(Format, Counts), UnknownFormat> {
        if matches!(self.state, State::Head(_)) {
            self.begin(sink)?;
        }
        let counts = &mut self.counts;
        match &mut self.state {
            State::Head(_) => Err(UnknownFormat::Empty),
            State::Text(format, lines, reader) => {
                lines.finish(|number, piece| tell(line(reader.as_mut(), number, &piece), counts, sink));
                Ok((*format, *counts))
            }
            State::Blf(blf) => {
                blf.finish(&mut |event| tell(Some(event), counts, sink));
                Ok((Format::VectorBlf, *counts))
            }
        }
    }

    /// Tells the format by the head, and reads that.
    fn begin(&mut self, sink: &mut impl FnMut(Event<'_>)) -> Result<(), UnknownFormat> {
        let State::Head(head) = &mut self.state else { return Ok(()) };
        let head = std::mem::take(head);
        // A line that the head ends in the midst of says nothing wrong: another one has been whole.
        self.state = Self::of(detect::detect(&head)?).state;
        self.known(&head, sink);
        Ok(())
    }

    fn known(&mut self, bytes: &[u8], sink: &mut impl FnMut(Event<'_>)) {
        let counts = &mut self.counts;
        match &mut self.state {
            State::Head(_) => {}
            State::Text(_, lines, reader) => {
                lines.push(bytes, |number, piece| tell(line(reader.as_mut(), number, &piece), counts, sink));
            }
            State::Blf(blf) => blf.push(bytes, &mut |event| tell(Some(event), counts, sink)),
        }
    }
}

fn line<'a>(reader: &mut dyn LineFormat, number: u64, piece: &Piece<'a>) -> Option<Event<'a>> {
    let reason = match piece {
        Piece::Line(text) if text.trim().is_empty() => return None,
        Piece::Line(text) => match reader.line(text) {
            Ok(line) => return line.map(Event::Frame),
            Err(error) => SkipReason::Line(error),
        },
        Piece::TooLong => SkipReason::TooLong,
    };
    Some(Event::Skipped { number, reason })
}

fn tell(event: Option<Event<'_>>, counts: &mut Counts, sink: &mut impl FnMut(Event<'_>)) {
    let Some(event) = event else { return };
    match event {
        Event::Frame(_) => counts.frames += 1,
        Event::Skipped { .. } => counts.skipped += 1,
    }
    sink(event);
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reader({:?})", self.counts)
    }
}
