//! Bundles in their folders: read with their bases, written whole or not at all.

use super::Invalid;
use crate::shipped;
use anyhow::{Context as _, Result};
use std::{
    fs::{self, File},
    io::Write as _,
    path::Path,
};
use vernport_policy::Rules;
use vernport_status::output;
use vernport_types::{Catalogue, Slug};

/// A bundle that can be used.
pub(super) struct Usable {
    /// The name of its file.
    pub(super) file: String,
    /// Its own text, without its bases.
    pub(super) text: String,
    /// What it extends: name and text of each.
    pub(super) bases: Vec<(Slug, String)>,
    /// Its rules.
    pub(super) rules: Rules,
}

/// Reads and compiles the bundle in a folder.
pub(super) fn in_folder(folder: &Path, catalogue: &Catalogue) -> Result<Usable> {
    usable(shipped::read_bundle(folder)?, catalogue)
}

/// The same for a shipped bundle by its name, or a folder.
pub(super) fn named(name: &str, catalogue: &Catalogue) -> Result<Usable> {
    if Path::new(name).is_dir() {
        return in_folder(Path::new(name), catalogue);
    }
    usable(shipped::bundle_text(name)?, catalogue)
}

fn usable((file, text): (String, String), catalogue: &Catalogue) -> Result<Usable> {
    let bundle = shipped::load(&file, &text)?;
    let bases = bundle.bases().into_iter().map(|(name, text)| (name.clone(), text.to_owned())).collect();
    Ok(Usable { rules: Rules::compile(&bundle, catalogue)?, file, text, bases })
}

/// Says why a bundle cannot be used, and ends the command with 2.
pub(super) fn or_invalid<T>(read: Result<T>) -> Result<T> {
    read.map_err(|error| {
        output::remark(&format!("{error:#}"));
        Invalid::ONE.into()
    })
}

/// Puts a file in its place whole or not at all.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let broken = || format!("{}: cannot be written", path.display());
    let mut file = tempfile::NamedTempFile::new_in(folder).with_context(broken)?;
    file.write_all(bytes).with_context(broken)?;
    // Rules are no secret, and the daemon that reads them runs as another user.
    let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    fs::set_permissions(file.path(), readable).with_context(broken)?;
    file.as_file().sync_all().with_context(broken)?;
    file.persist(path).with_context(broken)?;
    sync_folder(folder)
}

/// Makes what was put into a folder last.
pub(super) fn sync_folder(folder: &Path) -> Result<()> {
    let broken = || format!("{}: cannot be written", folder.display());
    File::open(folder).and_then(|folder| folder.sync_all()).with_context(broken)
}
