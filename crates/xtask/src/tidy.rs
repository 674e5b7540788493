//! House rules that no compiler knows: floors, file headers, lengths, words,
//! what may lie at the top, and that tests which a document names are there.

mod files;
mod floors;
mod named;

use crate::{metadata::Metadata, workspace::Workspace};
use anyhow::{Result, bail};

/// Checks all rules; one error that names all findings.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let metadata = Metadata::read(workspace)?;
    let members: Vec<_> = metadata.members().collect();
    let mut findings = floors::findings(&members);
    let files = workspace.files()?;
    findings.extend(files::top_level(&files));
    // What is not text has no words.
    let texts = files.iter().filter_map(|file| Some((file.as_str(), workspace.read(file).ok()?)));
    let texts: Vec<(&str, String)> = texts.collect();
    let texts: Vec<(&str, &str)> = texts.iter().map(|(file, text)| (*file, text.as_str())).collect();
    for (file, text) in &texts {
        findings.extend(files::findings(file, text));
    }
    findings.extend(named::findings(&texts));
    if !findings.is_empty() {
        bail!("{} findings:\n  {}", findings.len(), findings.join("\n  "));
    }
    println!("tidy: {} crates on their floors, {} files in order", members.len(), files.len());
    Ok(())
}
