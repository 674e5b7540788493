//! The bundles and the signal catalogue that come with the program, so that
//! `vernport demo` and `vernport init` need no files beside it.

use anyhow::{Context as _, Result, bail};
use std::path::Path;
use vernport_policy::{Bundle, BundleError, BundleFile};
use vernport_types::{Catalogue, Slug};

/// The catalogue's files: name and text.
pub const SIGNALS: &[(&str, &str)] =
    &[("vehicle.toml", include_str!("../../../config/signals/vehicle.toml"))];

/// The bundles: name and text of `bundle.toml`.
pub const BUNDLES: &[(&str, &str)] = &[
    ("cars-software", include_str!("../../../config/bundles/cars-software/bundle.toml")),
    ("westrum", include_str!("../../../config/bundles/westrum/bundle.toml")),
    ("car-special", include_str!("../../../config/bundles/car-special/bundle.toml")),
    ("example-fleet", include_str!("../../../config/bundles/example-fleet/bundle.toml")),
];

/// The shipped catalogue.
///
/// # Panics
/// Never: a test reads it.
pub fn catalogue() -> Catalogue {
    Catalogue::from_toml(SIGNALS.iter().copied()).expect("the shipped catalogue is tested")
}

/// The text of a bundle: of a shipped one by its name, else of the one in a folder.
///
/// # Errors
/// If it is neither.
pub fn bundle_text(name: &str) -> Result<(String, String)> {
    if let Some((_, text)) = BUNDLES.iter().find(|(known, _)| *known == name) {
        return Ok((format!("{name}/bundle.toml"), (*text).to_owned()));
    }
    let folder = Path::new(name);
    if !folder.is_dir() {
        let known: Vec<&str> = BUNDLES.iter().map(|(name, _)| *name).collect();
        bail!("'{name}' is neither a shipped bundle ({}) nor a folder with a bundle.toml", known.join(", "));
    }
    read_bundle(folder)
}

/// The name of the file and the text of the bundle in a folder.
///
/// # Errors
/// If there is none that can be read.
pub fn read_bundle(folder: &Path) -> Result<(String, String)> {
    let file = folder.join("bundle.toml");
    let text = std::fs::read_to_string(&file)
        .with_context(|| format!("{}: cannot be read; name the folder of a bundle", file.display()))?;
    Ok((file.display().to_string(), text))
}

/// A bundle with what it extends: in its own folder, beside it, or among the shipped ones.
///
/// # Errors
/// If it or a base is broken, or a base is nowhere.
pub fn load(file: &str, text: &str) -> Result<Bundle, BundleError> {
    let folder = Path::new(file).parent().unwrap_or(Path::new(""));
    let mut base = |name: &Slug| match vernport_gateway::rules::read_base(folder, name) {
        Ok(found) => Ok(found),
        Err(error) => match BUNDLES.iter().find(|(known, _)| *known == name.as_str()) {
            Some((known, text)) => {
                Ok(BundleFile { file: format!("{known}/bundle.toml"), text: (*text).to_owned() })
            }
            None => Err(error.into()),
        },
    };
    Bundle::load(file, text, &mut base)
}

/// All bundles: the shipped ones, or those in the folders below `dir`, by name.
///
/// # Errors
/// If a folder below `dir` cannot be read, or there is none.
pub fn bundles(dir: Option<&Path>) -> Result<Vec<(String, String)>> {
    let Some(dir) = dir else {
        return Ok(BUNDLES.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect());
    };
    let entries = std::fs::read_dir(dir).with_context(|| format!("{}: cannot be listed", dir.display()))?;
    let mut found = Vec::new();
    for entry in entries {
        let folder = entry.with_context(|| format!("{}: cannot be listed", dir.display()))?.path();
        if folder.join("bundle.toml").is_file() {
            let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            found.push((name, read_bundle(&folder)?.1));
        }
    }
    found.sort();
    if found.is_empty() {
        bail!("{}: no folder with a bundle.toml below it", dir.display());
    }
    Ok(found)
}
