//! `POST /v1/consents`: a registrar asks which consents stand.

use super::{MAX_JSON_BYTES, Served};
use crate::{
    caller::Caller,
    controller::Controller,
    refusal::{Refusal, json},
};
use axum::{Json, body::Body, extract::State};
use vernport_api::{Consented, ConsentsAnswer, ConsentsRequest, Person};
use vernport_registry::{ConsentFacts, Role as Towards};

pub(super) async fn stand(
    State(served): State<Served>,
    caller: Caller,
    from: Body,
) -> Result<Json<ConsentsAnswer>, Refusal> {
    let desk = caller.desk(&served).await?;
    desk.sees(&["consent-given", "consent-renewed", "consent-withdrawn"]).await?;
    let controller = desk.controller;
    let asked: ConsentsRequest = json(from, MAX_JSON_BYTES).await?;
    Ok(Json(controller.consents(&asked).await?))
}

impl Controller {
    async fn consents(&self, asked: &ConsentsRequest) -> Result<ConsentsAnswer, Refusal> {
        let mut state = self.locked().await?;
        self.store.settle_journal().await?;
        let now = state.now(&*self.clock);
        let facts = &state.facts;
        let (asset, consents) = match asked {
            ConsentsRequest::Receipt(receipt) => {
                (None, facts.consent_of(receipt, None, now).into_iter().collect())
            }
            ConsentsRequest::Vehicle(identifier) => {
                let asset = facts.find_asset(&self.identity_key.index(identifier), now);
                (asset, asset.map(|asset| facts.consents_at(asset, now)).unwrap_or_default())
            }
        };
        let people = asset.into_iter().flat_map(|asset| {
            let linked = move |role: &Towards| {
                let role = *role;
                let held = facts.subjects(asset, role, now).into_iter();
                held.map(move |linked| Person { subject: linked.subject, role })
            };
            Towards::ALL.iter().flat_map(linked)
        });
        Ok(ConsentsAnswer { asset, people: people.collect(), consents: told(consents) })
    }
}

fn told(consents: Vec<ConsentFacts>) -> Vec<Consented> {
    let told = |consent: ConsentFacts| Consented {
        entry: consent.entry,
        subject: consent.subject,
        role: consent.role,
        purpose: consent.purpose,
        recipient: consent.recipient,
        form: consent.form,
        categories: consent.categories.into_iter().collect(),
        in_force: consent.in_force.into_iter().collect(),
        given_at: consent.given_at,
        valid_until: consent.until,
        withdrawn_at: consent.withdrawn_at,
    };
    consents.into_iter().map(told).collect()
}
