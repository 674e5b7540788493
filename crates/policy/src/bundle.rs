//! The bundle as it stands in its file: TOML with spans, nothing checked but its shape.
//!
//! `config/bundles/README.md` teaches the format. Unknown keys are refused; a
//! bundle of another format, or one that asks for what this version lacks,
//! is refused before anything else is looked at.

mod parameters;
mod raw;

use crate::BundleError;
use parameters::{Fault, Use};
pub(crate) use raw::*;
use serde::Deserialize;
use std::ops::Range;
use toml::{
    Spanned,
    de::{DeTable, Deserializer},
};
use vernport_crypto::sha256;
use vernport_types::ControllerId;

/// The format that this version reads.
const FORMAT: u32 = 1;
/// The longest bundle file, in bytes.
const MAX_BYTES: usize = 1 << 20;

/// A bundle whose shape is right. [`crate::Rules::compile`] checks what it says.
#[derive(Debug, Clone)]
pub struct Bundle {
    file: Box<str>,
    text: Box<str>,
    pub(crate) raw: Raw,
    pub(crate) uses: Vec<Use>,
}

impl Bundle {
    /// Reads a bundle. `file` is only named in errors.
    ///
    /// # Errors
    /// [`BundleError`] with line, column and remedy for anything but a bundle of format 1.
    pub fn from_toml(file: &str, text: &str) -> Result<Self, BundleError> {
        let at =
            |span: &Range<usize>, what: String, remedy: &str| BundleError::at(file, text, span, what, remedy);
        let fault = |error: toml::de::Error| {
            let what = error.message().replace('\n', ", ");
            at(&error.span().unwrap_or(0..0), what, "config/bundles/README.md shows the format")
        };
        if text.len() > MAX_BYTES {
            let what = format!("{} bytes are too many for a bundle", text.len());
            return Err(at(&(0..0), what, "keep it below 1 MiB"));
        }
        let mut root = DeTable::parse(text).map_err(fault)?;
        let opening = Opening::deserialize(Deserializer::from(root.clone())).map_err(fault)?;
        if *opening.format.get_ref() != FORMAT {
            return Err(at(
                &opening.format.span(),
                format!("format {} is not known here", opening.format.get_ref()),
                "this version reads format 1; update vernport, or write the bundle in format 1",
            ));
        }
        if let Some(needed) = opening.requires.first() {
            return Err(at(
                &needed.span(),
                format!("the bundle requires `{}`, which this version does not have", needed.get_ref()),
                "update vernport, or take out the rules that need it",
            ));
        }
        if let Some(base) = opening.extends {
            return Err(at(
                &base.span(),
                "`extends` is not supported yet".to_owned(),
                "copy the rules of the base into this bundle",
            ));
        }
        let parameter = |(span, what, remedy): Fault| at(&span, what, remedy);
        let values = parameters::values(root.get_ref()).map_err(parameter)?;
        let uses = parameters::put(root.get_mut(), &values).map_err(parameter)?;
        let raw = Raw::deserialize(Deserializer::from(root)).map_err(fault)?;
        Ok(Self { file: file.into(), text: text.into(), raw, uses })
    }

    /// The controller whose rules these are.
    pub fn controller(&self) -> &ControllerId {
        self.raw.controller.id.get_ref()
    }

    /// SHA-256 of the file's bytes: what is signed, and what grants and batches name.
    pub fn hash(&self) -> [u8; 32] {
        sha256(self.text.as_bytes())
    }

    /// The file and the line of a place.
    pub(crate) fn place(&self, span: &Range<usize>) -> (&str, usize) {
        let start = self.text.floor_char_boundary(span.start);
        (&self.file, self.text[..start].matches('\n').count() + 1)
    }

    /// A finding at a place of this bundle.
    pub(crate) fn fault(
        &self,
        span: &Range<usize>,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> BundleError {
        BundleError::at(&self.file, &self.text, span, what, remedy)
    }
}

/// What is read before anything else, whatever else stands there.
#[derive(Deserialize)]
struct Opening {
    format: Spanned<u32>,
    #[serde(default)]
    requires: Vec<Spanned<String>>,
    extends: Option<Spanned<toml::Value>>,
}
