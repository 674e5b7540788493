//! Notices, and what may be named because a notice lists it.

use super::Compiler;
use crate::{
    BundleError, Identify, Notice, Sources,
    bundle::{RawNotice, RawPurpose},
};
use std::ops::Range;
use toml::Spanned;
use vernport_types::{Category, SignalId, Slug};

impl Compiler<'_> {
    pub(super) fn notices(&self) -> Result<Vec<Notice>, BundleError> {
        if self.bundle.raw.notice.is_empty() {
            let remedy =
                "add `[[notice]]` with the categories that it lists; without one nothing may be read";
            return Err(self.fault(&(0..0), "a bundle without a notice", remedy));
        }
        let notice = |raw: &RawNotice| {
            let sources = match &raw.sources {
                None => Sources::ALL,
                Some(said) if said.get_ref().is_empty() => {
                    let what = format!("notice `{}` takes data from nowhere", raw.version.get_ref());
                    return Err(self.fault(&said.span(), what, "name vehicle, tool or manual"));
                }
                Some(said) => said.get_ref().iter().copied().collect(),
            };
            Ok(Notice {
                version: raw.version.get_ref().clone(),
                served_when: raw.served_when,
                categories: raw.categories.clone(),
                sources,
                clauses: raw.clauses.get_ref().clone(),
                assumed: raw.assumed,
            })
        };
        self.bundle.raw.notice.iter().map(notice).collect()
    }

    /// The place of the version that first told of a rule: the oldest where the rule is silent.
    pub(super) fn told_by(
        &self,
        name: Option<&Spanned<Slug>>,
        notices: &[Notice],
    ) -> Result<usize, BundleError> {
        let Some(name) = name else { return Ok(0) };
        notices.iter().position(|notice| notice.version == *name.get_ref()).ok_or_else(|| {
            let what = format!("there is no notice `{}`", name.get_ref());
            self.fault(&name.span(), what, "add `[[notice]]`, or mend the version")
        })
    }

    pub(super) fn identify(&self, notices: &[Notice]) -> Result<Option<Identify>, BundleError> {
        let Some(raw) = &self.bundle.raw.identify else { return Ok(None) };
        self.known_purpose(&raw.purpose)?;
        let mut signals = Vec::new();
        for path in &raw.signals {
            let id = self.signal(path)?;
            if self.catalogue.signal(id).category != Category::Identifier {
                let remedy = "take it out: only identifiers recognise a vehicle";
                return Err(self.fault(
                    &path.span(),
                    format!("`{}` identifies nothing", path.get_ref()),
                    remedy,
                ));
            }
            self.listed(path, id, notices)?;
            signals.push(id);
        }
        Ok(Some(Identify {
            purpose: raw.purpose.get_ref().clone(),
            signals,
            clauses: raw.clauses.get_ref().clone(),
            assumed: raw.assumed,
        }))
    }

    /// A rule may name only what some version of the notice lists.
    pub(super) fn listed(
        &self,
        path: &Spanned<String>,
        id: SignalId,
        notices: &[Notice],
    ) -> Result<(), BundleError> {
        let what = |category| format!("lists `{category}`, which `{}` is", path.get_ref());
        self.category_listed(&path.span(), self.catalogue.signal(id).category, what, notices)
    }

    /// A rule of a purpose may use only what the purpose may use, and nobody's secrets.
    pub(super) fn of_purpose(
        &self,
        span: &Range<usize>,
        category: Category,
        purpose: &RawPurpose,
    ) -> Result<(), BundleError> {
        if matches!(category, Category::Credential | Category::IdentityDocument) {
            let what = format!("`{category}` is used");
            return Err(self.fault(span, what, "take it out: it goes into no flow, form or message"));
        }
        if purpose.categories.as_ref().is_none_or(|may| may.contains(&category)) {
            return Ok(());
        }
        let what = format!("`{category}` is none of the categories of purpose `{}`", purpose.id.get_ref());
        Err(self.fault(span, what, "take it out, or add it to the `categories` of the purpose"))
    }

    pub(super) fn category_listed(
        &self,
        span: &Range<usize>,
        category: Category,
        what: impl Fn(Category) -> String,
        notices: &[Notice],
    ) -> Result<(), BundleError> {
        if notices.iter().any(|notice| notice.categories.contains(&category)) {
            return Ok(());
        }
        let what = format!("no version of the notice {}", what(category));
        Err(self.fault(span, what, "take it out, or serve a notice that lists the category"))
    }
}
