//! House rules that no compiler knows: floors, file headers, lengths, words,
//! what may lie at the top.

mod files;
mod floors;

use crate::{metadata::Metadata, workspace::Workspace};
use anyhow::{Result, bail};

/// Checks all rules; one error that names all findings.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let metadata = Metadata::read(workspace)?;
    let members: Vec<_> = metadata.members().collect();
    let mut findings = floors::findings(&members);
    let files = workspace.files()?;
    findings.extend(files::top_level(&files));
    for file in &files {
        // What is not text has no words.
        if let Ok(text) = workspace.read(file) {
            findings.extend(files::findings(file, &text));
        }
    }
    if !findings.is_empty() {
        bail!("{} findings:\n  {}", findings.len(), findings.join("\n  "));
    }
    println!("tidy: {} crates on their floors, {} files in order", members.len(), files.len());
    Ok(())
}
