//! The model against SQLite: the same steps, drawn at random, get the same answers from both, and
//! what is there at the end is the same.

use crate::bed::{Bed, KEY, NOW, controller};
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestCaseError, TestRunner},
};
use vernport_store::{Store, StoreError};

mod end;
mod steps;

use steps::Step;

/// How many stories are drawn, and how long one is. Each write of SQLite waits for its disk.
const STORIES: u32 = 12;
const STEPS: std::ops::Range<usize> = 20..60;

#[test]
fn the_model_and_sqlite_answer_alike() {
    let mut runner =
        TestRunner::new(Config { cases: STORIES, failure_persistence: None, ..Config::default() });
    let story = (vec(steps::setting(), 3..6), vec(steps::step(), STEPS));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let told = runner.run(&story, |(setting, rest)| {
        let steps: Vec<Step> = setting.into_iter().chain(rest).collect();
        runtime.block_on(compare(&steps))
    });
    if let Err(error) = told {
        panic!("{error}");
    }
}

async fn compare(steps: &[Step]) -> Result<(), TestCaseError> {
    let beds = [Bed::sqlite("").expect("a folder"), Bed::model()];
    let mut stores = [open(&beds[0]).await, open(&beds[1]).await];
    for (at, step) in steps.iter().enumerate() {
        if matches!(step, Step::Restart) {
            for (store, bed) in stores.iter_mut().zip(&beds) {
                store.close().await;
                *store = bed.open().await;
            }
            continue;
        }
        let now = NOW.plus_seconds(i64::try_from(at).expect("few"));
        let [sqlite, model] = [step.take(&stores[0], now).await, step.take(&stores[1], now).await];
        prop_assert_eq!(sqlite, model, "step {} of {:#?}", at, steps);
    }
    let [sqlite, model] = [end::look(&beds[0], &stores[0]).await, end::look(&beds[1], &stores[1]).await];
    for (of_sqlite, of_model) in sqlite.iter().zip(&model) {
        prop_assert_eq!(of_sqlite, of_model, "at the end of {:#?}", steps);
    }
    prop_assert_eq!(sqlite.len(), model.len());
    stores[0].close().await;
    Ok(())
}

async fn open(bed: &Bed) -> Store {
    let store = bed.open().await;
    store.add_controller(&controller()).await.expect("added");
    store
}

/// What kind of error it is: words differ.
fn kind(error: &StoreError) -> &'static str {
    match error {
        StoreError::Url { .. } => "url",
        StoreError::SameDatabase => "same database",
        StoreError::Open { .. } => "open",
        StoreError::Statement(_) => "statement",
        StoreError::Journal(_) => "journal",
        StoreError::Row { .. } => "row",
    }
}

/// An answer of the store as something that can be compared.
fn told<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> String {
    match answer {
        Ok(answer) => format!("{answer:?}"),
        Err(error) => format!("error: {}", kind(&error)),
    }
}
