//! What can be typed after `vernport`.

mod audit;
mod callers;
mod counter;
mod dbc;
mod erase;
mod explain;
mod gateway;
mod keys;
mod mqtt;
mod people;
mod running;
mod station;

pub use audit::{Audit, AuditExport, AuditFsck, AuditProve, AuditVerify, LogPlace};
pub use callers::{Agree, LedgerEvents, LedgerFind, LedgerImport, Processor};
pub use counter::{Called, Consent, Consented, Ledger, Order, Registrar, Vehicle};
pub use dbc::Dbc;
pub use erase::{Deletions, Erase, Erased, Erasure, RecipientAt, Registry, Restored};
pub use explain::{Explain, ExplainAudience, ReadFrom, Recognised};
pub use gateway::{Gateway, GatewayInvite, GatewayRevoke};
pub use keys::{Keys, KeysBackup, KeysCheck, KeysNew, KeysOf, KeysRestore, KeysRotate, RotateRecipient};
pub use mqtt::{AclFormat, KnownBy, Mqtt, MqttAcl, MqttCrl, MqttTry, RulesFor, TryFormat};
pub use people::{AtBroker, Deleted, MqttVersion, Publish, Subscribe};
pub use running::{Doctor, Spool, SpoolAt, SpoolRefused, SpoolStatus, Status};
pub use station::{MaybeVehicle, Station, StationOrder, StationSaid, Switch};

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use vernport_canbus::SourceUrl;
use vernport_crypto::VerifyingKey;
use vernport_sim::Fault;
use vernport_types::Vin;

/// The gate between a vehicle and everybody who wants its data.
#[derive(Debug, Parser)]
#[command(name = "vernport", version, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the whole path: one truck visits a station of each of four controllers
    Demo(Demo),
    /// Send a capture through the whole path and show what its recipient can read
    Replay(Replay),
    /// Show what captures hold: signals, trouble codes, VINs, in the clear
    ///
    /// No rule, consent or minimiser stands between: values, positions and VINs are printed as the
    /// vehicle said them. For captures of your own. Ends with 0 if anything was read, 1 if nothing
    /// could be, 2 if it was typed wrongly.
    Decode(Decode),
    /// Open a sealed batch with a recipient's key
    Unseal(Unseal),
    /// Receive what a fleet operator's broker has for it, and tell what is missing. Ends with 0 after Ctrl-C,
    /// --count or --for, with 1 if numbers are missing or the broker refuses, with 2 if something cannot be
    /// read
    Subscribe(Subscribe),
    /// Say as a fleet operator that what a deletion notice named is deleted, once it is
    Deleted(Deleted),
    /// Check one message of a workshop tool, send it, and print the station's answer. Ends with 0 if it was
    /// accepted, with 1 if it was refused or not answered, with 2 if it is wrong and was not sent
    Publish(Publish),
    /// Open or close a work order at central
    #[command(subcommand)]
    Order(Order),
    /// Say what a fleet operator calls a vehicle itself: central seals it to the operator, who finds it in its
    /// roster under every name that the vehicle has on topics
    FleetNumber(Called),
    /// Speak to the gateway of this station, whether or not the line to central is there
    Station(Station),
    /// Invite gateways, list them, end their enrolment
    #[command(subcommand)]
    Gateway(Gateway),
    /// Write what a broker of another maker lets whom do; try what comes of a tool's payloads
    #[command(subcommand)]
    Mqtt(Mqtt),
    /// Give, withdraw or look up a consent at the counter
    #[command(subcommand)]
    Consent(Consent),
    /// Write into the ledger at central
    #[command(subcommand)]
    Ledger(Ledger),
    /// Agree with another firm that its system records for this controller, and end that
    #[command(subcommand)]
    Processor(Processor),
    /// Order that what was read of a person or vehicle is erased, and wait for the certificate
    Erase(Erase),
    /// Say what became of an order to erase
    Erasure(Erasure),
    /// Say as a recipient what has to be deleted, and confirm it
    #[command(subcommand)]
    Deletions(Deletions),
    /// After a restore or a long stop of central: let its registry go on
    #[command(subcommand)]
    Registry(Registry),
    /// Say why a signal of a vehicle passes or does not: rule, clause, ledger entry
    Explain(Explain),
    /// Check, prove and mend evidence logs
    #[command(subcommand)]
    Audit(Audit),
    /// Work on rules
    #[command(subcommand)]
    Bundle(Bundle),
    /// Work on DBC files
    #[command(subcommand)]
    Dbc(Dbc),
    /// Make certificates, keys and configurations for a developer's machine
    Init(Init),
    /// Make, change, keep safe and look over keys
    #[command(subcommand)]
    Keys(Keys),
    /// Say how each stage of a running gateway or central stands. Ends with 1 if one is degraded or broken,
    /// with 2 if nobody could be asked
    Status(Status),
    /// Look for what keeps a gateway or central from working, and change nothing. Ends with 1 if something
    /// has to be mended, with 2 if a configuration cannot be read
    Doctor(Doctor),
    /// Look into the queue of a gateway, also while it runs
    #[command(subcommand)]
    Spool(Spool),
    /// Run a simulated vehicle on a bus until Ctrl-C, and say what it sent and heard
    Sim(Sim),
}

/// `vernport demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// Print the summary as JSON alone on standard output; progress goes to standard error
    #[arg(long)]
    pub json: bool,
    /// Keep everything running until Ctrl-C
    #[arg(long)]
    pub stay: bool,
    /// Use the bundles below this folder instead of the shipped ones
    #[arg(long, value_name = "DIR")]
    pub bundles: Option<PathBuf>,
}

/// `vernport replay`.
#[derive(Debug, Args)]
pub struct Replay {
    /// A log in candump's format
    pub file: PathBuf,
    /// Whose rules: a shipped bundle by name, or the folder of one
    #[arg(long, value_name = "NAME")]
    pub bundle: String,
    /// Who said what before: assets, orders, consents (TOML)
    #[arg(long, value_name = "FILE")]
    pub world: Option<PathBuf>,
    /// Which time frames bear: that of the replay, or that of the log
    #[arg(long, value_enum, default_value_t = ReplayTime::Now)]
    pub time: ReplayTime,
    /// Open a work order for the vehicle on the bus before the replay starts
    #[arg(long, value_enum)]
    pub order: Option<ReplayOrder>,
    /// Print the result as JSON alone on standard output
    #[arg(long)]
    pub json: bool,
}

/// Which time frames bear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReplayTime {
    /// That of the replay
    Now,
    /// That of the log
    File,
}

/// Whether an order is assumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReplayOrder {
    /// One is open for the vehicle on the bus
    Open,
}

/// `vernport decode`.
#[derive(Debug, Args)]
pub struct Decode {
    /// Captures, told by their content: candump (log or screen), Vector ASC and BLF, PEAK TRC,
    /// GVRET and generic CSV of SavvyCAN, CRTD, python-can CSV, BUSMASTER, Microchip, RP1210
    /// lines, or lines of milliseconds, id and bytes
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Read signals of the catalogue by this DBC file too, on every channel; may be given several
    /// times, the first file that has a message owns it
    #[arg(long, value_name = "FILE")]
    pub dbc: Vec<PathBuf>,
    /// Which signal of the DBC files is which of the catalogue (TOML); goes before the shipped rules
    #[arg(long, value_name = "FILE", requires = "dbc")]
    pub map: Option<PathBuf>,
    /// Print JSON alone on standard output (crates/cli/schema/decode-v1.json): one line for each
    /// file; with several files each has a member "file"
    #[arg(long)]
    pub json: bool,
}

/// `vernport unseal`.
#[derive(Debug, Args)]
pub struct Unseal {
    /// A file with one envelope, as central gives it out
    pub file: PathBuf,
    /// The recipient's private key: a file of 64 hexadecimal digits
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// The gateway's public key, to check the signature (64 hexadecimal digits)
    #[arg(long, value_name = "HEX")]
    pub signed_by: Option<String>,
}

/// `vernport bundle`.
#[derive(Debug, Subcommand)]
pub enum Bundle {
    /// Read bundles as a gateway would, and hold them against the clauses of their notices. Ends with 1
    /// for a finding that the bundle does not acknowledge, with 2 if a bundle cannot be used
    Check(BundleCheck),
    /// Write a bundle as people read it: Markdown, in English
    Render {
        /// A shipped bundle by name, or the folder of one
        #[arg(value_name = "NAME")]
        bundle: String,
    },
    /// Sign a bundle as its controller: writes bundle.sig beside bundle.toml. One that cannot be used is
    /// not signed
    Sign {
        /// Folder of the bundle
        folder: PathBuf,
        /// The controller's bundle key: a file of 64 hexadecimal digits that nobody else may read
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
    /// Make a signed bundle the active one of a folder. Ends with 1 if it permits what no newer notice
    /// tells of
    Activate(BundleActivate),
    /// Show which bundles were active when, and check that nobody changed that record
    History {
        /// The folder that bundles are activated into
        dir: PathBuf,
    },
    /// Say what a new bundle permits that an old one does not. Ends with 1 if it permits anything more,
    /// with 2 if one of them cannot be used
    Diff {
        /// A shipped bundle by name, or the folder of one
        old: String,
        /// The same for the new one
        new: String,
        /// Print the result as JSON alone on standard output
        #[arg(long)]
        json: bool,
    },
    /// Write a bundle for other systems, as JSON
    Export {
        /// A shipped bundle by name, or the folder of one
        #[arg(value_name = "NAME")]
        bundle: String,
        /// Which form
        #[arg(long, value_enum)]
        format: ExportFormat,
    },
    /// Run the trials of bundles (tests/*.toml): worlds, and what is expected of them. Ends with 1 if
    /// an expectation is not met, with 2 if a file cannot be read
    Test(BundleTest),
}

/// `vernport bundle check`.
#[derive(Debug, Args)]
pub struct BundleCheck {
    /// Folders of bundles
    #[arg(required = true, value_name = "FOLDER")]
    pub folders: Vec<PathBuf>,
    /// Print the result as JSON alone on standard output (crates/cli/schema/bundle-check-v1.json)
    #[arg(long)]
    pub json: bool,
    /// When: a day such as 2027-01-31, or a time (RFC 3339); now without it
    #[arg(long, value_name = "DATE")]
    pub at: Option<String>,
}

/// `vernport bundle activate`.
#[derive(Debug, Args)]
pub struct BundleActivate {
    /// Folder of the bundle: bundle.toml and bundle.sig
    pub folder: PathBuf,
    /// The folder that gateways and central are configured with
    #[arg(long, value_name = "DIR")]
    pub into: PathBuf,
    /// The controller's bundle key, public (64 hexadecimal digits)
    #[arg(long, value_name = "HEX")]
    pub signed_by: VerifyingKey,
}

/// `vernport bundle export --format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// Record of processing (GDPR Art. 30) in DPV 2.3, JSON-LD
    Dpv,
    /// Purpose list of COVESA VISS 3.0
    Viss,
}

/// `vernport bundle test`.
#[derive(Debug, Args)]
pub struct BundleTest {
    /// Folders of bundles
    #[arg(required = true, value_name = "FOLDER")]
    pub folders: Vec<PathBuf>,
    /// Print the result as JSON alone on standard output
    #[arg(long)]
    pub json: bool,
}

/// `vernport init`.
#[derive(Debug, Args)]
pub struct Init {
    /// Make everything for one developer's machine in this folder
    #[arg(long, value_name = "DIR")]
    pub dev: PathBuf,
    /// Use the bundles below this folder instead of the shipped ones
    #[arg(long, value_name = "DIR")]
    pub bundles: Option<PathBuf>,
}

/// `vernport sim`.
#[derive(Debug, Args)]
#[command(after_help = format!("Faults: {}", Fault::HELP))]
pub struct Sim {
    /// The vehicle
    #[arg(value_enum)]
    pub vehicle: SimVehicle,
    /// The bus: can:IFACE, as can:vcan0; or virtual:NAME, which is inside this process only and so
    /// of use with --listen
    #[arg(long, value_name = "BUS")]
    pub on: SourceUrl,
    /// Something that is wrong with it, as lost-every=10; may be given again
    #[arg(long = "fault", value_name = "FAULT")]
    pub faults: Vec<Fault>,
    /// Decides chance: the same seed gives the same losses and noise
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// End after so many seconds
    #[arg(long = "for", value_name = "SECONDS")]
    pub seconds: Option<u64>,
    /// Its identification number
    #[arg(long)]
    pub vin: Option<Vin>,
    /// Its distance at the start, in metres
    #[arg(long, value_name = "METRES")]
    pub odometer_m: Option<u64>,
    /// Its speed; it stands without it
    #[arg(long, value_name = "KM_PER_H")]
    pub speed_km_per_h: Option<u8>,
    /// Let a car or an electric car answer in CAN FD, and a car broadcast in it too
    #[arg(long)]
    pub fd: bool,
    /// Say at the end what a decoder on the same bus understood
    #[arg(long)]
    pub listen: bool,
}

/// Which vehicle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SimVehicle {
    /// A passenger car: OBD-II and UDS with 11 bits, raw broadcasts (config/dbc/sim-car.dbc)
    Car,
    /// A truck: SAE J1939, OBD-II
    Truck,
    /// A trailer: SAE J1939
    Trailer,
    /// An electric car: OBD-II and UDS with 29 bits; it says nothing unasked
    Ev,
}
