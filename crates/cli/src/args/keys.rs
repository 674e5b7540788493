//! What can be typed after `vernport keys`.

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;
use vernport_crypto::WrappingKey;
use vernport_types::Slug;

/// `vernport keys`.
#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Make key files, closed to others, and never over one that is there. Prints public halves alone
    New(KeysNew),
    /// Put a new key in the place of one, and say what has to follow
    #[command(subcommand)]
    Rotate(KeysRotate),
    /// Write key files into one encrypted file
    Backup(KeysBackup),
    /// Write the key files of a backup; never over one that is there
    Restore(KeysRestore),
    /// Look over every key that configurations name: form, mode, owner, age, and whether they fit
    /// together. Ends with 1 if something has to be mended
    Check(KeysCheck),
}

/// `vernport keys new`.
#[derive(Debug, Args)]
pub struct KeysNew {
    /// Whose keys
    #[arg(value_enum)]
    pub of: KeysOf,
    /// The folder that they are written into; made if missing
    #[arg(long, value_name = "DIR")]
    pub into: PathBuf,
    /// For a gateway: the controller's identity key, which is copied
    #[arg(long, value_name = "FILE")]
    pub identity: Option<PathBuf>,
    /// For a recipient: its name in the bundle
    #[arg(long, value_name = "NAME", required_if_eq("of", "recipient"))]
    pub recipient: Option<Slug>,
    /// For a recipient: the purpose that the key opens, in the bundle
    #[arg(long, value_name = "NAME", required_if_eq("of", "recipient"))]
    pub purpose: Option<Slug>,
}

/// Whose keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KeysOf {
    /// device.key, storage.key, and a copy of identity.key
    Gateway,
    /// head.key, master.key
    Central,
    /// bundle.key, identity.key, recovery.key
    Controller,
    /// RECIPIENT.PURPOSE.key
    Recipient,
    /// ca.pem, ca.key: with which central issues certificates to gateways
    Authority,
}

/// `vernport keys rotate`.
#[derive(Debug, Subcommand)]
pub enum KeysRotate {
    /// The key with which a gateway signs
    Device {
        /// The gateway's configuration
        #[arg(long, value_name = "FILE")]
        gateway: PathBuf,
        /// Central's configuration: the new public half is written into it
        #[arg(long, value_name = "FILE")]
        central: Option<PathBuf>,
    },
    /// The key under which messages for fleet topics wait
    Storage {
        /// The gateway's configuration
        #[arg(long, value_name = "FILE")]
        gateway: PathBuf,
        /// Take the key before away, once nothing waits under it; the gateway must be stopped
        #[arg(long)]
        finish: bool,
    },
    /// The key with which a recipient opens one purpose
    Recipient(RotateRecipient),
    /// The key that links identifiers to assets: is refused, and says why
    Identity,
    /// The key under which central's erasure keys, ledger and journal are sealed; central must be stopped
    Master {
        /// Central's configuration
        #[arg(long, value_name = "FILE")]
        central: PathBuf,
        /// The master key, where central's is a credential, which is gone while central is stopped. Keep the file
        /// on a disk until the new key is encrypted
        #[arg(long, value_name = "FILE")]
        master_key: Option<PathBuf>,
        /// The journal of another central on the same databases
        #[arg(long, value_name = "FILE")]
        journal: Vec<PathBuf>,
    },
    /// The key with which a controller signs its rules; signs them anew
    Bundle {
        /// The bundle key
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// Folder of the bundle
        #[arg(long, value_name = "DIR")]
        bundle: PathBuf,
        /// A configuration of a gateway or of central: the new public half is written into it
        #[arg(long, value_name = "FILE")]
        config: Vec<PathBuf>,
    },
}

/// `vernport keys rotate recipient`.
#[derive(Debug, Args)]
pub struct RotateRecipient {
    /// The key file; the old key stays beside it under its key id
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// The recipient's name in the bundle
    #[arg(long, value_name = "NAME")]
    pub recipient: Slug,
    /// The purpose that the key opens, in the bundle
    #[arg(long, value_name = "NAME")]
    pub purpose: Slug,
    /// Revoke the old key, too: central then gives nothing out to it any more
    #[arg(long)]
    pub revoke: bool,
    /// Record it at the central of this developer's set
    #[arg(long, value_name = "DIR", requires = "controller")]
    pub dev: Option<PathBuf>,
    /// The controller, by its name in the set
    #[arg(long, value_name = "NAME", requires = "dev")]
    pub controller: Option<Slug>,
}

/// `vernport keys backup`.
#[derive(Debug, Args)]
pub struct KeysBackup {
    /// Key files, or folders: of those all that end in .key, .before or .key.new, and a ca.pem beside ca.key
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// The backup; must not be there yet
    #[arg(long, value_name = "FILE")]
    pub to: PathBuf,
    /// Opens with the secret half of this key, such as the controller's recovery key (64 hexadecimal digits)
    #[arg(long, value_name = "HEX", required_unless_present = "passphrase_file")]
    pub recovery_key: Option<WrappingKey>,
    /// Opens with the passphrase in this file; `-` reads it from standard input
    #[arg(long, value_name = "FILE", conflicts_with = "recovery_key")]
    pub passphrase_file: Option<PathBuf>,
}

/// `vernport keys restore`.
#[derive(Debug, Args)]
pub struct KeysRestore {
    /// The backup
    pub backup: PathBuf,
    /// The folder that the keys are written into; made if missing
    #[arg(long, value_name = "DIR")]
    pub into: PathBuf,
    /// The secret half of the recovery key: a file of 64 hexadecimal digits
    #[arg(long, value_name = "FILE", required_unless_present = "passphrase_file")]
    pub key: Option<PathBuf>,
    /// The file with the passphrase; `-` reads it from standard input
    #[arg(long, value_name = "FILE", conflicts_with = "key")]
    pub passphrase_file: Option<PathBuf>,
}

/// `vernport keys check`.
#[derive(Debug, Args)]
pub struct KeysCheck {
    /// A gateway's configuration; may be given several times
    #[arg(long, value_name = "FILE", required_unless_present = "central")]
    pub gateway: Vec<PathBuf>,
    /// Central's configuration: then it is said whether both sides fit together, too
    #[arg(long, value_name = "FILE")]
    pub central: Option<PathBuf>,
    /// Print the result as JSON alone on standard output
    #[arg(long)]
    pub json: bool,
}
