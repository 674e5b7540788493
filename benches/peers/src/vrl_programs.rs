//! The same filters in the Vector Remap Language.
//!
//! Whether the flow is open, until when, and the alias come with each event as metadata, which is made
//! before it is timed: the language does not look them up.

use crate::records::Fleet;
use anyhow::{Result, anyhow};
use serde_json::json;
use vrl::{
    compiler::{Program, TargetValue, TimeZone, runtime::Runtime},
    value::{Secrets, Value},
};

/// A record in memory: drop unless open, remove, coarsen, alias.
pub(crate) const RECORD: &str = r"
if !(bool!(%open) && int!(%now) < int!(%until)) { abort }
del(.latitude)
del(.longitude)
del(.speed)
del(.fuel)
del(.engine_hours)
del(.vin)
del(.driver)
.odometer = to_int(floor(int!(.odometer) / 10000 + 0.5)) * 10000
.voltage = floor(float!(.voltage) + 0.5)
.vehicle = %alias
";

/// One reading in memory: the same with one value.
pub(crate) const READING: &str = r#"
if !(bool!(%open) && int!(%now) < int!(%until)) { abort }
if .signal != "Vehicle.TraveledDistance" { abort }
if .identified_by == "none" { abort }
del(.pgn)
del(.sa)
.value = to_int(floor(int!(.value) / 10000 + 0.5)) * 10000
.vehicle = %alias
"#;

/// The same as [`READING`] with an alias that is computed, as a stream processor without a table has to.
pub(crate) fn with_hmac(program: &str) -> String {
    program.replace(
        ".vehicle = %alias",
        ".vehicle = encode_base16(hmac(string!(.vehicle), \"a key of 32 bytes, for this bench\"))",
    )
}

/// A compiled program, and what it runs on.
pub(crate) struct Filter {
    program: Program,
    runtime: Runtime,
    zone: TimeZone,
    target: TargetValue,
    events: Vec<Value>,
    metadata: Vec<Value>,
}

impl Filter {
    pub(crate) fn build(source: &str, fleet: &Fleet, events: Vec<Value>) -> Result<Self> {
        let compiled = vrl::compiler::compile(source, &vrl::stdlib::all());
        let program =
            compiled.map_err(|faults| anyhow!("{:?}", faults.into_iter().collect::<Vec<_>>()))?.program;
        let metadata = |(_, open, alias): &(_, bool, String)| {
            let (now, until) = (fleet.now.wall.0, fleet.now.wall.0 + 3_000_000_000);
            Value::from(json!({ "open": open, "now": now, "until": until, "alias": alias }))
        };
        Ok(Self {
            program,
            runtime: Runtime::default(),
            zone: TimeZone::default(),
            target: TargetValue { value: Value::Null, metadata: Value::Null, secrets: Secrets::new() },
            metadata: fleet.of.iter().map(metadata).collect(),
            events,
        })
    }

    /// Runs it on a copy of an event; gives what is left of it, or what the program returned.
    pub(crate) fn run(&mut self, n: usize) -> Option<&Value> {
        self.runtime.clear();
        self.target.value = self.events[n].clone();
        std::mem::swap(&mut self.target.metadata, &mut self.metadata[n]);
        let done = self.runtime.resolve(&mut self.target, &self.program, &self.zone);
        std::mem::swap(&mut self.target.metadata, &mut self.metadata[n]);
        done.is_ok().then_some(&self.target.value)
    }
}

/// The same record filter from text to text.
pub(crate) fn from_json(record: &str) -> String {
    format!(". = parse_json!(.message)\n{record}\n. = {{ \"message\": encode_json(.) }}\n")
}
