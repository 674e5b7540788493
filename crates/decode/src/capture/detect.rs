//! Which format a file has: every reader tries its beginning, and the one
//! that knows the header or finds most frames is right.

use super::{
    Format, LineFormat, asc, busmaster, candump, crtd, csv, gvret,
    lines::{Lines, Piece},
    microchip, millis, rp1210, screen, trc,
};
use thiserror::Error;

/// How a BLF file begins.
const BLF_MAGIC: &[u8; 4] = b"LOGG";

/// A file that no reader knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum UnknownFormat {
    /// No bytes.
    #[error("the file is empty; record again")]
    Empty,
    /// None of the formats.
    #[error(
        "no capture that can be read; tried {}; record with `candump -l`, or export as Vector ASC, BLF or PEAK TRC",
        tried()
    )]
    Unknown,
}

fn tried() -> String {
    Format::ALL.map(Format::name).join(", ")
}

/// The format of a file that begins so.
///
/// # Errors
/// [`UnknownFormat`] if no reader finds a header or a frame in it.
pub(super) fn detect(head: &[u8]) -> Result<Format, UnknownFormat> {
    if head.starts_with(BLF_MAGIC) {
        return Ok(Format::VectorBlf);
    }
    if head.iter().all(u8::is_ascii_whitespace) {
        return Err(UnknownFormat::Empty);
    }
    let mut best = (false, 0, Err(UnknownFormat::Unknown));
    for format in Format::ALL {
        let Some(mut reader) = line_format(format) else { continue };
        let (mut lines, mut frames) = (Lines::default(), 0_u32);
        let mut sink = |_, piece: Piece<'_>| {
            if let Piece::Line(line) = piece {
                frames += u32::from(matches!(reader.line(line), Ok(Some(_))));
            }
        };
        lines.push(head, &mut sink);
        lines.finish(&mut sink);
        let found = (reader.has_header(), frames);
        if found > (best.0, best.1) {
            best = (found.0, found.1, Ok(format));
        }
    }
    best.2
}

/// The reader of a format of lines.
pub(super) fn line_format(format: Format) -> Option<Box<dyn LineFormat>> {
    Some(match format {
        Format::VectorBlf => return None,
        Format::CandumpLog => Box::new(candump::Log),
        Format::CandumpScreen => Box::<screen::Screen>::default(),
        Format::VectorAsc => Box::<asc::Asc>::default(),
        Format::PeakTrc => Box::<trc::Trc>::default(),
        Format::GvretCsv => Box::<gvret::Gvret>::default(),
        Format::Crtd => Box::new(crtd::Crtd),
        Format::GenericCsv => Box::<csv::Generic>::default(),
        Format::PythonCanCsv => Box::<csv::PythonCan>::default(),
        Format::Busmaster => Box::<busmaster::Busmaster>::default(),
        Format::Microchip => Box::<microchip::Microchip>::default(),
        Format::Rp1210 => Box::new(rp1210::Rp1210),
        Format::MillisText => Box::new(millis::MillisText),
    })
}
