//! What the statements of a DBC file say, before anything is believed of it.

/// How a signal is multiplexed by its own line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Multiplexing {
    /// `M`: it is a switch.
    pub(super) is_switch: bool,
    /// `m<n>`: it is there when its switch says so.
    pub(super) at: Option<u64>,
}

impl std::str::FromStr for Multiplexing {
    type Err = ();

    /// `M`, `m<n>` or `m<n>M`.
    fn from_str(word: &str) -> Result<Self, ()> {
        let (number, is_switch) = match word.strip_suffix('M') {
            Some(rest) => (rest, true),
            None => (word, false),
        };
        let at = match number.strip_prefix('m') {
            Some(digits) => Some(digits.parse().map_err(|_| ())?),
            None if number.is_empty() && is_switch => None,
            None => return Err(()),
        };
        Ok(Self { is_switch, at })
    }
}

/// `SG_MUL_VAL_`.
#[derive(Debug, Clone)]
pub(super) struct SwitchText {
    pub(super) switch: String,
    pub(super) ranges: Vec<(u64, u64)>,
    pub(super) line: u32,
}

/// `SG_`, and what other statements say of the signal.
#[derive(Debug, Clone)]
pub(super) struct SignalText {
    pub(super) line: u32,
    pub(super) name: String,
    pub(super) multiplexing: Multiplexing,
    pub(super) start_bit: u64,
    pub(super) len_bits: u64,
    pub(super) is_intel: bool,
    pub(super) is_signed: bool,
    pub(super) factor: f64,
    pub(super) offset: f64,
    pub(super) min: f64,
    pub(super) max: f64,
    pub(super) unit: String,
    /// `SIG_VALTYPE_`: the number and its line.
    pub(super) float: Option<(u64, u32)>,
    pub(super) switched_by: Option<SwitchText>,
    /// `VAL_`.
    pub(super) words: Vec<(i64, String)>,
    pub(super) words_line: u32,
    pub(super) spn: Option<u32>,
    pub(super) long_name: Option<String>,
}

/// `BO_`, and what other statements say of the message.
#[derive(Debug, Clone)]
pub(super) struct MessageText {
    pub(super) line: u32,
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) len_bytes: u64,
    pub(super) signals: Vec<SignalText>,
    /// `VFrameFormat`, in words.
    pub(super) frame_format: Option<String>,
    pub(super) long_name: Option<String>,
}

/// A whole file.
#[derive(Debug, Default)]
pub(super) struct FileText {
    pub(super) messages: Vec<MessageText>,
    pub(super) default_frame_format: Option<String>,
    pub(super) protocol: Option<String>,
    /// How many statements were known; none means that this is no DBC file.
    pub(super) statements: usize,
}

/// A foreign word, short enough for a line of output.
pub(super) fn shown(word: &str) -> String {
    word.chars().filter(|letter| !letter.is_control()).take(40).collect()
}
