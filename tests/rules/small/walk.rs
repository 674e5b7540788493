//! All ledgers up to a length, depth first: what two ledgers begin with is written once.

use super::{
    invariants::{ALL, Case},
    line::{As, Ground, Line},
    story::{ALPHABET, Story, What},
};
use std::sync::atomic::{AtomicUsize, Ordering};

/// How often what was met.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) ledgers: u64,
    pub(super) refused: u64,
    pub(super) decisions: u64,
    pub(super) released: u64,
    pub(super) batches: u64,
    /// By invariant: how often it had something to say.
    pub(super) said: [u64; 7],
}

impl Counts {
    pub(super) fn add(&mut self, other: &Self) {
        self.ledgers += other.ledgers;
        self.refused += other.refused;
        self.decisions += other.decisions;
        self.released += other.released;
        self.batches += other.batches;
        for (all, more) in self.said.iter_mut().zip(other.said) {
            *all += more;
        }
    }
}

/// A ledger, and the same said otherwise.
#[derive(Clone)]
pub(super) struct Worlds {
    pub(super) story: Story,
    pub(super) line: Line,
    withdrawn: Option<Line>,
    unobjected: Option<Line>,
}

impl Worlds {
    /// Where nothing happened yet.
    fn new(ground: &Ground) -> Self {
        Self { story: Story::default(), line: Line::new(ground, As::Told), withdrawn: None, unobjected: None }
    }

    /// After some things happened one by one, each of which the ledger takes.
    pub(super) fn after(ground: &Ground, steps: impl IntoIterator<Item = What>) -> Self {
        let mut worlds = Self::new(ground);
        for what in steps {
            assert!(worlds.step(ground, what), "{what:?} is taken");
            worlds.look(ground);
        }
        worlds
    }

    /// One more thing. False, and nothing changed, if the ledger refuses it.
    pub(super) fn step(&mut self, ground: &Ground, what: What) -> bool {
        let told = self.story.next(what);
        let before = (what == What::Object && self.unobjected.is_none()).then(|| self.line.unobjected());
        if self.line.tell(ground, &self.story, told).is_err() {
            return false;
        }
        self.unobjected = self.unobjected.take().or(before);
        if what == What::Expire && self.withdrawn.is_none() {
            self.withdrawn = Some(self.again(ground));
        }
        for other in [&mut self.withdrawn, &mut self.unobjected].into_iter().flatten() {
            other.tell(ground, &self.story, told).expect("taken as the ledger took it");
        }
        self.story.push(told);
        true
    }

    /// The same story with consents that hold for years.
    fn again(&self, ground: &Ground) -> Line {
        let mut line = Line::new(ground, As::Withdrawn);
        let mut story = Story::default();
        for told in self.story.told() {
            let told = story.next(told.what);
            line.tell(ground, &story, told).expect("taken before");
            story.push(told);
            line.look(ground, &story);
        }
        line
    }

    /// What is seen now.
    pub(super) fn look(&mut self, ground: &Ground) -> Case<'_> {
        let seen = self.line.look(ground, &self.story);
        let story = &self.story;
        let other = |line: &mut Option<Line>| line.as_mut().map(|line| line.look(ground, story));
        let (withdrawn, unobjected) = (other(&mut self.withdrawn), other(&mut self.unobjected));
        Case { story, seen, withdrawn, unobjected }
    }
}

/// A ledger in which an invariant does not hold, and what is wrong.
pub(super) type Broken = Box<(Story, String)>;

fn check(worlds: &mut Worlds, ground: &Ground, counts: &mut Counts) -> Result<(), Broken> {
    let case = worlds.look(ground);
    let seen = &case.seen;
    counts.ledgers += 1;
    let answers = [&seen.now, &seen.unset, &seen.unheard, &seen.later, &seen.back, &seen.stranger];
    let lines = [Some(seen), case.withdrawn.as_ref(), case.unobjected.as_ref()];
    for _ in lines.iter().flatten() {
        // Beside the flows' signals one that no flow names.
        counts.decisions += 5 * u64::try_from(answers.len()).expect("small");
    }
    counts.released +=
        answers.iter().flat_map(|all| all.iter()).filter(|answer| answer.is_ok()).count() as u64;
    counts.batches += seen.batches.len() as u64;
    for (invariant, said) in ALL.iter().zip(&mut counts.said) {
        *said += invariant(&case).map_err(|wrong| Box::new((case.story.clone(), wrong)))?;
    }
    Ok(())
}

fn below(worlds: &Worlds, ground: &Ground, length: usize, counts: &mut Counts) -> Result<(), Broken> {
    for what in ALPHABET.into_iter().take(if length == 0 { 0 } else { ALPHABET.len() }) {
        let mut next = worlds.clone();
        if next.step(ground, what) {
            check(&mut next, ground, counts)?;
            below(&next, ground, length - 1, counts)?;
        } else {
            counts.refused += 1;
        }
    }
    Ok(())
}

/// All ledgers that go on from a beginning by up to so many steps.
///
/// # Errors
/// The first ledger found in which an invariant does not hold.
pub(super) fn walk(ground: &Ground, beginning: &[What], length: usize) -> Result<Counts, Broken> {
    let mut counts = Counts::default();
    let mut worlds = Worlds::after(ground, beginning.iter().copied());
    check(&mut worlds, ground, &mut counts)?;
    if length == 0 {
        return Ok(counts);
    }
    let next = AtomicUsize::new(0);
    let work = || {
        let mut counts = Counts::default();
        while let Some(what) = ALPHABET.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut first = worlds.clone();
            if !first.step(ground, *what) {
                counts.refused += 1;
                continue;
            }
            check(&mut first, ground, &mut counts)?;
            below(&first, ground, length - 1, &mut counts)?;
        }
        Ok(counts)
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let parts: Result<Vec<Counts>, Broken> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        running.into_iter().map(|thread| thread.join().expect("a checked ledger")).collect()
    });
    for part in parts? {
        counts.add(&part);
    }
    Ok(counts)
}
