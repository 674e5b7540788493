//! `vernport ledger import`: a file of entries, one a line, to central, and what
//! became of each.

use crate::{args::LedgerImport, order::connect, show};
use anyhow::{Result, bail};
use std::path::PathBuf;
use thiserror::Error;
use vernport_api::{ImportAnswer, ImportQuery, ImportedLine, LineOutcome, MAX_IMPORT_BYTES, OnError};
use vernport_status::output;

/// The file of an import cannot be used.
#[derive(Debug, Error)]
pub enum Unread {
    /// It cannot be read.
    #[error("{}: cannot be read", .file.display())]
    File {
        /// Which file.
        file: PathBuf,
        /// What failed.
        source: std::io::Error,
    },
    /// It is too long for one import.
    #[error("{}: more than {MAX_IMPORT_BYTES} bytes; import it in parts", .file.display())]
    TooLong {
        /// Which file.
        file: PathBuf,
    },
}

/// Sends the file, and shows what became of its lines.
///
/// # Errors
/// [`Unread`]; if central cannot be reached; and if a line was refused, after the rest was shown.
pub(super) async fn run(args: LedgerImport) -> Result<()> {
    let lines = read(args.file)?;
    let on_error = if args.keep_going { OnError::Continue } else { OnError::Stop };
    let query = ImportQuery { dry_run: args.dry_run, on_error };
    let (_, registrar) = connect(&args.registrar)?;
    let answer = registrar.import(lines, query, args.key.as_ref()).await?;
    let shown = if args.json { serde_json::to_string(&answer)? + "\n" } else { told(&answer) };
    output::tell(shown.trim_end())?;
    match &answer.stopped {
        Some(stop) => bail!("stopped at line {}: {}: {}", stop.line, stop.code, stop.detail),
        None if answer.refused > 0 => bail!("{} lines were refused", answer.refused),
        None => Ok(()),
    }
}

fn read(file: PathBuf) -> Result<Vec<u8>, Unread> {
    let read = std::fs::metadata(&file).and_then(|about| {
        let fits = about.len() <= MAX_IMPORT_BYTES as u64;
        if fits { std::fs::read(&file).map(Some) } else { Ok(None) }
    });
    match read {
        Ok(Some(lines)) => Ok(lines),
        Ok(None) => Err(Unread::TooLong { file }),
        Err(source) => Err(Unread::File { file, source }),
    }
}

fn told(answer: &ImportAnswer) -> String {
    let row = |line: &ImportedLine| {
        let outcome = match line.outcome {
            LineOutcome::Recorded => "recorded",
            LineOutcome::Already => "already",
            LineOutcome::Refused => "refused",
        };
        let code = line.code.map(|code| code.to_string()).unwrap_or_default();
        let what = line.entry.map(|entry| entry.to_string()).or(line.detail.clone()).unwrap_or_default();
        [line.line.to_string(), outcome.to_owned(), code, what]
    };
    let head = ["line", "outcome", "code", "entry, or what was wrong"];
    let table = show::table(&head, answer.lines.iter().map(row));
    let said = if answer.dry_run { "nothing was recorded; would be: " } else { "" };
    let ImportAnswer { recorded, already, refused, .. } = answer;
    format!("{table}{said}{recorded} recorded, {already} already there, {refused} refused\n")
}
