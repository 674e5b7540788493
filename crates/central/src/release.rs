//! Releasing envelopes to recipients, and looking up assets.

use crate::{controller::Controller, refusal::Refusal};
use vernport_api::{Blob, Code, ReadAnswer, ReadRequest};
use vernport_seal::ReceivedEnvelope;
use vernport_store::ReadQuery;
use vernport_types::{AssetId, Fate, Identifier, Slug};

impl Controller {
    /// Releases envelopes to a recipient.
    pub(crate) async fn read(&self, recipient: &Slug, asked: &ReadRequest) -> Result<ReadAnswer, Refusal> {
        let mut state = self.locked().await?;
        let now = state.now(&*self.clock);
        self.refresh(&mut state, now).await?;
        let unknown = || {
            let detail = "ask with the certificate of the recipient whose key it is, while the key is active";
            Refusal::new(Code::RecipientKeyUnknown, detail)
        };
        let (_, purpose) =
            state.keys.get(&asked.recipient_key).filter(|(of, _)| of == recipient).ok_or_else(unknown)?;
        let flows = self.rules.flows().iter();
        let flows: Vec<Slug> = flows
            .filter(|flow| flow.recipient == *recipient && flow.purpose == *purpose)
            .map(|flow| flow.slug.clone())
            .collect();
        let query = ReadQuery {
            controller: &self.id,
            recipient,
            task: &asked.task,
            key_id: asked.recipient_key,
            purpose,
            flows: &flows,
            after: asked.after.unwrap_or(0),
            limit: asked.limit,
            now,
        };
        let usable = |id| {
            state.book.get(id).is_some_and(|known| {
                known
                    .opened()
                    .may_be_used(&state.facts, &self.rules, now)
                    .map_or_else(|reason| reason.fate() == Fate::Send, |()| true)
            })
        };
        let page = self.store.read(&query, usable).await?.ok_or_else(unknown)?;
        if page.unreadable > 0 {
            tracing::error!(
                %recipient,
                batches = page.unreadable,
                "batches do not open any more and were passed over: the erasure keys were set back to an older state"
            );
        }
        let broken = || Refusal::new(Code::Internal, "a stored batch cannot be put together");
        let whole = page.batches.iter().map(|batch| {
            let envelope = ReceivedEnvelope::parse(&batch.without_wraps).map_err(|_| broken())?;
            let whole = envelope.with_wraps(&batch.wraps).map_err(|_| broken())?;
            Ok(Blob(whole.as_bytes().to_vec()))
        });
        Ok(ReadAnswer { envelopes: whole.collect::<Result<_, Refusal>>()?, cursor: page.last })
    }

    /// The asset that bears an identifier now.
    pub(crate) async fn find_asset(&self, identifier: &Identifier) -> Result<Option<AssetId>, Refusal> {
        let mut state = self.locked().await?;
        let now = state.now(&*self.clock);
        Ok(state.facts.find_asset(&self.identity_key.index(identifier), now))
    }
}
