//! A body read line by line, as it comes ([`ImportLines`] has the rules).

use crate::refusal::Refusal;
use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use std::time::Duration;
use tokio::time::timeout;
use vernport_api::{Code, ImportLines, NextLine, TooMuch};

/// How long the next part of a body may take to come.
const PART_WITHIN: Duration = Duration::from_secs(30);

/// What comes next in a body.
#[derive(Debug)]
pub(crate) enum Next {
    /// A line, without its end.
    Line(Bytes),
    /// A line over its bound.
    TooLong,
    /// The body ended as it should.
    End,
    /// It does not go on: broken off, too slow, or over a bound of the whole.
    Broken(Refusal),
}

/// A body, line by line.
pub(crate) struct Lines {
    body: Body,
    lines: ImportLines,
}

impl Lines {
    pub(crate) fn of(body: Body) -> Self {
        Self { body, lines: ImportLines::default() }
    }

    /// A digest of what was given out, however it came.
    pub(crate) fn digest(&self) -> [u8; 32] {
        self.lines.digest()
    }

    /// How many lines were given out.
    pub(crate) fn number(&self) -> u32 {
        self.lines.number()
    }

    /// The next line.
    pub(crate) async fn next(&mut self) -> Next {
        loop {
            match self.lines.next_line() {
                Ok(NextLine::Line(line)) => return Next::Line(line),
                Ok(NextLine::TooLong) => return Next::TooLong,
                Ok(NextLine::End) => return Next::End,
                Ok(NextLine::Wanting) => {}
                Err(much) => return Next::Broken(too_large(much)),
            }
            if let Err(broken) = self.more().await {
                return Next::Broken(broken);
            }
        }
    }

    async fn more(&mut self) -> Result<(), Refusal> {
        match timeout(PART_WITHIN, self.body.frame()).await {
            Ok(None) => self.lines.end(),
            Ok(Some(Ok(frame))) => {
                if let Ok(part) = frame.into_data() {
                    self.lines.push(&part).map_err(too_large)?;
                }
            }
            Ok(Some(Err(_))) => {
                return Err(Refusal::new(Code::BadRequest, "the body ended before its time"));
            }
            Err(_) => return Err(Refusal::new(Code::Busy, "the body came too slowly; send it again")),
        }
        Ok(())
    }
}

fn too_large(much: TooMuch) -> Refusal {
    Refusal::new(Code::BodyTooLarge, much.to_string())
}
