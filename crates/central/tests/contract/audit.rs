//! A gateway's evidence log is witnessed: growth that is proven is cosigned, a log that
//! was cut, forked or begun anew is an alarm, and none of it stops what matters.

use crate::common::{
    CONTROLLER, Central, GATEWAY, client, controller, open_flow, refused, slug, taken, with_visit,
};
use vernport_api::{
    Answer, Code, LogAlarm, LogHash, PATH_STATUS, PATH_WITNESS, Status, WitnessAnswer, WitnessRequest,
};
use vernport_audit::{
    Checkpoint, Edge, Keeper, KeyKind, NoteKey, Proof, SignedCheckpoint, Tiles, consistency, leaf_hash,
};
use vernport_crypto::SigningKey;
use vernport_testkit::pki::Role;

/// A gateway's log of so many leaves; another `kind` is another log from its first leaf on.
struct Log {
    kind: u8,
    size: u64,
    name: [u8; 8],
}

impl Log {
    fn of(size: u64) -> Self {
        Self { kind: 0, size, name: [1; 8] }
    }

    fn built(&self) -> (Edge, Tiles) {
        let (mut edge, mut tiles) = (Edge::default(), Tiles::default());
        for leaf in 0..self.size {
            edge.push(leaf_hash(&[&[self.kind][..], &leaf.to_be_bytes()].concat()), |_, _| ());
        }
        for (id, hashes) in edge.partial() {
            tiles.insert(id.level, id.index, hashes.to_vec());
        }
        (edge, tiles)
    }

    fn signed(&self, central: &Central) -> SignedCheckpoint {
        let keeper = Keeper::Gateway { controller: controller(CONTROLLER), gateway: slug(GATEWAY) };
        let (edge, _) = self.built();
        let checkpoint = Checkpoint { origin: keeper.origin(self.name), size: self.size, root: edge.root() };
        checkpoint.sign(&central.world.device).expect("a name")
    }

    fn shown(&self, central: &Central, from: u64) -> WitnessRequest {
        let proof = consistency(from, self.size, &self.built().1).expect("all tiles");
        WitnessRequest {
            checkpoint: self.signed(central).as_str().to_owned(),
            from,
            proof: proof.0.into_iter().map(LogHash).collect(),
            central_from: 0,
            cosignature: None,
            alarm: None,
        }
    }
}

async fn show(central: &Central, request: &WitnessRequest) -> WitnessAnswer {
    let body = serde_json::to_value(request).expect("plain data");
    taken(central.post(&central.gateway(), PATH_WITNESS, &body).await).await
}

fn own_key(central: &Central, note: &str) -> NoteKey {
    let origin = SignedCheckpoint::origin_of(note.as_bytes()).expect("a checkpoint");
    assert!(Keeper::Central { controller: controller(CONTROLLER) }.keeps(&origin), "{origin}");
    NoteKey::new(&origin, KeyKind::Note, central.world.head_key()).expect("a name")
}

async fn alarms(central: &Central) -> u64 {
    let answer = central.gateway().get(central.url(PATH_STATUS)).send().await.expect("an answer");
    taken::<Status>(answer).await.log_alarms
}

#[tokio::test]
async fn a_log_that_grows_is_cosigned_and_central_proves_that_its_own_does() {
    let central = with_visit().await;
    let first = show(&central, &Log::of(3).shown(&central, 0)).await;
    let witness = Keeper::Central { controller: controller(CONTROLLER) }.to_string();
    let witness = NoteKey::new(&witness, KeyKind::Cosignature, central.world.head_key()).expect("a name");
    let line = first.cosignature.as_deref().expect("the first is taken as it is");
    let both = Log::of(3).signed(&central).with_line(line).expect("a line");
    let seconds = (central.world.now().0 / 1_000_000).unsigned_abs();
    assert_eq!(both.cosigned_by(&witness), Ok(seconds));

    // Central's own log holds what the visit recorded, and grows with a batch.
    let key = own_key(&central, &first.checkpoint);
    let before = SignedCheckpoint::read(first.checkpoint.as_bytes(), &key).expect("signed by central");
    assert!(before.checkpoint().size > 0);
    let snapshot = central.snapshot().await;
    let grant = open_flow(&snapshot, "odometer").expect("open").id;
    let batch = central.world.batch("odometer");
    assert_eq!(central.deliver(&[(grant, &batch)]).await, [Answer::Committed]);
    let central_from = before.checkpoint().size;
    let device = &central.world.device;
    let name = Keeper::Gateway { controller: controller(CONTROLLER), gateway: slug(GATEWAY) }.to_string();
    let cosignature = before.cosign(&name, device, seconds).ok();
    let request = WitnessRequest { central_from, cosignature, ..Log::of(90).shown(&central, 3) };
    let second = show(&central, &request).await;
    assert!(second.cosignature.is_some() && second.alarm.is_none());
    let after = SignedCheckpoint::read(second.checkpoint.as_bytes(), &key).expect("signed by central");
    let (old, new) = (before.checkpoint(), after.checkpoint());
    assert_eq!(new.size, old.size + 1, "the commit");
    let proof = Proof(second.proof.iter().map(|hash| hash.0).collect());
    assert_eq!(proof.extends((old.size, &old.root), (new.size, &new.root)), Ok(()));
    // The same once more is the same; a proof from elsewhere is asked for again.
    assert!(show(&central, &Log::of(90).shown(&central, 90)).await.cosignature.is_some());
    let elsewhere = show(&central, &Log::of(99).shown(&central, 3)).await;
    assert_eq!((elsewhere.prove_from, elsewhere.alarm, elsewhere.cosignature), (Some(90), None, None));
    assert_eq!(alarms(&central).await, 0);
    central.stop().await;
}

#[tokio::test]
async fn a_log_that_was_cut_forked_or_begun_anew_is_an_alarm_and_stops_nothing() {
    let central = with_visit().await;
    let good = show(&central, &Log::of(50).shown(&central, 0)).await;
    assert!(good.cosignature.is_some());
    let fork = Log { kind: 1, ..Log::of(50) };
    let grown_fork = Log { kind: 1, ..Log::of(60) };
    for (log, from, expected) in [
        (Log::of(49), 50, LogAlarm::Shrunk),
        (fork, 50, LogAlarm::Forked),
        (grown_fork, 50, LogAlarm::Unproven),
    ] {
        let answer = show(&central, &log.shown(&central, from)).await;
        assert_eq!((answer.alarm, answer.cosignature), (Some(expected), None));
        let seen = answer.seen.expect("what it contradicts");
        assert!(seen.starts_with(Log::of(50).signed(&central).as_str()), "{seen}");
        assert_eq!(alarms(&central).await, 1, "{expected}");
    }
    // Deliveries go on, and so does the log that was seen.
    let grant = open_flow(&central.snapshot().await, "odometer").expect("open").id;
    let batch = central.world.batch("odometer");
    assert_eq!(central.deliver(&[(grant, &batch)]).await, [Answer::Committed]);
    let mended = show(&central, &Log::of(70).shown(&central, 50)).await;
    assert!(mended.cosignature.is_some() && mended.alarm.is_none());
    assert_eq!(alarms(&central).await, 0);
    // A spool that was begun anew is told once, and watched from then on; it stays in sight.
    let anew = Log { name: [2; 8], ..Log::of(5) };
    let answer = show(&central, &anew.shown(&central, 0)).await;
    assert_eq!((answer.alarm, answer.cosignature.is_some()), (Some(LogAlarm::BegunAnew), true));
    let later = Log { name: [2; 8], ..Log::of(6) };
    assert_eq!(show(&central, &later.shown(&central, 5)).await.alarm, None);
    assert_eq!(alarms(&central).await, 1);
    // What a gateway finds wrong with central is kept, too; and all of it outlives a restart.
    let central = central.restart().await;
    let told = WitnessRequest { alarm: Some(LogAlarm::Shrunk), ..later.shown(&central, 6) };
    assert!(show(&central, &told).await.cosignature.is_some());
    assert_eq!(alarms(&central).await, 1, "one gateway, two alarms");
    central.stop().await;
}

#[tokio::test]
async fn a_checkpoint_of_another_key_or_gateway_is_refused() {
    let central = with_visit().await;
    let log = Log::of(4);
    let good = log.shown(&central, 0);
    let by_stranger =
        log.signed(&central).checkpoint().clone().sign(&SigningKey::generate()).expect("a name");
    let renamed = Keeper::Gateway { controller: controller(CONTROLLER), gateway: slug("bay-9") };
    let of_other = Checkpoint { origin: renamed.origin([1; 8]), ..log.signed(&central).checkpoint().clone() };
    let of_other = of_other.sign(&central.world.device).expect("a name");
    for note in [by_stranger.as_str(), of_other.as_str(), "", "x\n\n"] {
        let request = WitnessRequest { checkpoint: note.to_owned(), ..good.clone() };
        let body = serde_json::to_value(&request).expect("plain data");
        refused(central.post(&central.gateway(), PATH_WITNESS, &body).await, Code::BadRequest).await;
    }
    let recipient = client(&central.world.ca, "workshop", Role::Recipient, CONTROLLER);
    let body = serde_json::to_value(&good).expect("plain data");
    refused(central.post(&recipient, PATH_WITNESS, &body).await, Code::RoleNotAllowed).await;
    assert_eq!(alarms(&central).await, 0);
    central.stop().await;
}
