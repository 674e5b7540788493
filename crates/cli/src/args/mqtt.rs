//! What can be typed after `vernport mqtt`.

use clap::{Args, Subcommand, ValueEnum};
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
