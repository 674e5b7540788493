//! What can be typed after `vernport mqtt`.

use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use std::path::PathBuf;
use vernport_types::Slug;

/// `vernport mqtt`.
#[derive(Debug, Subcommand)]
pub enum Mqtt {
    /// Write a broker's rules: who may publish and subscribe where, by central's registry, bundles and an
    /// inventory. Ends with 1 if the file to --check does not fit any more, with 2 if something cannot be read
    Acl(MqttAcl),
    /// Write the list of revoked certificates of an authority (CRL), for a broker that refuses them at the door
    Crl(MqttCrl),
    /// Try a mapping, or our own contract, on payloads of your own: prints the readings that would come of them,
    /// in the clear, and sends nothing. Ends with 0 if all would be taken, with 1 if one would be refused, with 2
    /// if something cannot be read
    Try(MqttTry),
}

/// `vernport mqtt acl`.
#[derive(Debug, Args)]
pub struct MqttAcl {
    /// Whose words
    #[arg(long, value_enum)]
    pub format: AclFormat,
    /// Folder that `vernport init --dev` made: certificates, bundles, and the address of central
    #[arg(long, value_name = "DIR", env = "VERNPORT_DEV")]
    pub dev: PathBuf,
    /// A controller whose gateways and operators use this broker; may be given again. All of the folder
    /// without it
    #[arg(long = "controller", value_name = "NAME")]
    pub controllers: Vec<Slug>,
    /// What the broker knows clients by
    #[arg(long, value_enum, default_value_t = KnownBy::Subject)]
    pub by: KnownBy,
    /// Which broker: gateways and operators, or gateways and tools. Everybody without it
    #[arg(long = "for", value_enum)]
    pub broker: Option<RulesFor>,
    /// Gateways and tools of this site only: for the broker on a box
    #[arg(long)]
    pub site: Option<Slug>,
    /// Tools, and whoever else no registry knows (TOML)
    #[arg(long, value_name = "FILE")]
    pub inventory: Option<PathBuf>,
    /// An operator that bundles of several controllers name is one firm; may be given again
    #[arg(long = "same-operator", value_name = "NAME")]
    pub same_operators: Vec<Slug>,
    /// Put the rules into this file, whole or not at all, instead of printing them
    #[arg(long, value_name = "FILE", conflicts_with = "check")]
    pub out: Option<PathBuf>,
    /// Write nothing; say whether this file still fits
    #[arg(long, value_name = "FILE")]
    pub check: Option<PathBuf>,
}

/// The broker that reads them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AclFormat {
    /// acl_file of mosquitto 2
    Mosquitto,
    /// acl.conf of EMQX 5
    Emqx,
}

/// What a broker takes for the name of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum KnownBy {
    #[default]
    /// The whole subject of its certificate: tells a gateway from a recipient of the same name
    Subject,
    /// Its user name, or the common name of a certificate, as tool.SITE.STATION.TOOL,
    /// gateway.GATEWAY.SITE, operator.OPERATOR
    Name,
}

/// Whose rules one broker needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RulesFor {
    /// Gateways and operators
    Fleet,
    /// Gateways and tools
    Tools,
}

/// `vernport mqtt crl`.
#[derive(Debug, Args)]
pub struct MqttCrl {
    /// Certificate of the authority (PEM)
    #[arg(long, value_name = "FILE")]
    pub authority: PathBuf,
    /// Its private key (PEM)
    #[arg(long, value_name = "FILE")]
    pub authority_key: PathBuf,
    /// A certificate that does not count any more (PEM); may be given again
    #[arg(long, value_name = "FILE")]
    pub revoked: Vec<PathBuf>,
    /// The serial number of one, in hexadecimal digits; may be given again
    #[arg(long, value_name = "HEX")]
    pub serial: Vec<String>,
    /// How long the list counts, in days: 1 to 90. A broker lets nobody in by a list that is older
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=90))]
    pub days: u16,
    /// Put the list into this file, whole or not at all
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// `vernport mqtt try`.
#[derive(Debug, Args)]
pub struct MqttTry {
    /// Payloads as the tool publishes them, one a file, or - for standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The mapping (config/tools/README.md)
    #[arg(long, value_name = "FILE", required_unless_present = "contract", conflicts_with = "contract")]
    pub mapping: Option<PathBuf>,
    /// Our own contract instead: JSON, or postcard where the topic says so
    #[arg(long)]
    pub contract: bool,
    /// Where the tool publishes: vernport/v1/tool/SITE/STATION/TOOL/reading, or …/reading.postcard
    #[arg(long)]
    pub topic: Option<String>,
    /// Where the tool's clock stands, as time_zone in the gateway's configuration
    #[arg(long, value_name = "ZONE")]
    pub time_zone: Option<String>,
    /// When the payloads arrive (RFC 3339); now without it
    #[arg(long, value_name = "TIME")]
    pub at: Option<Timestamp>,
    /// Folder of the signal catalogue; the shipped one without it
    #[arg(long, value_name = "DIR")]
    pub signals: Option<PathBuf>,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = TryFormat::Table)]
    pub format: TryFormat,
}

/// How `vernport mqtt try` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TryFormat {
    /// For people
    Table,
    /// One line of JSON for each payload
    Json,
}
