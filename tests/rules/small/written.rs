//! A story as a world file, for people and for `registry::world`.

use super::story::{Person, Story, Told, VALID, What};
use crate::reference::written as time;
use std::fmt::Write;

fn name(person: Person) -> &'static str {
    match person {
        Person::Anna => "anna",
        Person::Bent => "bent",
    }
}

/// The members of an event beside its time and name; none for what is no entry.
fn members(told: Told) -> Option<String> {
    let at = |after| time(told.at + after);
    let of = told.of.unwrap_or(usize::MAX);
    let driver = |kind, person| {
        format!("kind = \"{kind}\"\nasset = \"car\"\nsubject = \"{}\"\nrole = \"driver\"", name(person))
    };
    let consent = |person, purpose, category, until: String| {
        format!(
            "kind = \"consent-given\"\nsubject = \"{}\"\nrole = \"driver\"\npurpose = \"{purpose}\"\n\
             form = \"{purpose}-1\"\nrecipient = \"small\"\ncategories = [\"{category}\"]\nvalid_until = {until}",
            name(person)
        )
    };
    let plain = |kind| format!("kind = \"{kind}\"\nasset = \"car\"");
    Some(match told.what {
        What::Enrolled => {
            "kind = \"gateway-enrolled\"\ngateway = \"box-1\"\nstation = \"main/bay-1\"\npinned = \"car\""
                .into()
        }
        What::Key(flow) => format!(
            "kind = \"recipient-key-activated\"\nrecipient = \"small\"\npurpose = \"{}\"\nkey = \"{}\"",
            flow.name(),
            hex::encode(vernport_crypto::OpeningKey::from_bytes([2; 32]).wrapping_key().as_bytes())
        ),
        What::Stranger => format!(
            "kind = \"order-opened\"\norder = \"elsewhere\"\nassets = [\"other\"]\nstation = \"main/bay-2\"\n\
             expires_at = {}",
            at(super::story::ORDER)
        ),
        What::Offers => consent(Person::Anna, "offers", "component-status", at(3_000 * super::story::DAY)),
        What::Served => "kind = \"notice-served\"\nnotice = \"small-1\"".into(),
        What::Give(person) => consent(person, "coaching", "driving-behaviour", at(VALID)),
        What::Withdraw(person) => format!(
            "kind = \"consent-withdrawn\"\nscope = {{ subject = {{ subject = \"{}\", purpose = \"coaching\" }} }}",
            name(person)
        ),
        What::Expire => return None,
        What::Restrict => {
            "kind = \"restriction-set\"\nwhom = { subject = \"anna\" }\nground = \"accuracy-disputed\"".into()
        }
        What::Announce => {
            format!("kind = \"restriction-lifting-announced\"\nrestriction = \"step-{of}\"")
        }
        What::Lift => format!("kind = \"restriction-lifted\"\nrestriction = \"step-{of}\""),
        What::Link(person) => driver("linked", person),
        What::Unlink(person) => driver("unlinked", person),
        What::OpenOrder => format!(
            "kind = \"order-opened\"\norder = \"{}\"\nassets = [\"car\"]\nstation = \"main/bay-1\"\nexpires_at = {}",
            told.at,
            at(super::story::ORDER)
        ),
        What::CloseOrder => format!("kind = \"order-closed\"\norder = \"{of}\""),
        What::Void => format!("kind = \"voided\"\nentry = \"step-{of}\""),
        What::PrivateOn => plain("private-mode-started"),
        What::PrivateOff => plain("private-mode-ended"),
        What::Object => "kind = \"objection-raised\"\nsubject = \"anna\"\nagainst = \"marketing\"".into(),
    })
}

/// The world file of a story.
pub(super) fn world(story: &Story) -> String {
    let mut text = "format = 1\n".to_owned();
    for asset in ["car", "other"] {
        let _ = write!(text, "\n[[asset]]\nname = \"{asset}\"\nsince = 2026-11-01T00:00:00Z\n");
    }
    for person in ["anna", "bent"] {
        let _ = write!(text, "\n[[subject]]\nname = \"{person}\"\n");
    }
    for (place, told) in story.told().iter().enumerate() {
        let (at, mut told) = (time(told.at), *told);
        if told.what == What::CloseOrder {
            // Orders are named by when they were opened.
            told.of = told.of.map(|of| usize::try_from(story.told()[of].at).expect("after 1970"));
        }
        let _ = match members(told) {
            Some(members) => write!(text, "\n[[event]]\nname = \"step-{place}\"\ntime = {at}\n{members}\n"),
            None => write!(text, "\n# {at}: 31 days went by\n"),
        };
        if told.what == What::Stranger {
            let driver = "asset = \"other\"\nsubject = \"anna\"\nrole = \"driver\"";
            let _ = write!(text, "\n[[event]]\ntime = {at}\nkind = \"linked\"\n{driver}\n");
        }
    }
    let _ = write!(text, "\n# asked at {}\n", time(story.now().at()));
    text
}
