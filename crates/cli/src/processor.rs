//! `vernport processor agree|end|list`: which other firm's system may record for
//! a controller.

use crate::{args, ledger::events::all, order::connect, show};
use anyhow::Result;
use vernport_registry::{Event, Facts, ProcessorAgreed, ProcessorEnded};
use vernport_status::output;
use vernport_types::EntryHash;

/// Records or ends an agreement, or lists them.
///
/// # Errors
/// If central cannot be reached or refuses.
pub async fn run(args: args::Processor) -> Result<()> {
    match args {
        args::Processor::Agree(agree) => {
            let (_, registrar) = connect(&agree.registrar)?;
            let until = registrar.now().plus_seconds(i64::from(agree.days) * 86_400);
            let agreed = ProcessorAgreed {
                processor: agree.processor,
                name: agree.name,
                contract: agree.contract,
                scope: agree.kinds.into_iter().collect(),
                until,
            };
            let (name, processor) = (agreed.name.clone(), agreed.processor.clone());
            let answer = registrar.say(Event::ProcessorAgreed(agreed)).await?;
            let entry = answer.results.first().map(|result| result.entry.to_string()).unwrap_or_default();
            output::tell(&format!(
                "{name} ({processor}) may record until {}\nentry {entry}",
                show::time(until)
            ))?;
        }
        args::Processor::End { registrar, agreement } => {
            let (_, registrar) = connect(&registrar)?;
            registrar.say(Event::ProcessorEnded(ProcessorEnded { agreement })).await?;
            output::tell("the agreement has ended: nothing more is taken from this processor")?;
        }
        args::Processor::List { registrar } => {
            let (_, registrar) = connect(&registrar)?;
            let mut facts = Facts::new(registrar.controller().clone());
            let mut agreed: Vec<(EntryHash, ProcessorAgreed)> = Vec::new();
            for entry in all(&registrar).await?.into_iter().filter_map(|event| event.entry) {
                facts.replay(&entry.statement)?;
                if let Event::ProcessorAgreed(said) = entry.statement.event {
                    agreed.push((entry.hash, said));
                }
            }
            if agreed.is_empty() {
                output::print("nobody records for this controller but itself")?;
                return Ok(());
            }
            let now = registrar.now();
            let row = |(entry, of): &(EntryHash, ProcessorAgreed)| {
                let is_in_force = facts.agreement(&of.processor, now).is_some_and(|now| now.entry == *entry);
                let state = if is_in_force { "in force" } else { "over" };
                let kinds: Vec<&str> = of.scope.iter().map(|kind| kind.as_str()).collect();
                [
                    of.name.to_string(),
                    of.processor.to_string(),
                    state.to_owned(),
                    show::time(of.until),
                    kinds.join(" "),
                    entry.to_string(),
                ]
            };
            let head = ["name", "organisation", "state", "until", "kinds", "entry"];
            output::print(show::table(&head, agreed.iter().map(row)).trim_end())?;
        }
    }
    Ok(())
}
