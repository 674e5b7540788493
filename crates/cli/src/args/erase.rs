//! What can be typed about erasure, and after a restore.

use super::{Registrar, counter::word};
use clap::{Args, Subcommand};
use std::path::PathBuf;
use vernport_registry::{ErasureGround, Text};
use vernport_types::{
    AssetId, ControllerId, EntryHash, Identifier, IdentifierError, Plate, Slug, SubjectId, Vin,
};

/// `vernport erase`.
#[derive(Debug, Args)]
pub struct Erase {
    /// How to reach central
    #[command(flatten)]
    pub registrar: Registrar,
    /// Whom or what it is about
    #[command(flatten)]
    pub about: Erased,
    /// Only what was read for this purpose; for every one without it
    #[arg(long)]
    pub purpose: Option<Slug>,
    /// On what ground: no-longer-needed, consent-withdrawn, objection-upheld, unlawful or legal-duty
    #[arg(long, value_parser = word::<ErasureGround>)]
    pub ground: ErasureGround,
    /// The case it belongs to
    #[arg(long)]
    pub case: Text,
    /// Print the certificate as JSON alone on standard output
    #[arg(long)]
    pub json: bool,
}

/// Whom or what an erasure is about.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Erased {
    /// A person, by pseudonym
    #[arg(long)]
    pub subject: Option<SubjectId>,
    /// A vehicle, by its id
    #[arg(long)]
    pub asset: Option<AssetId>,
    /// A vehicle, by plate: country and number
    #[arg(long, num_args = 2, value_names = ["COUNTRY", "NUMBER"])]
    pub plate: Option<Vec<String>>,
    /// A vehicle, by VIN
    #[arg(long)]
    pub vin: Option<Vin>,
}

impl Erased {
    /// What identifies the vehicle, where it is named by what people call it.
    ///
    /// # Errors
    /// If the plate is none.
    pub fn identifier(&self) -> Result<Option<Identifier>, IdentifierError> {
        match (self.plate.as_deref(), self.vin) {
            (Some([country, number]), _) => {
                Plate::new(country, number).map(|plate| Some(Identifier::Plate(plate)))
            }
            (_, vin) => Ok(vin.map(Identifier::Vin)),
        }
    }
}

/// `vernport erasure`.
#[derive(Debug, Args)]
pub struct Erasure {
    /// How to reach central
    #[command(flatten)]
    pub registrar: Registrar,
    /// The entry that ordered it, as `vernport erase` printed it
    pub entry: EntryHash,
    /// Print the last certificate as JSON alone on standard output
    #[arg(long)]
    pub json: bool,
}

/// `vernport deletions`.
#[derive(Debug, Subcommand)]
pub enum Deletions {
    /// Say what this recipient has to delete
    List {
        /// How to reach central
        #[command(flatten)]
        recipient: RecipientAt,
    },
    /// Tell central that it was deleted
    Confirm {
        /// How to reach central
        #[command(flatten)]
        recipient: RecipientAt,
        /// The numbers of the orders, as `list` printed them
        #[arg(required = true)]
        orders: Vec<i64>,
    },
}

/// How to reach central as a recipient.
#[derive(Debug, Args)]
pub struct RecipientAt {
    /// Folder that `vernport init --dev` made: certificates and the address of central
    #[arg(long, value_name = "DIR", env = "VERNPORT_DEV")]
    pub dev: PathBuf,
    /// Of whose data: the name of a controller of that folder
    #[arg(long, value_name = "NAME")]
    pub controller: Slug,
    /// Which recipient
    #[arg(long, value_name = "NAME")]
    pub recipient: Slug,
}

/// `vernport registry`.
#[derive(Debug, Subcommand)]
pub enum Registry {
    /// Let a registry go on whose main database was restored from a backup
    ///
    /// Central must not run. What the ledger lost comes back out of the journals, what was erased is erased
    /// again, and a new era begins, signed with the controller's bundle key: only then do its gateways open
    /// anything again.
    Restored(Restored),
    /// Confirm central's clock by this machine's: central erases and deletes nothing after its clock went days
    /// ahead (or central was off for days)
    Clock {
        /// How to reach central
        #[command(flatten)]
        registrar: Registrar,
    },
}

/// `vernport registry restored`.
#[derive(Debug, Args)]
pub struct Restored {
    /// Central's configuration file
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Whose registry: its organisation number
    #[arg(long, value_name = "ID")]
    pub controller: ControllerId,
    /// The controller's bundle key: a file of 64 hexadecimal digits that nobody else may read
    #[arg(long, value_name = "FILE")]
    pub bundle_key: PathBuf,
    /// The master key, where central's is a credential, which is gone while central is stopped
    #[arg(long, value_name = "FILE")]
    pub master_key: Option<PathBuf>,
    /// Journals of further central processes that wrote to the same database, beside that of the configuration
    #[arg(long, value_name = "FILE")]
    pub journal: Vec<PathBuf>,
}
