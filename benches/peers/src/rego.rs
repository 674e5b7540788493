//! The questions for regorus: rules as data, found by recipient and purpose; inputs are built before
//! they are timed.

use crate::{
    cedar::{rank, sources},
    questions::{Asked, HEAD_AGE_SECONDS},
};
use anyhow::{Context as _, Result};
use regorus::{CompiledPolicy, Engine, Value, languages::rego::compiler::Compiler, rvm::vm::RegoVM};
use serde_json::{Map, json};

const ENTRY: &str = "data.vernport.allow";
const POLICY: &str = r#"
package vernport

import rego.v1

default allow := false

allow if {
    flow := data.flows[input.recipient][input.purpose]
    flow.signals[input.signal]
    opened := input.opened[flow.id]
    opened.basis == flow.basis
    input.now < opened.until
    input.head_age <= opened.lease
    input.identification >= flow.weakest
    flow.sources[input.source]
}
"#;

/// The interpreter, compiled once.
pub(crate) struct Interpreted {
    policy: CompiledPolicy,
    inputs: Vec<Value>,
}

/// The virtual machine, with the program and the data in it.
pub(crate) struct Machine {
    machine: RegoVM,
    inputs: Vec<Value>,
}

impl Interpreted {
    pub(crate) fn build(asked: &Asked) -> Result<Self> {
        Ok(Self { policy: compile(&data(asked)?)?, inputs: inputs(asked)? })
    }

    pub(crate) fn ask(&self, n: usize) -> Result<bool> {
        Ok(self.policy.eval_with_input(self.inputs[n].clone())? == Value::from(true))
    }
}

impl Machine {
    pub(crate) fn build(asked: &Asked) -> Result<Self> {
        let data = data(asked)?;
        let program = Compiler::compile_from_policy(&compile(&data)?, &[ENTRY]).context("the program")?;
        let mut machine = RegoVM::new();
        machine.load_program(program);
        machine.set_data(data)?;
        Ok(Self { machine, inputs: inputs(asked)? })
    }

    pub(crate) fn ask(&mut self, n: usize) -> Result<bool> {
        self.machine.set_input(self.inputs[n].clone());
        Ok(self.machine.execute()? == Value::from(true))
    }
}

fn compile(data: &Value) -> Result<CompiledPolicy> {
    let mut engine = Engine::new();
    engine.add_policy("vernport.rego".to_owned(), POLICY.to_owned())?;
    engine.add_data(data.clone())?;
    engine.compile_with_entrypoint(&ENTRY.into())
}

fn data(asked: &Asked) -> Result<Value> {
    let mut flows = Map::new();
    for flow in asked.rules.flows() {
        let yes = |name: String| (name, json!(true));
        let path = |(id, _): &(_, _)| yes(asked.catalogue.signal(*id).path.to_string());
        let rule = json!({
            "id": flow.slug.as_str(),
            "basis": format!("{:?}", flow.basis),
            "weakest": rank(flow.weakest),
            "signals": flow.signals.iter().map(path).collect::<Map<_, _>>(),
            "sources": sources(flow).into_iter().map(yes).collect::<Map<_, _>>(),
        });
        let of_recipient = flows.entry(flow.recipient.to_string()).or_insert_with(|| json!({}));
        let before = of_recipient.as_object_mut().expect("made above").insert(flow.purpose.to_string(), rule);
        anyhow::ensure!(before.is_none(), "two flows of one purpose to one recipient");
    }
    Value::from_json_str(&json!({ "flows": flows }).to_string())
}

fn inputs(asked: &Asked) -> Result<Vec<Value>> {
    let input = |one: &crate::questions::Question| {
        let opened = asked.grants[one.asset].flows.iter().map(|opened| {
            let lease = opened.believe.lease_seconds.map_or(i64::MAX, i64::from);
            let (basis, until) = (format!("{:?}", opened.basis), opened.believe.until.0);
            (opened.flow.to_string(), json!({ "basis": basis, "until": until, "lease": lease }))
        });
        let input = json!({
            "recipient": one.recipient.as_str(),
            "purpose": one.purpose.as_str(),
            "signal": asked.catalogue.signal(one.signal).path.to_string(),
            "identification": rank(one.by),
            "source": format!("{:?}", one.from),
            "now": asked.now.wall.0,
            "head_age": HEAD_AGE_SECONDS,
            "opened": opened.collect::<Map<_, _>>(),
        });
        Value::from_json_str(&input.to_string())
    };
    asked.questions.iter().map(input).collect()
}
