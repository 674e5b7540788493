//! What the benches share: the measure of time, and how a case is run once for callgrind.

#[allow(dead_code, reason = "not every bench needs rules")]
pub(crate) mod made;

use criterion::{
    Criterion, Throughput,
    measurement::{Measurement, ValueFormatter, WallTime},
};
use rustix::time::{ClockId, clock_gettime};
use std::{env, time::Duration};

/// One run over so many elements.
#[allow(dead_code, reason = "not every bench has cases of this shape")]
pub(crate) type Run = (Box<dyn FnMut()>, u64);

/// One case: what it works on is built before it is measured.
#[allow(dead_code, reason = "not every bench has cases of this shape")]
pub(crate) struct Case {
    /// Its name.
    pub(crate) name: &'static str,
    /// Builds what one run works on; gives the run and how many elements it has.
    pub(crate) build: fn() -> Option<Run>,
}

/// Measures all cases of a group, or runs one of them `runs` times for callgrind when the arguments say
/// `instructions CASE`. A case that cannot be built here is left out.
#[allow(dead_code, reason = "not every bench has cases of this shape")]
#[expect(clippy::print_stdout, reason = "the answer of the command")]
pub(crate) fn run(group: &str, cases: &[Case], runs: u32) {
    let mut arguments = env::args().skip(1).filter(|argument| argument != "--bench");
    if arguments.next().as_deref() == Some("instructions") {
        let wanted = arguments.next();
        match cases.iter().find(|case| Some(case.name) == wanted.as_deref()).and_then(|case| (case.build)()) {
            Some((mut once, elements)) => {
                once();
                counted(&mut *once, runs);
                println!("{} elements", u64::from(runs) * elements);
            }
            None => cases.iter().for_each(|case| println!("{}", case.name)),
        }
        return;
    }
    let mut criterion = criterion();
    let mut group = criterion.benchmark_group(group);
    for case in cases {
        let Some((mut once, elements)) = (case.build)() else { continue };
        group.throughput(Throughput::Elements(elements));
        group.bench_function(case.name, |bencher| bencher.iter(&mut once));
    }
    group.finish();
    criterion.final_summary();
}

/// The part that callgrind collects.
#[inline(never)]
fn counted(once: &mut dyn FnMut(), runs: u32) {
    for _ in 0..runs {
        once();
    }
}

/// Measures with [`ProcessorTime`], as the command line says.
pub(crate) fn criterion() -> Criterion<ProcessorTime> {
    Criterion::default()
        .with_measurement(ProcessorTime)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args()
}

/// The time that this thread had the processor: what else runs on the machine counts only by the caches.
pub(crate) struct ProcessorTime;

impl Measurement for ProcessorTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Duration::try_from(time).expect("a thread's time is positive")
    }

    fn end(&self, begun: Duration) -> Duration {
        self.start() - begun
    }

    fn add(&self, one: &Duration, other: &Duration) -> Duration {
        *one + *other
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, time: &Duration) -> f64 {
        WallTime.to_f64(time)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}
