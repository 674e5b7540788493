//! Canaries: values planted in a test's input that must be found nowhere else.
//!
//! Each is searched for in every form in which it could have got away: text in
//! either case, hexadecimal, base64 (both alphabets, at each of the three
//! alignments), UTF-16, and for numbers decimal text and raw bytes of either
//! order, as varint, as float, and as the vehicle's bus scales them.
//!
//! What is found is told by name, form and place, never by value. A needle of
//! four raw bytes meets random bytes by chance once in 2^32 places: search
//! kilobytes of ciphertext, not gigabytes.

use base64::{
    Engine, alphabet,
    engine::{GeneralPurpose, general_purpose::NO_PAD},
};
use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};
use vernport_types::{Cell, Position};

/// Shorter needles would be met by chance.
const NEEDLE_MIN_BYTES: usize = 4;

/// One canary in one form, found in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What the test calls the canary.
    pub canary: &'static str,
    /// The form it was found in.
    pub form: &'static str,
    /// The file; none when bytes were searched.
    pub file: Option<PathBuf>,
    /// How many bytes from the beginning.
    pub offset: usize,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} as {} at byte {}", self.canary, self.form, self.offset)?;
        self.file.as_ref().map_or(Ok(()), |file| write!(f, " of {}", file.display()))
    }
}

/// The planted values of one test.
pub struct Canaries {
    needles: Vec<Needle>,
    /// The needles that begin with each pair of bytes.
    by_first_bytes: Vec<Vec<u16>>,
}

struct Needle {
    canary: &'static str,
    form: &'static str,
    bytes: Vec<u8>,
}

impl Default for Canaries {
    fn default() -> Self {
        Self { needles: Vec::new(), by_first_bytes: vec![Vec::new(); 1 << 16] }
    }
}

impl Canaries {
    /// A VIN, a plate, a person's id: text.
    #[must_use]
    pub fn text(mut self, canary: &'static str, text: &str) -> Self {
        self.add_bytes(canary, text.as_bytes(), "text");
        for other_case in [text.to_lowercase(), text.to_uppercase()] {
            if other_case != text {
                self.add_bytes(canary, other_case.as_bytes(), "text of other case");
            }
        }
        self.add(canary, "UTF-16, low byte first", text.encode_utf16().flat_map(u16::to_le_bytes).collect());
        self.add(canary, "UTF-16, high byte first", text.encode_utf16().flat_map(u16::to_be_bytes).collect());
        self
    }

    /// A key or a random id: bytes.
    #[must_use]
    pub fn bytes(mut self, canary: &'static str, bytes: &[u8]) -> Self {
        self.add_bytes(canary, bytes, "raw bytes");
        self
    }

    /// An odometer in metres: as metres, kilometres, and in the scales of
    /// VDHR (5 m), VD (125 m) and OBD-II PID A6 (100 m).
    #[must_use]
    pub fn odometer(mut self, canary: &'static str, metres: u64) -> Self {
        self.add_number(canary, i128::from(metres));
        for metres_per_bit in [5, 100, 125] {
            self.add_raw(canary, i128::from(metres / metres_per_bit));
        }
        let (km, rest_m) = (metres / 1000, metres % 1000);
        self.add_decimal(canary, &format!("{km}.{rest_m:03}"));
        self.add_float(canary, km as f64 + rest_m as f64 / 1000.0);
        self
    }

    /// A position: each coordinate as degrees, as 1e-7 degrees and as J1939
    /// has it (1e-7 degrees from -210).
    #[must_use]
    pub fn position(mut self, canary: &'static str, position: Position) -> Self {
        for degrees_e7 in [position.latitude_e7(), position.longitude_e7()] {
            self.add_number(canary, i128::from(degrees_e7));
            self.add_raw(canary, i128::from(degrees_e7) + 2_100_000_000);
            let degrees = f64::from(degrees_e7) / 1e7;
            self.add_float(canary, degrees);
            // Five decimals are one metre; more begin with the same digits.
            let cut = f64::from(degrees_e7 / 100) / 1e5;
            self.add_decimal(canary, &format!("{cut:.5}"));
        }
        self
    }

    /// An H3 cell.
    #[must_use]
    pub fn cell(mut self, canary: &'static str, cell: Cell) -> Self {
        self.add_number(canary, i128::from(cell.0));
        self.text(canary, &format!("{:x}", cell.0))
    }

    /// Where the planted values stand in these bytes.
    pub fn search(&self, bytes: &[u8]) -> Vec<Found> {
        let mut found = Vec::new();
        for (offset, pair) in bytes.windows(2).enumerate() {
            for index in &self.by_first_bytes[first_bytes(pair)] {
                let needle = &self.needles[usize::from(*index)];
                if bytes[offset..].starts_with(&needle.bytes) {
                    let Needle { canary, form, .. } = *needle;
                    found.push(Found { canary, form, file: None, offset });
                }
            }
        }
        found
    }

    /// Where they stand in the files of a folder and the folders in it, and in
    /// the files' names.
    ///
    /// # Errors
    /// When a file or folder cannot be read.
    pub fn search_folder(&self, folder: &Path) -> io::Result<Vec<Found>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let in_name = self.search(path.file_name().unwrap_or_default().as_encoded_bytes());
            let kind = fs::symlink_metadata(&path)?.file_type();
            let in_file = if kind.is_file() { self.search(&fs::read(&path)?) } else { Vec::new() };
            let here = in_name.into_iter().chain(in_file);
            found.extend(here.map(|one| Found { file: Some(path.clone()), ..one }));
            if kind.is_dir() {
                found.extend(self.search_folder(&path)?);
            }
        }
        Ok(found)
    }

    fn add_number(&mut self, canary: &'static str, number: i128) {
        self.add_decimal(canary, &number.to_string());
        self.add_raw(canary, number);
        self.add_float(canary, number as f64);
    }

    /// Two's complement, as wide as the number asks for but no less than 32
    /// bits, either order; varint and zigzag varint of postcard.
    fn add_raw(&mut self, canary: &'static str, number: i128) {
        let wide = if i32::try_from(number).is_ok() || u32::try_from(number).is_ok() { 4 } else { 8 };
        let bytes = number.to_le_bytes();
        self.add(canary, "raw bytes, low byte first", bytes[..wide].to_vec());
        self.add(canary, "raw bytes, high byte first", bytes[..wide].iter().rev().copied().collect());
        self.add_text_forms(canary, &bytes[..wide]);
        self.add_text_forms(canary, &bytes[..wide].iter().rev().copied().collect::<Vec<_>>());
        let zigzag = (number << 1) ^ (number >> 127);
        for number in [number, zigzag] {
            // A short one would be met by chance.
            let varint = u64::try_from(number).map(varint).unwrap_or_default();
            if varint.len() >= NEEDLE_MIN_BYTES {
                self.add(canary, "varint", varint);
            }
        }
    }

    fn add_float(&mut self, canary: &'static str, number: f64) {
        self.add(canary, "double, low byte first", number.to_le_bytes().to_vec());
        self.add(canary, "double, high byte first", number.to_be_bytes().to_vec());
    }

    fn add_decimal(&mut self, canary: &'static str, text: &str) {
        self.add(canary, "decimal text", text.into());
        self.add_text_forms(canary, text.as_bytes());
    }

    fn add_bytes(&mut self, canary: &'static str, bytes: &[u8], form: &'static str) {
        self.add(canary, form, bytes.to_vec());
        self.add_text_forms(canary, bytes);
    }

    fn add_text_forms(&mut self, canary: &'static str, bytes: &[u8]) {
        self.add(canary, "hexadecimal", hex::encode(bytes).into());
        self.add(canary, "hexadecimal", hex::encode_upper(bytes).into());
        for alphabet in [alphabet::STANDARD, alphabet::URL_SAFE] {
            let engine = GeneralPurpose::new(&alphabet, NO_PAD);
            for before in 0..3 {
                self.add(canary, "base64", base64_core(&engine, bytes, before));
            }
        }
    }

    fn add(&mut self, canary: &'static str, form: &'static str, bytes: Vec<u8>) {
        assert!(bytes.len() >= NEEDLE_MIN_BYTES, "{canary} as {form} is too short to search for");
        let index = u16::try_from(self.needles.len()).expect("a test plants few canaries");
        let place = &mut self.by_first_bytes[first_bytes(&bytes)];
        if place.iter().all(|other| self.needles[usize::from(*other)].bytes != bytes) {
            place.push(index);
            self.needles.push(Needle { canary, form, bytes });
        }
    }
}

/// The characters that `bytes` alone decide when `before` other bytes stand in
/// front of them.
fn base64_core(engine: &GeneralPurpose, bytes: &[u8], before: usize) -> Vec<u8> {
    let mut padded = vec![0; before];
    padded.extend_from_slice(bytes);
    padded.extend([0; 3]);
    let text = engine.encode(padded);
    let (first, end) = ((before * 8).div_ceil(6), (before + bytes.len()) * 8 / 6);
    text.as_bytes()[first..end].to_vec()
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        bytes.push(low & 0x7F | if number > 0 { 0x80 } else { 0 });
        if number == 0 {
            return bytes;
        }
    }
}

fn first_bytes(bytes: &[u8]) -> usize {
    usize::from(bytes[0]) << 8 | usize::from(bytes[1])
}

#[cfg(test)]
mod tests;
