//! `vernport decode`: what a capture holds, as the gateway would decode it.
//!
//! Every channel of a file is a bus of its own with a decoder of its own. No
//! rule, consent or minimiser stands between: this is for a developer with a
//! capture of their own, and prints values, VINs among them.

mod ids;
mod report;

pub use report::{Report, SCHEMA};

use crate::{args, shipped};
use anyhow::{Context as _, Result, bail, ensure};
use report::Tally;
use std::{fs::File, io::Read as _, path::Path, sync::Arc};
use vernport_decode::{
    Config, Decoder,
    capture::{Event, Line, Reader, UnknownFormat},
    dbc::Plan,
};
use vernport_status::output;
use vernport_types::{BootMicros, Catalogue, Stamp, TimeQuality, UtcMicros};

const PIECE_BYTES: usize = 64 * 1024;
/// Channels of one file that are decoded. No recorder has more; a file that
/// names more is damaged, and its further frames are counted only.
const MAX_CHANNELS: usize = 64;

/// Decodes each file and prints what it holds.
///
/// # Errors
/// If a DBC file cannot be used, or no file could be read at all. Of several, those that could not are told
/// on standard error.
pub fn run(args: &args::Decode) -> Result<()> {
    let catalogue = shipped::catalogue();
    let dbc = vernport_gateway::dbc::read(&args.dbc, args.map.as_deref(), &catalogue)?;
    dbc.findings.iter().for_each(|finding| output::remark(finding));
    let mut read = 0;
    for path in &args.files {
        match decode(path, &catalogue, dbc.plan.as_ref()) {
            Ok(report) => {
                read += 1;
                print(&report, args)?;
            }
            Err(error) if args.files.len() == 1 => return Err(error),
            Err(error) => output::remark(&format!("vernport: {error:#}")),
        }
    }
    ensure!(read > 0, "none of the files could be read");
    Ok(())
}

/// Decodes one file, with the plan of DBC files where there are any.
///
/// # Errors
/// If it cannot be read, is of no known format or holds no frame.
pub fn decode(path: &Path, catalogue: &Catalogue, dbc: Option<&Arc<Plan>>) -> Result<Report> {
    let file = path.display();
    let mut input = File::open(path).with_context(|| format!("{file}: cannot be opened"))?;
    let (mut reader, mut buses) = (Reader::new(), Buses::new(catalogue, dbc)?);
    let mut piece = vec![0; PIECE_BYTES];
    let unknown = |error: UnknownFormat| anyhow::Error::new(error).context(file.to_string());
    loop {
        let read = input.read(&mut piece).with_context(|| format!("{file}: cannot be read"))?;
        if read == 0 {
            break;
        }
        reader.push(&piece[..read], &mut |event| buses.take(event)).map_err(unknown)?;
    }
    let (format, counts) = reader.finish(&mut |event| buses.take(event)).map_err(unknown)?;
    if counts.frames == 0 {
        bail!("{file}: {format}, but no frame in it ({} {}s skipped)", counts.skipped, format.part());
    }
    Ok(buses.tally.report(file.to_string(), format, counts, catalogue, dbc.map(Arc::as_ref)))
}

/// The buses of one file.
struct Buses<'a> {
    catalogue: &'a Catalogue,
    dbc: Option<&'a Arc<Plan>>,
    channels: Vec<(String, Decoder)>,
    spare: Decoder,
    /// Time of the first frame, and the furthest since.
    began: Option<UtcMicros>,
    elapsed_micros: u64,
    tally: Tally,
}

impl<'a> Buses<'a> {
    fn new(catalogue: &'a Catalogue, dbc: Option<&'a Arc<Plan>>) -> Result<Self> {
        let spare = Decoder::new(catalogue, Config::default())?;
        let (channels, tally) = (Vec::new(), Tally::default());
        Ok(Self { catalogue, dbc, channels, spare, began: None, elapsed_micros: 0, tally })
    }

    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Frame(line) => self.frame(&line),
            Event::Skipped { number, reason } => self.tally.skipped(number, &reason),
        }
    }

    fn frame(&mut self, line: &Line<'_>) {
        self.tally.frame(&line.frame);
        let began = *self.began.get_or_insert(line.time);
        // A clock that was set back does not make time go back.
        let elapsed = u64::try_from(line.time.0.saturating_sub(began.0)).unwrap_or(0);
        self.elapsed_micros = self.elapsed_micros.max(elapsed);
        let (wall, boot) = (line.time, BootMicros(self.elapsed_micros));
        let at = Stamp { wall, boot, quality: TimeQuality::Synced };
        let Some(bus) = self.bus(line.channel) else {
            return self.tally.not_decoded();
        };
        let (_, decoder) = &mut self.channels[bus];
        decoder.push(&line.frame, at, &mut |decoded| self.tally.decoded(&decoded));
    }

    fn bus(&mut self, channel: &str) -> Option<usize> {
        if let Some(bus) = self.channels.iter().position(|(name, _)| name == channel) {
            return Some(bus);
        }
        if self.channels.len() == MAX_CHANNELS {
            return None;
        }
        // The catalogue fitted the first decoder and fits the next.
        let next = Decoder::new(self.catalogue, Config::default()).ok()?;
        let mut decoder = std::mem::replace(&mut self.spare, next);
        if let Some(dbc) = self.dbc {
            decoder = decoder.with_dbc(dbc);
        }
        self.channels.push((channel.to_owned(), decoder));
        self.tally.channel();
        Some(self.channels.len() - 1)
    }
}

fn print(report: &Report, args: &args::Decode) -> Result<()> {
    if args.json {
        // What was passed over is no part of the object.
        report.skips().iter().for_each(|line| output::remark(line));
        output::print(&report.json(args.files.len() > 1))?;
    } else {
        output::print(&report.text())?;
    }
    Ok(())
}
