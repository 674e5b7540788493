//! `vernport unseal`: opens one envelope with a recipient's key and prints its
//! content as JSON. The person who has the key answers for where that goes.

use crate::{args, show};
use anyhow::{Context as _, Result};
use serde_json::json;
use vernport_crypto::{OpeningKey, VerifyingKey};
use vernport_mqtt::FleetValue;
use vernport_seal::{Body, ReceivedEnvelope};
use vernport_status::output;

/// Opens the envelope.
///
/// # Errors
/// If it is no envelope, is not signed by the named gateway or is for another key.
pub fn run(args: &args::Unseal) -> Result<()> {
    let bytes =
        std::fs::read(&args.file).with_context(|| format!("{}: cannot be read", args.file.display()))?;
    let envelope =
        ReceivedEnvelope::parse(&bytes).with_context(|| format!("{}: no envelope", args.file.display()))?;
    if let Some(signer) = &args.signed_by {
        let signer: VerifyingKey =
            signer.parse().context("--signed-by: a public key has 64 hexadecimal digits")?;
        envelope.verify(&signer)?;
    }
    let key = OpeningKey::from_bytes(*vernport_gateway::secrets::read_key(&args.key)?);
    output::print(&serde_json::to_string_pretty(&to_json(&envelope.open(&key)?))?)?;
    Ok(())
}

/// A body as JSON: what holds for all records, then the records.
pub fn to_json(body: &Body) -> serde_json::Value {
    let context = &body.head.context;
    let records: Vec<_> = body
        .records
        .iter()
        .map(|record| {
            let signal = &body.head.signals[usize::from(record.signal)];
            json!({
                "path": signal.path,
                "value": FleetValue(record.value),
                "unit": signal.unit,
                "time": show::time(record.at.wall),
                "time_quality": record.at.quality,
                "source": record.source.to_string(),
                "minimised": signal.minimiser,
            })
        })
        .collect();
    json!({
        "vehicle": body.head.alias,
        "purpose": context.purpose,
        "basis": context.basis,
        "notice": context.notice,
        "rests_on": context.rests_on,
        "order": context.order,
        "collector": context.collector,
        "identified_by": body.head.identified_by,
        "software": context.software,
        "records": records,
    })
}
