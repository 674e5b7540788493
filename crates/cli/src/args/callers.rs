//! What can be typed about a workshop's own system: imports, events, entries by
//! reference, agreements with processors.

use super::Registrar;
use clap::{Args, Subcommand};
use std::path::PathBuf;
use vernport_api::{Cursor, IdempotencyKey};
use vernport_registry::Text;
use vernport_types::{ControllerId, EntryHash, Slug};

/// `vernport ledger import`.
#[derive(Debug, Args)]
pub struct LedgerImport {
    /// How to reach central
    #[command(flatten)]
    pub registrar: Registrar,
    /// A file with one entry a line, as {"entry": …, "identifiers": …} (NDJSON)
    pub file: PathBuf,
    /// Say what would be recorded, and record nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Go on behind a line that is refused
    #[arg(long)]
    pub keep_going: bool,
    /// A key under which a repetition gets the first answer, 1 to 64 visible characters
    #[arg(long, value_parser = IdempotencyKey::new)]
    pub key: Option<IdempotencyKey>,
    /// Print the answer as JSON alone on standard output
    #[arg(long)]
    pub json: bool,
}

/// `vernport ledger events`.
#[derive(Debug, Args)]
pub struct LedgerEvents {
    /// How to reach central
    #[command(flatten)]
    pub registrar: Registrar,
    /// Begin behind this place: the last line of an earlier answer; with the first entry without it
    #[arg(long, value_name = "CURSOR")]
    pub after: Option<Cursor>,
    /// Wait for what comes, until Ctrl-C
    #[arg(long)]
    pub follow: bool,
}

/// `vernport ledger find`.
#[derive(Debug, Args)]
pub struct LedgerFind {
    /// How to reach central
    #[command(flatten)]
    pub registrar: Registrar,
    /// The reference that it was recorded with
    #[arg(long, value_name = "TEXT")]
    pub external_ref: Text,
    /// The system that recorded it
    #[arg(long, value_name = "NAME", default_value = "vernport-cli")]
    pub source: Slug,
}

/// `vernport processor`.
#[derive(Debug, Subcommand)]
pub enum Processor {
    /// Let another firm's system record for this controller
    Agree(Agree),
    /// End an agreement at once
    End {
        /// How to reach central
        #[command(flatten)]
        registrar: Registrar,
        /// The agreement, as `agree` or `list` printed it
        agreement: EntryHash,
    },
    /// Say which agreements there are
    List {
        /// How to reach central
        #[command(flatten)]
        registrar: Registrar,
    },
}

/// `vernport processor agree`.
#[derive(Debug, Args)]
pub struct Agree {
    /// How to reach central
    #[command(flatten)]
    pub registrar: Registrar,
    /// Its organisation number: the organisation in its client certificate
    #[arg(long, value_name = "ID")]
    pub processor: ControllerId,
    /// What to call it
    #[arg(long)]
    pub name: Slug,
    /// The contract: a reference, not its text
    #[arg(long, value_name = "TEXT")]
    pub contract: Text,
    /// A kind of entries that it may record and read, as order-opened; may be given again
    #[arg(long = "kind", value_name = "KIND", required = true)]
    pub kinds: Vec<Slug>,
    /// When it ends by itself, in days, at most 1827 (five years)
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1827))]
    pub days: u16,
}
