//! Which version of the notice a batch is under: of those served the newest that its opening rests on.
//!
//! The edge cannot read the ledger: central tells which entry served which version.

use std::collections::HashMap;
use vernport_api::ServedNotice;
use vernport_policy::{Flow, Rules};
use vernport_types::{EntryHash, Slug};

/// What central told beside its last snapshot and the one before, which may still be the one in
/// effect; nothing until it was heard after the start.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    last: HashMap<EntryHash, ServedNotice>,
    before: HashMap<EntryHash, ServedNotice>,
}

impl Notices {
    /// Takes what came beside a snapshot that is applied next.
    pub(crate) fn hear(&mut self, told: Vec<ServedNotice>) {
        let told = told.into_iter().map(|notice| (notice.entry, notice)).collect();
        self.before = std::mem::replace(&mut self.last, told);
    }

    /// The version that is in force for an opening of a flow: the one that it rests on. One that a
    /// station opened rests on its order alone, and is under the newest that was published. Where
    /// central did not tell yet, the version that told of the flow first.
    pub(crate) fn of(&self, rules: &Rules, flow: &Flow, rests_on: &[EntryHash]) -> Slug {
        let newest_first = || rules.notices().iter().rev().map(|notice| &notice.version);
        let rested = || {
            newest_first().find(|version| {
                let mut told = rests_on
                    .iter()
                    .filter_map(|entry| self.last.get(entry).or_else(|| self.before.get(entry)));
                told.any(|notice| notice.version == **version)
            })
        };
        let published = || {
            newest_first().find(|version| {
                self.last.values().any(|notice| notice.published && notice.version == **version)
            })
        };
        rested().or_else(published).unwrap_or(&flow.notice).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vernport_policy::Bundle;
    use vernport_types::Catalogue;

    const FIRST: EntryHash = EntryHash::from_bytes([1; 32]);
    const SECOND: EntryHash = EntryHash::from_bytes([2; 32]);
    const ORDER: EntryHash = EntryHash::from_bytes([9; 32]);

    /// The rules of random ledgers: two versions, the second told to each person.
    fn rules() -> Rules {
        let text = include_str!("../../../config/signals/vehicle.toml");
        let catalogue = Catalogue::from_toml([("vehicle.toml", text)]).expect("the shipped catalogue");
        let text = include_str!("../../policy/tests/bundles/drawn.toml");
        let bundle = Bundle::from_toml("bundle.toml", text).expect("a bundle");
        Rules::compile(&bundle, &catalogue).expect("rules")
    }

    fn told(entry: EntryHash, version: &str, published: bool) -> ServedNotice {
        ServedNotice { entry, version: version.parse().expect("a slug"), published }
    }

    #[test]
    fn a_batch_is_under_the_version_that_its_opening_rests_on_and_not_under_one_that_waits() {
        let rules = rules();
        let of = |notices: &Notices, flow: &str, rests_on: &[EntryHash]| {
            let flow = rules.find(&flow.parse().expect("a slug")).expect("a flow");
            notices.of(&rules, flow, rests_on).to_string()
        };
        let mut notices = Notices::default();
        // Nothing heard since the start: no version is claimed that may not have been served.
        assert_eq!(of(&notices, "repair", &[FIRST, ORDER]), "notice-1");
        assert_eq!(of(&notices, "offer", &[SECOND]), "notice-2", "the first does not tell of it");
        notices.hear(vec![told(FIRST, "notice-1", true)]);
        assert_eq!(of(&notices, "repair", &[FIRST, ORDER]), "notice-1", "the second was not served yet");
        assert_eq!(of(&notices, "repair", &[ORDER]), "notice-1", "opened at the station");
        notices.hear(vec![told(FIRST, "notice-1", true), told(SECOND, "notice-2", false)]);
        assert_eq!(of(&notices, "repair", &[SECOND, ORDER]), "notice-2");
        assert_eq!(
            of(&notices, "repair", &[FIRST, ORDER]),
            "notice-1",
            "of another asset, nobody there was told"
        );
        assert_eq!(of(&notices, "repair", &[ORDER]), "notice-1", "what one person was told is not published");
        // A snapshot that came is not in effect yet: what rests on the one before is still known.
        notices.hear(vec![told(FIRST, "notice-1", true)]);
        assert_eq!(of(&notices, "repair", &[SECOND, ORDER]), "notice-2");
        notices.hear(Vec::new());
        assert_eq!(of(&notices, "repair", &[FIRST]), "notice-1");
    }
}
