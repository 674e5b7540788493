//! What can be typed after `vernport subscribe`, `vernport deleted` and `vernport publish`.

use clap::{Args, ValueEnum};
use std::path::PathBuf;
use vernport_crypto::VerifyingKey;
use vernport_mqtt::{Protocol, ToolAddress};
use vernport_types::{MessageId, Slug, VehicleAlias};

/// A broker, and what is shown to it.
#[derive(Debug, Args)]
pub struct AtBroker {
    /// The broker: mqtts://HOST:8883 with certificates, or mqtt://localhost:1883; the ports are the usual ones
    #[arg(long, value_name = "URL")]
    pub url: String,
    /// Certificate authority of the broker (PEM); for mqtts
    #[arg(long, value_name = "FILE", requires_all = ["certificate", "certificate_key"])]
    pub ca: Option<PathBuf>,
    /// Own certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "ca")]
    pub certificate: Option<PathBuf>,
    /// Its private key (PEM)
    #[arg(long, value_name = "FILE", requires = "ca")]
    pub certificate_key: Option<PathBuf>,
    /// User name, where the broker asks for one and it is another than operator.OPERATOR or tool.SITE.STATION.TOOL
    #[arg(long, requires = "password_file")]
    pub user: Option<String>,
    /// File with the password
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Version of MQTT
    #[arg(long, value_enum, default_value_t = MqttVersion::V5)]
    pub mqtt: MqttVersion,
    /// Client id instead of the one that follows from what is asked for; the same at each connection
    #[arg(long, value_name = "ID")]
    pub client_id: Option<String>,
}

/// A version of MQTT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MqttVersion {
    /// MQTT 5
    #[value(name = "5")]
    V5,
    /// MQTT 3.1.1
    #[value(name = "3.1.1")]
    V311,
}

impl From<MqttVersion> for Protocol {
    fn from(version: MqttVersion) -> Self {
        match version {
            MqttVersion::V5 => Self::V5,
            MqttVersion::V311 => Self::V311,
        }
    }
}

/// `vernport subscribe`.
#[derive(Debug, Args)]
pub struct Subscribe {
    /// Where the operator subscribes
    #[command(flatten)]
    pub at: AtBroker,
    /// Which fleet operator this is
    #[arg(long)]
    pub operator: Slug,
    /// Only what is for this purpose
    #[arg(long)]
    pub purpose: Option<Slug>,
    /// Only this vehicle, by its alias (32 hexadecimal digits)
    #[arg(long, value_name = "ALIAS")]
    pub vehicle: Option<VehicleAlias>,
    /// Opens sealed messages: a recipient's private key; may be given again, since each purpose has its own
    #[arg(long = "key", value_name = "FILE")]
    pub keys: Vec<PathBuf>,
    /// A gateway's public key (64 hexadecimal digits): sealed messages of no gateway named so are not
    /// opened; may be given again
    #[arg(long, value_name = "HEX")]
    pub signed_by: Vec<VerifyingKey>,
    /// The public key of a central's heads (64 hexadecimal digits): what no central named so says of the
    /// operator's own numbers is passed over; may be given again
    #[arg(long, value_name = "HEX")]
    pub central: Vec<VerifyingKey>,
    /// Keeps in this file which numbers have come, so that the next run tells what was lost between
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// How many hours the broker keeps what comes while nobody is here; 0: not at all
    #[arg(long, value_name = "HOURS", default_value_t = 72, value_parser = clap::value_parser!(u32).range(0..=720))]
    pub away_h: u32,
    /// End after so many messages
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// End after so many seconds
    #[arg(long = "for", value_name = "SECONDS")]
    pub seconds: Option<u64>,
    /// Print JSON alone on standard output, one object a line (crates/cli/schema/subscribe-v1.json)
    #[arg(long)]
    pub json: bool,
}

/// `vernport deleted`.
#[derive(Debug, Args)]
pub struct Deleted {
    /// Where the operator subscribes
    #[command(flatten)]
    pub at: AtBroker,
    /// Which fleet operator this is
    #[arg(long)]
    pub operator: Slug,
    /// Purpose of the notice
    #[arg(long)]
    pub purpose: Slug,
    /// Vehicle of the notice, by its alias (32 hexadecimal digits)
    #[arg(long, value_name = "ALIAS")]
    pub vehicle: VehicleAlias,
    /// Its id (32 hexadecimal digits), as `vernport subscribe` shows it
    #[arg(long)]
    pub id: MessageId,
    /// How long to wait for the broker, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub wait: u64,
}

/// `vernport publish`.
#[derive(Debug, Args)]
pub struct Publish {
    /// Where the station's tools publish
    #[command(flatten)]
    pub at: AtBroker,
    /// Which tool this is: SITE/STATION/TOOL
    #[arg(long = "as", value_name = "TOOL")]
    pub tool: ToolAddress,
    /// The message (JSON, crates/mqtt/schema/tool-reading-v1.json): a file, or - for standard input
    #[arg(value_name = "FILE", required_unless_present = "path", conflicts_with_all = ["path", "value", "unit", "time", "id", "vin", "plate", "order"])]
    pub file: Option<PathBuf>,
    /// Instead of a file: the signal of one reading, by its VSS path
    #[arg(long, requires = "value")]
    pub path: Option<String>,
    /// Its value: JSON, or a text
    #[arg(long, requires = "path", allow_hyphen_values = true)]
    pub value: Option<String>,
    /// Its unit
    #[arg(long, requires = "path")]
    pub unit: Option<String>,
    /// When it was read (RFC 3339, with a zone); now without it
    #[arg(long, requires = "path")]
    pub time: Option<String>,
    /// The tool's own id of the message, once per tool; drawn without it
    #[arg(long, requires = "path")]
    pub id: Option<String>,
    /// Of which vehicle; of the one that stands at the station without it
    #[arg(long, group = "of", requires = "path")]
    pub vin: Option<String>,
    /// Of which vehicle, by country and number plate
    #[arg(long, group = "of", num_args = 2, value_names = ["COUNTRY", "NUMBER"], requires = "path")]
    pub plate: Option<Vec<String>>,
    /// Of which vehicle, by its work order
    #[arg(long, group = "of", requires = "path")]
    pub order: Option<String>,
    /// Folder of the signal catalogue that it is checked against; the shipped one without it
    #[arg(long, value_name = "DIR")]
    pub signals: Option<PathBuf>,
    /// Check only, and send nothing
    #[arg(long)]
    pub dry_run: bool,
    /// How long to wait for the answer, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub wait: u64,
    /// Print the answer as JSON alone on standard output
    #[arg(long)]
    pub json: bool,
}
