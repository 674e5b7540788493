//! PEAK TRC, versions 1.0 to 2.1: the trace of PCAN-View, PCAN-Explorer and PCAN-Trace.
//!
//! ```text
//! 1.0   1)  1841    0001        8  00 …          milliseconds, id (4 or 8 digits), DLC, data
//! 1.1   1)  1841.9  Rx    0001  8  00 …          Rx, Tx, Warng, Error
//! 1.2   1)  1841.90 1 Rx  0001  8  00 …          number of the bus
//! 1.3   1)  1841.90 1 Rx  0001  -  8  00 …       reserved
//! 2.0   1   1841.900 DT   0001  Rx 8  00 …       columns by $COLUMNS, here N,O,T,I,d,l,D
//! 2.1   1   1841.900 DT 1 0001  Rx -  8  00 …    N,O,T,B,I,d,R,L,D
//! ```
//!
//! Types of 2.x: `DT` data; `FD`, `FB`, `FE`, `BI` CAN FD (with BRS, ESI, both); `RR`
//! remote; `ER` error frame; `ST`, `EC`, `EV` (status, error counters, an event
//! of a person) are no frames. Rows of `ER`, `ST` and `EC` may have no id.
//! `RTR` in place of data is a remote frame before 2.0. Times count from `$STARTTIME`.

use super::{
    Line, LineError, LineFormat, civil,
    fields::{self, Base, Fields, Payload},
};
use vernport_types::{CanFrame, CanId, FrameKind, UtcMicros};

/// The columns of 2.0 where `$COLUMNS` does not tell them.
const COLUMNS_2_0: &str = "N,O,T,I,d,l,D";
/// The id of a line that is none, before 2.0: a warning of the hardware.
const WARNING_ID: &str = "FFFFFFFF";
/// More columns than any version has.
const MAX_COLUMNS: usize = 16;

/// Reads a trace.
#[derive(Default)]
pub(super) struct Trc {
    layout: Layout,
    has_header: bool,
    began: i64,
}

#[derive(Default)]
enum Layout {
    #[default]
    V1_0,
    V1_1,
    V1_2,
    V1_3,
    Columns(Vec<char>),
}

/// The words of a row.
#[derive(Default)]
struct Row<'a> {
    offset: i64,
    kind: &'a str,
    bus: &'a str,
    id: &'a str,
    len: Option<usize>,
}

impl LineFormat for Trc {
    fn line<'a>(&mut self, line: &'a str) -> Result<Option<Line<'a>>, LineError> {
        if let Some(comment) = line.trim_start().strip_prefix(';') {
            self.header(comment);
            return Ok(None);
        }
        let mut fields = Fields::between_blanks(line);
        let (row, frame) = match &self.layout {
            Layout::Columns(columns) => by_columns(columns, &mut fields)?,
            _ => self.version_1(&mut fields)?,
        };
        let time = UtcMicros(self.began.saturating_add(row.offset));
        Ok(frame.map(|frame| Line { time, channel: row.bus, frame }))
    }

    fn has_header(&self) -> bool {
        self.has_header
    }
}

impl Trc {
    fn header(&mut self, comment: &str) {
        if let Some(version) = comment.strip_prefix("$FILEVERSION=") {
            self.has_header = true;
            self.layout = match version.trim() {
                "1.1" => Layout::V1_1,
                "1.2" => Layout::V1_2,
                "1.3" => Layout::V1_3,
                version if version.starts_with("2.") => columns(COLUMNS_2_0),
                _ => Layout::V1_0,
            };
        } else if let Some(names) = comment.strip_prefix("$COLUMNS=") {
            self.layout = columns(names);
        } else if let Some(days) = comment.strip_prefix("$STARTTIME=") {
            self.began = civil::ole_days(days.trim()).unwrap_or(0);
        }
    }

    fn version_1<'a>(&self, fields: &mut Fields<'a>) -> Result<(Row<'a>, Option<CanFrame>), LineError> {
        let mut row = Row::default();
        fields.read("no number with ')'", |word| fields::decimal(word.strip_suffix(')')?))?;
        row.offset = fields.read("no time in milliseconds", |word| fields::scaled(word, 3))?;
        if matches!(self.layout, Layout::V1_2 | Layout::V1_3) {
            row.bus = fields.need("no bus")?;
        }
        if !matches!(self.layout, Layout::V1_0) {
            row.kind = fields.need("no type")?;
        }
        row.id = fields.need("no id")?;
        if row.kind == "Warng" || row.id == WARNING_ID {
            return Ok((row, None));
        }
        if !matches!(row.kind, "" | "Rx" | "Tx" | "Error") {
            return Err(fields.wrong("no type that a frame has"));
        }
        let id = id(row.id).ok_or_else(|| fields.wrong("no id of 4 or 8 digits"))?;
        if matches!(self.layout, Layout::V1_3) {
            fields.need("no reserved column")?;
        }
        let len = fields.read("no DLC", fields::decimal)? as usize;
        let frame = match fields.peek() {
            _ if row.kind == "Error" => error_frame(fields),
            Some("ERROR") => error_frame(fields),
            Some("RTR") => fields.frame(id, FrameKind::Remote, &Payload::EMPTY),
            _ => {
                let payload = fields.data(len, Base::Hexadecimal)?;
                fields.frame(id, FrameKind::Data, &payload)
            }
        };
        Ok((row, Some(frame?)))
    }
}

fn columns(names: &str) -> Layout {
    let names = names.trim().split(',').take(MAX_COLUMNS);
    Layout::Columns(names.filter_map(|name| name.trim().chars().next()).collect())
}

fn by_columns<'a>(
    columns: &[char],
    fields: &mut Fields<'a>,
) -> Result<(Row<'a>, Option<CanFrame>), LineError> {
    let mut row = Row::default();
    for column in columns {
        match column {
            'O' => row.offset = fields.read("no time in milliseconds", |word| fields::scaled(word, 3))?,
            'T' => {
                row.kind = fields.need("no type")?;
                // What follows is not in the columns of a frame.
                if matches!(row.kind, "ST" | "EC" | "EV") {
                    return Ok((row, None));
                }
            }
            'B' => row.bus = fields.need("no bus")?,
            // A row of an error has no id; what stands there is the next column.
            'I' if row.kind == "ER" && matches!(fields.peek(), Some("Rx" | "Tx")) => {}
            'I' => row.id = fields.need("no id")?,
            'l' => row.len = Some(fields.read("no length", fields::decimal)? as usize),
            'L' => {
                let fd = matches!(row.kind, "FD" | "FB" | "FE" | "BI");
                let dlc = fields.read("no DLC", |word| u8::try_from(fields::decimal(word)?).ok())?;
                row.len = fields::bytes_of_dlc(dlc, fd);
            }
            'D' => break,
            _ => {
                fields.need("a column is missing")?;
            }
        }
        if row.kind == "ER" && *column == 'I' {
            return Ok((row, Some(error_frame(fields)?)));
        }
    }
    let kind = match row.kind {
        "DT" => FrameKind::Data,
        "FD" | "FB" | "FE" | "BI" => FrameKind::FdData,
        "RR" => FrameKind::Remote,
        "ER" => FrameKind::Error,
        _ => return Err(fields.wrong("no type that is known")),
    };
    let id = id(row.id).ok_or_else(|| fields.wrong("no id of 4 or 8 digits"))?;
    let len = row.len.ok_or_else(|| fields.wrong("no length"))?;
    let payload =
        if kind == FrameKind::Remote { Payload::EMPTY } else { fields.data(len, Base::Hexadecimal)? };
    let frame = fields.frame(id, kind, &payload)?;
    Ok((row, Some(frame)))
}

/// 4 digits are 11 bits, 8 are 29.
fn id(word: &str) -> Option<CanId> {
    fields::id(fields::hexadecimal(word)?, word.len() > 4)
}

fn error_frame(fields: &Fields<'_>) -> Result<CanFrame, LineError> {
    fields.frame(CanId::Extended(0), FrameKind::Error, &Payload::EMPTY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(text: &str) -> Vec<(i64, String, CanFrame)> {
        let mut trc = Trc::default();
        let lines = text.lines().map(|line| trc.line(line).unwrap_or_else(|error| panic!("{line}: {error}")));
        lines.flatten().map(|line| (line.time.0, line.channel.to_owned(), line.frame)).collect()
    }

    fn kinds(frames: &[(i64, String, CanFrame)]) -> Vec<FrameKind> {
        frames.iter().map(|frame| frame.2.kind()).collect()
    }

    #[test]
    fn version_1_is_read_in_each_of_its_forms() {
        use FrameKind::{Data, Error, Remote};
        let v1_0 = "; a comment\n 1)  1841  0001  8  00 11 22 33 44 55 66 77\n 2)  1842  0008  4  ERROR 00 19 08 08\n\
            3) 1843  FFFFFFFF  4  00 00 00 04 ------BUSLIGHT\n 4) 1844  18FEF100  3  RTR";
        let frames = read_all(v1_0);
        assert_eq!(kinds(&frames), [Data, Error, Remote]);
        assert_eq!((frames[0].0, frames[0].2.id()), (1_841_000, CanId::Standard(1)));
        assert_eq!((frames[2].0, frames[2].2.id()), (1_844_000, CanId::Extended(0x18FE_F100)));
        let v1_1 = ";$FILEVERSION=1.1\n;$STARTTIME=25569.5\n 1) 1059.9 Rx 0300 7 00 00 00 00 04 00 00\n\
            2) 1346.8 Warng FFFFFFFF 4 00 00 00 04 BUSLIGHT\n 3) 1349.2 Error 0008 4 00 19 08 08\n 4) 1352.7 Tx 0100 3 RTR";
        let frames = read_all(v1_1);
        assert_eq!(kinds(&frames), [Data, Error, Remote]);
        assert_eq!(frames[0].0, 43_200_000_000 + 1_059_900);
        let v1_2 = ";$FILEVERSION=1.2\n 1) 1059.900 2 Rx 0300 1 AB";
        let v1_3 = ";$FILEVERSION=1.3\n 1) 1059.900 2 Rx 0300 - 1 AB\n 2) 1060.0 1 Warng FFFFFFFF - 4 00 00 00 04 BUSLIGHT";
        assert_eq!(read_all(v1_2), read_all(v1_3));
        assert_eq!((read_all(v1_3)[0].1.as_str(), read_all(v1_3)[0].2.data()), ("2", &[0xAB][..]));
    }

    #[test]
    fn version_2_is_read_by_its_columns() {
        use FrameKind::{Data, Error, FdData, Remote};
        let v2_0 = ";$FILEVERSION=2.0\n;$STARTTIME=25569\n;$COLUMNS=N,O,T,I,d,l,D\n\
            1 1059.900 DT 0300 Rx 7 00 00 00 00 04 00 00\n 5 1334.416 FD 0500 Tx 12 01 02 03 04 05 06 07 08 09 0A 0B 0C\n\
            6 1334.522 ER Rx 04 00 02 00 00\n 7 1334.531 ST Rx 00 00 00 08\n 8 1334.643 EC Rx 02 02\n\
            9 1335.156 DT 18EFC034 Tx 8 01 02 03 04 05 06 07 08\n10 1336.543 RR 0100 Rx 3\n11 1337 EV a word of a person";
        let frames = read_all(v2_0);
        assert_eq!(kinds(&frames), [Data, FdData, Error, Data, Remote]);
        assert_eq!((frames[0].0, frames[3].2.id()), (1_059_900, CanId::Extended(0x18EF_C034)));
        let v2_1 = ";$FILEVERSION=2.1\n;$COLUMNS=N,O,T,B,I,d,R,L,D\n1 0.5 FB 1 0500 Rx - 9 01 02 03 04 05 06 07 08 09 0A 0B 0C\n\
            2 0.6 ER 1 - Rx - 5 04 00 02 00 00\n 3 0.7 EV 1 event\n 4 0.8 BI 2 0500 Tx - 15 \
            00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 \
            00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00";
        let frames = read_all(v2_1);
        assert_eq!(kinds(&frames), [FdData, Error, FdData]);
        assert_eq!((frames[0].2.data().len(), frames[2].2.data().len(), frames[2].1.as_str()), (12, 64, "2"));
    }

    #[test]
    fn a_torn_line_says_where() {
        let read = |head: &str, line: &str| {
            let mut trc = Trc::default();
            head.lines().for_each(|head| assert_eq!(trc.line(head), Ok(None)));
            let error = trc.line(line).expect_err(line);
            assert!(error.column <= line.len() + 1, "{line}: {error}");
        };
        for line in [
            "1",
            "1)",
            "1) x",
            "1) 1",
            "1) 1 0001",
            "1) 1 0001 2 00",
            "1) 1 0001 9 00 00 00 00 00 00 00 00 00",
        ] {
            read("", line);
        }
        for line in
            ["1 1.0", "1 1.0 XX 0300 Rx 0", "1 1.0 DT 0300 Rx", "1 1.0 DT 0300 Rx 2 00", "1 1.0 DT 0FFF Rx 0"]
        {
            read(";$FILEVERSION=2.0", line);
        }
        read(";$COLUMNS=", "1 1.0 DT");
        read(";$COLUMNS=D,D,T", "1 1.0 DT");
    }
}
