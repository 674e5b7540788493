//! What can be typed after `vernport dbc`.

use clap::Subcommand;
use std::path::PathBuf;

/// `vernport dbc`.
#[derive(Debug, Subcommand)]
pub enum Dbc {
    /// Say what is wrong in DBC files, and which of their signals are read as which of the catalogue.
    /// Ends with 1 if a signal is lost by an error, with 2 if a file cannot be read
    Check {
        /// DBC files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Rules that come before the shipped ones (see config/dbc/README.md)
        #[arg(long, value_name = "FILE")]
        map: Option<PathBuf>,
        /// Print the result as JSON alone on standard output
        #[arg(long)]
        json: bool,
    },
}
