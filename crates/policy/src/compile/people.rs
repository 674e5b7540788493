//! What people are asked, told and may ask.

use super::Compiler;
use crate::{
    BundleError, Form, Message, MessageClass, Notice, Period, RightRule,
    bundle::{RawForm, RawMessage, RawRight},
};
use vernport_types::LegalBasis;

/// The longest text of a form, in characters.
const MAX_FORM_CHARS: usize = 4_000;

impl Compiler<'_> {
    pub(super) fn forms(&self) -> Result<Vec<Form>, BundleError> {
        let form = |raw: &RawForm| {
            let texts = raw.texts.get_ref();
            let good = |text: &String| {
                let chars = text.trim().chars().count();
                (1..=MAX_FORM_CHARS).contains(&chars)
            };
            if texts.is_empty() || !texts.values().all(good) || raw.categories.get_ref().is_empty() {
                return Err(self.fault(
                    &raw.id.span(),
                    format!("form `{}` does not say what is consented to", raw.id.get_ref()),
                    "give it categories, and a text of at most 4000 characters for each language",
                ));
            }
            let purpose = self.known_purpose(&raw.purpose)?;
            for category in raw.categories.get_ref() {
                self.of_purpose(&raw.categories.span(), *category, purpose)?;
            }
            self.known_recipient(&raw.recipient)?;
            Ok(Form {
                slug: raw.id.get_ref().clone(),
                purpose: raw.purpose.get_ref().clone(),
                recipient: raw.recipient.get_ref().clone(),
                categories: raw.categories.get_ref().clone(),
                valid: *raw.valid.get_ref(),
                texts: texts.clone(),
                clauses: raw.clauses.get_ref().clone(),
                assumed: raw.assumed,
            })
        };
        self.bundle.raw.form.iter().map(form).collect()
    }

    pub(super) fn message(&self, raw: &RawMessage, notices: &[Notice]) -> Result<Message, BundleError> {
        let refuse = |what: &str, remedy: &str| {
            let what = format!("message `{}` {what}", raw.id.get_ref());
            Err(self.fault(&raw.id.span(), what, remedy))
        };
        let purpose = self.known_purpose(&raw.purpose)?;
        for category in raw.categories.get_ref() {
            let what = |category| format!("lists `{category}`, which message `{}` uses", raw.id.get_ref());
            self.category_listed(&raw.categories.span(), *category, what, notices)?;
            self.of_purpose(&raw.categories.span(), *category, purpose)?;
        }
        if let Some(name) = &raw.form {
            let form = self.bundle.raw.form.iter().find(|form| form.id.get_ref() == name.get_ref());
            let covers = |form: &RawForm| {
                let of_form = form.categories.get_ref();
                form.purpose.get_ref() == raw.purpose.get_ref()
                    && raw.categories.get_ref().iter().all(|category| of_form.contains(category))
            };
            if !form.is_some_and(covers) {
                let what = format!("there is no form `{}` for this purpose and these data", name.get_ref());
                return Err(self.fault(&name.span(), what, "add `[[form]]`, or mend the name"));
            }
        } else if *purpose.basis.get_ref() == LegalBasis::Consent {
            return refuse("rests on a consent that no form asks for", "name the `form` of its purpose");
        }
        match raw.class {
            MessageClass::Administrative if purpose.marketing => {
                return refuse(
                    "is administrative, and its purpose is marketing",
                    "write `class = \"marketing\"`, or give it the purpose that it serves",
                );
            }
            MessageClass::Marketing if !raw.opt_out => {
                return refuse("is marketing without a way out", "add `opt_out = true`, and the way out");
            }
            MessageClass::Marketing if raw.form.is_none() && !raw.similar_goods => {
                return refuse(
                    "is marketing to people who neither consented nor bought anything",
                    "name its `form`, or write `similar_goods = true` for existing customers",
                );
            }
            MessageClass::Administrative | MessageClass::Marketing => {}
        }
        Ok(Message {
            slug: raw.id.get_ref().clone(),
            class: raw.class,
            purpose: raw.purpose.get_ref().clone(),
            categories: raw.categories.get_ref().clone(),
            similar_goods: raw.similar_goods,
            opt_out: raw.opt_out,
            form: raw.form.as_ref().map(|form| form.get_ref().clone()),
            clauses: raw.clauses.get_ref().clone(),
            assumed: raw.assumed,
        })
    }

    pub(super) fn right(&self, raw: &RawRight) -> Result<RightRule, BundleError> {
        let deadline = *raw.deadline.get_ref();
        let month: Period = Period::MONTH.parse().expect("a period");
        if deadline.rough_micros() > month.rough_micros() {
            return Err(self.fault(
                &raw.deadline.span(),
                "an answer later than in a month",
                "shorten it: GDPR Art. 12(3) gives a month",
            ));
        }
        Ok(RightRule {
            right: *raw.right.get_ref(),
            deadline,
            identity: raw.identity,
            clauses: raw.clauses.get_ref().clone(),
            assumed: raw.assumed,
        })
    }
}
