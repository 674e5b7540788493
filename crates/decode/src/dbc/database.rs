//! What a DBC file says, checked: messages and signals that can be decoded.
//!
//! A signal of which an error was found is not in a [`Database`], nor is a message.

use super::{
    check,
    finding::{Finding, Findings},
    statement, token,
};
use thiserror::Error;
use vernport_types::CanId;

/// Which end of a signal its start bit is, and how its bytes follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteOrder {
    /// Little endian: the start bit is the lowest.
    Intel,
    /// Big endian: the start bit is the highest.
    Motorola,
}

/// What the bits of a signal are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A whole number from 0.
    Unsigned,
    /// A whole number in two's complement.
    Signed,
    /// IEEE 754, 32 bits.
    Float,
    /// IEEE 754, 64 bits.
    Double,
}

/// When a multiplexed signal is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switch {
    /// The place of the switch among the signals of the message.
    pub signal: usize,
    /// The raw values of the switch, first and last of each range.
    pub ranges: Vec<(u64, u64)>,
}

impl Switch {
    /// Whether the signal is there while the switch has the raw value.
    pub fn is_at(&self, raw: u64) -> bool {
        self.ranges.iter().any(|(from, to)| (*from..=*to).contains(&raw))
    }
}

/// A signal of a message.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    /// Its line, from 1.
    pub line: u32,
    /// Its name; the long one where the file has it.
    pub name: Box<str>,
    /// Where it begins, as the file counts: byte times eight plus bit, bit 0 being the lowest.
    pub start_bit: u16,
    /// How many bits it has, 1 to 64.
    pub len_bits: u8,
    /// How its bits follow.
    pub order: ByteOrder,
    /// What its bits are.
    pub shape: Shape,
    /// What a bit is worth, in `unit`; not zero.
    pub factor: f64,
    /// What is added, in `unit`.
    pub offset: f64,
    /// The largest value as declared, in `unit`; none where the file declares no range.
    pub largest: Option<f64>,
    /// The unit, as written.
    pub unit: Box<str>,
    /// When it is there; none for always.
    pub switch: Option<Switch>,
    /// Words for raw values.
    pub words: Vec<(i64, Box<str>)>,
    /// Its suspect parameter number (SAE J1939).
    pub spn: Option<u32>,
}

impl Signal {
    /// The place of the lowest bit, or of the highest: how far from bit 7 of byte 0 on, as the bits are sent.
    pub(super) fn top_distance(&self) -> u32 {
        u32::from(self.start_bit / 8) * 8 + 7 - u32::from(self.start_bit % 8)
    }

    /// How many bytes a message has at least if the signal is in it.
    pub fn needs_bytes(&self) -> usize {
        let last = match self.order {
            ByteOrder::Intel => u32::from(self.start_bit) + u32::from(self.len_bits) - 1,
            ByteOrder::Motorola => self.top_distance() + u32::from(self.len_bits) - 1,
        };
        last as usize / 8 + 1
    }
}

/// A message.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Its line, from 1.
    pub line: u32,
    /// Its name; the long one where the file has it.
    pub name: Box<str>,
    /// Its identifier.
    pub id: CanId,
    /// It is a parameter group of SAE J1939: priority, destination and source do not count.
    pub is_j1939: bool,
    /// Its length. Over 8 on a classic bus, it is the payload of a transport protocol.
    pub len_bytes: u16,
    /// Its signals, in the order of the file. A switch stands before what it switches.
    pub signals: Vec<Signal>,
}

/// Why a file is not read at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ReadError {
    /// Too long.
    #[error("{bytes} bytes; a DBC file of more than {} bytes is not read", Database::MAX_BYTES)]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Nothing in it is of a DBC file.
    #[error("no statement of a DBC file is in it; expected VERSION, BU_, BO_ and so on")]
    NotDbc,
}

/// The messages of one DBC file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Database {
    /// In the order of the file; no identifier twice.
    pub messages: Vec<Message>,
}

impl Database {
    /// The longest file that is read, in bytes.
    pub const MAX_BYTES: usize = 16 << 20;
    /// The longest message, in bytes: what SAE J1939-21 can carry in packets.
    pub const MAX_MESSAGE_BYTES: u16 = 1_785;

    /// Reads the bytes of a DBC file: UTF-8, else code page 1252. Beside what can be decoded come
    /// the findings, by line.
    ///
    /// # Errors
    /// [`ReadError`] if it is too long or no DBC file at all. What is wrong in single lines is a finding.
    pub fn read(bytes: &[u8]) -> Result<(Self, Vec<Finding>), ReadError> {
        if bytes.len() > Self::MAX_BYTES {
            return Err(ReadError::TooLong { bytes: bytes.len() });
        }
        let mut findings = Findings::default();
        let (text, unknown) = token::text(bytes);
        if let Some(line) = unknown {
            let what = "a byte is neither UTF-8 nor of code page 1252".to_owned();
            findings.warning(line, what, "save the file as UTF-8");
        }
        let file = statement::read(&text, &mut findings);
        if file.statements == 0 {
            return Err(ReadError::NotDbc);
        }
        let database = check::check(file, &mut findings);
        Ok((database, findings.sorted()))
    }

    /// The message of an identifier: that of exactly this one, else for 29 bits the parameter
    /// group of SAE J1939, preferring the source address.
    pub fn message(&self, id: CanId) -> Option<&Message> {
        if let Some(message) = self.messages.iter().find(|message| message.id == id) {
            return Some(message);
        }
        let of_group = |message: &&Message| message.is_j1939 && super::same_group(message.id, id);
        let mut group = self.messages.iter().filter(of_group);
        let first = group.clone().next();
        group.find(|message| message.id.raw() & 0xFF == id.raw() & 0xFF).or(first)
    }
}
