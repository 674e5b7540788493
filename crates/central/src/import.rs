//! Importing: many entries, a line each, recorded in order and in chunks.
//!
//! Promises:
//! - A line is judged as if it had been recorded alone, after those before it.
//! - A chunk is recorded together; a refused line is not in it. Unless the caller says to go on,
//!   nothing behind a refused line is recorded.
//! - Whatever stops an import, the answer says what became of each line before.
//! - A dry run judges by the same checks, on a copy of the facts, and writes nothing.

use crate::{
    cache::{ATTEMPTS, NotAdopted, overtaken},
    caller::By,
    controller::Controller,
    ledger::{Sealed, refusal},
    lines::{Lines, Next},
    refusal::Refusal,
};
use vernport_api::{
    Code, ImportAnswer, ImportLine, ImportQuery, ImportStop, ImportedLine, LineOutcome, MAX_ENTRIES,
    MAX_LINE_BYTES, OnError,
};
use vernport_registry::{Entry, Facts};
use vernport_types::UtcMicros;

/// How many imports of one controller run at a time.
pub(crate) const MAX_IMPORTS: usize = 2;

/// A line that was read.
pub(crate) struct ReadLine {
    number: u32,
    said: Result<(Entry, Sealed), Refusal>,
}

/// What became of a chunk, line by line.
struct Judged {
    lines: Vec<ImportedLine>,
    /// The line at which it stopped.
    stopped: Option<ImportStop>,
}

/// An import on its way.
pub(crate) struct Import<'a> {
    controller: &'a Controller,
    by: &'a By,
    query: ImportQuery,
    /// Of a dry run: what would be in the ledger by now, and the time that it is judged by.
    trial: Option<(Facts, UtcMicros)>,
    pub(crate) answer: ImportAnswer,
}

impl ReadLine {
    pub(crate) fn number(&self) -> u32 {
        self.number
    }
}

impl<'a> Import<'a> {
    pub(crate) async fn begin(
        controller: &'a Controller,
        by: &'a By,
        query: ImportQuery,
    ) -> Result<Self, Refusal> {
        let trial = if query.dry_run {
            let mut state = controller.locked().await?;
            let now = state.now(&*controller.clock);
            Some((state.facts.clone(), now))
        } else {
            None
        };
        let answer = ImportAnswer { dry_run: query.dry_run, ..ImportAnswer::default() };
        Ok(Self { controller, by, query, trial, answer })
    }

    /// Whether a chunk is wanted.
    pub(crate) fn goes_on(&self) -> bool {
        self.answer.stopped.is_none()
    }

    /// Stops it at a line.
    pub(crate) fn stop(&mut self, line: u32, Refusal(problem): Refusal) {
        self.answer.stopped.get_or_insert(ImportStop { line, code: problem.code, detail: problem.detail });
    }

    /// Reads up to a chunk of lines; false if there is nothing behind them.
    pub(crate) async fn read(&mut self, lines: &mut Lines) -> (Vec<ReadLine>, Option<(u32, Refusal)>, bool) {
        let mut chunk = Vec::new();
        while chunk.len() < MAX_ENTRIES {
            let said = match lines.next().await {
                Next::Line(line) => self.controller.understand(&line),
                Next::TooLong => {
                    let detail = format!("a line has at most {MAX_LINE_BYTES} bytes");
                    Err(Refusal::new(Code::BodyTooLarge, detail))
                }
                Next::End => return (chunk, None, false),
                Next::Broken(refusal) => return (chunk, Some((lines.number() + 1, refusal)), false),
            };
            chunk.push(ReadLine { number: lines.number(), said });
        }
        (chunk, None, true)
    }

    /// Judges a chunk and records what may be.
    pub(crate) async fn take(&mut self, chunk: &[ReadLine]) {
        let Some(first) = chunk.first() else { return };
        let judged = match &mut self.trial {
            Some((facts, now)) => Ok(self.controller.judge_lines(facts, chunk, self.by, self.query, *now).0),
            None => self.controller.record_chunk(chunk, self.by, self.query).await,
        };
        match judged {
            Ok(judged) => {
                judged.lines.into_iter().for_each(|line| self.answer.push(line));
                self.answer.stopped = judged.stopped;
            }
            Err(refusal) => self.stop(first.number, refusal),
        }
    }
}

impl Controller {
    /// What a line says. The refusal says where, and repeats nothing of it.
    fn understand(&self, line: &[u8]) -> Result<(Entry, Sealed), Refusal> {
        let ImportLine { entry, identifiers } =
            ImportLine::read(line).map_err(|error| Refusal::new(Code::BadRequest, error.to_string()))?;
        let sealed = self.seal_identifiers(std::slice::from_ref(&entry), &identifiers)?;
        Ok((entry, sealed))
    }

    async fn record_chunk(&self, chunk: &[ReadLine], by: &By, query: ImportQuery) -> Result<Judged, Refusal> {
        for _ in 0..ATTEMPTS {
            match self.try_chunk(chunk, by, query).await {
                Ok(judged) => return Ok(judged),
                Err(NotAdopted::Stale) => {}
                Err(NotAdopted::Refused(refusal)) => return Err(refusal),
            }
        }
        Err(overtaken())
    }

    async fn try_chunk(&self, chunk: &[ReadLine], by: &By, query: ImportQuery) -> Result<Judged, NotAdopted> {
        let said =
            chunk.iter().filter_map(|line| line.said.as_ref().ok().map(|(entry, _)| entry.occurred_at));
        let (mut state, turn, now) = self.taking_turn(said).await?;
        let mut trial = state.facts.clone();
        let (mut judged, (entries, sealed)) = self.judge_lines(&mut trial, chunk, by, query, now);
        if !entries.is_empty() {
            let entered = self.enter(&mut state, turn, &entries, &sealed, None, now).await?;
            let mut names = entered.results.into_iter().map(|result| result.entry);
            for line in judged.lines.iter_mut().filter(|line| line.outcome == LineOutcome::Recorded) {
                line.entry = names.next();
            }
        } else {
            // All of it may be known by an attempt that was not told so.
            self.store.settle_journal().await?;
        }
        Ok(judged)
    }

    /// Judges line by line on a copy of the facts; gives what may be recorded.
    fn judge_lines(
        &self,
        facts: &mut Facts,
        chunk: &[ReadLine],
        by: &By,
        query: ImportQuery,
        now: UtcMicros,
    ) -> (Judged, (Vec<Entry>, Sealed)) {
        let mut judged = Judged { lines: Vec::with_capacity(chunk.len()), stopped: None };
        let (mut entries, mut all_sealed) = (Vec::new(), Sealed::new());
        for ReadLine { number, said } in chunk {
            let line =
                |outcome, entry| ImportedLine { line: *number, outcome, entry, code: None, detail: None };
            let outcome = said.as_ref().map_err(Refusal::again).and_then(|(entry, sealed)| {
                let entry = Entry { recorded_at: now, ..entry.clone() };
                if let Some(known) = self.admit_one(facts, &entry, by, now)? {
                    return Ok(line(LineOutcome::Already, Some(known)));
                }
                facts.apply(&entry).map_err(|refused| refusal(&refused))?;
                entries.push(entry);
                all_sealed.extend(sealed.clone());
                Ok(line(LineOutcome::Recorded, None))
            });
            match outcome {
                Ok(line) => judged.lines.push(line),
                Err(Refusal(problem)) => {
                    let (code, detail) = (problem.code, problem.detail);
                    let (said, word) = (Some(detail.clone()), LineOutcome::Refused);
                    judged.lines.push(ImportedLine { code: Some(code), detail: said, ..line(word, None) });
                    if query.on_error == OnError::Stop {
                        judged.stopped = Some(ImportStop { line: *number, code, detail });
                        break;
                    }
                }
            }
        }
        (judged, (entries, all_sealed))
    }
}
