//! Grants: which flows are open for one asset, for how long that may be
//! believed, and what it rests on. Frozen bytes (decision note 0004).
//!
//! A grant names no person. It may only narrow what the controller's bundle
//! allows; [`no_wider`] is the gateway's own check of that.

use crate::{Rules, head::MAX_BELIEF_SECONDS};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use vernport_crypto::BlindIndex;
use vernport_types::{
    AssetId, EntryHash, GrantId, LegalBasis, OrderId, Reason, Slug, UtcMicros, VehicleAlias,
};

/// How long an opening may be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Believe {
    /// Seconds since the last signed head was asked for; none for a basis that does not change from afar.
    pub lease_seconds: Option<u32>,
    /// The end, whatever the heads say.
    pub until: UtcMicros,
    /// The reason from then on: the order ended, the consent expired, the grant is stale.
    pub ends_as: Reason,
}

/// One open flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowGrant {
    /// The flow of the bundle.
    pub flow: Slug,
    /// This opening; another one after each change of what it rests on.
    pub id: GrantId,
    /// On what ground.
    pub basis: LegalBasis,
    /// For how long.
    pub believe: Believe,
    /// What the asset is called towards the recipient.
    pub alias: VehicleAlias,
    /// The ledger entries that it rests on.
    pub rests_on: Vec<EntryHash>,
}

/// What holds for one asset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The asset.
    pub asset: AssetId,
    /// How its identifiers look under the identity key.
    pub identifiers: Vec<BlindIndex>,
    /// The work order at this station, where one is open.
    pub order: Option<OrderId>,
    /// The open flows, in the order of the bundle.
    pub flows: Vec<FlowGrant>,
    /// The closed flows and why, in the order of the bundle.
    pub closed: Vec<(Slug, Reason)>,
}

/// How a grant goes beyond the bundle. Such an opening is not believed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Wider {
    /// The bundle has no such flow.
    #[error("flow {flow} is in no rule of the bundle; activate the bundle that has it on both sides")]
    UnknownFlow {
        /// The flow.
        flow: Slug,
    },
    /// The flow stands twice.
    #[error("flow {flow} stands twice in one grant")]
    Twice {
        /// The flow.
        flow: Slug,
    },
    /// Another legal basis than the bundle's.
    #[error("flow {flow} is granted on {granted}, the bundle says {ruled}")]
    Basis {
        /// The flow.
        flow: Slug,
        /// The basis of the grant.
        granted: LegalBasis,
        /// The basis of the bundle.
        ruled: LegalBasis,
    },
    /// It would be believed for longer than the bundle allows.
    #[error("flow {flow} would be believed for longer than its basis allows")]
    TooLong {
        /// The flow.
        flow: Slug,
    },
    /// It needs a work order, and the grant names none.
    #[error("flow {flow} needs a work order, and the grant names none")]
    NoOrder {
        /// The flow.
        flow: Slug,
    },
    /// It names no ledger entry that it rests on.
    #[error("flow {flow} rests on no ledger entry")]
    RestsOnNothing {
        /// The flow.
        flow: Slug,
    },
}

/// Checks one opening of a grant against the bundle. `head_at` is the time of the signed head.
pub(crate) fn flow_no_wider(
    grant: &Grant,
    opened: &FlowGrant,
    rules: &Rules,
    head_at: UtcMicros,
) -> Result<(), Wider> {
    let name = || opened.flow.clone();
    let flow = rules.find(&opened.flow).ok_or_else(|| Wider::UnknownFlow { flow: name() })?;
    if grant.flows.iter().filter(|other| other.flow == opened.flow).count() > 1 {
        return Err(Wider::Twice { flow: name() });
    }
    if opened.basis != flow.basis {
        return Err(Wider::Basis { flow: name(), granted: opened.basis, ruled: flow.basis });
    }
    let lease_ok = match flow.lease_seconds {
        None => true,
        Some(most) => opened.believe.lease_seconds.is_some_and(|lease| lease <= most),
    };
    if !lease_ok || opened.believe.until > head_at.plus_seconds(MAX_BELIEF_SECONDS) {
        return Err(Wider::TooLong { flow: name() });
    }
    if flow.needs_order() && grant.order.is_none() {
        return Err(Wider::NoOrder { flow: name() });
    }
    if opened.rests_on.is_empty() {
        return Err(Wider::RestsOnNothing { flow: name() });
    }
    Ok(())
}

/// Whether a grant stays within the controller's own bundle: known flows, the
/// bundle's basis, believed for no longer than it allows, an order where it asks for one.
///
/// # Errors
/// The first opening that goes beyond it.
pub fn no_wider(grant: &Grant, rules: &Rules, head_at: UtcMicros) -> Result<(), Wider> {
    grant.flows.iter().try_for_each(|opened| flow_no_wider(grant, opened, rules, head_at))
}
