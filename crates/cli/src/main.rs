//! The `vernport` command: parses what was typed, sets up the log, runs it.

use clap::Parser as _;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;
use vernport::args::Cli;
use vernport_status::output::{self, OutputError};

#[tokio::main]
async fn main() -> ExitCode {
    // A person at a terminal reads the output of the command; the log is there when asked for.
    let filter = EnvFilter::try_from_env("VERNPORT_LOG").unwrap_or_else(|_| EnvFilter::new("off"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match vernport::run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read has seen enough.
        Err(error) if matches!(error.downcast_ref(), Some(OutputError::Closed)) => ExitCode::SUCCESS,
        Err(error) => {
            output::remark(&format!("vernport: {error:#}"));
            // What could not be read is told apart from what is wrong in it.
            let unread = error.is::<vernport::dbc::Unreadable>()
                || error.is::<vernport::bundle::Invalid>()
                || error.is::<vernport::audit::Unreadable>()
                || error.is::<vernport::ledger::Unread>()
                || error.is::<vernport::link::Unusable>()
                || error.is::<vernport::status::Unasked>();
            if unread { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}
