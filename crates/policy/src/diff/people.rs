//! What people are asked, told and may ask: forms, messages, rights.

use super::{
    Bears, Effect, Found,
    frame::NONE,
    order::{self, other, step, wording},
    terms::{categories, paired},
    words::{arrow, list, none_or},
};
use crate::{Flow, Form, Message, Right};

impl Found<'_> {
    pub(super) fn forms(&mut self) {
        for (slug, was, is) in paired(self.old.forms(), self.new.forms(), |form: &Form| &form.slug) {
            let path = format!("form.{slug}");
            let bears: Bears<'_> = &|flow: &Flow| {
                let asks = |form: &&Form| form.purpose == flow.purpose && form.recipient == flow.recipient;
                was.iter().chain(&is).any(asks)
            };
            let (Some(was), Some(is)) = (was, is) else {
                self.whole(&path, was.is_none(), bears);
                continue;
            };
            let Form {
                slug: _,
                purpose: _,
                recipient: _,
                categories: _,
                valid: _,
                texts: _,
                clauses: _,
                assumed: _,
            } = is;
            let mut note = |effect, what| self.note(&path, effect, what, bears);
            note(other(&was.purpose, &is.purpose), arrow("purpose", &was.purpose, &is.purpose));
            note(other(&was.recipient, &is.recipient), arrow("recipient", &was.recipient, &is.recipient));
            note(
                step(&was.categories[..], &is.categories[..], order::fewer),
                arrow("categories", categories(&was.categories), categories(&is.categories)),
            );
            note(step(&was.valid, &is.valid, order::period), arrow("valid", was.valid, is.valid));
            note(
                wording(&was.texts, &is.texts),
                arrow("texts", list(was.texts.keys()), list(is.texts.keys())),
            );
        }
    }

    pub(super) fn messages(&mut self) {
        let pairs = paired(self.old.messages(), self.new.messages(), |message: &Message| &message.slug);
        for (slug, was, is) in pairs {
            let path = format!("message.{slug}");
            let (Some(was), Some(is)) = (was, is) else {
                self.whole(&path, was.is_none(), NONE);
                continue;
            };
            let Message {
                slug: _,
                class: _,
                purpose: _,
                categories: _,
                similar_goods: _,
                opt_out: _,
                form: _,
                clauses: _,
                assumed: _,
            } = is;
            let mut note = |effect, what| self.note(&path, effect, what, NONE);
            note(other(&was.class, &is.class), arrow("class", was.class, is.class));
            note(other(&was.purpose, &is.purpose), arrow("purpose", &was.purpose, &is.purpose));
            note(
                step(&was.categories[..], &is.categories[..], order::fewer),
                arrow("categories", categories(&was.categories), categories(&is.categories)),
            );
            note(
                step(&was.similar_goods, &is.similar_goods, order::opens),
                arrow("similar_goods", was.similar_goods, is.similar_goods),
            );
            note(step(&was.opt_out, &is.opt_out, order::closes), arrow("opt_out", was.opt_out, is.opt_out));
            note(
                other(&was.form, &is.form),
                arrow("form", none_or(was.form.as_ref()), none_or(is.form.as_ref())),
            );
        }
    }

    /// What is served to people. To take longer is permitted that was not; another proof of who
    /// asks lets some in and keeps others out.
    pub(super) fn rights(&mut self) {
        for right in Right::ALL {
            let (was, is) = (self.old.right(*right), self.new.right(*right));
            let path = format!("right.{right}");
            self.note(
                &path,
                step(&was.deadline, &is.deadline, order::period),
                arrow("deadline", was.deadline, is.deadline),
                NONE,
            );
            self.note(
                &path,
                other(&was.identity, &is.identity),
                arrow("identity", was.identity, is.identity),
                NONE,
            );
        }
    }

    /// A rule that only one of the two has.
    fn whole(&mut self, path: &str, is_new: bool, bears: Bears<'_>) {
        let (effect, what) = if is_new { (Effect::Permits, "new") } else { (Effect::Denies, "gone") };
        self.note(path, Some(effect), what, bears);
    }
}
