//! How a random ledger begins under the rules of `../bundles/drawn.toml`. Shared with central.

use super::{
    ledgers::{self, moment, station},
    samples::{self, asset, order, slug, subject, text},
};
use vernport_crypto::{VerifyingKey, WrappingKey};
use vernport_registry::*;

/// The gateways that random ledgers enrol here and there, and one that stays where it is.
pub(crate) const GATEWAYS: [&str; 3] = ["box", "van", "gate"];

/// A ledger in which much is open, so that there is something to change.
pub(crate) fn beginning() -> Vec<Entry> {
    let mut events = vec![];
    for gateway in 0..3 {
        events.push(Event::GatewayEnrolled(GatewayEnrolled {
            gateway: slug(GATEWAYS[usize::from(gateway)]),
            station: station(gateway),
            device_key: VerifyingKey::from_bytes([1; 32]),
            pinned: (gateway == 1).then(|| asset(1)),
        }));
    }
    for notice in ["notice-1", "notice-2"] {
        events.push(Event::NoticeServed(NoticeServed {
            notice: text(notice),
            text_hash: TextHash([0; 32]),
            language: slug("da"),
            method: Method::Web,
            subject: None,
            evidence: None,
        }));
    }
    for (recipient, purpose) in [
        ("fleet", "service"),
        ("fleet", "repair"),
        ("fleet", "marketing"),
        ("maker", "marketing"),
        ("authority", "duty"),
    ] {
        let key =
            WrappingKey::from_bytes(vernport_crypto::sha256(format!("{recipient}/{purpose}").as_bytes()));
        let (recipient, purpose) = (slug(recipient), slug(purpose));
        events.push(Event::RecipientKeyActivated(RecipientKeyActivated { recipient, purpose, key }));
    }
    for n in 0..3_u8 {
        let (asset, subject) = (asset(1 + n), subject(1 + n));
        let role = ledgers::role(n);
        events.push(Event::Linked(Link { asset, subject, role, until: None }));
        events.push(Event::MilestoneReached(MilestoneReached {
            whom: Whom::Subject(subject),
            milestone: Milestone::AccountOpened,
        }));
        events.push(Event::OrderOpened(OrderOpened {
            order: order(8 + n),
            assets: vec![asset],
            station: station(n),
            expires_at: moment(6 + 4 * n),
        }));
    }
    let entry = |(n, event)| samples::entry(event, moment(0), moment(0), &format!("first-{n}"));
    events.into_iter().enumerate().map(entry).collect()
}
