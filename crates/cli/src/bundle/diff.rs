//! `vernport bundle diff`: what a new version permits that the old one did not.

use super::files::{Usable, named, or_invalid};
use crate::shipped;
use anyhow::{Result, bail};
use serde_json::json;
use vernport_policy::diff;
use vernport_status::output;

/// Ends with 0 if nothing is newly permitted, 1 if something is.
pub(super) fn run(old: &str, new: &str, as_json: bool) -> Result<()> {
    let catalogue = shipped::catalogue();
    let both = named(old, &catalogue).and_then(|old| Ok((old, named(new, &catalogue)?)));
    let (old, new) = or_invalid(both)?;
    let diff = diff(&old.rules, &new.rules, &catalogue);
    if as_json {
        let side = |side: &Usable| json!({ "file": side.file, "hash": hex::encode(side.rules.hash()) });
        let document = json!({
            "format": 1,
            "old": side(&old),
            "new": side(&new),
            "equal": diff.is_equal(),
            "widens": diff.widens(),
            "narrows": diff.narrows(),
            "changes": diff.changes(),
        });
        output::print(&serde_json::to_string_pretty(&document)?)?;
    } else {
        output::print(diff.to_string().trim_end())?;
    }
    let permitted = diff.permitted().count();
    if permitted > 0 {
        bail!("{} permits {permitted} things that {} does not", new.file, old.file);
    }
    Ok(())
}
