//! The questions of vernport's hot path, asked of other engines in the same run.
//!
//! One thread; rounds in which every candidate has its turn; time of the processor.
//! All answers of a candidate are compared with ours before anything is timed.
//! Figures, and what each engine does that another does not, are in `benches/README.md`.

mod cedar;
mod filter;
mod questions;
mod records;
mod rego;
mod rounds;
mod vrl_programs;

use anyhow::Result;
use rounds::{Case, measure};
use std::{collections::HashMap, hint::black_box};

fn main() -> Result<()> {
    decide()?;
    filter::one_reading(1)?;
    filter::one_reading(1_000)?;
    filter::whole_records(1)?;
    filter::whole_records(1_000)
}

/// May this signal of this asset go to this recipient for this purpose, now?
fn decide() -> Result<()> {
    let asked = questions::Asked::build()?;
    let expected = asked.expected();
    let allowed = expected.iter().filter(|allowed| **allowed).count();
    println!("\n## decide: {} questions, {allowed} allowed", expected.len());

    let memo: HashMap<_, _> = asked.asks.iter().copied().zip(expected.clone()).collect();
    let per_flow = cedar::PerFlow::build(&asked)?;
    let generic = cedar::Generic::build(&asked)?;
    let policy = rego::Interpreted::build(&asked)?;
    let mut machine = rego::Machine::build(&asked)?;
    for n in 0..expected.len() {
        let all =
            [per_flow.ask(n)?, generic.ask(n)?, policy.ask(n)?, machine.ask(n)?, asked.ask(&asked.asks[n])];
        anyhow::ensure!(all == [expected[n]; 5], "question {n}: {all:?}, expected {}", expected[n]);
    }

    let count = expected.len();
    measure(vec![
        Case::new("vernport, asset by asset", count, || pass(count, |n| asked.ask(&asked.in_runs[n]))),
        Case::new("vernport, assets in random order", count, || pass(count, |n| asked.ask(&asked.asks[n]))),
        Case::new("a memo table (std HashMap), no clock", count, || {
            pass(count, |n| memo[&asked.asks[n]]);
        }),
        Case::new("regorus 0.14.1, RVM bytecode", count, || {
            pass(count, |n| machine.ask(n).is_ok_and(|allowed| allowed));
        }),
        Case::new("regorus 0.14.1, interpreter", count, || {
            pass(count, |n| policy.ask(n).is_ok_and(|allowed| allowed));
        }),
        Case::new("cedar-policy 4.14.1, one generic policy", count, || {
            pass(count, |n| generic.ask(n).is_ok_and(|allowed| allowed));
        }),
        Case::new("cedar-policy 4.14.1, a policy for each flow", count, || {
            pass(count, |n| per_flow.ask(n).is_ok_and(|allowed| allowed));
        }),
    ]);
    Ok(())
}

fn pass(count: usize, mut ask: impl FnMut(usize) -> bool) {
    for n in 0..count {
        black_box(ask(black_box(n)));
    }
}
