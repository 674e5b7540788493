//! Purposes, retention and holds.

use super::Compiler;
use crate::{
    BundleError, HoldRule, Purpose, RetentionRule,
    bundle::{RawHold, RawPurpose, RawRetention},
};
use vernport_registry::MAX_HOLD_SECONDS;
use vernport_types::LegalBasis;

/// Where DPV purposes live (DPV 2.3).
const DPV: &str = "https://w3id.org/dpv#";

impl Compiler<'_> {
    pub(super) fn purpose(&self, raw: &RawPurpose) -> Result<Purpose, BundleError> {
        let basis = *raw.basis.get_ref();
        let name = raw.iri.get_ref().strip_prefix(DPV).unwrap_or("");
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(self.fault(
                &raw.iri.span(),
                "not a purpose of DPV 2.3",
                "write its IRI, such as https://w3id.org/dpv#ServiceProvision",
            ));
        }
        if raw.necessity.get_ref().trim().is_empty() {
            let remedy = "say in one sentence why the purpose needs the data";
            return Err(self.fault(&raw.necessity.span(), "a purpose without a necessity", remedy));
        }
        let said = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.trim().is_empty());
        if basis == LegalBasis::LegalObligation && !said(&raw.statute) {
            let remedy = "name it: `statute = \"…\"`";
            return Err(self.fault(&raw.basis.span(), "a legal obligation without its statute", remedy));
        }
        if basis == LegalBasis::LegitimateInterest && !said(&raw.balancing) {
            let remedy = "reference it: `balancing = \"…\"`";
            return Err(self.fault(
                &raw.basis.span(),
                "legitimate interest without a balancing test",
                remedy,
            ));
        }
        if raw.required_for_contract && basis != LegalBasis::Contract {
            return Err(self.fault(
                &raw.basis.span(),
                format!("a contract that requires what rests on {basis}"),
                "rest it on A6-1-b, or take out `required_for_contract`: the service must not depend on it",
            ));
        }
        Ok(Purpose {
            slug: raw.id.get_ref().clone(),
            iri: raw.iri.get_ref().clone(),
            basis,
            necessity: raw.necessity.get_ref().clone(),
            statute: raw.statute.clone(),
            balancing: raw.balancing.clone(),
            marketing: raw.marketing,
            profiling: raw.profiling,
            internal_administration: raw.internal_administration,
            required_for_contract: raw.required_for_contract,
            categories: raw.categories.clone(),
            clauses: raw.clauses.get_ref().clone(),
            assumed: raw.assumed,
        })
    }

    pub(super) fn retention(&self, raw: &RawRetention) -> Result<RetentionRule, BundleError> {
        let (period, at_most) = (*raw.period.get_ref(), *raw.at_most.get_ref());
        if period.rough_micros() > at_most.rough_micros() {
            let what = "the period is longer than its cap";
            return Err(self.fault(&raw.at_most.span(), what, "raise `at_most`, or shorten `period`"));
        }
        Ok(RetentionRule {
            slug: raw.id.get_ref().clone(),
            start: raw.start,
            period,
            at_most,
            ground: raw.ground,
            categories: raw.categories.clone(),
            clauses: raw.clauses.get_ref().clone(),
            assumed: raw.assumed,
        })
    }

    pub(super) fn hold(&self, raw: &RawHold) -> Result<HoldRule, BundleError> {
        let at_most = *raw.at_most.get_ref();
        if at_most.rough_micros() / 1_000_000 > MAX_HOLD_SECONDS {
            let what = "a hold of more than 15 years";
            return Err(self.fault(&raw.at_most.span(), what, "shorten it: a longer hold is set again"));
        }
        Ok(HoldRule {
            ground: *raw.ground.get_ref(),
            at_most,
            clauses: raw.clauses.get_ref().clone(),
            assumed: raw.assumed,
            zone: self.zone.clone(),
        })
    }
}
