//! What can be typed after `vernport audit`.

use clap::{Args, Subcommand};
use std::path::PathBuf;
use vernport_types::ControllerId;

/// `vernport audit`.
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Check a log with the public key of its keeper: every checkpoint, every tile, every leaf; or a proof file
    ///
    /// Needs no connection and nothing but the log and the key. Ends with 0 if all fits, 1 if something does
    /// not, 2 if something cannot be read.
    Verify(AuditVerify),
    /// Write a proof that a leaf, or the envelope in a file, stands in a log; `verify` checks it offline
    Prove(AuditProve),
    /// Hold a spool or central's database against its own log: what waits or is stored, leaves, tiles, checkpoints
    ///
    /// Says what is wrong, where, and how to mend it. Ends with 0, 1 or 2 as `verify` does.
    Fsck(AuditFsck),
    /// Write a log as files, as C2SP tlog-tiles lays them out
    Export(AuditExport),
}

/// Where a log lies.
#[derive(Debug, Args)]
pub struct LogPlace {
    /// A folder that `export` wrote, the file of a spool, or the URL of central's main database
    #[arg(value_name = "LOG")]
    pub log: String,
    /// Whose log, in central's database
    #[arg(long, value_name = "ID")]
    pub controller: Option<ControllerId>,
}

/// `vernport audit verify`.
#[derive(Debug, Args)]
pub struct AuditVerify {
    /// Where it lies; a proof file too
    #[command(flatten)]
    pub place: LogPlace,
    /// Public key of its keeper (64 hexadecimal digits, or a verifier key): a gateway's device key or central's
    /// head key; may be given again where it was changed
    #[arg(long = "key", value_name = "KEY", required = true)]
    pub keys: Vec<String>,
    /// Verifier key of a witness whose cosignatures have to hold
    #[arg(long = "witness", value_name = "KEY")]
    pub witnesses: Vec<String>,
    /// With a proof file: the envelope that its leaf has to commit to
    #[arg(long, value_name = "FILE")]
    pub envelope: Option<PathBuf>,
    /// Print the result as JSON alone on standard output
    #[arg(long)]
    pub json: bool,
}

/// `vernport audit prove`.
#[derive(Debug, Args)]
pub struct AuditProve {
    /// Where it lies
    #[command(flatten)]
    pub place: LogPlace,
    /// The envelope that is to be proven
    #[arg(long, value_name = "FILE", required_unless_present = "leaf")]
    pub envelope: Option<PathBuf>,
    /// The number of the leaf that is to be proven, from 0
    #[arg(long, value_name = "NUMBER", conflicts_with = "envelope")]
    pub leaf: Option<u64>,
    /// Where the proof goes
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Print what was proven as JSON alone on standard output
    #[arg(long)]
    pub json: bool,
}

/// `vernport audit fsck`.
#[derive(Debug, Args)]
pub struct AuditFsck {
    /// Where it lies
    #[command(flatten)]
    pub place: LogPlace,
    /// Public key of its keeper; without it the signatures of checkpoints are not looked at
    #[arg(long = "key", value_name = "KEY")]
    pub keys: Vec<String>,
    /// Print the result as JSON alone on standard output
    #[arg(long)]
    pub json: bool,
}

/// `vernport audit export`.
#[derive(Debug, Args)]
pub struct AuditExport {
    /// Where it lies
    #[command(flatten)]
    pub place: LogPlace,
    /// The folder that is made
    #[arg(long, value_name = "FOLDER")]
    pub into: PathBuf,
}
