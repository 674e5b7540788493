//! Gateway and central watch one another's evidence logs: each checkpoint that comes
//! must hold all that was seen before, and ours is proven to hold all that the gateway
//! saw. What does not fit is an alarm: logged, counted, kept, told; it stops nothing.

use crate::{controller::Controller, refusal::Refusal};
use vernport_api::{Code, LogAlarm, LogHash, MAX_PROOF_HASHES, WitnessAnswer, WitnessRequest};
use vernport_audit::{
    Broken, Checkpoint, Keeper, KeyKind, NoteKey, Proof, SignedCheckpoint, advance, consistency,
};
use vernport_crypto::VerifyingKey;
use vernport_store::{LogHead, Witnessed};
use vernport_types::{Slug, chain};

/// What becomes of a checkpoint.
struct Verdict {
    cosignature: Option<String>,
    prove_from: Option<u64>,
    alarm: Option<LogAlarm>,
    seen: Option<String>,
}

impl Controller {
    /// Holds a gateway's checkpoint against the last one, and shows ours.
    pub(crate) async fn witness(
        &self,
        gateway: &Slug,
        asked: &WitnessRequest,
    ) -> Result<WitnessAnswer, Refusal> {
        let keeper = Keeper::Gateway { controller: self.id.clone(), gateway: gateway.clone() };
        let keys = self.device_keys(gateway).await?;
        let by = |key: &&VerifyingKey| read(&keeper, &asked.checkpoint, **key).is_ok();
        // At least one; where none fits, the present one says why.
        let device_key = *keys.iter().find(by).unwrap_or(&keys[0]);
        let shown = read(&keeper, &asked.checkpoint, device_key)?;
        if asked.proof.len() > MAX_PROOF_HASHES {
            return Err(Refusal::new(Code::BadRequest, "a proof has at most 63 hashes"));
        }
        let proof = Proof(asked.proof.iter().map(|hash| hash.0).collect());
        let now = self.locked().await?.now(&*self.clock);
        let unix_s = (now.0 / 1_000_000).unsigned_abs();
        let own = self.show(asked.central_from).await?;
        let gateway_key = NoteKey::new(&keeper.to_string(), KeyKind::Cosignature, device_key).ok();
        let cosigned = asked.cosignature.as_deref().zip(gateway_key).and_then(|(line, key)| {
            // Only where it is on what we show now; an older one says nothing new.
            let both = own.0.with_line(line).ok()?;
            both.cosigned_by(&key).ok().map(|_| both.as_str().to_owned())
        });
        let verdict = self
            .store
            .witness(&self.id, gateway, now, |known| {
                let verdict = self.judge(&keeper, known, &shown, asked.from, &proof, unix_s);
                note_alarms(known, verdict.alarm, asked.alarm);
                known.cosigned = cosigned.or(known.cosigned.take());
                verdict
            })
            .await?;
        if let Some(alarm) = verdict.alarm {
            tracing::error!(%gateway, %alarm, leaves = shown.checkpoint().size, "the evidence log of a gateway is not the one that was seen");
        }
        if let Some(alarm) = asked.alarm {
            tracing::error!(%gateway, %alarm, "a gateway finds that the evidence log of central is not the one that it saw");
        }
        let Verdict { cosignature, prove_from, alarm, seen } = verdict;
        let (own, proof) = own;
        let proof = proof.0.into_iter().map(LogHash).collect();
        Ok(WitnessAnswer { cosignature, prove_from, alarm, seen, checkpoint: own.as_str().to_owned(), proof })
    }

    /// Whether a checkpoint takes the place of the last one.
    fn judge(
        &self,
        keeper: &Keeper,
        known: &mut Witnessed,
        shown: &SignedCheckpoint,
        from: u64,
        proof: &Proof,
        unix_s: u64,
    ) -> Verdict {
        // Ours was checked when it was kept; its key may have been changed since.
        let last = SignedCheckpoint::unsigned(&known.note).ok();
        let alarm = match advance(last.as_ref(), shown.checkpoint(), from, proof) {
            Ok(_) => None,
            Err(Broken::Elsewhere { known, .. }) => {
                return Verdict { cosignature: None, prove_from: Some(known), alarm: None, seen: None };
            }
            Err(broken) => {
                tracing::warn!(log = %keeper, error = chain(&broken), "a checkpoint does not fit");
                Some(alarm_of(&broken))
            }
        };
        // A log that was begun anew is watched from here on; every other alarm stands until it is explained.
        if alarm.is_some_and(|alarm| alarm != LogAlarm::BegunAnew) {
            let seen = Some(known.note.clone());
            return Verdict { cosignature: None, prove_from: None, alarm, seen };
        }
        let seen = alarm.map(|_| known.note.clone());
        let name = Keeper::Central { controller: self.id.clone() }.to_string();
        let cosignature = shown.cosign(&name, &self.head_key, unix_s).ok();
        let both = cosignature.as_deref().and_then(|line| shown.with_line(line).ok());
        known.note = both.map_or_else(|| shown.as_str().to_owned(), |both| both.as_str().to_owned());
        Verdict { cosignature, prove_from: None, alarm, seen }
    }

    /// The newest checkpoint of our log, kept before it leaves, and the proof from what somebody saw.
    async fn show(&self, from: u64) -> Result<(SignedCheckpoint, Proof), Refusal> {
        let keeper = Keeper::Central { controller: self.id.clone() };
        let LogHead { name, size, root } = self.store.log_head(&self.id).await?;
        let checkpoint = Checkpoint { origin: keeper.origin(name), size, root };
        let signed = checkpoint.sign(&self.head_key).map_err(|error| {
            tracing::error!(error = chain(&error), "the checkpoint of the evidence log cannot be signed");
            Refusal::new(Code::Internal, "the evidence log has no checkpoint; central's log says more")
        })?;
        self.store.keep_log_checkpoint(&self.id, size, signed.as_str()).await?;
        // Who saw more than there is hears the size, and draws their own conclusion.
        let proof = if from > 0 && from < size {
            self.store.ask_log(&self.id, |tiles| consistency(from, size, tiles)).await?
        } else {
            Proof::default()
        };
        Ok((signed, proof))
    }
}

/// A checkpoint of this gateway, signed with its device key.
fn read(keeper: &Keeper, note: &str, key: VerifyingKey) -> Result<SignedCheckpoint, Refusal> {
    let refused = || {
        let detail = "the checkpoint is not one of this gateway's log, signed with its device key";
        Refusal::new(Code::BadRequest, detail)
    };
    let origin = SignedCheckpoint::origin_of(note.as_bytes()).map_err(|_| refused())?;
    if !keeper.keeps(&origin) {
        return Err(refused());
    }
    let key = NoteKey::new(&origin, KeyKind::Note, key).map_err(|_| refused())?;
    SignedCheckpoint::read(note.as_bytes(), &key).map_err(|_| refused())
}

/// Remembers what is wrong now, on both sides; counts what is new. What was begun anew stays in sight.
fn note_alarms(known: &mut Witnessed, found: Option<LogAlarm>, told: Option<LogAlarm>) {
    let begun_anew = LogAlarm::BegunAnew.code();
    for (standing, now) in [(&mut known.alarm, found), (&mut known.central_alarm, told)] {
        let now = now.map(|alarm| alarm.code().to_owned());
        if *standing == now || (now.is_none() && standing.as_deref() == Some(begun_anew)) {
            continue;
        }
        known.alarms += u64::from(now.is_some());
        *standing = now;
    }
}

fn alarm_of(broken: &Broken) -> LogAlarm {
    match broken {
        Broken::Shrunk { .. } => LogAlarm::Shrunk,
        Broken::Fork { .. } => LogAlarm::Forked,
        Broken::OtherLog { .. } => LogAlarm::BegunAnew,
        Broken::Unproven { .. } | Broken::Elsewhere { .. } => LogAlarm::Unproven,
    }
}
