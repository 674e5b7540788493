//! What can be typed after `vernport status`, `vernport doctor` and `vernport spool`.

use clap::{Args, Subcommand};
use std::path::PathBuf;
use vernport_status::Address;
use vernport_types::Slug;

/// `vernport status`.
#[derive(Debug, Args)]
pub struct Status {
    /// Where the gateway is asked: 127.0.0.1:PORT or unix:PATH, as its configuration says under `[status]`
    #[arg(long, value_name = "ADDRESS", conflicts_with = "config", env = "VERNPORT_STATUS")]
    pub gateway: Option<Address>,
    /// The gateway's configuration: where it does not run, its spool is looked into
    #[arg(long, value_name = "FILE", required_unless_present_any = ["gateway", "central"])]
    pub config: Option<PathBuf>,
    /// Central's configuration
    #[arg(long, value_name = "FILE")]
    pub central: Option<PathBuf>,
    /// Print JSON alone on standard output, one line for each daemon (crates/cli/schema/status-v1.json)
    #[arg(long)]
    pub json: bool,
    /// Look again every two seconds until Ctrl-C
    #[arg(long)]
    pub watch: bool,
}

/// `vernport doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    /// The gateway's configuration
    #[arg(long, value_name = "FILE", required_unless_present = "central")]
    pub gateway: Option<PathBuf>,
    /// Central's configuration
    #[arg(long, value_name = "FILE")]
    pub central: Option<PathBuf>,
    /// Print JSON alone on standard output
    #[arg(long)]
    pub json: bool,
}

/// `vernport spool`.
#[derive(Debug, Subcommand)]
pub enum Spool {
    /// Say what waits, and for how many hours more there is room at the present rate
    Status(SpoolStatus),
    /// List the messages of tools that were refused: which, why, how often, when; never what they said
    Refused(SpoolRefused),
}

/// Which spool.
#[derive(Debug, Args)]
pub struct SpoolAt {
    /// The file of a spool
    #[arg(value_name = "FILE", required_unless_present = "gateway", conflicts_with = "gateway")]
    pub file: Option<PathBuf>,
    /// The gateway's configuration; tells the bound of the queue, too, and where a running gateway is asked
    #[arg(long, value_name = "FILE")]
    pub gateway: Option<PathBuf>,
}

/// `vernport spool status`.
#[derive(Debug, Args)]
pub struct SpoolStatus {
    /// Which spool
    #[command(flatten)]
    pub at: SpoolAt,
    /// Print JSON alone on standard output
    #[arg(long)]
    pub json: bool,
}

/// `vernport spool refused`.
#[derive(Debug, Args)]
pub struct SpoolRefused {
    /// Which spool
    #[command(flatten)]
    pub at: SpoolAt,
    /// Of this tool only
    #[arg(long, value_name = "NAME")]
    pub tool: Option<Slug>,
    /// Only the one that this message is, as the tool sent it; needs the gateway's identity key
    #[arg(long, value_name = "FILE", requires = "gateway")]
    pub message: Option<PathBuf>,
    /// Print JSON alone on standard output
    #[arg(long)]
    pub json: bool,
}
