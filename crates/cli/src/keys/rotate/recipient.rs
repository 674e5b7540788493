//! A new key of a recipient. The old one stays: it opens what was sealed to it.

use crate::{
    args::RotateRecipient,
    dev::Dev,
    keys::file::{is_free, next, take_place},
    registrar::Registrar,
};
use anyhow::{Result, ensure};
use std::sync::Arc;
use vernport_crypto::OpeningKey;
use vernport_gateway::{SystemClock, secrets::read_key};
use vernport_registry::{Event, RecipientKeyActivated, RecipientKeyRevoked};
use vernport_status::output;

pub(super) async fn run(args: &RotateRecipient) -> Result<()> {
    let path = &args.key;
    let old = OpeningKey::from_bytes(*read_key(path)?).wrapping_key().key_id();
    let new = OpeningKey::from_bytes(*next(path)?).wrapping_key();
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let kept = path.with_file_name(format!("{stem}.{old}.key"));
    ensure!(is_free(path, &kept)?, "{}: is there already; move it away", kept.display());
    let (recipient, purpose) = (args.recipient.clone(), args.purpose.clone());
    let mut events =
        vec![Event::RecipientKeyActivated(RecipientKeyActivated { recipient, purpose, key: new })];
    if args.revoke {
        events.push(Event::RecipientKeyRevoked(RecipientKeyRevoked { key: old }));
    }
    let told: Vec<String> = events.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
    if let (Some(dev), Some(controller)) = (&args.dev, &args.controller) {
        let mut dev = Dev::load(dev)?;
        let controller = dev.controller(controller)?.clone();
        let registrar = Registrar::new(&dev, &controller, Arc::new(SystemClock))?;
        registrar.say_together(events).await?;
        dev.set_recipient_key(&controller.name, old, new.key_id())?;
    }
    take_place(path, Some(&kept))?;
    output::tell(&format!("{}: public {new}, key id {}", path.display(), new.key_id()))?;
    output::tell(&format!(
        "{}: the old key, which opens what was sealed to it; keep it as long",
        kept.display()
    ))?;
    let how = if args.dev.is_some() { "recorded" } else { "record at central" };
    for event in told {
        output::tell(&format!("{how}: {event}"))?;
    }
    if !args.revoke {
        output::tell(&format!(
            "what is sealed from now on opens with either; revoke {old} when nothing is needed that only it opens: \
             central gives nothing out to a revoked key"
        ))?;
    }
    Ok(())
}
