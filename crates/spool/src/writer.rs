//! The one task that writes. What has gathered while the last commit ran is committed together.
//!
//! A group that finds no room is taken apart: units are then refused one by one,
//! while settling goes on item by item out of the reserve.

use crate::{
    Config, Item, Unit,
    change::{self, Change},
    command::{Command, Failure, Outcome, Refusal, Request},
    disk::Below,
    error::{is_fatal, is_full},
    gauges::Gauges,
    open, queue,
    reserve::Reserve,
    room, station,
};
use sqlx::SqliteConnection;
use std::{fs::File, io, sync::Arc, time::Duration};
use tokio::{sync::mpsc, time::Instant};
use vernport_policy::Standing;
use vernport_types::UtcMicros;

/// How many calls are committed together at most.
const MAX_GROUP: usize = 256;
/// How many items of a long command are settled in one transaction at most, so that the log stays small.
const MAX_STEP: usize = 64;
/// How long an unsuccessful attempt to write the reserve again is not repeated.
const RESERVE_PAUSE: Duration = Duration::from_secs(1);

/// The writer's state.
#[derive(Debug)]
pub(crate) struct Writer {
    config: Config,
    connection: SqliteConnection,
    /// Held until the writer ends: no other process writes meanwhile.
    lock: File,
    reserve: Reserve,
    reserve_failed: Option<Instant>,
    gauges: Arc<Gauges>,
    below: Below,
}

impl Writer {
    pub(crate) fn new(
        config: Config,
        connection: SqliteConnection,
        lock: File,
        reserve: Reserve,
        gauges: Arc<Gauges>,
    ) -> Self {
        Self { config, connection, lock, reserve, reserve_failed: None, gauges, below: Below::default() }
    }

    pub(crate) fn on(self, below: Below) -> Self {
        Self { below, ..self }
    }

    /// The disk takes its time, and has room or none.
    #[cfg(feature = "simulation")]
    async fn wait_for_disk(&mut self) {
        let Some(disk) = self.below.disk.clone() else { return };
        tokio::time::sleep(disk.delay()).await;
        // SQLite takes a bound below what the file has as one at what it has.
        self.config.max_file_bytes = if disk.has_room() { u64::MAX >> 8 } else { 0 };
        let bounded = open::set_max_pages(&mut self.connection, self.config.max_file_bytes);
        if let Err(error) = self.below.run(bounded).await {
            tracing::error!(%error, "the simulated disk was not bounded");
        }
    }

    /// Works until it is told to close, all handles are gone, or the disk can no longer be trusted.
    pub(crate) async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        while let Some(first) = requests.recv().await {
            let mut group = vec![first];
            while group.len() < MAX_GROUP
                && let Ok(next) = requests.try_recv()
            {
                group.push(next);
            }
            // What stands behind a call to close is answered by its reply being dropped.
            let close = group.iter().position(|request| matches!(request.command, Command::Close));
            let closing = close.map(|place| group.split_off(place));
            #[cfg(feature = "simulation")]
            self.wait_for_disk().await;
            let trusted = self.below.clone().run(self.serve(group)).await;
            if closing.is_some() || !trusted {
                requests.close();
                let reply =
                    closing.and_then(|requests| requests.into_iter().next()).map(|request| request.reply);
                self.stop().await;
                if let Some(reply) = reply {
                    let _ = reply.send(Ok(Outcome::default()));
                }
                return;
            }
        }
        self.stop().await;
    }

    async fn stop(mut self) {
        let below = self.below;
        if let Err(error) = below.run(open::empty_log(&mut self.connection)).await {
            tracing::warn!(%error, "the log of the spool stays as it is until the next opening");
        }
        below.run(open::close(self.connection)).await;
        drop(self.lock);
    }

    /// Serves a group; false when nothing may be written any more.
    async fn serve(&mut self, group: Vec<Request>) -> bool {
        let mut trusted = true;
        let mut rest = group.into_iter().peekable();
        while rest.peek().is_some() {
            // Short commands in a row share one transaction; a long one runs by itself, in steps.
            let mut run = Vec::new();
            while let Some(request) = rest.next_if(|request| request.command.is_short()) {
                run.push(request);
            }
            if run.is_empty() {
                run.extend(rest.next());
            }
            let (commands, replies): (Vec<_>, Vec<_>) =
                run.into_iter().map(|request| (request.command, request.reply)).unzip();
            let outcomes = if trusted { self.carry_out(&commands).await } else { closed(commands.len()) };
            if outcomes.iter().flatten().any(|outcome| outcome.destroyed) {
                self.scrub_log().await;
            }
            for (reply, outcome) in replies.into_iter().zip(outcomes) {
                trusted &= self.observe(&outcome);
                // Who no longer waits for the answer does not need it.
                let _ = reply.send(outcome);
            }
        }
        trusted
    }

    /// Counts an outcome; false when nothing may be written after it.
    fn observe(&self, outcome: &Result<Outcome, Failure>) -> bool {
        match outcome {
            Err(Failure::Store(error)) if is_fatal(error) => {
                tracing::error!(%error, "the spool stops: what the disk holds is no longer certain");
                return false;
            }
            Err(Failure::Refused(_)) => self.gauges.count_refused(),
            Err(Failure::Store(error)) if is_full(error) => self.gauges.count_refused(),
            _ => {}
        }
        true
    }

    /// The log still holds pages as they were before a destruction.
    async fn scrub_log(&mut self) {
        match open::empty_log(&mut self.connection).await {
            Ok(true) => {}
            Ok(false) => tracing::debug!("a reader holds the log: it is emptied later"),
            Err(error) => tracing::warn!(%error, "the log could not be emptied after a destruction"),
        }
    }

    async fn carry_out(&mut self, commands: &[Command]) -> Vec<Result<Outcome, Failure>> {
        match commands {
            [Command::Apply { grant, standing, at }] => {
                let change = match standing {
                    Standing::Send => Change::Resumed,
                    Standing::Park(reason) => Change::Parked(*reason),
                    Standing::Destroy(reason) => Change::Destroyed(*reason),
                };
                vec![match change::resting_on(&mut self.connection, *grant, change).await {
                    Ok(items) => self.in_steps(&items, *at).await,
                    Err(error) => Err(error.into()),
                }]
            }
            [Command::Sweep { now }] => vec![self.sweep(*now).await],
            _ => self.carry_out_short(commands).await,
        }
    }

    async fn carry_out_short(&mut self, commands: &[Command]) -> Vec<Result<Outcome, Failure>> {
        if commands.iter().any(|command| matches!(command, Command::Queue(_))) {
            self.mend_reserve();
        }
        match self.together(commands).await {
            Ok(outcomes) => outcomes,
            Err(error) if is_fatal(&error) => {
                // The writer stops: the first is told why, all are told that.
                let mut error = Some(error);
                commands.iter().map(|_| Err(error.take().map_or(Failure::Closed, Failure::Store))).collect()
            }
            Err(_) => {
                // One of them was too much; the others are not to be refused with it.
                let mut outcomes = Vec::with_capacity(commands.len());
                for command in commands {
                    outcomes.push(self.alone(command).await);
                }
                outcomes
            }
        }
    }

    /// A command by itself; what is not a unit goes on out of the reserve where there is no room.
    async fn alone(&mut self, command: &Command) -> Result<Outcome, Failure> {
        match self.together(std::slice::from_ref(command)).await {
            Ok(mut outcomes) => outcomes.pop().unwrap_or(Err(Failure::Closed)),
            Err(error) => match command {
                Command::Change { items, at } if is_full(&error) => {
                    let one = |item: &(Item, Change)| Command::Change { items: vec![*item], at: *at };
                    self.out_of_reserve(items.iter().map(one)).await
                }
                Command::Remember(memory) if is_full(&error) => {
                    self.out_of_reserve(std::iter::once(Command::Remember(memory.clone()))).await
                }
                _ => Err(Failure::Store(error)),
            },
        }
    }

    /// Many changes, in transactions of a bounded size.
    async fn in_steps(&mut self, items: &[(Item, Change)], at: UtcMicros) -> Result<Outcome, Failure> {
        let mut total = Outcome::default();
        for step in items.chunks(MAX_STEP) {
            total.add(self.alone(&Command::Change { items: step.to_vec(), at }).await?);
        }
        Ok(total)
    }

    async fn sweep(&mut self, now: UtcMicros) -> Result<Outcome, Failure> {
        let items = change::overdue(&mut self.connection, now, self.config.max_age_seconds).await?;
        let outcome = self.in_steps(&items, now).await?;
        self.mend_reserve();
        match change::forget(&mut self.connection, now).await {
            Err(error) if is_full(&error) => {
                tracing::warn!("no room on the disk: old marks are forgotten later");
            }
            forgotten => forgotten?,
        }
        Ok(outcome)
    }

    /// One transaction for all; a refused unit alone is taken back.
    async fn together(&mut self, commands: &[Command]) -> sqlx::Result<Vec<Result<Outcome, Failure>>> {
        let result = self.transact(commands).await;
        match &result {
            Ok(outcomes) => {
                self.gauges.account(outcomes.iter().flatten());
                #[cfg(feature = "simulation")]
                if let Some(disk) = &self.below.disk {
                    for (command, outcome) in commands.iter().zip(outcomes) {
                        if let (Command::Queue(unit), Ok(_)) = (command, outcome) {
                            disk.queued(unit);
                        }
                    }
                }
            }
            // SQLite may have rolled back by itself; then there is nothing to roll back.
            Err(_) => drop(sqlx::query("ROLLBACK").execute(&mut self.connection).await),
        }
        result
    }

    async fn transact(&mut self, commands: &[Command]) -> sqlx::Result<Vec<Result<Outcome, Failure>>> {
        let mut used_bytes = self.gauges.queued().used_bytes;
        let mut outcomes = Vec::with_capacity(commands.len());
        sqlx::query("BEGIN IMMEDIATE").execute(&mut self.connection).await?;
        for command in commands {
            sqlx::query("SAVEPOINT command").execute(&mut self.connection).await?;
            let outcome = match command {
                Command::Queue(unit) => self.queue(unit, used_bytes).await,
                Command::Change { items, at } => {
                    change::change(&mut self.connection, items, *at).await.map_err(Failure::Store)
                }
                Command::Remember(memory) => {
                    station::remember(&mut self.connection, memory).await.map_err(Failure::Store)
                }
                // Long commands come here as changes, and closing does not come here.
                Command::Apply { .. } | Command::Sweep { .. } | Command::Close => Ok(Outcome::default()),
            };
            match outcome {
                Err(Failure::Store(error)) => return Err(error),
                Err(refused) => {
                    sqlx::query("ROLLBACK TO command").execute(&mut self.connection).await?;
                    outcomes.push(Err(refused));
                }
                Ok(outcome) => {
                    used_bytes = (used_bytes + outcome.taken_bytes).saturating_sub(outcome.freed_bytes);
                    outcomes.push(Ok(outcome));
                }
            }
            sqlx::query("RELEASE command").execute(&mut self.connection).await?;
        }
        sqlx::query("COMMIT").execute(&mut self.connection).await?;
        Ok(outcomes)
    }

    async fn queue(&mut self, unit: &Unit, used_bytes: u64) -> Result<Outcome, Failure> {
        let (asked_bytes, max_bytes) = (queue::asked_bytes(unit), self.config.max_bytes);
        // Cursors, counts and samplers take no room of the bound and go on when it is reached.
        let lacking_bytes =
            if asked_bytes == 0 { 0 } else { (used_bytes + asked_bytes).saturating_sub(max_bytes) };
        let full = || Failure::Refused(Refusal::Full { used_bytes, asked_bytes, max_bytes });
        if lacking_bytes > 0 && !unit.makes_room() {
            return Err(full());
        }
        if !self.reserve.is_whole() {
            let source = io::Error::new(io::ErrorKind::StorageFull, "the reserve for settling is not whole");
            return Err(Failure::Refused(Refusal::NoReserve(source)));
        }
        let mut outcome = queue::queue(&mut self.connection, &self.config, unit).await?;
        if lacking_bytes > 0 {
            // What is new gives way as well: it may have the lowest rank of all.
            let gone = room::make(&mut self.connection, lacking_bytes, unit.at).await?;
            if gone.freed_bytes < lacking_bytes {
                return Err(full());
            }
            outcome.add(gone);
        }
        Ok(outcome)
    }

    /// Change by change, each in its own transaction, with the room of the reserve. The log is
    /// emptied after each, so the reserve has to hold the pages of one item only.
    async fn out_of_reserve(&mut self, commands: impl Iterator<Item = Command>) -> Result<Outcome, Failure> {
        tracing::warn!("no room on the disk: the spool settles out of its reserve");
        if let Err(error) = self.reserve.release() {
            tracing::warn!(%error, "the reserve could not be given free");
        }
        self.gauges.set_reserve_whole(false);
        let file_bytes = self.config.max_file_bytes;
        open::set_max_pages(&mut self.connection, file_bytes.saturating_add(self.reserve.bytes())).await?;
        let result = self.one_by_one(commands).await;
        open::set_max_pages(&mut self.connection, file_bytes).await?;
        self.mend_reserve();
        result
    }

    async fn one_by_one(&mut self, commands: impl Iterator<Item = Command>) -> Result<Outcome, Failure> {
        let mut total = Outcome::default();
        for command in commands {
            // First what is in the log already has to make room for it.
            open::empty_log(&mut self.connection).await?;
            for outcome in self.together(&[command]).await? {
                total.add(outcome?);
            }
        }
        open::empty_log(&mut self.connection).await?;
        Ok(total)
    }

    /// Writes the reserve again where it was used. Blocks for some milliseconds, seldom.
    fn mend_reserve(&mut self) {
        if self.reserve.is_whole() || self.reserve_failed.is_some_and(|at| at.elapsed() < RESERVE_PAUSE) {
            return;
        }
        match self.reserve.restore() {
            Ok(()) => {
                self.reserve_failed = None;
                tracing::info!("the reserve of the spool is whole again");
            }
            Err(error) => {
                self.reserve_failed = Some(Instant::now());
                tracing::warn!(%error, "no room for the reserve of the spool: nothing is queued");
            }
        }
        self.gauges.set_reserve_whole(self.reserve.is_whole());
    }
}

fn closed(count: usize) -> Vec<Result<Outcome, Failure>> {
    std::iter::repeat_with(|| Err(Failure::Closed)).take(count).collect()
}
