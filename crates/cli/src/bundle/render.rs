//! `vernport bundle render`: a bundle as people read it, in Markdown.

use super::files::{named, or_invalid};
use crate::shipped;
use anyhow::Result;
use vernport_review::render::render;
use vernport_status::output;

pub(super) fn run(bundle: &str) -> Result<()> {
    let catalogue = shipped::catalogue();
    let usable = or_invalid(named(bundle, &catalogue))?;
    output::print(render(&usable.rules, &catalogue).trim_end())?;
    Ok(())
}
