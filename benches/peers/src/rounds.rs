//! Interleaved rounds, and the table that comes of them.

use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

const ROUNDS: usize = 11;
/// Each candidate's turn in each round.
const TURN: Duration = Duration::from_millis(100);

/// One candidate: a pass answers so many questions.
pub(crate) struct Case<'a> {
    name: &'static str,
    count: usize,
    pass: Box<dyn FnMut() + 'a>,
}

impl<'a> Case<'a> {
    pub(crate) fn new(name: &'static str, count: usize, pass: impl FnMut() + 'a) -> Self {
        Self { name, count, pass: Box::new(pass) }
    }

    /// One turn: nanoseconds for each question.
    fn turn(&mut self) -> f64 {
        let begun = processor_time();
        let mut passes = 0_u32;
        loop {
            (self.pass)();
            passes += 1;
            let spent = processor_time() - begun;
            if spent >= TURN {
                return spent.as_secs_f64() * 1e9 / (f64::from(passes) * self.count as f64);
            }
        }
    }
}

/// Measures all candidates and prints what came out; ratios are to the first.
pub(crate) fn measure(mut cases: Vec<Case<'_>>) {
    let mut turns = vec![Vec::new(); cases.len()];
    for round in 0..=ROUNDS {
        for (case, turns) in cases.iter_mut().zip(&mut turns) {
            let turn = case.turn();
            // The first round warms caches and allocator.
            if round > 0 {
                turns.push(turn);
            }
        }
    }
    println!("\n| candidate | ns, median (min) | times ours |\n|---|---:|---:|");
    let mut ours = None;
    for (case, turns) in cases.iter().zip(&mut turns) {
        turns.sort_by(f64::total_cmp);
        let (median, min) = (turns[ROUNDS / 2], turns[0]);
        let ratio = median / *ours.get_or_insert(median);
        println!("| {} | {median:.1} ({min:.1}) | {ratio:.1} |", case.name);
    }
}

/// The time that this thread had the processor.
fn processor_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).expect("a thread's time is positive")
}
