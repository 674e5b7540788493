//! What runs out: the review of the bundle, agreements, transfer tools.

use super::Found;
use jiff::Timestamp;
use vernport_policy::Agreement;
use vernport_types::UtcMicros;

/// How long before its end an agreement is named: time to renew it.
const AHEAD_SECONDS: i64 = 90 * 86_400;

impl Found<'_> {
    pub(super) fn dates(&mut self) {
        let rules = self.checked.rules;
        let now = self.checked.now;
        if let Some(by) = rules.controller_info().review_by.filter(|by| *by <= now) {
            let what = format!("the bundle was to be reviewed by {}", day(by));
            self.about("review-overdue", "controller", what, "review it, and set `review_by` anew");
        }
        if let Some(agreement) = rules.hosting().and_then(|hosting| hosting.agreement.as_ref()) {
            self.agreement("hosting", agreement);
        }
        for recipient in rules.recipients() {
            let path = format!("recipient.{}", recipient.slug);
            if let Some(agreement) = &recipient.agreement {
                self.agreement(&path, agreement);
            }
            if let Some(until) = recipient.transfer_until() {
                self.ends(&path, "the transfer tool", until);
            }
        }
    }

    fn agreement(&mut self, path: &str, agreement: &Agreement) {
        if self.checked.now < agreement.from {
            let what = format!("the agreement `{}` begins on {}", agreement.id, day(agreement.from));
            self.about("agreement-not-begun", path, what, "until then its flows are closed");
        }
        self.ends(path, &format!("the agreement `{}`", agreement.id), agreement.ends());
    }

    fn ends(&mut self, path: &str, what: &str, until: UtcMicros) {
        let now = self.checked.now;
        if until <= now {
            let what = format!("{what} ended on {}", day(until));
            self.about("agreement-ended", path, what, "renew it: its flows are closed");
        } else if until <= now.plus_seconds(AHEAD_SECONDS) {
            let what = format!("{what} ends on {}", day(until));
            self.about("agreement-ends-soon", path, what, "renew it: from then on its flows are closed");
        }
    }
}

/// The day of a time, in UTC.
fn day(at: UtcMicros) -> String {
    Timestamp::from_microsecond(at.0)
        .map_or_else(|_| "a day after the year 9999".into(), |at| at.strftime("%Y-%m-%d").to_string())
}
