//! The questions for Cedar, in two styles. Requests are built before they are timed.

use crate::questions::{Asked, HEAD_AGE_SECONDS, IDENTIFICATIONS, Question};
use anyhow::Result;
use cedar_policy::{Authorizer, Context, Decision, Entities, EntityUid, PolicySet, Request};
use serde_json::{Value, json};
use std::fmt::Write as _;
use vernport_policy::{Flow, FlowGrant, SourceClass};

/// A policy for each flow; the context holds all openings of the asset.
pub(crate) struct PerFlow(Engine);

/// One policy for all flows. The caller finds flow and opening, which this style cannot search for.
pub(crate) struct Generic(Engine);

struct Engine {
    authorizer: Authorizer,
    policies: PolicySet,
    entities: Entities,
    requests: Vec<Request>,
}

impl Engine {
    fn ask(&self, n: usize) -> Result<bool> {
        let answer = self.authorizer.is_authorized(&self.requests[n], &self.policies, &self.entities);
        Ok(answer.decision() == Decision::Allow)
    }
}

impl PerFlow {
    pub(crate) fn build(asked: &Asked) -> Result<Self> {
        let mut policies = String::new();
        for flow in asked.rules.flows() {
            let opened = format!("context.opened[\"{}\"]", flow.slug);
            writeln!(
                policies,
                "permit(principal == Recipient::\"{}\", action == Action::\"{}\", resource in Flow::\"{}\")\n\
                 when {{ context.opened has \"{}\" && {opened}.basis == \"{:?}\" && context.now < {opened}.until &&\n\
                 context.head_age <= {opened}.lease && context.identification >= {} &&\n\
                 {}.contains(context.source) }};",
                flow.recipient,
                flow.purpose,
                flow.slug,
                flow.slug,
                flow.basis,
                rank(flow.weakest),
                json!(sources(flow)),
            )?;
        }
        let requests = asked.questions.iter().map(|one| {
            let opened = asked.grants[one.asset].flows.iter();
            let opened: serde_json::Map<_, _> =
                opened.map(|opened| (opened.flow.to_string(), opening(opened))).collect();
            let mut context = moment(asked, one);
            context["opened"] = Value::Object(opened);
            request(
                uid("Recipient", one.recipient.as_str())?,
                uid("Action", one.purpose.as_str())?,
                signal(asked, one)?,
                context,
            )
        });
        Ok(Self(engine(asked, &policies, requests.collect::<Result<_>>()?)?))
    }

    pub(crate) fn ask(&self, n: usize) -> Result<bool> {
        self.0.ask(n)
    }
}

impl Generic {
    pub(crate) fn build(asked: &Asked) -> Result<Self> {
        let policy = "permit(principal is Flow, action == Action::\"release\", resource is Signal) when {\n\
            resource in principal && context has until && context.basis == principal.basis &&\n\
            context.now < context.until && context.head_age <= context.lease &&\n\
            context.identification >= principal.weakest && principal.sources.contains(context.source) };";
        let requests = asked.questions.iter().map(|one| {
            let meant = |flow: &&Flow| flow.recipient == one.recipient && flow.purpose == one.purpose;
            let flow = asked.rules.flows().iter().find(meant);
            let mut context = moment(asked, one);
            let opened = flow.and_then(|flow| {
                asked.grants[one.asset].flows.iter().find(|opened| opened.flow == flow.slug)
            });
            if let Some(Value::Object(fields)) = opened.map(opening) {
                context.as_object_mut().expect("an object").extend(fields);
            }
            let flow = flow.map_or("none", |flow| flow.slug.as_str());
            request(uid("Flow", flow)?, uid("Action", "release")?, signal(asked, one)?, context)
        });
        Ok(Self(engine(asked, policy, requests.collect::<Result<_>>()?)?))
    }

    pub(crate) fn ask(&self, n: usize) -> Result<bool> {
        self.0.ask(n)
    }
}

fn engine(asked: &Asked, policies: &str, requests: Vec<Request>) -> Result<Engine> {
    let flows = asked.rules.flows().iter().map(|flow| {
        json!({
            "uid": { "type": "Flow", "id": flow.slug.as_str() },
            "attrs": {
                "basis": format!("{:?}", flow.basis),
                "weakest": rank(flow.weakest),
                "sources": sources(flow),
            },
            "parents": [],
        })
    });
    let signals = asked.catalogue.iter().map(|(id, signal)| {
        let naming = asked.rules.flows().iter().filter(|flow| flow.minimiser(id).is_some());
        let parents: Vec<_> =
            naming.map(|flow| json!({ "type": "Flow", "id": flow.slug.as_str() })).collect();
        json!({ "uid": { "type": "Signal", "id": signal.path.to_string() }, "attrs": {}, "parents": parents })
    });
    Ok(Engine {
        authorizer: Authorizer::new(),
        policies: policies.parse()?,
        entities: Entities::from_json_value(flows.chain(signals).collect(), None)?,
        requests,
    })
}

fn request(principal: EntityUid, action: EntityUid, resource: EntityUid, context: Value) -> Result<Request> {
    Ok(Request::new(principal, action, resource, Context::from_json_value(context, None)?, None)?)
}

/// What is known of the moment and of how the asset was recognised.
fn moment(asked: &Asked, one: &Question) -> Value {
    json!({
        "now": asked.now.wall.0,
        "head_age": HEAD_AGE_SECONDS,
        "identification": rank(one.by),
        "source": format!("{:?}", one.from),
    })
}

fn opening(opened: &FlowGrant) -> Value {
    let lease = opened.believe.lease_seconds.map_or(i64::MAX, i64::from);
    json!({ "basis": format!("{:?}", opened.basis), "until": opened.believe.until.0, "lease": lease })
}

fn signal(asked: &Asked, one: &Question) -> Result<EntityUid> {
    uid("Signal", &asked.catalogue.signal(one.signal).path.to_string())
}

fn uid(kind: &str, id: &str) -> Result<EntityUid> {
    Ok(EntityUid::from_type_name_and_id(kind.parse()?, cedar_policy::EntityId::new(id)))
}

/// The place of an identification, weakest first.
pub(crate) fn rank(by: vernport_types::Identification) -> usize {
    IDENTIFICATIONS.iter().position(|known| *known == by).expect("one of the four")
}

/// The sources of a flow by name.
pub(crate) fn sources(flow: &Flow) -> Vec<String> {
    let named = SourceClass::ALL.iter().filter(|class| flow.sources.contains(**class));
    named.map(|class| format!("{class:?}")).collect()
}
