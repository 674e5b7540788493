//! What can be typed after `vernport gateway`.

use super::Registrar;
use clap::{Args, Subcommand};
use std::path::PathBuf;
use vernport_registry::Text;
use vernport_types::Slug;

/// `vernport gateway`.
#[derive(Debug, Subcommand)]
pub enum Gateway {
    /// Invite a gateway: prints a token with which it enrols, once
    Invite(GatewayInvite),
    /// Say which gateways there are, until when their certificates last, and who is invited
    List {
        /// How to reach central
        #[command(flatten)]
        registrar: Registrar,
        /// Print the result as JSON alone on standard output
        #[arg(long)]
        json: bool,
    },
    /// End the enrolment of a gateway: it hears at once that nothing is open, delivers what waits, and is
    /// not issued another certificate
    Revoke(GatewayRevoke),
}

/// `vernport gateway invite`.
#[derive(Debug, Args)]
pub struct GatewayInvite {
    /// How to reach central
    #[command(flatten)]
    pub registrar: Registrar,
    /// What the gateway is called
    #[arg(long)]
    pub name: Slug,
    /// The site where it will stand
    #[arg(long)]
    pub site: Slug,
    /// The station at the site
    #[arg(long)]
    pub station: Slug,
    /// How long the token works, in hours: 1 to 168
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u16).range(1..=168))]
    pub valid_h: u16,
    /// It may take the place of a gateway that is enrolled under this name
    #[arg(long)]
    pub replace: bool,
    /// Write the token into this new file, which only its owner reads, instead of printing it
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

/// `vernport gateway revoke`.
#[derive(Debug, Args)]
pub struct GatewayRevoke {
    /// How to reach central
    #[command(flatten)]
    pub registrar: Registrar,
    /// Which gateway
    #[arg(long)]
    pub name: Slug,
    /// It is in wrong hands, or its key may be: nothing is taken from it any more, also not what waits there
    #[arg(long)]
    pub stolen: bool,
    /// Why, as a short text or a case number; stands in the ledger as the reference of the entry. No names
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<Text>,
}
