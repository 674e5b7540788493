//! The controller's rules as a gateway takes them: signed, checked, compiled.
//!
//! A gateway runs no bundle that is not signed by the controller's own key; a
//! missing signature is refused like a wrong one.

use crate::config::RulesFiles;
use std::path::{Path, PathBuf};
use thiserror::Error;
use vernport_policy::{Bundle, BundleError, BundleFile, Rules, SignatureError, verify_bundle};
use vernport_types::{Catalogue, CatalogueError, ControllerId, Slug};

/// Why there are no rules to run.
#[derive(Debug, Error)]
pub enum RulesError {
    /// A file cannot be read.
    #[error("{}: cannot be read; check the path", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The bundle is not signed by the controller.
    #[error("{}", path.display())]
    Signature {
        /// Which file.
        path: PathBuf,
        /// What the check said, and how to mend it.
        source: SignatureError,
    },
    /// A broken catalogue.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// A broken bundle.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The rules of somebody else.
    #[error("{}: is of controller {found}, the gateway works for {expected}", path.display())]
    Controller {
        /// Which file.
        path: PathBuf,
        /// Of the bundle.
        found: ControllerId,
        /// Of the configuration.
        expected: ControllerId,
    },
}

/// Reads all `*.toml` of a folder as the signal catalogue.
///
/// # Errors
/// [`RulesError::Read`] and [`RulesError::Catalogue`].
pub fn load_catalogue(folder: &Path) -> Result<Catalogue, RulesError> {
    let unread = |source| RulesError::Read { path: folder.into(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unread)? {
        let path = entry.map_err(unread)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            files.push((path.display().to_string(), read(&path)?));
        }
    }
    Ok(Catalogue::from_toml(files.iter().map(|(name, text)| (name.as_str(), text.as_str())))?)
}

/// Reads, verifies and compiles the bundle of `controller`.
///
/// # Errors
/// [`RulesError`], with file and remedy.
pub fn load(
    files: &RulesFiles,
    controller: &ControllerId,
    catalogue: &Catalogue,
) -> Result<Rules, RulesError> {
    let path = files.bundle.join("bundle.toml");
    let text = read(&path)?;
    let signature_path = files.bundle.join("bundle.sig");
    verify_bundle(&files.bundle_key, &text, if_there(read(&signature_path))?.as_deref())
        .map_err(|source| RulesError::Signature { path: signature_path, source })?;
    let mut base = |name: &Slug| read_base(&files.bundle, name).map_err(Into::into);
    let rules = Rules::compile(&Bundle::load(&path.display().to_string(), &text, &mut base)?, catalogue)?;
    if rules.controller() != controller {
        let (found, expected) = (rules.controller().clone(), controller.clone());
        return Err(RulesError::Controller { path, found, expected });
    }
    Ok(rules)
}

/// The base of a bundle: a file of its name in the bundle's folder, or a folder of its name beside it.
/// It needs no signature of its own: the bundle names its hash.
///
/// # Errors
/// [`RulesError::Read`], for the folder beside it, if neither is there.
pub fn read_base(folder: &Path, name: &Slug) -> Result<BundleFile, RulesError> {
    let inside = folder.join(format!("{name}.toml"));
    let beside = folder.join("..").join(name.as_str()).join("bundle.toml");
    let path = if inside.is_file() { inside } else { beside };
    Ok(BundleFile { file: path.display().to_string(), text: read(&path)? })
}

fn read(path: &Path) -> Result<String, RulesError> {
    std::fs::read_to_string(path).map_err(|source| RulesError::Read { path: path.into(), source })
}

/// What was read; none if there is no such file.
fn if_there(read: Result<String, RulesError>) -> Result<Option<String>, RulesError> {
    match read {
        Err(RulesError::Read { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
        read => read.map(Some),
    }
}
