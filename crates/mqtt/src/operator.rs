//! A fleet operator's own side: its subscription, each message read and held
//! against its topic, and what it means for the stream that it is of. For
//! `vernport subscribe`, the demo and tests.
//!
//! The session is kept at the broker under a stable client id, so that being
//! away is no loss within [`SubscriptionConfig::away_s`]. A message is
//! acknowledged by whoever took it; what is no message of ours is counted,
//! acknowledged and passed over.

use crate::{
    DeletionConfirmed, DeletionNotice, FleetMessage, Roster, Stream,
    backoff::Backoff,
    endpoint::Endpoint,
    inbox::{AckHandle, Inbox, InboxConfig, Message},
    status::LinkStatus,
    streams::{Noted, Streams},
    topic::roster_topic,
};
use bytes::Bytes;
use std::fmt;
use tokio::sync::watch;
use vernport_types::{Slug, VehicleAlias};

/// What an operator wants to hear. `Debug` shows no vehicle.
#[derive(Clone, PartialEq, Eq)]
pub struct Interest {
    /// Who it is.
    pub operator: Slug,
    /// One purpose only.
    pub purpose: Option<Slug>,
    /// One vehicle only.
    pub vehicle: Option<VehicleAlias>,
}

impl Interest {
    /// Everything of an operator.
    pub fn all(operator: Slug) -> Self {
        Self { operator, purpose: None, vehicle: None }
    }

    /// What to subscribe to: the streams, and the operator's own numbers of vehicles.
    pub fn filters(&self) -> Vec<String> {
        vec![self.filter(), roster_topic(&self.operator)]
    }

    /// The streams: values, sealed batches, gaps, and what has to be deleted.
    pub fn filter(&self) -> String {
        let purpose = self.purpose.as_ref().map_or("+", Slug::as_str);
        let vehicle = self.vehicle.map_or_else(|| "+".to_owned(), |vehicle| vehicle.to_string());
        format!("vernport/v1/fleet/{}/{purpose}/{vehicle}/+", self.operator)
    }

    /// A client id of its own: a session that was opened for something else would bring that, too.
    pub fn client_id(&self) -> String {
        let purpose = self.purpose.as_ref().map(|purpose| format!(".{purpose}")).unwrap_or_default();
        let vehicle = self.vehicle.map(|vehicle| format!(".{vehicle}")).unwrap_or_default();
        format!("operator.{}.subscribe{purpose}{vehicle}", self.operator)
    }

    /// Whether a stream is of interest.
    pub fn wants(&self, stream: &Stream) -> bool {
        stream.operator == self.operator
            && self.purpose.as_ref().is_none_or(|purpose| *purpose == stream.purpose)
            && self.vehicle.is_none_or(|vehicle| vehicle == stream.vehicle)
    }
}

impl fmt::Debug for Interest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Interest({}, {:?})", self.operator, self.purpose)
    }
}

/// Where to subscribe, and how.
#[derive(Debug)]
pub struct SubscriptionConfig {
    /// The fleet broker.
    pub endpoint: Endpoint,
    /// What to hear.
    pub interest: Interest,
    /// How long the broker keeps what comes while nobody is here, in seconds. 0: the session ends with the connection.
    pub away_s: u32,
    /// What is known of the streams from before.
    pub streams: Streams,
    /// Waits between connections.
    pub backoff: Backoff,
}

impl SubscriptionConfig {
    /// The usual bounds: three days away.
    pub fn new(endpoint: Endpoint, interest: Interest) -> Self {
        Self {
            endpoint,
            interest,
            away_s: 72 * 60 * 60,
            streams: Streams::default(),
            backoff: Backoff::default(),
        }
    }
}

/// A message of the operator's. `Debug` shows neither payload nor vehicle.
pub struct Delivery {
    /// Operator, purpose and vehicle.
    pub stream: Stream,
    /// What it says.
    pub message: FleetMessage,
    /// The same as it came.
    pub payload: Bytes,
    /// What it means for its stream.
    pub noted: Noted,
    /// To be called when it is dealt with. Dropped unused, it comes again, and counts as repeated.
    pub ack: AckHandle,
}

impl Delivery {
    /// Where it was published.
    pub fn topic(&self) -> String {
        match &self.message {
            FleetMessage::Value(value) => self.stream.value_topic(&value.path),
            FleetMessage::Sealed(_) => self.stream.sealed_topic(),
            FleetMessage::Skipped(_) => self.stream.skipped_topic(),
        }
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Delivery(seq {}, {:?})", self.message.seq(), self.noted)
    }
}

/// What the operator has to delete, by notice of central. `Debug` shows no vehicle.
pub struct ToDelete {
    /// Operator, purpose and vehicle: the answer goes to [`Stream::deleted_topic`].
    pub stream: Stream,
    /// What it says.
    pub notice: DeletionNotice,
    /// The same as it came.
    pub payload: Bytes,
    /// To be called when it is kept, which is before it is carried out.
    pub ack: AckHandle,
}

impl fmt::Debug for ToDelete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ToDelete({:?})", self.notice)
    }
}

/// Which of the operator's own numbers some vehicles have, by central. Whose word it is says [`Roster::verify`].
/// `Debug` shows no vehicle.
pub struct Listed {
    /// What it says.
    pub roster: Roster,
    /// To be called when it is kept. Dropped unused, it comes again.
    pub ack: AckHandle,
}

impl fmt::Debug for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Listed({:?})", self.roster)
    }
}

/// What an operator hears.
#[derive(Debug)]
pub enum Heard {
    /// A message of a stream.
    Message(Delivery),
    /// What has to be deleted.
    Delete(ToDelete),
    /// What it calls its vehicles itself.
    Roster(Listed),
}

impl Heard {
    /// Says to the broker that it is dealt with.
    pub fn done(self) {
        match self {
            Self::Message(delivery) => delivery.ack.done(),
            Self::Delete(to_delete) => to_delete.ack.done(),
            Self::Roster(listed) => listed.ack.done(),
        }
    }
}

/// A running subscription.
pub struct Subscription {
    inbox: Inbox,
    interest: Interest,
    streams: Streams,
    foreign: u64,
}

impl Subscription {
    /// Connects in the background, again and again, until stopped.
    pub fn start(config: SubscriptionConfig) -> Self {
        let SubscriptionConfig { endpoint, interest, away_s, streams, backoff } = config;
        let mut inbox = InboxConfig::new(endpoint, interest.filters());
        inbox.session_expiry_s = away_s;
        inbox.backoff = backoff;
        Self { inbox: Inbox::start(inbox), interest, streams, foreign: 0 }
    }

    /// The next message; `None` once stopped. Repeated ones come, too, and say so.
    pub async fn next(&mut self) -> Option<Heard> {
        loop {
            let message = self.inbox.next().await?;
            if let Some(heard) = self.take(message) {
                return Some(heard);
            }
        }
    }

    /// The next message if one is here already.
    pub fn try_next(&mut self) -> Option<Heard> {
        loop {
            let message = self.inbox.try_next()?;
            if let Some(heard) = self.take(message) {
                return Some(heard);
            }
        }
    }

    fn take(&mut self, message: Message) -> Option<Heard> {
        if message.topic == roster_topic(&self.interest.operator) {
            return self.take_roster(message);
        }
        let read = read(&message.topic, &message.payload).filter(|(stream, _)| self.interest.wants(stream));
        let Message { payload, ack, .. } = message;
        match read {
            Some((stream, Read::Message(message))) => {
                let noted = self.streams.note(&stream, &message);
                Some(Heard::Message(Delivery { stream, message, payload, noted, ack }))
            }
            Some((stream, Read::Delete(notice))) => {
                Some(Heard::Delete(ToDelete { stream, notice, payload, ack }))
            }
            // The operator's own answer, which its filter brings back.
            Some((_, Read::Deleted)) => {
                ack.done();
                None
            }
            None => {
                self.foreign += 1;
                ack.done();
                None
            }
        }
    }

    fn take_roster(&mut self, message: Message) -> Option<Heard> {
        match Roster::from_json(&message.payload) {
            Ok(roster) => Some(Heard::Roster(Listed { roster, ack: message.ack })),
            Err(_) => {
                self.foreign += 1;
                message.ack.done();
                None
            }
        }
    }

    /// What came of each stream so far.
    pub fn streams(&self) -> &Streams {
        &self.streams
    }

    /// Messages that were passed over: no fleet message of version 1, or not what their topic says.
    pub fn foreign(&self) -> u64 {
        self.foreign
    }

    /// The state of the link, as it changes. Up means: subscribed.
    pub fn status(&self) -> watch::Receiver<LinkStatus> {
        self.inbox.status()
    }

    /// Leaves the broker; the session stays there.
    pub async fn stop(self) {
        self.inbox.stop().await;
    }
}

/// What stands in a payload.
enum Read {
    Message(FleetMessage),
    Delete(DeletionNotice),
    Deleted,
}

/// A message that says itself what its topic says.
fn read(topic: &str, payload: &[u8]) -> Option<(Stream, Read)> {
    let (stream, last) = Stream::from_topic(topic)?;
    match last {
        Stream::DELETED => {
            return DeletionConfirmed::from_json(payload).ok().map(|_| (stream, Read::Deleted));
        }
        Stream::DELETE => {
            let notice = DeletionNotice::from_json(payload).ok()?;
            let fits = notice.vehicle == stream.vehicle && notice.purpose == stream.purpose;
            return fits.then_some((stream, Read::Delete(notice)));
        }
        _ => {}
    }
    let message = FleetMessage::from_json(payload).ok()?;
    let (purpose, place) = match &message {
        FleetMessage::Value(value) => (&value.purpose, value.path.as_str()),
        FleetMessage::Sealed(sealed) => (&sealed.purpose, "sealed"),
        FleetMessage::Skipped(skipped) => (&skipped.purpose, "skipped"),
    };
    let fits = message.vehicle() == stream.vehicle && *purpose == stream.purpose && place == last;
    fits.then_some((stream, Read::Message(message)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acl::Principal;

    const ALIAS: &str = "a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5";

    fn slug(text: &str) -> Slug {
        text.parse().expect("a slug")
    }

    #[test]
    fn each_interest_has_a_filter_that_the_broker_grants_and_a_session_of_its_own() {
        let all = Interest::all(slug("fjord"));
        let one = Interest { purpose: Some(slug("service")), ..all.clone() };
        let vehicle = ALIAS.parse().expect("an alias");
        let narrow = Interest { vehicle: Some(vehicle), ..one.clone() };
        assert_eq!(all.filter(), "vernport/v1/fleet/fjord/+/+/+");
        assert_eq!(one.filter(), "vernport/v1/fleet/fjord/service/+/+");
        assert_eq!(narrow.filter(), format!("vernport/v1/fleet/fjord/service/{ALIAS}/+"));
        let mut ids: Vec<_> = [&all, &one, &narrow].map(Interest::client_id).into();
        for interest in [&all, &one, &narrow] {
            for filter in interest.filters() {
                assert!(Principal::Operator(slug("fjord")).may_subscribe(&filter), "{filter}");
            }
        }
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 3);
    }

    #[test]
    fn a_notice_is_read_on_its_own_topic_only_and_an_answer_is_nothing_to_hear() {
        let (id, time) = ("01".repeat(16), "2026-11-20T09:00:00Z");
        let notice = format!(
            r#"{{"v":1,"id":"{id}","vehicle":"{ALIAS}","purpose":"service","flow":"odometer","from":"{time}","until":"{time}","confirm_by":"{time}"}}"#
        );
        let at = |purpose: &str, last: &str, payload: &str| {
            read(&format!("vernport/v1/fleet/fjord/{purpose}/{ALIAS}/{last}"), payload.as_bytes())
        };
        assert!(matches!(at("service", "delete", &notice), Some((_, Read::Delete(_)))));
        assert!(at("other", "delete", &notice).is_none());
        assert!(at("service", "deleted", &notice).is_none());
        assert!(at("service", "Vehicle.Speed", &notice).is_none());
        let answer = format!(r#"{{"v":1,"id":"{id}"}}"#);
        assert!(matches!(at("service", "deleted", &answer), Some((_, Read::Deleted))));
        assert!(at("service", "delete", &answer).is_none());
    }

    #[test]
    fn a_message_on_anothers_topic_is_none_of_ours() {
        let gap = format!(
            r#"{{"v":1,"id":"{ALIAS}","seq":4,"vehicle":"{ALIAS}","purpose":"service","skipped":1}}"#
        );
        let topic = |purpose: &str, vehicle: &str, last: &str| {
            read(&format!("vernport/v1/fleet/fjord/{purpose}/{vehicle}/{last}"), gap.as_bytes()).is_some()
        };
        assert!(topic("service", ALIAS, "skipped"));
        assert!(!topic("other", ALIAS, "skipped"));
        assert!(!topic("service", &ALIAS.replace('a', "b"), "skipped"));
        assert!(!topic("service", ALIAS, "Vehicle.TraveledDistance"));
        assert!(read("vernport/v1/fleet/fjord/service", gap.as_bytes()).is_none());
        assert!(read(&format!("vernport/v1/fleet/fjord/service/{ALIAS}/skipped"), b"{}").is_none());
    }
}
