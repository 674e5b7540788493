//! The bundle as it stands in its files: TOML with spans, nothing checked but its shape.
//!
//! `config/bundles/README.md` teaches the format. Unknown keys are refused; a
//! bundle of another format, or one that asks for what this version lacks,
//! is refused before anything else is looked at.
//!
//! A bundle that extends another is one bundle of several files. Their texts
//! count as one after the other, so that a span says in which file it stands.

mod over;
mod parameters;
mod raw;

use crate::BundleError;
use parameters::{Fault, Use, Values};
pub(crate) use raw::*;
use serde::Deserialize;
use std::{error::Error, ops::Range};
use toml::{
    Spanned,
    de::{DeTable, Deserializer},
};
use vernport_crypto::sha256;
use vernport_types::{ControllerId, Slug};

/// The format that this version reads.
const FORMAT: u32 = 1;
/// The longest bundle file, in bytes.
const MAX_BYTES: usize = 1 << 20;
/// How many files a bundle may be made of: itself, and what it extends.
const MAX_FILES: usize = 4;

/// A bundle whose shape is right. [`crate::Rules::compile`] checks what it says.
#[derive(Debug, Clone)]
pub struct Bundle {
    /// Its own file, then its base's, then that one's base's.
    files: Vec<BundleFile>,
    pub(crate) raw: Raw,
    pub(crate) uses: Vec<Use>,
    pub(crate) base: Option<Base>,
}

/// What a bundle extends, and where it says so.
#[derive(Debug, Clone)]
pub(crate) struct Base {
    name: Slug,
    pub(crate) bundle: Box<Bundle>,
    pub(crate) span: Range<usize>,
}

/// One file of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleFile {
    /// Its name, for errors.
    pub file: String,
    /// Its text.
    pub text: String,
}

/// Where the text of a base comes from, by the name that `extends` gives it.
pub type ReadBase<'a> = dyn FnMut(&Slug) -> Result<BundleFile, Box<dyn Error + Send + Sync>> + 'a;

impl Bundle {
    /// Reads a bundle that extends no other. `file` is only named in errors.
    ///
    /// # Errors
    /// [`BundleError`] with line, column and remedy for anything but a bundle of format 1.
    pub fn from_toml(file: &str, text: &str) -> Result<Self, BundleError> {
        Self::load(file, text, &mut |_| Err("there is no other bundle beside it".into()))
    }

    /// Reads a bundle and all that it extends. A base has to be the very text that `extends` names
    /// by its SHA-256, so that who signs the bundle signs its bases, too.
    ///
    /// # Errors
    /// [`BundleError`] with the file, line, column and remedy, also for a finding in a base.
    pub fn load(file: &str, text: &str, read: &mut ReadBase<'_>) -> Result<Self, BundleError> {
        let mut files = vec![BundleFile { file: file.into(), text: text.into() }];
        let mut bases = Vec::new();
        while let Some(base) = opening(&files)? {
            let fault = |span: &Range<usize>, what: String, remedy: &str| fault(&files, span, what, remedy);
            let name = base.bundle.get_ref();
            if files.len() == MAX_FILES {
                let what = format!("`{name}` is the base of a base of a base of a base");
                return Err(fault(&base.bundle.span(), what, "join some of them"));
            }
            let found = read(name).map_err(|error| {
                let what = format!("the base `{name}` cannot be read: {error}");
                fault(&base.bundle.span(), what, "put it beside this bundle, under its name")
            })?;
            let hash = hex::encode(sha256(found.text.as_bytes()));
            if hash != *base.hash.get_ref() {
                let what = format!("the base `{name}` is another text: its hash is {hash}");
                return Err(fault(&base.hash.span(), what, "look at what changed, then write the new hash"));
            }
            bases.push(base.bundle);
            files.push(found);
        }
        Self::assemble(files, &bases)
    }

    /// One bundle of all its files; `bases` is what each says that it extends.
    fn assemble(files: Vec<BundleFile>, bases: &[Spanned<Slug>]) -> Result<Self, BundleError> {
        let parameter = |(span, what, remedy): Fault| fault(&files, &span, what, remedy);
        let texts: Vec<String> = (0..files.len()).map(|place| padded(&files, place)).collect();
        let mut roots = Vec::with_capacity(files.len());
        for text in &texts {
            roots.push(DeTable::parse(text).map_err(|error| shape(&files, &error))?);
        }
        let mut values = Values::new();
        for root in roots.iter().rev() {
            values.extend(parameters::values(root.get_ref()).map_err(parameter)?);
        }
        let (mut raws, mut uses) = (Vec::new(), Vec::new());
        for mut root in roots {
            let used = parameters::put(root.get_mut(), &values).map_err(parameter)?;
            let raw = Raw::deserialize(Deserializer::from(root)).map_err(|error| shape(&files, &error))?;
            uses.extend(used.into_iter().filter(|used| !raws.iter().any(|raw| used.is_replaced_by(raw))));
            raws.push(raw);
        }
        let mut raw = raws.pop().expect("a bundle has a file");
        while let Some(over) = raws.pop() {
            if over.controller.id.get_ref() != raw.controller.id.get_ref() {
                let what = "the base is of another controller";
                return Err(fault(&files, &over.controller.id.span(), what, "extend a bundle of your own"));
            }
            raw = over.over(raw);
        }
        let base = match bases {
            [] => None,
            [base, deeper @ ..] => {
                let before = files[0].text.len() + 1;
                let nearer = |base: &Spanned<Slug>| {
                    let span = base.span();
                    Spanned::new(span.start - before..span.end - before, base.get_ref().clone())
                };
                let deeper: Vec<_> = deeper.iter().map(nearer).collect();
                let bundle = Box::new(Self::assemble(files[1..].to_vec(), &deeper)?);
                Some(Base { name: base.get_ref().clone(), bundle, span: base.span() })
            }
        };
        Ok(Self { files, raw, uses, base })
    }

    /// What it extends, and what that extends: name and text of each.
    pub fn bases(&self) -> Vec<(&Slug, &str)> {
        let mut bases = Vec::new();
        let mut bundle = self;
        while let Some(base) = &bundle.base {
            bundle = &base.bundle;
            bases.push((&base.name, bundle.files[0].text.as_str()));
        }
        bases
    }

    /// The controller whose rules these are.
    pub fn controller(&self) -> &ControllerId {
        self.raw.controller.id.get_ref()
    }

    /// SHA-256 of the file's bytes: what is signed, and what grants and batches name. It names
    /// the base, too, since the file has the base's hash in it.
    pub fn hash(&self) -> [u8; 32] {
        sha256(self.files[0].text.as_bytes())
    }

    /// The file and the line of a place.
    pub(crate) fn place(&self, span: &Range<usize>) -> (&str, usize) {
        let (file, start) = file_of(&self.files, span.start);
        let start = file.text.floor_char_boundary(start);
        (&file.file, file.text[..start].matches('\n').count() + 1)
    }

    /// Whether a place is in the bundle's own file, not in a base.
    pub(crate) fn is_own(&self, span: &Range<usize>) -> bool {
        span.start <= self.files[0].text.len()
    }

    /// A finding at a place of this bundle.
    pub(crate) fn fault(
        &self,
        span: &Range<usize>,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> BundleError {
        fault(&self.files, span, what, remedy)
    }
}

/// What is read before anything else, whatever else stands there.
#[derive(Deserialize)]
struct Opening {
    format: Spanned<u32>,
    #[serde(default)]
    requires: Vec<Spanned<String>>,
    extends: Option<RawExtends>,
}

/// The base that the last file names, if that file is one that this version reads.
fn opening(files: &[BundleFile]) -> Result<Option<RawExtends>, BundleError> {
    let last = files.len() - 1;
    if files[last].text.len() > MAX_BYTES {
        let what = format!("{} bytes are too many for a bundle", files[last].text.len());
        let start = padding(files, last);
        return Err(fault(files, &(start..start), what, "keep it below 1 MiB"));
    }
    let text = padded(files, last);
    let root = DeTable::parse(&text).map_err(|error| shape(files, &error))?;
    let opening = Opening::deserialize(Deserializer::from(root)).map_err(|error| shape(files, &error))?;
    if *opening.format.get_ref() != FORMAT {
        return Err(fault(
            files,
            &opening.format.span(),
            format!("format {} is not known here", opening.format.get_ref()),
            "this version reads format 1; update vernport, or write the bundle in format 1",
        ));
    }
    if let Some(needed) = opening.requires.first() {
        return Err(fault(
            files,
            &needed.span(),
            format!("the bundle requires `{}`, which this version does not have", needed.get_ref()),
            "update vernport, or take out the rules that need it",
        ));
    }
    Ok(opening.extends)
}

/// How many bytes of other files come before a file: each text and one byte between two.
fn padding(files: &[BundleFile], place: usize) -> usize {
    files[..place].iter().map(|file| file.text.len() + 1).sum()
}

/// The text of a file at its own place among all of them.
fn padded(files: &[BundleFile], place: usize) -> String {
    " ".repeat(padding(files, place)) + &files[place].text
}

/// The file that a place is in, and the place there.
fn file_of(files: &[BundleFile], place: usize) -> (&BundleFile, usize) {
    let found = (0..files.len()).rfind(|file| padding(files, *file) <= place).unwrap_or(0);
    (&files[found], place - padding(files, found))
}

fn fault(
    files: &[BundleFile],
    span: &Range<usize>,
    what: impl Into<String>,
    remedy: impl Into<String>,
) -> BundleError {
    let (file, start) = file_of(files, span.start);
    BundleError::at(&file.file, &file.text, &(start..start), what, remedy)
}

/// What TOML and serde say of a text that has not the shape of a bundle.
fn shape(files: &[BundleFile], error: &toml::de::Error) -> BundleError {
    let what = error.message().replace('\n', ", ");
    let span = error.span().unwrap_or(0..0);
    fault(files, &span, what, "config/bundles/README.md shows the format")
}
