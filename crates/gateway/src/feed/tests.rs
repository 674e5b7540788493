//! What central says, heard by a gateway of which something is stuck, slow or broken.

use super::*;
use crate::stand::{
    Central, OPENING, SetClock, snapshot,
    waiting::{Place, grant},
};
use vernport_crypto::{StorageKey, StorageKeys};
use vernport_policy::{Snapshot, Standing};
use vernport_types::Reason;

/// How long a state is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// A feed that runs, and what it works on.
struct Gateway {
    central: Arc<Central>,
    clock: Arc<SetClock>,
    holds: Holds,
    _inputs: mpsc::Receiver<Input>,
    stop: CancellationToken,
    _place: Place,
}

impl Gateway {
    /// It hears a central whose news wait on no one but it: nobody takes what it tells the driver.
    async fn hears(central: Central, clock: Arc<SetClock>) -> Self {
        let place = Place::new();
        let spool = place.open().await;
        let holds = crate::stand::holds(&spool).await;
        let (sender, inputs) = mpsc::channel(1);
        sender.try_send(Input::Grants).expect("room for one");
        let (central, stop) = (Arc::new(central), CancellationToken::new());
        let feed = Feed {
            uplink: central.uplink(),
            guard: central.guard(),
            holds: holds.clone(),
            spool,
            clock: Arc::<SetClock>::clone(&clock),
            inputs: sender,
            kept: Last::new(Arc::new(StorageKeys::new(StorageKey::generate(), None))),
            shared: Arc::default(),
            known: KnownLinks::default(),
        };
        tokio::spawn(feed.run(stop.clone()));
        Self { central, clock, holds, _inputs: inputs, stop, _place: place }
    }

    fn standing(&self) -> Standing {
        self.holds.standing(grant(OPENING), self.clock.now())
    }

    async fn until(&self, what: &str, is_it: impl AsyncFn(&Self) -> bool) {
        let waits = async {
            while !is_it(self).await {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waits).await.unwrap_or_else(|_| panic!("{what}: never"));
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[tokio::test]
async fn a_driver_that_waits_for_room_keeps_no_withdrawal_from_being_heard() {
    let gateway = Gateway::hears(Central::new(snapshot(None)), SetClock::new()).await;
    gateway.until("it opens", async |gateway| gateway.standing() == Standing::Send).await;
    gateway.central.say(snapshot(Some(Reason::ConsentWithdrawn)));
    let closed = Standing::Destroy(Reason::ConsentWithdrawn);
    gateway.until("it closes", async |gateway| gateway.standing() == closed).await;
}

#[tokio::test]
async fn an_answer_that_lay_about_while_the_box_slept_opens_nothing_and_a_new_one_is_asked_for_at_once() {
    let clock = SetClock::new();
    // Longer than any lease.
    let gateway = Gateway::hears(Central::new(snapshot(None)).slow(&clock, 600), Arc::clone(&clock)).await;
    let heard = async |gateway: &Gateway, times| gateway.central.asked().len() > times;
    gateway.until("it hears an old answer", async |gateway| heard(gateway, 3).await).await;
    assert_eq!(gateway.standing(), Standing::Park(Reason::GrantStale));
    let waits = gateway.central.asked();
    assert_eq!((waits[0], &waits[1..]), (3_000, &vec![0; waits.len() - 1][..]));
    gateway.central.take(1);
    gateway.until("it opens", async |gateway| gateway.standing() == Standing::Send).await;
    let times = gateway.central.asked().len() + 2;
    gateway.until("it asks on", async |gateway| heard(gateway, times).await).await;
    assert_eq!(gateway.central.asked().last(), Some(&3_000));
}

#[test]
fn links_are_forgotten_when_the_grants_that_know_them_are_kept_and_not_before() {
    let mut known = KnownLinks::default();
    assert_eq!(known.to_forget(true), None);
    known.hear(Some(7));
    assert_eq!(known.to_forget(false), None, "after a power cut they count");
    // Central's word on them is news once only.
    known.hear(None);
    assert_eq!(known.to_forget(true), Some(7));
    known.hear(Some(9));
    assert_eq!(known.to_forget(true), Some(9));
}

#[tokio::test]
async fn a_state_that_cannot_be_used_is_asked_for_again_after_pauses_and_the_next_one_is_used() {
    let foreign = Snapshot { controller: "NO-888888888".parse().expect("a controller"), ..snapshot(None) };
    let gateway = Gateway::hears(Central::new(foreign), SetClock::new()).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let asked = gateway.central.asked().len();
    assert!((1..50).contains(&asked), "{asked}");
    gateway.central.say(snapshot(None));
    gateway.until("it opens", async |gateway| gateway.standing() == Standing::Send).await;
}
