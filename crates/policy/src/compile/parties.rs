//! Who decides, who runs the machines and who receives.

use super::Compiler;
use crate::{
    Agreement, BundleError, ControllerInfo, Elsewhere, Hosting, Recipient, RecipientRole, Transfer,
    bundle::{RawAgreement, RawRecipient},
    rules::within,
};
use toml::Spanned;

impl Compiler<'_> {
    pub(super) fn controller(&self) -> Result<ControllerInfo, BundleError> {
        let raw = &self.bundle.raw.controller;
        for region in raw.regions.iter().chain([&raw.jurisdiction]) {
            self.country(region, true)?;
        }
        Ok(ControllerInfo {
            id: raw.id.get_ref().clone(),
            name: raw.name.clone(),
            role: raw.role,
            jurisdiction: raw.jurisdiction.get_ref().clone(),
            time_zone: raw.time_zone.get_ref().clone(),
            regions: raw.regions.iter().map(|region| region.get_ref().clone()).collect(),
            elsewhere: raw.elsewhere,
            review_by: raw.review_by.as_ref().map(|day| self.midnight(day)).transpose()?,
            attested: raw.attested,
            clauses: raw.clauses.get_ref().clone(),
            assumed: raw.assumed,
        })
    }

    pub(super) fn hosting(&self) -> Result<Option<Hosting>, BundleError> {
        let Some(raw) = &self.bundle.raw.hosting else { return Ok(None) };
        if raw.regions.get_ref().is_empty() {
            let what = "the machines may stand nowhere";
            return Err(self.fault(&raw.regions.span(), what, "name a country, such as NO"));
        }
        for region in raw.regions.get_ref() {
            self.country(region, true)?;
            if !within(&self.regions(), region.get_ref()) {
                let what = format!("`{}` is outside of the regions of the controller", region.get_ref());
                let remedy = "name only countries of `[controller] regions`";
                return Err(self.fault(&region.span(), what, remedy));
            }
        }
        if let (Some(processor), None) = (&raw.processor, &raw.agreement) {
            let what = format!("`{}` runs the machines without an agreement", processor.get_ref());
            let remedy = "add `agreement = { id, from, until }`";
            return Err(self.fault(&processor.span(), what, remedy));
        }
        Ok(Some(Hosting {
            regions: raw.regions.get_ref().iter().map(|region| region.get_ref().clone()).collect(),
            processor: raw.processor.as_ref().map(|name| name.get_ref().clone()),
            agreement: raw.agreement.as_ref().map(|raw| self.agreement(raw)).transpose()?,
            clauses: raw.clauses.get_ref().clone(),
            assumed: raw.assumed,
        }))
    }

    pub(super) fn recipient(&self, raw: &RawRecipient) -> Result<Recipient, BundleError> {
        self.country(&raw.region, false)?;
        let agreement = match &raw.agreement {
            Some(agreement) => Some(self.agreement(agreement)?),
            // What an authority may demand is agreed with nobody: a disclosure is approved each time.
            None if matches!(raw.role, RecipientRole::Controller | RecipientRole::Authority) => None,
            None => {
                return Err(self.fault(
                    &raw.id.span(),
                    format!("recipient `{}` has no agreement", raw.id.get_ref()),
                    "add `agreement = { id, from, until }`; only the controller and authorities need none",
                ));
            }
        };
        let region = raw.region.get_ref().as_str();
        let outside = !within(&self.regions(), region);
        let transfer = match &raw.transfer {
            Some(raw) => Some(Transfer {
                tool: raw.tool,
                reference: raw.reference.clone(),
                until: self.midnight(&raw.until)?,
            }),
            None => None,
        };
        let remedy = match (self.bundle.raw.controller.elsewhere, &transfer) {
            (Elsewhere::Never, _) => "the notice allows no transfer there: take the recipient out",
            (Elsewhere::WithTool, None) => "add `transfer = { tool, reference, until }`",
            (Elsewhere::WithTool, Some(_)) => "",
        };
        if outside && !remedy.is_empty() {
            let what = format!("recipient `{}` is outside of the regions", raw.id.get_ref());
            return Err(self.fault(&raw.region.span(), what, remedy));
        }
        Ok(Recipient {
            slug: raw.id.get_ref().clone(),
            name: raw.name.clone(),
            role: raw.role,
            region: region.to_owned(),
            outside,
            agreement,
            transfer,
            clauses: raw.clauses.get_ref().clone(),
            assumed: raw.assumed,
        })
    }

    fn agreement(&self, raw: &RawAgreement) -> Result<Agreement, BundleError> {
        let (from, until) = (self.midnight(&raw.from)?, self.midnight(&raw.until)?);
        if until <= from {
            let span = raw.until.span();
            return Err(self.fault(&span, "the agreement ends before it begins", "mend the dates"));
        }
        if self.bundle.raw.controller.attested && raw.attested_until.is_none() {
            return Err(self.fault(
                &raw.id.span(),
                format!("nobody attests that the agreement `{}` is kept", raw.id.get_ref()),
                "add `attested_until`, as `[controller] attested` asks for",
            ));
        }
        Ok(Agreement {
            id: raw.id.get_ref().clone(),
            from,
            until,
            attested_until: raw.attested_until.as_ref().map(|day| self.midnight(day)).transpose()?,
            assumed: raw.assumed,
        })
    }

    fn regions(&self) -> Vec<String> {
        self.bundle.raw.controller.regions.iter().map(|region| region.get_ref().clone()).collect()
    }

    /// A country code, or `EEA` where a group of countries may stand.
    fn country(&self, region: &Spanned<String>, group: bool) -> Result<(), BundleError> {
        let text = region.get_ref();
        let country = text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase());
        if country || (group && text == "EEA") {
            return Ok(());
        }
        Err(self.fault(
            &region.span(),
            format!("`{text}` is no region"),
            "write a country code of ISO 3166 such as NO, or EEA in `regions`",
        ))
    }
}
