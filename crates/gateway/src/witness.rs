//! Shows central the head of this gateway's evidence log, and watches central's: each
//! must begin with what the other saw before. A log that was cut, forked or begun anew is an
//! alarm: logged, counted, shown in the status and told to the other side. It stops nothing. What central lost
//! with its database is explained by the era that its controller began after that, and signed: then its log is
//! one begun anew.

use crate::{chain, status::Shared};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use vernport_api::{Code, LogAlarm, LogHash, MAX_CHECKPOINT_BYTES, WitnessAnswer, WitnessRequest};
use vernport_audit::{
    Broken, Checkpoint, CheckpointError, Keeper, KeyKind, NoteError, NoteKey, NoteKeyError, Proof,
    SignedCheckpoint, advance,
};
use vernport_crypto::{SigningKey, VerifyingKey, random};
use vernport_policy::Era;
use vernport_spool::{KeptCheckpoint, ReadError, SettleError, Spool};
use vernport_types::Clock;
use vernport_uplink::{Backoff, CallError, Uplink};

/// How often the head is shown while the log grows.
const EVERY: Duration = Duration::from_secs(5);
/// How often at least, so that central's log is watched too.
const AT_LEAST_EVERY: u32 = 12;
/// First and longest pause after a failure.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// Under which names the spool keeps central's last checkpoint, and what was found wrong.
const CENTRAL: &str = "central-checkpoint";
const ALARMS: &str = "log-alarms";

/// The last checkpoint of central that was seen.
#[derive(Debug, Serialize, Deserialize)]
struct CentralSeen {
    /// The era of its registry then.
    era: u32,
    note: String,
}

/// What was found wrong with the two logs. Kept in the spool, so that a restart does not hide it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogAlarms {
    /// How often something new was found.
    pub count: u64,
    /// What central finds wrong with the log of this gateway, now.
    pub own: Option<LogAlarm>,
    /// What this gateway finds wrong with central's log, now.
    pub central: Option<LogAlarm>,
}

/// How far each log was seen by the other side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogSeen {
    /// How many leaves of this gateway's log central has cosigned.
    pub cosigned_leaves: u64,
    /// How many leaves of central's log were seen.
    pub central_leaves: u64,
    /// What was found wrong.
    pub alarms: LogAlarms,
}

pub(crate) struct Witness {
    pub(crate) uplink: Uplink,
    pub(crate) spool: Spool,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) device: Arc<SigningKey>,
    pub(crate) gateway: Keeper,
    pub(crate) central: Keeper,
    /// Signs heads and central's checkpoints.
    pub(crate) central_key: VerifyingKey,
}

/// Why a round did not come to its end.
#[derive(Debug, Error)]
enum RoundError {
    #[error("the evidence log cannot be read")]
    Read(#[from] ReadError),
    #[error("the evidence log cannot be written")]
    Write(#[from] SettleError),
    #[error("central was not asked")]
    Call(#[from] CallError),
    #[error("a checkpoint does not hold")]
    Checkpoint(#[from] CheckpointError),
    #[error("a signature under a checkpoint does not hold")]
    Note(#[from] NoteError),
    #[error("a name of a log cannot be written")]
    Name(#[from] NoteKeyError),
    #[error("central shows the log of somebody else")]
    OtherKeeper,
}

impl Witness {
    /// Goes on until shutdown.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        if let Err(error) = self.remember().await {
            tracing::error!(error = chain(&error), "what was seen of the logs cannot be read");
        }
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            () = self.shared.first_head() => {}
        }
        let mut backoff = Backoff::new(BACKOFF.0, BACKOFF.1);
        let (mut shown, mut idle) = (None, 0);
        loop {
            let pause = match self.step(&mut shown, &mut idle).await {
                Ok(()) => {
                    backoff.succeeded();
                    EVERY
                }
                // A central of an earlier version has no log yet.
                Err(RoundError::Call(CallError::Refused(problem))) if problem.code == Code::NotFound => {
                    BACKOFF.1
                }
                Err(error) => {
                    tracing::warn!(error = chain(&error), "the evidence log was not witnessed");
                    backoff.failed(u32::from_le_bytes(random()), None)
                }
            };
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Puts into the status what an earlier run saw.
    async fn remember(&self) -> Result<(), RoundError> {
        let (_, cosigned) = self.spool.last_checkpoints().await?;
        let alarms = self.spool.kept(ALARMS).await?;
        let alarms = alarms.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        let central_leaves = self.central_seen().await?.map_or(0, |(_, seen)| seen.checkpoint().size);
        let cosigned_leaves = cosigned.map_or(0, |kept| kept.size);
        self.shared.log_seen(|seen| *seen = LogSeen { cosigned_leaves, central_leaves, alarms });
        Ok(())
    }

    /// Shows the head if it is another one than was shown, or if it is time again.
    async fn step(&self, shown: &mut Option<u64>, idle: &mut u32) -> Result<(), RoundError> {
        let head = self.spool.log_head().await?;
        *idle += 1;
        if *shown == Some(head.size) && *idle < AT_LEAST_EVERY {
            return Ok(());
        }
        let (kept, cosigned) = self.spool.last_checkpoints().await?;
        let checkpoint =
            Checkpoint { origin: self.gateway.origin(head.name), size: head.size, root: head.root };
        let signed = checkpoint.sign(&self.device)?;
        if kept.is_none_or(|kept| kept.size != head.size) {
            // First it is kept, then it leaves.
            let note = signed.as_str().to_owned();
            self.spool.keep_checkpoint(KeptCheckpoint { size: head.size, note, cosigned: None }).await?;
        }
        let mut from = cosigned.map_or(0, |kept| kept.size);
        let mut answer = self.show(&signed, from).await?;
        if let Some(known) = answer.prove_from {
            // An answer of central was lost here: it saw more than we know of.
            from = known;
            answer = self.show(&signed, from).await?;
        }
        self.hear(&signed, &answer).await?;
        (*shown, *idle) = (Some(head.size), 0);
        Ok(())
    }

    async fn show(&self, signed: &SignedCheckpoint, from: u64) -> Result<WitnessAnswer, RoundError> {
        let proof = match self.spool.prove_consistency(from, signed.checkpoint().size).await {
            // Central says what it makes of that.
            Err(ReadError::NotKept { .. }) => Proof::default(),
            proof => proof?,
        };
        let (_, central) = self.central_seen().await?.unzip();
        let name = self.gateway.to_string();
        let unix_s = (self.clock.now().wall.0 / 1_000_000).unsigned_abs();
        let cosignature =
            central.as_ref().map(|seen| seen.cosign(&name, &self.device, unix_s)).transpose()?;
        let request = WitnessRequest {
            checkpoint: signed.as_str().to_owned(),
            from,
            proof: proof.0.into_iter().map(LogHash).collect(),
            central_from: central.map_or(0, |seen| seen.checkpoint().size),
            cosignature,
            alarm: self.shared.log_alarms().central,
        };
        let answer = self.uplink.witness(&request).await?;
        self.watch(&answer, request.central_from).await?;
        Ok(answer)
    }

    /// What central makes of this log.
    async fn hear(&self, signed: &SignedCheckpoint, answer: &WitnessAnswer) -> Result<(), RoundError> {
        if let Some(line) = &answer.cosignature {
            let witness = NoteKey::new(&self.central.to_string(), KeyKind::Cosignature, self.central_key)?;
            let both = signed.with_line(line)?;
            both.cosigned_by(&witness)?;
            let size = signed.checkpoint().size;
            let cosigned = Some(self.clock.now().wall);
            let kept = KeptCheckpoint { size, note: both.as_str().to_owned(), cosigned };
            self.spool.keep_checkpoint(kept).await?;
            self.shared.log_seen(|seen| seen.cosigned_leaves = size);
        }
        if let Some(alarm) = answer.alarm
            && answer.cosignature.is_none()
        {
            let seen = answer.seen.as_ref().and_then(|note| self.ours(note));
            let seen_leaves = seen.as_ref().map(|seen| seen.size);
            tracing::error!(
                %alarm,
                leaves = signed.checkpoint().size,
                seen_leaves,
                "central saw another log of this gateway: this spool was set back or copied, run `vernport audit fsck`"
            );
        }
        // A log that was begun anew is told once; central goes on with the new one.
        self.alarm(|alarms| &mut alarms.own, answer.alarm).await
    }

    /// A checkpoint that this gateway's key signed, as central says it saw it.
    fn ours(&self, note: &str) -> Option<Checkpoint> {
        let origin = SignedCheckpoint::origin_of(note.as_bytes()).ok().filter(|it| self.gateway.keeps(it))?;
        let key = NoteKey::new(&origin, KeyKind::Note, self.device.verifying_key()).ok()?;
        SignedCheckpoint::read(note.as_bytes(), &key).ok().map(|signed| signed.checkpoint().clone())
    }

    /// Holds central's log against what was seen of it.
    async fn watch(&self, answer: &WitnessAnswer, from: u64) -> Result<(), RoundError> {
        let signed = self.central_checkpoint(&answer.checkpoint)?;
        let (seen_in, last) = self.central_seen().await?.unzip();
        let last = last.as_ref().map(SignedCheckpoint::checkpoint);
        let era = self.shared.last_head().map(|(head, _)| head.era);
        let proof = Proof(answer.proof.iter().map(|hash| hash.0).collect());
        let found = match advance(last, signed.checkpoint(), from, &proof) {
            Ok(_) => None,
            // Another answer came in between; the next round proves from there.
            Err(broken) if !broken.is_alarm() => return Ok(()),
            Err(broken) if seen_in < era => {
                tracing::warn!(
                    error = chain(&broken),
                    "the evidence log of central is not the one that was seen: its registry was restored since"
                );
                Some(LogAlarm::BegunAnew)
            }
            Err(broken) => {
                tracing::error!(
                    error = chain(&broken),
                    "the evidence log of central is not the one that was seen: its operator has to explain that"
                );
                Some(alarm_of(&broken))
            }
        };
        if matches!(found, None | Some(LogAlarm::BegunAnew)) {
            let seen = CentralSeen { era: era.unwrap_or(Era::FIRST), note: answer.checkpoint.clone() };
            let seen = serde_json::to_vec(&seen).expect("plain data");
            self.spool.keep(CENTRAL, Some(seen)).await?;
            let leaves = signed.checkpoint().size;
            self.shared.log_seen(|seen| seen.central_leaves = leaves);
        }
        self.alarm(|alarms| &mut alarms.central, found).await
    }

    /// The last checkpoint of central that was seen, and in which era.
    async fn central_seen(&self) -> Result<Option<(u32, SignedCheckpoint)>, RoundError> {
        let Some(kept) = self.spool.kept(CENTRAL).await? else { return Ok(None) };
        let seen = serde_json::from_slice::<CentralSeen>(&kept);
        // One that does not read any more was written under another key, or by an earlier version: it is seen anew.
        Ok(seen.ok().and_then(|seen| Some((seen.era, self.central_checkpoint(&seen.note).ok()?))))
    }

    fn central_checkpoint(&self, note: &str) -> Result<SignedCheckpoint, RoundError> {
        if note.len() > MAX_CHECKPOINT_BYTES {
            return Err(NoteError::TooLong { found: note.len() }.into());
        }
        let origin = SignedCheckpoint::origin_of(note.as_bytes())?;
        if !self.central.keeps(&origin) {
            return Err(RoundError::OtherKeeper);
        }
        let key = NoteKey::new(&origin, KeyKind::Note, self.central_key)?;
        Ok(SignedCheckpoint::read(note.as_bytes(), &key)?)
    }

    /// Remembers what is wrong with one of the logs now; counts what is new.
    async fn alarm(
        &self,
        which: impl Fn(&mut LogAlarms) -> &mut Option<LogAlarm>,
        found: Option<LogAlarm>,
    ) -> Result<(), RoundError> {
        let mut alarms = self.shared.log_alarms();
        let standing = which(&mut alarms);
        // What was begun anew goes on without another word; it stays in sight all the same.
        if *standing == found || (found.is_none() && *standing == Some(LogAlarm::BegunAnew)) {
            return Ok(());
        }
        *standing = found;
        alarms.count += u64::from(found.is_some());
        self.shared.log_seen(|seen| seen.alarms = alarms);
        let bytes = serde_json::to_vec(&alarms).expect("plain data");
        Ok(self.spool.keep(ALARMS, Some(bytes)).await?)
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
