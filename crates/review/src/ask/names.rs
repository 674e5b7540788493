//! Ids and aliases made from what they name: the same on every run.

use std::collections::HashMap;
use vernport_crypto::sha256;
use vernport_policy::{GrantId, Opening, Tables};
use vernport_types::{AssetId, Slug, VehicleAlias};

/// Names grants and vehicles, and remembers which opening has which id.
#[derive(Debug, Default)]
pub struct Names(HashMap<GrantId, Opening>);

impl Names {
    /// The opening of an id.
    pub fn opening(&self, id: GrantId) -> Option<&Opening> {
        self.0.get(&id)
    }
}

impl Tables for Names {
    fn grant_id(&mut self, opening: &Opening) -> GrantId {
        let id = GrantId::from_bytes(*opening.key().first_chunk().expect("32 bytes begin with 16"));
        self.0.insert(id, opening.clone());
        id
    }

    fn alias(&mut self, asset: AssetId, recipient: &Slug, purpose: &Slug, year: i16) -> VehicleAlias {
        let hash = sha256(format!("{asset}/{recipient}/{purpose}/{year}").as_bytes());
        VehicleAlias::from_bytes(*hash.first_chunk().expect("32 bytes begin with 16"))
    }
}
