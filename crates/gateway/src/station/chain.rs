//! The chain of what was said here, as this gateway has it: its end, and the links
//! that no snapshot knows yet.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use vernport_api::SealedIdentifier;
use vernport_crypto::{SigningKey, random};
use vernport_policy::{Link, Merged, SignedLink, StationOpening, Tip};
use vernport_registry::Entry;
use vernport_spool::{ReadError, Spool};
use vernport_types::{SegmentId, Slug, TimeQuality, UtcMicros};

/// Beyond so many links that central does not know only what closes is taken.
const MAX_WAITING: usize = 512;
/// Beyond so many nothing is.
const MAX_WAITING_CLOSINGS: usize = 4_096;

/// Why the chain cannot be read.
#[derive(Debug, Error)]
pub enum ChainError {
    /// The spool cannot be read.
    #[error("what was said at the station cannot be read")]
    Spool(#[from] ReadError),
    /// A row is none of ours.
    #[error(
        "what was said at the station cannot be read as this version writes it: run the version that wrote it, \
         or let it deliver first"
    )]
    Row(#[source] serde_json::Error),
}

/// A link as the spool keeps it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub(crate) signed: SignedLink,
    /// What goes to central beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) identifier: Option<SealedIdentifier>,
}

/// What is about to be said.
pub(crate) struct Draft {
    pub(crate) entry: Entry,
    pub(crate) clock: TimeQuality,
    pub(crate) stands_here: bool,
    pub(crate) openings: Vec<StationOpening>,
    pub(crate) identifier: Option<SealedIdentifier>,
}

/// The chain.
#[derive(Debug)]
pub(crate) struct Chain {
    tip: Tip,
    waiting: Vec<Kept>,
}

impl Chain {
    /// The chain of a spool; a new one where nothing was ever said.
    pub(crate) async fn load(spool: &Spool) -> Result<Self, ChainError> {
        let tip = match spool.station_tip().await? {
            Some(bytes) => serde_json::from_slice(&bytes).map_err(ChainError::Row)?,
            None => Tip::of_new(SegmentId::from_bytes(random())),
        };
        let rows = spool.links().await?;
        let waiting = rows.iter().map(|row| serde_json::from_slice(row)).collect::<Result<_, _>>();
        Ok(Self { tip, waiting: waiting.map_err(ChainError::Row)? })
    }

    /// The end of the chain.
    pub(crate) const fn tip(&self) -> Tip {
        self.tip
    }

    /// The links that no snapshot knows, in their order.
    pub(crate) fn waiting(&self) -> &[Kept] {
        &self.waiting
    }

    /// The same but for the first `known`, as the rules take them.
    pub(crate) fn links(&self, known: usize) -> Vec<SignedLink> {
        self.waiting.iter().skip(known).map(|kept| kept.signed.clone()).collect()
    }

    /// When the last of them was said.
    pub(crate) fn last_said(&self) -> Option<UtcMicros> {
        self.waiting.iter().map(|kept| kept.signed.link.said_at()).max()
    }

    /// Whether there is room for another link.
    pub(crate) fn has_room(&self, closes: bool) -> bool {
        self.waiting.len() < if closes { MAX_WAITING_CLOSINGS } else { MAX_WAITING }
    }

    /// The next link of the chain; it counts when it was [`Self::push`]ed.
    pub(crate) fn next(&self, gateway: &Slug, draft: Draft, key: &SigningKey) -> Kept {
        let link = Link {
            format: Link::FORMAT,
            gateway: gateway.clone(),
            segment: self.tip.segment,
            sequence: self.tip.sequence + 1,
            previous: self.tip.link,
            clock: draft.clock,
            entry: draft.entry,
            stands_here: draft.stands_here,
            openings: draft.openings,
        };
        Kept { signed: link.sign(key), identifier: draft.identifier }
    }

    /// Goes on behind a link that is durable now.
    pub(crate) fn push(&mut self, kept: Kept) {
        self.tip = kept.signed.link.tip();
        self.waiting.push(kept);
    }

    /// How many of the waiting links a snapshot knows, by central's word. What that says of a chain
    /// that is not this one is no news.
    pub(crate) fn known(&self, merged: Option<&Merged>) -> usize {
        let Some(Merged { tip, .. }) = merged else { return 0 };
        let at = |kept: &Kept| {
            let link = &kept.signed.link;
            link.segment == tip.segment && link.sequence == tip.sequence
        };
        match self.waiting.iter().position(at) {
            Some(last) if self.waiting[last].signed.link.hash() == tip.link => last + 1,
            Some(_) => {
                tracing::error!("central has another link in this chain: its word on it is not taken");
                0
            }
            None => 0,
        }
    }

    /// Lets the first links go; the place of the last of them, if any went.
    pub(crate) fn forget(&mut self, links: usize) -> Option<u64> {
        self.waiting.drain(..links).next_back().map(|kept| kept.signed.link.sequence)
    }
}
