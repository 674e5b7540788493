//! `vernport bundle render`: a bundle as people read it, in Markdown.

use super::{
    files::{named, or_invalid},
    print,
};
use crate::shipped;
use anyhow::Result;
use vernport_review::render::render;

pub(super) fn run(bundle: &str) -> Result<()> {
    let catalogue = shipped::catalogue();
    let usable = or_invalid(named(bundle, &catalogue))?;
    print(render(&usable.rules, &catalogue).trim_end());
    Ok(())
}
