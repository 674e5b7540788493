//! What the demo shows at its end: each number from the part that it is about.

use super::subscriber::{Received, Subscriber, short};
use crate::{
    dev::{DevController, DevRecipient},
    registrar::read_all,
    show,
    stage::Stage,
};
use anyhow::{Context as _, Result};
use serde_json::{Value as Json, json};
use std::{collections::BTreeMap, fmt::Write as _, time::Duration};
use vernport_gateway::{Row, Tally};
use vernport_mqtt::FleetMessage;
use vernport_policy::{FlowIndex, Rules};
use vernport_seal::{Body, ReceivedEnvelope};
use vernport_status::output;
use vernport_types::{Catalogue, Reason, SignalId};

/// How long the last messages may take to the subscriber, in looks of 10 ms.
const LOOKS: u32 = 500;
/// Reasons that are written into one cell; the JSON has all of them.
const REASONS_SHOWN: usize = 2;

/// Head of the table of [`rows`].
pub(crate) const ROWS_HEAD: [&str; 6] = ["signal", "exact", "coarsened", "withheld", "reasons", "clause"];

/// One batch at central, opened by whom it is for.
struct Opened {
    controller: DevController,
    recipient: DevRecipient,
    envelope: Vec<u8>,
    body: Body,
}

/// All that is shown.
pub(crate) struct Report {
    stations: Vec<Station>,
    stored_batches: u64,
    opened: Vec<Opened>,
    received: Received,
    refused: Option<String>,
}

struct Station {
    name: String,
    tally: Tally,
    /// Rows of the table: signal, what passed, what not, why and by which clause.
    rows: Vec<[String; 6]>,
}

impl Report {
    /// Waits until nothing is on its way any more, and asks everybody.
    pub(crate) async fn gather(
        stage: &Stage,
        controllers: &[DevController],
        subscriber: &mut Subscriber,
    ) -> Result<Self> {
        let mut stations = Vec::new();
        let mut published = 0;
        for controller in controllers {
            let status =
                stage.wait_for(controller, "everything sent", vernport_gateway::Status::is_settled).await?;
            published += status.published_messages;
            let gateway = stage.gateway(controller)?;
            let rows = rows(&status.tally, gateway.rules(), gateway.catalogue());
            stations.push(Station { name: controller.name.to_string(), tally: status.tally, rows });
        }
        // The broker has acknowledged them all; the subscriber's own end may be a moment behind.
        for _ in 0..LOOKS {
            if subscriber.received().messages() >= published {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let mut opened = Vec::new();
        for controller in controllers {
            for recipient in &controller.recipient {
                for (envelope, body) in read_all(&stage.dev, controller, recipient, "demo").await? {
                    opened.push(Opened {
                        controller: controller.clone(),
                        recipient: recipient.clone(),
                        envelope,
                        body,
                    });
                }
            }
        }
        let mut stored_batches = 0;
        for controller in controllers {
            stored_batches += stage.registrar(controller)?.stored_batches().await?;
        }
        let refused = other_key(stage, &opened)?;
        Ok(Self { stations, stored_batches, opened, received: subscriber.received(), refused })
    }

    fn records(&self) -> u64 {
        self.opened.iter().map(|opened| opened.body.records.len() as u64).sum()
    }

    /// The summary as JSON, alone on standard output.
    pub(crate) fn print_json(&self) -> Result<()> {
        let controllers: serde_json::Map<String, Json> = self
            .stations
            .iter()
            .map(|station| {
                let (exact, coarsened, withheld) = station.tally.totals();
                let reasons: BTreeMap<&str, u64> =
                    station.tally.reasons().into_iter().map(|(reason, count)| (reason.code(), count)).collect();
                let summary =
                    json!({"released": exact, "coarsened": coarsened, "withheld": withheld, "reasons": reasons});
                (station.name.clone(), summary)
            })
            .collect();
        let summary = json!({
            "controllers": controllers,
            "store": {"batches": self.stored_batches, "records": self.records()},
            "mqtt": {
                "messages": self.received.messages(),
                "topics": self.received.by_topic.keys().collect::<Vec<_>>(),
            },
        });
        output::print(&(serde_json::to_string(&summary)? + "\n"))?;
        Ok(())
    }

    /// The whole report in words.
    pub(crate) fn print(&self) -> Result<()> {
        output::print("\n1. What each station released and withheld\n")?;
        for station in &self.stations {
            output::print(&format!("\n{}\n", station.name))?;
            output::print(&show::table(&ROWS_HEAD, station.rows.iter().cloned()))?;
        }
        output::print("\n2. What the fleet operators received, each under an alias of its own\n\n")?;
        let topics = self.received.by_topic.iter().map(|(topic, count)| {
            let sample = self.received.samples.get(topic).map(message).unwrap_or_default();
            [short(topic), count.to_string(), sample]
        });
        output::print(&show::table(&["topic", "messages", "the first of them"], topics))?;
        output::print(&format!(
            "\n3. What central keeps: {} sealed batches. It cannot read them; opened by whom they are for, they hold {} records\n\n",
            self.stored_batches,
            self.records()
        ))?;
        output::print(&show::table(
            &["controller", "recipient", "purpose", "batches", "records"],
            self.store(),
        ))?;
        if let Some(one) = self.opened.iter().max_by_key(|opened| opened.body.records.len()) {
            output::print(&format!(
                "\n4. One of them, opened with the key of {} for {}\n\n",
                one.recipient.recipient, one.recipient.purpose
            ))?;
            output::print(&body(&one.body))?;
        }
        if let Some(refused) = &self.refused {
            output::print(&format!("\n5. The same batch and the key of another purpose: {refused}\n"))?;
        }
        Ok(())
    }

    fn store(&self) -> Vec<[String; 5]> {
        let mut sums: BTreeMap<[String; 3], (u64, u64)> = BTreeMap::new();
        for opened in &self.opened {
            let key = [
                opened.controller.name.to_string(),
                opened.recipient.recipient.to_string(),
                opened.recipient.purpose.to_string(),
            ];
            let sum = sums.entry(key).or_default();
            sum.0 += 1;
            sum.1 += opened.body.records.len() as u64;
        }
        let row = |([controller, recipient, purpose], (batches, records)): ([String; 3], (u64, u64))| {
            [controller, recipient, purpose, batches.to_string(), records.to_string()]
        };
        sums.into_iter().map(row).collect()
    }
}

/// Tries another purpose's key of the same controller on the longest batch; what the attempt says.
fn other_key(stage: &Stage, opened: &[Opened]) -> Result<Option<String>> {
    let Some(one) = opened.iter().max_by_key(|opened| opened.body.records.len()) else { return Ok(None) };
    let Some(other) = one.controller.recipient.iter().find(|key| key.purpose != one.recipient.purpose) else {
        return Ok(None);
    };
    let key = stage.dev.opening_key(&one.controller, other)?;
    let error = ReceivedEnvelope::parse(&one.envelope)?.open(&key).err();
    let error = error.context("the key of another purpose opened a batch")?;
    Ok(Some(format!("{} for {}: {}", other.recipient, other.purpose, vernport_types::chain(&error))))
}

/// One row for each signal that was read, flows summed up.
pub(crate) fn rows(tally: &Tally, rules: &Rules, catalogue: &Catalogue) -> Vec<[String; 6]> {
    let mut by_signal: BTreeMap<SignalId, Vec<(Option<FlowIndex>, &Row)>> = BTreeMap::new();
    for ((signal, flow), row) in &tally.rows {
        by_signal.entry(*signal).or_default().push((*flow, row));
    }
    by_signal
        .into_iter()
        .map(|(signal, flows)| {
            let (exact, coarsened) =
                flows.iter().fold((0, 0), |(e, c), (_, row)| (e + row.exact, c + row.coarsened));
            let mut reasons: BTreeMap<Reason, u64> = BTreeMap::new();
            for (reason, count) in flows.iter().flat_map(|(_, row)| &row.withheld) {
                *reasons.entry(*reason).or_default() += count;
            }
            let withheld: u64 = reasons.values().sum();
            let mut most: Vec<(Reason, u64)> = reasons.into_iter().collect();
            most.sort_by_key(|(reason, count)| (std::cmp::Reverse(*count), *reason));
            let (mut words, mut clauses) = (String::new(), String::new());
            for (n, (reason, count)) in most.iter().enumerate() {
                if n == REASONS_SHOWN {
                    let _ = write!(words, "\n+{} more", most.len() - REASONS_SHOWN);
                    break;
                }
                let line = if n == 0 { "" } else { "\n" };
                let _ = write!(words, "{line}{reason} {count}");
                let _ = write!(clauses, "{line}{}", rules.clause_for(signal, *reason).unwrap_or("-"));
            }
            if most.is_empty() {
                let open = flows.iter().find_map(|(flow, _)| rules.flow((*flow)?).clauses.first());
                clauses = open.cloned().unwrap_or_default();
            }
            let path = catalogue.signal(signal).path.to_string();
            [path, exact.to_string(), coarsened.to_string(), withheld.to_string(), words, clauses]
        })
        .collect()
}

fn message(message: &FleetMessage) -> String {
    match message {
        FleetMessage::Value(m) => format!("{} ({})", show::value(m.value.0, &m.unit), m.minimised),
        FleetMessage::Sealed(m) => format!("sealed, {} bytes", m.envelope.0.len()),
        FleetMessage::Skipped(m) => format!("{} skipped", m.skipped),
    }
}

/// A batch as its recipient reads it: each signal once, with its first value.
fn body(body: &Body) -> String {
    let context = &body.head.context;
    let mut text = format!(
        "purpose {}, basis eu-gdpr:{}, notice {}, vehicle {}…, recognised by {:?}, collected at {}\n",
        context.purpose,
        context.basis.code(),
        context.notice,
        &body.head.alias.to_string()[..6],
        body.head.identified_by,
        context.collector,
    );
    let rows = body.head.signals.iter().enumerate().filter_map(|(n, signal)| {
        let of = |record: &&vernport_seal::Record| usize::from(record.signal) == n;
        let first = body.records.iter().find(of)?;
        let count = body.records.iter().filter(of).count();
        let value = show::value(first.value, &signal.unit);
        Some([
            signal.path.clone(),
            count.to_string(),
            value,
            signal.minimiser.clone(),
            first.source.to_string(),
        ])
    });
    text += &show::table(&["signal", "records", "the first of them", "minimised", "source"], rows);
    text
}
