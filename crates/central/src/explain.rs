//! Why signals of a vehicle pass or do not, by the rules and the facts that hold
//! here. Asking changes nothing.

use crate::{
    controller::{Controller, State},
    refusal::Refusal,
};
use std::{collections::HashMap, sync::Arc};
use vernport_api::{
    Code,
    explain::{ExplainRequest, Explanation, Vehicle, source},
};
use vernport_policy::{SourceClass, StationRef};
use vernport_review::ask::{self, Question, ask};
use vernport_types::{AssetId, Identification, UtcMicros};

impl Controller {
    /// Explains; none if no asset bears the identifier now.
    pub(crate) async fn explain(&self, asked: ExplainRequest) -> Result<Option<Explanation>, Refusal> {
        let signal = match &asked.signal {
            None => None,
            Some(path) => Some(self.catalogue.find(path).ok_or_else(|| {
                Refusal::new(Code::BadRequest, "the signal is not in the catalogue; look up its path")
            })?),
        };
        if asked.flow.as_ref().is_some_and(|flow| self.rules.find(flow).is_none()) {
            return Err(Refusal::new(Code::BadRequest, "the bundle has no such flow; look up its name"));
        }
        let rules = Arc::new(self.rules.clone());
        let mut state = self.locked().await?;
        let now = state.now(&*self.clock);
        let asset = match &asked.vehicle {
            Vehicle::Asset(asset) => *asset,
            Vehicle::Identifier(identifier) => {
                match state.facts.find_asset(&self.identity_key.index(identifier), now) {
                    Some(asset) => asset,
                    None => return Ok(None),
                }
            }
        };
        let mut question = Question::new(asset, asked.at.unwrap_or(now));
        question.signal = signal;
        question.flow = asked.flow;
        question.by = asked.by.unwrap_or(Identification::BusVin);
        question.source = source(asked.from.unwrap_or(SourceClass::Vehicle));
        question.station = asked.station;
        if question.station.is_none() && state.facts.open_order(asset, None, question.at).is_none() {
            question.station = mounted(&state, asset, question.at);
        }
        let answers = ask(&rules, &self.catalogue, &state.facts, &question);
        let station = ask::station(&state.facts, &question);
        drop(state);
        let mut explanation = Explanation::new(&rules, &self.catalogue, &question, station, &answers);
        let mut known = HashMap::new();
        for entry in explanation.entries() {
            if let Some((kind, recorded_at)) = self.store.entry_kind(&self.id, &entry).await? {
                known.insert(entry, (kind.into_boxed_str(), recorded_at));
            }
        }
        explanation.know_entries(|entry| known.get(entry).cloned());
        Ok(Some(explanation))
    }
}

/// Where the gateway stands that is mounted in an asset.
fn mounted(state: &State, asset: AssetId, now: UtcMicros) -> Option<StationRef> {
    let enrolled = state.places.keys().filter_map(|gateway| state.facts.enrolment(gateway, now));
    enrolled.filter(|enrolment| enrolment.pinned == Some(asset)).map(|enrolment| enrolment.station).next()
}
