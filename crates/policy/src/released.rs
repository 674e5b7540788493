//! What comes out of a decision: releases and refusals.
//!
//! INVARIANT: [`Released`] has private fields and no public constructor, so
//! that nothing right of here can hold a value that no decision let pass.

use crate::{FlowIndex, GrantId, Minimiser, Sample};
use serde::{Deserialize, Serialize};
use std::fmt;
use vernport_types::{
    AssetId, Identification, Reading, Reason, SignalId, Source, Stamp, Value, VehicleAlias,
};

/// Whether a release is as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// As it was read.
    Exact,
    /// Value or time were made coarser.
    Coarsened,
}

/// One value that may go on: of one flow, already minimised.
///
/// `Debug` never shows the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Released {
    pub(crate) flow: FlowIndex,
    pub(crate) grant: GrantId,
    pub(crate) alias: VehicleAlias,
    pub(crate) minimiser: Minimiser,
    pub(crate) how: How,
    /// The reading with value and time minimised.
    pub(crate) reading: Reading,
}

impl Released {
    /// The flow that lets it pass.
    pub const fn flow(&self) -> FlowIndex {
        self.flow
    }

    /// The opening of the flow: by this it is asked again whether it may be sent.
    pub const fn grant_id(&self) -> GrantId {
        self.grant
    }

    /// What the asset is called towards the recipient of the flow.
    pub const fn alias(&self) -> VehicleAlias {
        self.alias
    }

    /// The asset. Not for recipients: they get the alias.
    pub const fn asset(&self) -> AssetId {
        self.reading.asset
    }

    /// The signal.
    pub const fn signal(&self) -> SignalId {
        self.reading.signal
    }

    /// The minimised value.
    pub const fn value(&self) -> Value {
        self.reading.value
    }

    /// When it was read, minimised.
    pub const fn at(&self) -> Stamp {
        self.reading.at
    }

    /// From where it was read.
    pub const fn source(&self) -> Source {
        self.reading.source
    }

    /// How the asset was recognised.
    pub const fn identified_by(&self) -> Identification {
        self.reading.identified_by
    }

    /// Whether it is as it was read.
    pub const fn how(&self) -> How {
        self.how
    }

    /// What was done to the value; prints as it stands in records and messages.
    pub const fn minimiser(&self) -> Minimiser {
        self.minimiser
    }
}

/// One refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Withheld {
    /// The flow that names the signal and did not let it pass; `None` where no flow names it.
    pub flow: Option<FlowIndex>,
    /// The signal.
    pub signal: SignalId,
    /// Why.
    pub reason: Reason,
}

/// The outcomes of one decision. Made once and used again: it keeps its room.
pub struct Outcomes {
    pub(crate) released: Vec<Released>,
    pub(crate) withheld: Vec<Withheld>,
    pub(crate) samples: Vec<Sample>,
}

impl Outcomes {
    /// Takes the room for all flows that a bundle can have.
    pub fn new() -> Self {
        let flows = usize::from(FlowIndex::COUNT_MAX);
        Self {
            released: Vec::with_capacity(flows),
            withheld: Vec::with_capacity(flows),
            samples: Vec::with_capacity(flows),
        }
    }

    /// What may go on, in the order of the flows.
    pub fn released(&self) -> &[Released] {
        &self.released
    }

    /// What may not, and why, in the order of the flows.
    pub fn withheld(&self) -> &[Withheld] {
        &self.withheld
    }

    /// What the sampler has to remember when the releases are queued.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    pub(crate) fn clear(&mut self) {
        self.released.clear();
        self.withheld.clear();
        self.samples.clear();
    }

    pub(crate) fn refuse(&mut self, flow: Option<FlowIndex>, signal: SignalId, reason: Reason) {
        self.withheld.push(Withheld { flow, signal, reason });
    }
}

impl Default for Outcomes {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Outcomes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Outcomes({} released, {} withheld)", self.released.len(), self.withheld.len())
    }
}
