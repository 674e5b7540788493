//! Names of a world file and the ids they stand for: made from the names, so
//! that they are the same on every run.

use super::Fault;
use crate::ReceiptCode;
use std::collections::HashMap;
use vernport_crypto::sha256;
use vernport_types::{AssetId, OrderId, SubjectId};

/// The declared names.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    assets: HashMap<String, AssetId>,
    subjects: HashMap<String, SubjectId>,
}

impl Names {
    pub(super) fn add_asset(&mut self, name: &str) -> Result<(), Fault> {
        let id = AssetId::from_bytes(bytes("asset", name));
        once(name, self.assets.insert(name.into(), id).is_none())
    }

    pub(super) fn asset_names(&self) -> impl Iterator<Item = &str> {
        self.assets.keys().map(String::as_str)
    }

    pub(super) fn add_subject(&mut self, name: &str) -> Result<(), Fault> {
        let id = SubjectId::from_bytes(bytes("subject", name));
        once(name, self.subjects.insert(name.into(), id).is_none())
    }

    pub(super) fn asset(&self, name: &str) -> Result<AssetId, Fault> {
        self.assets.get(name).copied().ok_or_else(|| unknown("asset", name))
    }

    pub(super) fn subject(&self, name: &str) -> Result<SubjectId, Fault> {
        self.subjects.get(name).copied().ok_or_else(|| unknown("subject", name))
    }
}

pub(super) fn order(name: &str) -> OrderId {
    OrderId::from_bytes(bytes("order", name))
}

/// A receipt code as it is, or that of a name.
pub(super) fn receipt(name: &str) -> ReceiptCode {
    name.parse().unwrap_or_else(|_| ReceiptCode::from_bytes(bytes("receipt", name)))
}

fn bytes<const N: usize>(kind: &str, name: &str) -> [u8; N] {
    let hash = sha256(format!("vernport world\0{kind}\0{name}").as_bytes());
    std::array::from_fn(|n| hash[n])
}

fn once(name: &str, new: bool) -> Result<(), Fault> {
    if new { Ok(()) } else { Err(Fault(format!("`{name}` is declared twice; keep one of them"))) }
}

fn unknown(kind: &str, name: &str) -> Fault {
    Fault(format!("no {kind} is named `{name}`; declare it with [[{kind}]]"))
}
