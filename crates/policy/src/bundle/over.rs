//! One bundle over another: what it says in place of its base, the rest as it stands there.

use super::Raw;
use toml::Spanned;

impl Raw {
    /// Entries of this one take the place of those of the base with the same id; new ones come last.
    pub(super) fn over(self, base: Self) -> Self {
        let mut parameters = base.parameters;
        for (name, parameter) in self.parameters {
            // A map keeps the key that it has, and with it the place of the base.
            parameters.remove(&name);
            parameters.insert(name, parameter);
        }
        Self {
            format: self.format,
            requires: self.requires,
            extends: self.extends,
            name: self.name,
            parameters,
            controller: self.controller,
            hosting: self.hosting.or(base.hosting),
            notice: over(base.notice, self.notice, |rule| text(&rule.version)),
            purpose: over(base.purpose, self.purpose, |rule| text(&rule.id)),
            recipient: over(base.recipient, self.recipient, |rule| text(&rule.id)),
            retention: over(base.retention, self.retention, |rule| text(&rule.id)),
            form: over(base.form, self.form, |rule| text(&rule.id)),
            identify: self.identify.or(base.identify),
            flow: over(base.flow, self.flow, |rule| text(&rule.id)),
            refusal: over(base.refusal, self.refusal, |rule| (*rule.reason.get_ref(), rule.category)),
            hold: over(base.hold, self.hold, |rule| super::ground_name(*rule.ground.get_ref())),
            message: over(base.message, self.message, |rule| text(&rule.id)),
            right: over(base.right, self.right, |rule| *rule.right.get_ref()),
            acknowledged: over(base.acknowledged, self.acknowledged, |known| {
                (known.finding.get_ref().clone(), known.rule.as_ref().map(|rule| rule.get_ref().clone()))
            }),
        }
    }
}

fn text(id: &Spanned<vernport_types::Slug>) -> String {
    id.get_ref().to_string()
}

/// Two of one id in the upper list stay two: the compiler refuses them.
fn over<T, K: PartialEq>(base: Vec<T>, upper: Vec<T>, key: impl Fn(&T) -> K) -> Vec<T> {
    let mut upper: Vec<Option<T>> = upper.into_iter().map(Some).collect();
    let mut all = Vec::with_capacity(base.len() + upper.len());
    for rule in base {
        let same = |one: &&mut Option<T>| one.as_ref().is_some_and(|one| key(one) == key(&rule));
        let found = upper.iter_mut().find(same).and_then(Option::take);
        all.push(found.unwrap_or(rule));
    }
    all.extend(upper.into_iter().flatten());
    all
}
