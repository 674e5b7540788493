//! What can be typed at the counter: orders, consents, the ledger.

use super::{LedgerEvents, LedgerFind, LedgerImport};
use clap::{Args, Subcommand};
use std::path::PathBuf;
use vernport_registry::{Method, ReceiptCode, Role, Text, VoidReason};
use vernport_types::{EntryHash, FleetNumber, Identifier, IdentifierError, Plate, Slug, SubjectId, Vin};

/// How to reach central as the workshop's own system.
#[derive(Debug, Args)]
pub struct Registrar {
    /// Folder that `vernport init --dev` made: certificates and the address of central
    #[arg(long, value_name = "DIR", env = "VERNPORT_DEV")]
    pub dev: PathBuf,
    /// Whose registry: the name of a controller of that folder
    #[arg(long, value_name = "NAME")]
    pub controller: Slug,
}

/// `vernport order`.
#[derive(Debug, Subcommand)]
pub enum Order {
    /// Hand-in: open a work order
    Open {
        /// How to reach central
        #[command(flatten)]
        registrar: Registrar,
        /// Which vehicle is handed in
        #[command(flatten)]
        vehicle: Vehicle,
        /// The station where it is handed in
        #[arg(long)]
        station: Slug,
        /// When the order ends by itself, in hours
        #[arg(long, default_value_t = 72)]
        hours: u32,
        /// The workshop's own number for the order
        #[arg(long)]
        reference: String,
    },
    /// Hand-back: close a work order
    Close {
        /// How to reach central
        #[command(flatten)]
        registrar: Registrar,
        /// The order, as `open` printed it
        order: vernport_types::OrderId,
    },
}

/// `vernport fleet-number`.
#[derive(Debug, Args)]
pub struct Called {
    /// How to reach central
    #[command(flatten)]
    pub registrar: Registrar,
    /// Which vehicle
    #[command(flatten)]
    pub vehicle: Vehicle,
    /// Which fleet operator calls it so
    #[arg(long)]
    pub operator: Slug,
    /// The operator's own number of it, at most 40 bytes
    #[arg(required_unless_present = "none")]
    pub number: Option<FleetNumber>,
    /// It is called nothing any more
    #[arg(long, conflicts_with = "number")]
    pub none: bool,
}

/// A vehicle, as the counter knows it.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Vehicle {
    /// The vehicle, by plate: country and number
    #[arg(long, num_args = 2, value_names = ["COUNTRY", "NUMBER"])]
    pub plate: Option<Vec<String>>,
    /// The vehicle, by VIN
    #[arg(long)]
    pub vin: Option<Vin>,
}

impl Vehicle {
    /// What identifies it.
    ///
    /// # Errors
    /// If the plate is none.
    pub fn identifier(&self) -> Result<Identifier, IdentifierError> {
        match (self.plate.as_deref(), self.vin) {
            (Some([country, number]), _) => Plate::new(country, number).map(Identifier::Plate),
            (_, Some(vin)) => Ok(Identifier::Vin(vin)),
            _ => unreachable!("one of the two, a plate in two parts, is required"),
        }
    }
}

/// What a consent is looked up by.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Consented {
    /// The code on the person's receipt, as 7K4M-9QRT-2XAC
    #[arg(long, value_name = "CODE")]
    pub receipt: Option<ReceiptCode>,
    /// All consents for a vehicle, by its plate
    #[arg(long, num_args = 2, value_names = ["COUNTRY", "NUMBER"])]
    pub plate: Option<Vec<String>>,
}

/// `vernport consent`.
#[derive(Debug, Subcommand)]
pub enum Consent {
    /// Record that a person consented with a form of the bundle, and print the receipt
    Give {
        /// How to reach central
        #[command(flatten)]
        registrar: Registrar,
        /// Which vehicle it is about
        #[command(flatten)]
        vehicle: Vehicle,
        /// The form of the bundle
        #[arg(long)]
        form: Slug,
        /// The language in which it was shown, as da
        #[arg(long)]
        language: Slug,
        /// In which role: owner, driver, deliverer or orderer
        #[arg(long, value_parser = word::<Role>)]
        role: Role,
        /// Who, by pseudonym; left out: whoever has the role, or somebody new
        #[arg(long)]
        subject: Option<SubjectId>,
        /// That it is somebody else than those who have the role already
        #[arg(long, conflicts_with = "subject")]
        new: bool,
        /// How: paper, screen, web, app, message, spoken or station
        #[arg(long, value_parser = word::<Method>)]
        method: Method,
        /// Who wrote it down: a staff pseudonym
        #[arg(long, value_name = "NAME")]
        recorded_by: Slug,
        /// Where the signed form or the recording lies
        #[arg(long)]
        evidence: Option<Text>,
    },
    /// Withdraw: the code is all it takes. Prints where it took effect, and what goes on
    Withdraw {
        /// How to reach central
        #[command(flatten)]
        registrar: Registrar,
        /// What is withdrawn
        #[command(flatten)]
        consented: Consented,
        /// How it was said
        #[arg(long, value_parser = word::<Method>, default_value = "spoken")]
        method: Method,
        /// Who wrote it down: a staff pseudonym; nobody if the person did it without staff
        #[arg(long, value_name = "NAME")]
        recorded_by: Option<Slug>,
    },
    /// Say which consents stand
    Show {
        /// How to reach central
        #[command(flatten)]
        registrar: Registrar,
        /// Which
        #[command(flatten)]
        consented: Consented,
    },
}

/// One word out of a closed list, as the ledger writes it.
pub(super) fn word<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(text.into()).map_err(|error| error.to_string())
}

/// `vernport ledger`.
#[derive(Debug, Subcommand)]
pub enum Ledger {
    /// Record what a world file tells (assets, people, notices, orders, consents), and activate the
    /// keys of the set's recipients
    Record {
        /// How to reach central
        #[command(flatten)]
        registrar: Registrar,
        /// Who said what (TOML)
        #[arg(long, value_name = "FILE")]
        world: PathBuf,
    },
    /// Mark an entry as a mistake: what it opened never had a basis, and batches that rest on it are
    /// destroyed
    Void {
        /// How to reach central
        #[command(flatten)]
        registrar: Registrar,
        /// The entry, as the command that recorded it printed it
        entry: EntryHash,
        /// What was wrong: wrong-asset, wrong-subject or mistake
        #[arg(long, value_parser = word::<VoidReason>)]
        reason: VoidReason,
    },
    /// Record many entries out of a file, one a line, and say what became of each. Ends with 1 if a line
    /// was refused, with 2 if the file cannot be read
    Import(LedgerImport),
    /// Print what is recorded, one entry a line as JSON, and on the last line where it ended
    Events(LedgerEvents),
    /// Say what became of an entry, by the reference that it was recorded with
    Find(LedgerFind),
}
