//! A checked mapping: what `build` makes of a file and `read` applies.

use super::{
    clock::Clock,
    dtc::Codes,
    file::{Input, Otherwise},
    path::{Path, Row},
    value::{Degrees, Scalar},
};
use std::collections::{BTreeMap, HashMap};
use vernport_types::{Signal, SignalId};

pub(super) enum IdRule {
    /// A keyed hash of the payload.
    Payload,
    /// What the sender says, in one field or several.
    Fields(Vec<Path>),
}

pub(super) enum Country {
    Fixed(Box<str>),
    At(Path),
}

pub(super) enum VehicleRule {
    Visit,
    Vin(Path),
    Order(Path),
    Plate(Path, Country),
}

/// Something that has to hold of a row.
pub(super) struct Condition {
    pub(super) at: Path,
    pub(super) is: Vec<Box<str>>,
    pub(super) is_not: Vec<Box<str>>,
    pub(super) present: Option<bool>,
}

impl Condition {
    pub(super) fn holds(&self, row: &Row<'_>) -> bool {
        let node = self.at.find(row).filter(|node| **node != super::document::Node::Null);
        let word = node.as_ref().and_then(|node| node.word());
        let among = |words: &[Box<str>]| {
            word.as_deref().is_some_and(|word| words.iter().any(|known| **known == *word))
        };
        self.present.is_none_or(|present| node.is_some() == present)
            && (self.is.is_empty() || among(&self.is))
            && !among(&self.is_not)
    }
}

/// What a reading is made of.
pub(super) enum What {
    Scalar,
    Position(Degrees),
    Codes(Box<Codes>),
}

/// One signal of a group.
pub(super) struct Rule {
    /// Its line in the file, from 1.
    pub(super) line: usize,
    pub(super) signal: SignalId,
    pub(super) entry: Signal,
    /// Where its value stands; none for what the row's name chooses, and for what has fields of its own.
    pub(super) at: Option<Path>,
    pub(super) what: What,
    /// Where its unit stands, where that is not the group's.
    pub(super) unit_at: Option<Path>,
    pub(super) scalar: Scalar,
    /// Where its time stands, where that is not the group's.
    pub(super) clocks: Option<Vec<Clock>>,
}

/// What a name chooses.
#[derive(Clone, Copy)]
pub(super) enum Chosen {
    Whole(usize),
    Latitude(usize),
    Longitude(usize),
}

/// One `[[readings]]`.
pub(super) struct Group {
    /// Its line in the file, from 1.
    pub(super) line: usize,
    pub(super) each: Option<Path>,
    pub(super) when: Vec<Condition>,
    pub(super) name: Option<Path>,
    pub(super) value: Path,
    pub(super) unit_at: Option<Path>,
    pub(super) clocks: Option<Vec<Clock>>,
    pub(super) unlisted: Otherwise,
    pub(super) bad_values: Otherwise,
    pub(super) rules: Vec<Rule>,
    /// Rules that every row is asked for.
    pub(super) fixed: Vec<usize>,
    pub(super) by_name: HashMap<Box<str>, Chosen>,
}

/// Something of the file, and its line there, from 1.
pub(super) struct Lined<T> {
    pub(super) line: usize,
    pub(super) of: T,
}

/// A whole mapping.
pub(super) struct Rules {
    pub(super) input: Input,
    pub(super) max_readings: usize,
    pub(super) id: Lined<IdRule>,
    pub(super) vehicle: Lined<Vec<VehicleRule>>,
    pub(super) clocks: Vec<Clock>,
    /// Where messages stand, each of a vehicle of its own; none where the whole is one message.
    pub(super) messages: Option<Lined<Path>>,
    /// Texts that are JSON documents themselves.
    pub(super) embedded: Vec<Lined<Path>>,
    pub(super) require: Vec<Lined<Condition>>,
    pub(super) units: BTreeMap<Box<str>, Box<str>>,
    pub(super) groups: Vec<Group>,
}
