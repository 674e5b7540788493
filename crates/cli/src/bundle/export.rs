//! `vernport bundle export`: a bundle for other systems.

use super::files::{named, or_invalid};
use crate::{args::ExportFormat, shipped};
use anyhow::Result;
use vernport_review::export::{purpose_list, record_of_processing};
use vernport_status::output;

pub(super) fn run(bundle: &str, format: ExportFormat) -> Result<()> {
    let catalogue = shipped::catalogue();
    let usable = or_invalid(named(bundle, &catalogue))?;
    let document = match format {
        ExportFormat::Dpv => record_of_processing(&usable.rules, &catalogue),
        ExportFormat::Viss => {
            let list = purpose_list(&usable.rules, &catalogue);
            for left_out in &list.left_out {
                output::remark(&format!("left out: {left_out}"));
            }
            list.list
        }
    };
    output::print(&serde_json::to_string_pretty(&document)?)?;
    Ok(())
}
