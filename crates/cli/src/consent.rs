//! `vernport consent give|withdraw|show`: consents at the counter.
//!
//! Giving takes a form of the bundle and prints a receipt; withdrawing takes the
//! code on it, and no more. Both say at once what follows.

use crate::{
    args::{self, Vehicle},
    dev::{Dev, DevController},
    effect,
    order::{asset, connect},
    registrar::Registrar,
    shipped, show,
};
use anyhow::{Context as _, Result, bail};
use vernport_api::{Consented, ConsentsAnswer, ConsentsRequest, Person};
use vernport_crypto::{random, sha256};
use vernport_policy::{Form, Rules};
use vernport_registry::{
    Consent, Event, Link, Method, ReceiptCode, Role, TextHash, Withdrawal, WithdrawalScope,
};
use vernport_status::output;
use vernport_types::{AssetId, Identifier, Plate, Slug, SubjectId};

/// Carries out what was typed.
///
/// # Errors
/// If the form, the vehicle or the receipt is not known, or central cannot be reached or refuses.
pub async fn run(args: args::Consent) -> Result<()> {
    let said = match args {
        args::Consent::Give {
            registrar,
            vehicle,
            form,
            language,
            role,
            subject,
            new,
            method,
            recorded_by,
            evidence,
        } => {
            let (dev, counter) = connect(&registrar)?;
            let rules = rules(&dev, dev.controller(&registrar.controller)?)?;
            let form = named(&rules, &form)?;
            let text = shown(form, &language)?;
            let who = Who { role, subject, new };
            let (asset, subject, linked) = who.at(&counter, &vehicle).await?;
            let receipt = ReceiptCode::from_bytes(random());
            let now = counter.now();
            let consent = Consent {
                subject,
                role,
                purpose: form.purpose.clone(),
                categories: form.categories.iter().copied().collect(),
                recipient: form.recipient.clone(),
                processing: "as the form says".parse()?,
                form: form.slug.clone(),
                text_hash: TextHash(sha256(text.as_bytes())),
                language,
                method,
                recorded_by,
                evidence,
                receipt,
                valid_until: form.valid.after(now, rules.zone()),
            };
            let paper = paper(&consent, rules.name());
            let link = Link { asset, subject, role, until: None };
            let events = (!linked).then_some(Event::Linked(link)).into_iter();
            let answer = counter.say_together(events.chain([Event::ConsentGiven(consent)]).collect()).await?;
            format!("{paper}{} flows opened\n", answer.effect.opened.len())
        }
        args::Consent::Withdraw { registrar, consented, method, recorded_by } => {
            let (_, counter) = connect(&registrar)?;
            withdraw(&counter, &consented, method, recorded_by).await?
        }
        args::Consent::Show { registrar, consented } => {
            let (_, counter) = connect(&registrar)?;
            standing(&counter.consents(&request(&consented)?).await?)
        }
    };
    output::tell(&said)?;
    Ok(())
}

async fn withdraw(
    counter: &Registrar,
    consented: &args::Consented,
    method: Method,
    recorded_by: Option<Slug>,
) -> Result<String> {
    let scope = match (consented.receipt, request(consented)?) {
        (Some(receipt), _) => WithdrawalScope::Receipt(receipt),
        (None, asked) => match counter.consents(&asked).await?.asset {
            Some(asset) => WithdrawalScope::Asset(asset),
            None => bail!("no vehicle bears this plate here; read it again, or withdraw by the receipt"),
        },
    };
    let event = Event::ConsentWithdrawn(Withdrawal { scope, method, recorded_by });
    let effect = counter.say_together(vec![event]).await?.effect;
    Ok(format!("withdrawn\n{}", effect::told(&effect)))
}

fn standing(answer: &ConsentsAnswer) -> String {
    if answer.consents.is_empty() {
        return "no consent stands in the ledger for this\n".into();
    }
    let row = |consent: &Consented| {
        let state = if consent.in_force.len() == consent.categories.len() {
            format!("in force until {}", show::time(consent.valid_until))
        } else if let Some(at) = consent.withdrawn_at {
            let what = if consent.in_force.is_empty() { "withdrawn" } else { "withdrawn in part" };
            format!("{what} at {}", show::time(at))
        } else {
            format!("over, valid until {}", show::time(consent.valid_until))
        };
        let categories: Vec<&str> = consent.categories.iter().map(|category| category.as_str()).collect();
        [
            consent.form.to_string(),
            consent.role.to_string(),
            consent.purpose.to_string(),
            consent.recipient.to_string(),
            categories.join(" "),
            show::time(consent.given_at),
            state,
        ]
    };
    let head = ["form", "role", "purpose", "recipient", "data", "given", "state"];
    show::table(&head, answer.consents.iter().map(row))
}

fn request(consented: &args::Consented) -> Result<ConsentsRequest> {
    Ok(match (consented.receipt, consented.plate.as_deref()) {
        (Some(receipt), _) => ConsentsRequest::Receipt(receipt),
        (None, Some([country, number])) => {
            ConsentsRequest::Vehicle(Identifier::Plate(Plate::new(country, number)?))
        }
        _ => bail!("name it: --receipt CODE, or --plate COUNTRY NUMBER"),
    })
}

/// Who consents.
struct Who {
    role: Role,
    subject: Option<SubjectId>,
    new: bool,
}

impl Who {
    /// The vehicle, the person, and whether the two are linked already.
    async fn at(&self, counter: &Registrar, vehicle: &Vehicle) -> Result<(AssetId, SubjectId, bool)> {
        let identifier = vehicle.identifier()?;
        let known = counter.consents(&ConsentsRequest::Vehicle(identifier.clone())).await?;
        let asset = match known.asset {
            Some(asset) => asset,
            None => asset(counter, identifier).await?,
        };
        let (subject, linked) = self.among(&known.people)?;
        Ok((asset, subject, linked))
    }

    fn among(&self, people: &[Person]) -> Result<(SubjectId, bool)> {
        let held: Vec<SubjectId> =
            people.iter().filter(|person| person.role == self.role).map(|person| person.subject).collect();
        match (self.subject, &held[..]) {
            (Some(subject), held) => Ok((subject, held.contains(&subject))),
            (None, []) => Ok((SubjectId::from_bytes(random()), false)),
            (None, _) if self.new => Ok((SubjectId::from_bytes(random()), false)),
            (None, [only]) => Ok((*only, true)),
            (None, several) => bail!(
                "{} people are {} of this vehicle; say who with --subject, or --new for another one",
                several.len(),
                self.role
            ),
        }
    }
}

fn rules(dev: &Dev, controller: &DevController) -> Result<Rules> {
    let (file, text) = shipped::read_bundle(&dev.folder(controller).join("bundle"))?;
    Ok(Rules::compile(&shipped::load(&file, &text)?, &shipped::catalogue())?)
}

fn named<'a>(rules: &'a Rules, form: &Slug) -> Result<&'a Form> {
    rules.forms().iter().find(|known| known.slug == *form).with_context(|| {
        let forms: Vec<&str> = rules.forms().iter().map(|form| form.slug.as_str()).collect();
        format!("the bundle has no form {form}; it has {}", forms.join(", "))
    })
}

fn shown<'a>(form: &'a Form, language: &Slug) -> Result<&'a str> {
    form.texts.get(language.as_str()).map(String::as_str).with_context(|| {
        let languages: Vec<&str> = form.texts.keys().map(String::as_str).collect();
        format!("form {} has no text in {language}; it has {}", form.slug, languages.join(", "))
    })
}

/// What the person takes home.
fn paper(consent: &Consent, bundle: &Slug) -> String {
    let categories: Vec<&str> = consent.categories.iter().map(|category| category.as_str()).collect();
    format!(
        "receipt {}\n  {bundle}, form {} in {}: {} for {}, to {}\n  valid until {}; \
         withdraw at any time with the code, by any way: vernport consent withdraw … --receipt CODE\n",
        consent.receipt,
        consent.form,
        consent.language,
        categories.join(" and "),
        consent.purpose,
        consent.recipient,
        show::time(consent.valid_until),
    )
}
