//! `vernport demo`: the same truck visits one station of each controller.
//!
//! Real parts over real sockets, all in this process and a temporary folder that
//! is gone afterwards: central, a broker for the fleet operators, at each station
//! a gateway, a virtual bus and a broker for its tools, and a subscriber outside.
//! Each number shown comes from the part that it is about: from the stations what
//! they released and withheld, from central what it keeps, from the subscriber
//! what it received.

mod report;
mod subscriber;
mod visit;

use crate::{
    args,
    dev::DevController,
    shipped,
    stage::{Setting, Stage},
};
use anyhow::Result;
use report::Report;
pub(crate) use report::{ROWS_HEAD, rows};
use std::sync::Arc;
use subscriber::Subscriber;
use vernport_gateway::SystemClock;
use vernport_status::output::{self, OutputError};

/// Prints progress: to standard output, or to standard error where that belongs to the JSON.
pub(crate) struct Progress {
    to_stderr: bool,
}

impl Progress {
    pub(crate) fn say(&self, text: &str) -> Result<(), OutputError> {
        if self.to_stderr {
            output::remark(text);
            return Ok(());
        }
        output::print(text)
    }
}

/// Runs the demo.
///
/// # Errors
/// If a bundle is broken, a part does not start or a state does not come.
pub async fn run(args: &args::Demo) -> Result<()> {
    let progress = Progress { to_stderr: args.json };
    let folder = tempfile::tempdir()?;
    let setting = Setting {
        bundles: shipped::bundles(args.bundles.as_deref())?,
        bus: "virtual:{name}".into(),
        file_time: false,
        clock: Arc::new(SystemClock),
        brokers: true,
    };
    progress.say("vernport demo: one truck, one station of each controller\n\n")?;
    let mut stage = Stage::set_up(folder.path(), setting).await?;
    let shown = show(args, &progress, &mut stage).await;
    // Also when nobody reads on: nothing may write any more when the folder goes.
    stage.stop().await;
    shown
}

async fn show(args: &args::Demo, progress: &Progress, stage: &mut Stage) -> Result<()> {
    progress.say("central serves, the fleet's broker listens, keys and certificates are new and in memory or a temporary folder")?;
    let controllers: Vec<DevController> = stage.dev.controller.clone();
    for controller in &controllers {
        stage.start_gateway(controller).await?;
    }
    let mut subscriber = Subscriber::start(stage, &controllers)?;
    subscriber.ready().await?;
    for controller in &controllers {
        visit::run(stage, controller, progress).await?;
    }
    let report = Report::gather(stage, &controllers, &mut subscriber).await?;
    if args.json {
        report.print_json()?;
    } else {
        report.print()?;
    }
    if args.stay {
        progress.say(&format!(
            "\nEverything keeps running; the set is in {}. Ctrl-C ends it and removes it.",
            stage.dev.dir.display()
        ))?;
        tokio::signal::ctrl_c().await?;
    }
    subscriber.stop().await;
    Ok(())
}
