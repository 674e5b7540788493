//! What can be typed after `vernport explain`.

use clap::{ArgGroup, Args, ValueEnum};
use std::path::PathBuf;
use vernport_types::Slug;

/// `vernport explain`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("facts").required(true).multiple(false).args(["world", "controller"]))]
pub struct Explain {
    /// Whose rules, with --world: a shipped bundle by name, or the folder of one
    #[arg(long, value_name = "NAME", requires = "world")]
    pub bundle: Option<String>,
    /// Who said what: assets, orders, consents (TOML). Recipients are taken to have keys
    #[arg(long, value_name = "FILE", requires = "bundle")]
    pub world: Option<PathBuf>,
    /// Ask central: the folder that `vernport init --dev` made
    #[arg(long, value_name = "DIR", env = "VERNPORT_DEV")]
    pub dev: Option<PathBuf>,
    /// Ask central as this controller of that folder
    #[arg(long, value_name = "NAME", requires = "dev")]
    pub controller: Option<Slug>,
    /// The vehicle: its name in the world file (needed where that has several), or its id at central
    #[arg(long)]
    pub asset: Option<String>,
    /// The vehicle at central, by plate: country and number
    #[arg(
        long, num_args = 2, value_names = ["COUNTRY", "NUMBER"],
        requires = "controller", conflicts_with_all = ["vin", "asset"]
    )]
    pub plate: Option<Vec<String>>,
    /// The vehicle at central, by VIN
    #[arg(long, requires = "controller", conflicts_with = "asset")]
    pub vin: Option<String>,
    /// The VSS path; all signals of the catalogue without it
    #[arg(long)]
    pub signal: Option<String>,
    /// The flow; all flows without it
    #[arg(long)]
    pub flow: Option<Slug>,
    /// When (RFC 3339); now without it
    #[arg(long)]
    pub at: Option<String>,
    /// How the vehicle was recognised
    #[arg(long, value_enum, default_value_t = Recognised::BusVin)]
    pub by: Recognised,
    /// From where it was read
    #[arg(long, value_enum, default_value_t = ReadFrom::Vehicle)]
    pub from: ReadFrom,
    /// Where, as site/station; where an order is open for the vehicle without it
    #[arg(long, value_name = "SITE/STATION")]
    pub station: Option<String>,
    /// Who reads the answer: a recipient gets one word for each signal and flow, and no reason
    #[arg(long, value_enum, default_value_t = ExplainAudience::Operator)]
    pub audience: ExplainAudience,
    /// Print JSON alone on standard output (crates/cli/schema/explain-v1.json)
    #[arg(long)]
    pub json: bool,
}

/// How a vehicle was recognised, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Recognised {
    /// The gateway is mounted in it
    Pinned,
    /// A workshop tool named it
    Tool,
    /// A technician said which vehicle stands there
    Asserted,
    /// It said its VIN on the bus
    BusVin,
}

/// Where a reading came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReadFrom {
    /// Its own bus
    Vehicle,
    /// A workshop tool
    Tool,
    /// Typed in by a person
    Manual,
}

/// Who reads an explanation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExplainAudience {
    /// Those who run it: rule, clause, ledger entries
    Operator,
    /// A recipient: open, paused, closed or delete-by
    Recipient,
}
