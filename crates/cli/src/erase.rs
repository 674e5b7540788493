//! `vernport erase`, `erasure` and `deletions`: an order to erase at the counter, its
//! certificate, and what recipients have to delete.

use crate::{args, dev::Dev, effect, order::connect, show};
use anyhow::{Context as _, Result, bail, ensure};
use std::time::Duration;
use vernport_api::{
    Certificate, ConfirmRequest, DeletionState, DeletionsRequest, ErasureAnswer, ErasureState, MAX_DELETIONS,
};
use vernport_registry::{Erasure, Event, Whom};
use vernport_status::output;
use vernport_types::{EntryHash, UtcMicros};
use vernport_uplink::{Client, Config};

/// How often a certificate is asked for before the person is told to ask later.
const ASK: u32 = 50;
const PAUSE: Duration = Duration::from_millis(100);

/// Orders an erasure and waits a moment for its certificate.
///
/// # Errors
/// If nobody bears the identifier, or central cannot be reached or refuses.
pub async fn run(args: args::Erase) -> Result<()> {
    let (dev, registrar) = connect(&args.registrar)?;
    let whom = match (args.about.subject, args.about.asset, args.about.identifier()?) {
        (Some(subject), ..) => Whom::Subject(subject),
        (_, Some(asset), _) => Whom::Asset(asset),
        (.., Some(identifier)) => {
            Whom::Asset(registrar.find(identifier).await?.context("no vehicle here bears that now")?)
        }
        _ => bail!("name a person or a vehicle"),
    };
    let order = Erasure { whom, purpose: args.purpose, ground: args.ground, case: args.case };
    let answer = registrar.say_together(vec![Event::ErasureOrdered(order)]).await?;
    let entry = *answer.effect.erasures.first().context("central carries out no erasure: update it")?;
    if !args.json {
        output::tell(&format!("erasure ordered: entry {entry}\n{}", effect::told(&answer.effect)))?;
    }
    for _ in 0..ASK {
        let answer = registrar.erasure(entry).await?;
        if answer.state != ErasureState::UnderWay {
            return tell(&dev, entry, &answer, args.json);
        }
        tokio::time::sleep(PAUSE).await;
    }
    bail!("central is still at it; ask later with: vernport erasure … {entry}")
}

/// Says what became of an order to erase.
///
/// # Errors
/// If there is no such order, or its certificate is not signed by central.
pub async fn show(args: args::Erasure) -> Result<()> {
    let (dev, registrar) = connect(&args.registrar)?;
    let answer = registrar.erasure(args.entry).await?;
    tell(&dev, args.entry, &answer, args.json)
}

fn tell(dev: &Dev, entry: EntryHash, answer: &ErasureAnswer, json: bool) -> Result<()> {
    let Some(last) = answer.certificates.last() else {
        match answer.state {
            ErasureState::Voided => bail!("the order was voided before anything was erased"),
            _ => bail!("central is still at it; ask again later"),
        }
    };
    let certificate = last.verify(&dev.head_key)?;
    ensure!(certificate.entry == entry, "central sent the certificate of another erasure");
    if json {
        output::print(&serde_json::to_string_pretty(last)?)?;
        return Ok(());
    }
    output::print(&(said(&certificate) + "\n"))?;
    if !answer.deletions.is_empty() {
        let rows = answer.deletions.iter().map(|order| {
            let state = how_far(order.state, order.confirmed_at, order.confirm_by);
            [order.recipient.to_string(), order.flow.to_string(), order.batches.to_string(), state]
        });
        output::print(&show::table(&["recipient", "flow", "batches", "deletion"], rows))?;
    }
    if !answer.notices.is_empty() {
        let rows = answer.notices.iter().map(|notice| {
            let state = how_far(notice.state, notice.confirmed_at, notice.confirm_by);
            let told = notice.told_at.map_or_else(|| "not told yet".to_owned(), show::time);
            [notice.operator.to_string(), notice.flow.to_string(), told, state]
        });
        output::print(&show::table(&["operator", "flow", "last told", "deletion"], rows))?;
    }
    Ok(())
}

fn how_far(state: DeletionState, confirmed_at: Option<UtcMicros>, confirm_by: UtcMicros) -> String {
    match (state, confirmed_at) {
        (DeletionState::Confirmed, Some(at)) => format!("confirmed at {}", show::time(at)),
        (DeletionState::Late, _) => format!("late since {}", show::time(confirm_by)),
        _ => format!("to be confirmed by {}", show::time(confirm_by)),
    }
}

fn said(certificate: &Certificate) -> String {
    let Certificate { number, epochs, batches, issued_at, complete, .. } = certificate;
    let mut said = format!(
        "certificate {number} of {}: {epochs} key epochs with {batches} batches are erased; {}\n",
        show::time(*issued_at),
        match (complete, certificate.kept.is_empty()) {
            (true, _) => "nothing of it is left here",
            (false, false) => "the rest is kept",
            (false, true) => "the order was voided, and the rest is used as before",
        },
    );
    for kept in &certificate.kept {
        let until = kept.until.map_or("it is lifted".into(), show::time);
        said += &format!(
            "kept by a {} until {until}: {} key epochs with {} batches, entry {}\n",
            word(&kept.by),
            kept.epochs,
            kept.batches,
            kept.entry
        );
    }
    let beyond: Vec<String> = certificate.not_reached.iter().map(word).collect();
    said + &format!("not reached: {}", beyond.join(", "))
}

/// A word as the certificate writes it.
fn word<T: serde::Serialize>(value: &T) -> String {
    let json = serde_json::to_value(value).unwrap_or_default();
    json.as_str().unwrap_or_default().to_owned()
}

/// What a recipient has to delete, or that it did.
///
/// # Errors
/// If central cannot be reached or refuses.
pub async fn deletions(args: args::Deletions) -> Result<()> {
    match args {
        args::Deletions::List { recipient } => list(&client(&recipient)?).await,
        args::Deletions::Confirm { recipient, orders } => {
            let client = client(&recipient)?;
            let mut confirmed = 0;
            for part in orders.chunks(MAX_DELETIONS.into()) {
                confirmed +=
                    client.confirm_deletions(&ConfirmRequest { deletions: part.to_vec() }).await?.confirmed;
            }
            output::tell(&format!("{confirmed} of {} orders are confirmed", orders.len()))?;
            ensure!(
                confirmed == orders.len() as u64,
                "the others are not ordered to this recipient: see `vernport deletions list`"
            );
            Ok(())
        }
    }
}

async fn list(client: &Client) -> Result<()> {
    let (mut rows, mut after) = (Vec::new(), None);
    loop {
        let answer = client.deletions(&DeletionsRequest { after, limit: MAX_DELETIONS }).await?;
        for order in answer.deletions {
            let late = if order.state == DeletionState::Late { "late since" } else { "by" };
            rows.push([
                order.id.to_string(),
                order.purpose.to_string(),
                order.epoch.to_string(),
                order.batches.to_string(),
                format!("{late} {}", show::time(order.confirm_by)),
            ]);
        }
        after = answer.cursor;
        if after.is_none() {
            break;
        }
    }
    if rows.is_empty() {
        output::print("nothing has to be deleted")?;
    } else {
        output::print(&show::table(&["order", "purpose", "key epoch", "batches", "confirm"], rows))?;
    }
    Ok(())
}

fn client(at: &args::RecipientAt) -> Result<Client> {
    let dev = Dev::load(&at.dev)?;
    let controller = dev.controller(&at.controller)?;
    let tls = dev.client_tls(controller, at.recipient.as_str()).client()?;
    Ok(Client::new(&Config::new(&dev.central_url), tls)?)
}
