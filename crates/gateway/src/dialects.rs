//! What each tool of the station speaks: the mappings that the configuration
//! names, read and held against the catalogue before anything runs.

use crate::config::Tool;
use std::{collections::BTreeMap, fs::File, io::Read as _, path::Path, path::PathBuf, sync::Arc};
use thiserror::Error;
use vernport_mqtt::{Dialect, Mapping, MappingError, ZoneError};
use vernport_types::{Catalogue, Slug};

/// Why a tool cannot be understood.
#[derive(Debug, Error)]
pub enum DialectError {
    /// A mapping cannot be read.
    #[error("{}: cannot be read; check the path, its owner, and that it is text", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A mapping that cannot work.
    #[error(transparent)]
    Mapping(#[from] MappingError),
    /// A time zone that is none.
    #[error("tool {tool}, time_zone")]
    Zone {
        /// Which tool.
        tool: Slug,
        /// What to write.
        source: ZoneError,
    },
}

/// What the configured tools speak, by name. Any other speaks our contract.
///
/// # Errors
/// [`DialectError`], with the file or the tool.
pub fn load(tools: &[Tool], catalogue: &Catalogue) -> Result<BTreeMap<Slug, Dialect>, DialectError> {
    let mut read: BTreeMap<&Path, Arc<Mapping>> = BTreeMap::new();
    let mut dialects = BTreeMap::new();
    for tool in tools {
        let mapping = match tool.mapping.as_deref() {
            None => None,
            Some(path) if read.contains_key(path) => read.get(path).cloned(),
            Some(path) => {
                let mapping = Arc::new(mapping(path, catalogue)?);
                read.insert(path, Arc::clone(&mapping));
                Some(mapping)
            }
        };
        let dialect = Dialect::new(mapping, tool.time_zone.as_deref());
        let dialect = dialect.map_err(|source| DialectError::Zone { tool: tool.name.clone(), source })?;
        dialects.insert(tool.name.clone(), dialect);
    }
    Ok(dialects)
}

/// One mapping, held against the catalogue.
///
/// # Errors
/// [`DialectError`], with the file.
pub fn mapping(path: &Path, catalogue: &Catalogue) -> Result<Mapping, DialectError> {
    let unread = |source| DialectError::Read { path: path.into(), source };
    let mut text = String::new();
    // One byte more than is read, so that a longer file is told from one that fits.
    let bound = Mapping::MAX_FILE_BYTES as u64 + 1;
    File::open(path).map_err(unread)?.take(bound).read_to_string(&mut text).map_err(unread)?;
    Ok(Mapping::from_toml(&path.display().to_string(), &text, catalogue)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tools(text: &str) -> Vec<Tool> {
        #[derive(serde::Deserialize)]
        struct Tools {
            tool: Vec<Tool>,
        }
        toml::from_str::<Tools>(text).expect("tools").tool
    }

    #[test]
    fn shipped_mappings_fit_the_shipped_catalogue_and_what_does_not_is_told() {
        let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config");
        let catalogue = crate::rules::load_catalogue(&config.join("signals")).expect("the shipped catalogue");
        let mut shipped = 0;
        for entry in std::fs::read_dir(config.join("tools")).expect("the shipped mappings") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|ending| ending == "toml") {
                mapping(&path, &catalogue).unwrap_or_else(|error| panic!("{error}"));
                shipped += 1;
            }
        }
        assert!(shipped >= 4, "{shipped}");
        let text = |mapping: &str, zone: &str| {
            let zone = format!("time_zone = \"{zone}\"");
            format!("[[tool]]\nname = \"a\"\nmapping = \"{mapping}\"\n[[tool]]\nname = \"b\"\n{zone}")
        };
        let openxc = config.join("tools/openxc.toml");
        let openxc = openxc.display().to_string();
        let dialects = load(&tools(&text(&openxc, "Europe/Oslo")), &catalogue).expect("two tools");
        assert_eq!(dialects.len(), 2);
        let told = |text: &str| load(&tools(text), &catalogue).map(|_| ()).expect_err(text).to_string();
        assert!(told(&text("nowhere.toml", "Europe/Oslo")).starts_with("nowhere.toml: cannot be read"));
        assert!(told(&text(&openxc, "Oslo")).starts_with("tool b"));
        let none =
            load(&tools(&text(&openxc, "Europe/Oslo")), &Catalogue::default()).expect_err("no signals");
        assert!(none.to_string().contains("line"), "{none}");
    }
}
