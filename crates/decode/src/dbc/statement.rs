//! From the pieces of a DBC file to what its statements say.
//!
//! A statement that cannot be read is a finding and is passed over; the next
//! one that begins a line with a keyword is read again. Of names and numbers
//! only those are kept that decoding needs.

use super::{
    file::{FileText, MessageText, Multiplexing, SignalText, SwitchText, shown},
    finding::Findings,
    token::{Piece, Pieces, Token, integer},
};
use std::collections::HashMap;

/// Statements that are passed over: nothing in them is needed.
const PASSED_OVER: [&str; 23] = [
    "VERSION",
    "BS_",
    "BU_",
    "VAL_TABLE_",
    "EV_",
    "CM_",
    "BA_DEF_REL_",
    "BA_REL_",
    "BA_DEF_DEF_REL_",
    "BU_SG_REL_",
    "BU_EV_REL_",
    "BU_BO_REL_",
    "BO_TX_BU_",
    "SIG_GROUP_",
    "SIG_TYPE_REF_",
    "SGTYPE_",
    "SGTYPE_VAL_",
    "BA_DEF_SGTYPE_",
    "BA_SGTYPE_",
    "SIGTYPE_VALTYPE_",
    "ENVVAR_DATA_",
    "CAT_DEF_",
    "CAT_",
];
/// Statements that are read.
const READ: [&str; 9] =
    ["NS_", "BO_", "SG_", "BA_DEF_", "BA_DEF_DEF_", "BA_", "VAL_", "SIG_VALTYPE_", "SG_MUL_VAL_"];
/// Statements that end with their line.
const OF_ONE_LINE: [&str; 2] = ["BO_", "SG_"];

/// How many signals a file may have, and one message: real ones stay below a tenth of it.
const MOST_SIGNALS: usize = 65_535;
const MOST_SIGNALS_OF_MESSAGE: usize = 8_192;
/// How many messages a file may have.
const MOST_MESSAGES: usize = 65_535;

/// Where a statement could not be read any further.
struct Broken;

/// Reads the statements of a text.
pub(super) fn read(text: &str, findings: &mut Findings) -> FileText {
    let mut reader = Reader {
        pieces: Pieces::new(text).peekable(),
        findings,
        file: FileText::default(),
        formats: Vec::new(),
        messages: HashMap::new(),
        signals: HashMap::new(),
        signal_count: 0,
        line: 1,
    };
    reader.run();
    reader.file
}

struct Reader<'a, 'f> {
    pieces: std::iter::Peekable<Pieces<'a>>,
    findings: &'f mut Findings,
    file: FileText,
    /// The words of the attribute `VFrameFormat`.
    formats: Vec<&'a str>,
    messages: HashMap<u64, usize>,
    signals: HashMap<(u64, &'a str), (usize, usize)>,
    signal_count: usize,
    /// That of the last piece taken.
    line: u32,
}

impl<'a> Reader<'a, '_> {
    fn run(&mut self) {
        while let Some(piece) = self.pieces.next() {
            self.line = piece.line;
            let Token::Word(keyword) = piece.token else {
                self.unreadable(piece.line, "text outside of a statement is passed over");
                self.pass_over(false);
                continue;
            };
            let line = piece.line;
            let read = match keyword {
                "NS_" => {
                    self.pass_over_names();
                    Ok(())
                }
                "BO_" => self.message(line),
                "SG_" => self.signal(line),
                "BA_DEF_" => self.definition(),
                "BA_DEF_DEF_" => self.default_value(),
                "BA_" => self.attribute(),
                "VAL_" => self.words(line),
                "SIG_VALTYPE_" => self.float(line),
                "SG_MUL_VAL_" => self.switched_by(line),
                _ => Ok(()),
            };
            if READ.contains(&keyword) || PASSED_OVER.contains(&keyword) {
                self.file.statements += 1;
            } else {
                self.unreadable(line, &format!("{} is no statement of a DBC file", shown(keyword)));
            }
            if read.is_err() {
                self.unreadable(self.line.max(line), &format!("{keyword} cannot be read"));
            }
            self.pass_over(OF_ONE_LINE.contains(&keyword));
        }
    }

    fn unreadable(&mut self, line: u32, what: &str) {
        self.findings.error(line, what.to_owned(), "mend the statement; it was passed over");
    }

    /// To the end of a statement: its semicolon, its line, or where a known one begins.
    fn pass_over(&mut self, of_one_line: bool) {
        while let Some(next) = self.pieces.peek() {
            let known = matches!(next.token, Token::Word(word) if READ.contains(&word) || PASSED_OVER.contains(&word));
            if next.first && (of_one_line || known) {
                return;
            }
            let end = next.token == Token::Sign(';') && !of_one_line;
            self.step();
            if end {
                return;
            }
        }
    }

    /// The names below `NS_`: each alone on its line.
    fn pass_over_names(&mut self) {
        while let Some(Piece { token: Token::Word(_) | Token::Sign(':'), line, .. }) =
            self.pieces.peek().copied()
        {
            let mut ahead = self.pieces.clone();
            ahead.next();
            if ahead.peek().is_some_and(|next| !next.first && next.token != Token::Sign(':')) {
                return;
            }
            // `BS_:` and `BU_:` end the list.
            if ahead.peek().is_some_and(|next| next.token == Token::Sign(':') && next.line == line) {
                return;
            }
            self.step();
        }
    }

    fn step(&mut self) -> Option<Piece<'a>> {
        let piece = self.pieces.next()?;
        self.line = piece.line;
        if piece.open {
            self.findings.error(
                piece.line,
                "a quotation does not end".into(),
                "close it with a quotation mark",
            );
        }
        Some(piece)
    }

    fn token(&mut self) -> Result<Token<'a>, Broken> {
        // A keyword at the start of a line is not eaten by the broken statement before it.
        if let Some(Piece { token: Token::Word(word), first: true, .. }) = self.pieces.peek()
            && (READ.contains(word) || PASSED_OVER.contains(word))
        {
            return Err(Broken);
        }
        self.step().map(|piece| piece.token).ok_or(Broken)
    }

    fn word(&mut self) -> Result<&'a str, Broken> {
        match self.token()? {
            Token::Word(word) => Ok(word),
            _ => Err(Broken),
        }
    }

    fn text(&mut self) -> Result<&'a str, Broken> {
        match self.token()? {
            Token::Text(text) => Ok(text),
            _ => Err(Broken),
        }
    }

    fn number<T: std::str::FromStr>(&mut self) -> Result<T, Broken> {
        match self.token()? {
            Token::Number(text) => text.parse().map_err(|_| Broken),
            _ => Err(Broken),
        }
    }

    /// A whole number that may be written with a fraction.
    fn whole(&mut self) -> Result<i64, Broken> {
        match self.token()? {
            Token::Number(text) => integer(text).ok_or(Broken),
            _ => Err(Broken),
        }
    }

    fn sign(&mut self, sign: char) -> Result<(), Broken> {
        if self.token()? == Token::Sign(sign) { Ok(()) } else { Err(Broken) }
    }

    fn next_is(&mut self, sign: char) -> bool {
        self.pieces.peek().is_some_and(|piece| piece.token == Token::Sign(sign))
    }

    /// `BO_ id name: length sender`
    fn message(&mut self, line: u32) -> Result<(), Broken> {
        let id = self.number()?;
        let name = self.word()?.to_owned();
        self.sign(':')?;
        let len_bytes = self.number()?;
        if self.file.messages.len() == MOST_MESSAGES {
            return Err(Broken);
        }
        self.messages.entry(id).or_insert(self.file.messages.len());
        let signals = Vec::new();
        self.file.messages.push(MessageText {
            line,
            id,
            name,
            len_bytes,
            signals,
            frame_format: None,
            long_name: None,
        });
        Ok(())
    }

    /// `SG_ name M|m0|m0M : start|length@order sign (factor,offset) [min|max] "unit" receivers`
    fn signal(&mut self, line: u32) -> Result<(), Broken> {
        let name = self.word()?;
        let multiplexing = if self.next_is(':') {
            Multiplexing::default()
        } else {
            self.word()?.parse().map_err(|_| Broken)?
        };
        self.sign(':')?;
        let start_bit = self.number()?;
        self.sign('|')?;
        let len_bits = self.number()?;
        self.sign('@')?;
        let (is_intel, is_signed) = self.order_and_sign()?;
        self.sign('(')?;
        let factor = self.number()?;
        self.sign(',')?;
        let offset = self.number()?;
        self.sign(')')?;
        self.sign('[')?;
        let min = self.number()?;
        self.sign('|')?;
        let max = self.number()?;
        self.sign(']')?;
        let unit = self.text()?.trim().to_owned();
        let place = self.file.messages.len().checked_sub(1).ok_or(Broken)?;
        let message = &mut self.file.messages[place];
        if self.signal_count == MOST_SIGNALS || message.signals.len() == MOST_SIGNALS_OF_MESSAGE {
            return Err(Broken);
        }
        self.signal_count += 1;
        self.signals.entry((message.id, name)).or_insert((place, message.signals.len()));
        message.signals.push(SignalText {
            line,
            name: name.to_owned(),
            multiplexing,
            start_bit,
            len_bits,
            is_intel,
            is_signed,
            factor,
            offset,
            min,
            max,
            unit,
            float: None,
            switched_by: None,
            words: Vec::new(),
            words_line: 0,
            spn: None,
            long_name: None,
        });
        Ok(())
    }

    /// `0+`, `1-`: 0 for Motorola and 1 for Intel; minus for signed.
    fn order_and_sign(&mut self) -> Result<(bool, bool), Broken> {
        let is_intel = match self.number::<u8>()? {
            0 => false,
            1 => true,
            _ => return Err(Broken),
        };
        match self.token()? {
            Token::Sign('+') => Ok((is_intel, false)),
            Token::Sign('-') => Ok((is_intel, true)),
            _ => Err(Broken),
        }
    }

    /// `BA_DEF_ BO_ "VFrameFormat" ENUM "a","b";`
    fn definition(&mut self) -> Result<(), Broken> {
        let mut token = self.pieces.peek().map(|piece| piece.token);
        if let Some(Token::Word("BO_" | "SG_" | "BU_" | "EV_")) = token {
            self.step();
            token = self.pieces.peek().map(|piece| piece.token);
        }
        if token != Some(Token::Text("VFrameFormat")) {
            return Ok(());
        }
        self.step();
        if self.word()? != "ENUM" {
            return Ok(());
        }
        while !self.next_is(';') {
            match self.token()? {
                Token::Text(word) => self.formats.push(word),
                Token::Sign(',') => {}
                _ => return Err(Broken),
            }
        }
        Ok(())
    }

    /// `BA_DEF_DEF_ "name" value;`
    fn default_value(&mut self) -> Result<(), Broken> {
        match self.text()? {
            "VFrameFormat" => self.file.default_frame_format = self.format()?,
            "ProtocolType" => {
                let default = self.text()?.to_owned();
                self.file.protocol.get_or_insert(default);
            }
            _ => {}
        }
        Ok(())
    }

    /// A value of `VFrameFormat`, given by its word or by its number in the list of words.
    fn format(&mut self) -> Result<Option<String>, Broken> {
        Ok(match self.token()? {
            Token::Text(word) => Some(word.to_owned()),
            Token::Number(text) => integer(text)
                .and_then(|number| usize::try_from(number).ok())
                .and_then(|number| self.formats.get(number))
                .map(|word| (*word).to_owned()),
            _ => return Err(Broken),
        })
    }

    /// `BA_ "name" value;`, `BA_ "name" BO_ id value;`, `BA_ "name" SG_ id signal value;`
    fn attribute(&mut self) -> Result<(), Broken> {
        let attribute = self.text()?;
        let of = self.pieces.peek().map(|piece| piece.token);
        match (attribute, of) {
            ("ProtocolType", Some(Token::Text(protocol))) if !protocol.is_empty() => {
                self.file.protocol = Some(protocol.to_owned());
            }
            ("VFrameFormat", Some(Token::Word("BO_"))) => {
                self.step();
                let id: u64 = self.number()?;
                let format = self.format()?;
                if let Some(place) = self.messages.get(&id) {
                    self.file.messages[*place].frame_format = format;
                }
            }
            ("SystemMessageLongSymbol", Some(Token::Word("BO_"))) => {
                self.step();
                let id: u64 = self.number()?;
                let name = self.text()?;
                if let Some(place) = self.messages.get(&id) {
                    self.file.messages[*place].long_name = Some(name.to_owned());
                }
            }
            ("SystemSignalLongSymbol" | "SPN", Some(Token::Word("SG_"))) => {
                self.step();
                let place = self.signal_place()?;
                match (attribute, self.token()?) {
                    ("SPN", Token::Number(text)) => {
                        let spn =
                            integer(text).and_then(|spn| u32::try_from(spn).ok()).filter(|spn| *spn > 0);
                        self.with_signal(place, |signal| signal.spn = spn);
                    }
                    ("SystemSignalLongSymbol", Token::Text(name)) => {
                        self.with_signal(place, |signal| signal.long_name = Some(name.to_owned()));
                    }
                    _ => return Err(Broken),
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// `VAL_ id signal 0 "off" 1 "on" ;`
    fn words(&mut self, line: u32) -> Result<(), Broken> {
        // Without a number it is of an environment variable.
        if !matches!(self.pieces.peek(), Some(Piece { token: Token::Number(_), .. })) {
            return Ok(());
        }
        let place = self.signal_place()?;
        let mut words = Vec::new();
        while !self.next_is(';') {
            if self.pieces.peek().is_none_or(|next| next.first && matches!(next.token, Token::Word(_))) {
                self.findings.warning(line, "VAL_ has no semicolon".into(), "add one at its end");
                break;
            }
            // The name of a table in place of a list.
            if matches!(self.pieces.peek(), Some(Piece { token: Token::Word(_), first: false, .. })) {
                return Ok(());
            }
            words.push((self.whole()?, self.text()?.to_owned()));
        }
        if place.is_none() {
            self.unknown_signal(line, "VAL_");
        }
        self.with_signal(place, |signal| (signal.words, signal.words_line) = (words, line));
        Ok(())
    }

    /// `SIG_VALTYPE_ id signal : 1;`
    fn float(&mut self, line: u32) -> Result<(), Broken> {
        let place = self.signal_place()?;
        if self.next_is(':') {
            self.step();
        }
        let kind = self.number()?;
        if place.is_none() {
            self.unknown_signal(line, "SIG_VALTYPE_");
        }
        self.with_signal(place, |signal| signal.float = Some((kind, line)));
        Ok(())
    }

    /// `SG_MUL_VAL_ id signal switch 1-1, 3-5;`
    fn switched_by(&mut self, line: u32) -> Result<(), Broken> {
        let place = self.signal_place()?;
        let switch = self.word()?.to_owned();
        let mut ranges = Vec::new();
        while !self.next_is(';') {
            let from: u64 = self.number()?;
            if self.next_is('-') {
                self.step();
            }
            // `3-5` is cut as 3 and -5.
            let to = match self.token()? {
                Token::Number(text) => text.trim_start_matches('-').parse().map_err(|_| Broken)?,
                _ => return Err(Broken),
            };
            ranges.push((from, to));
            if self.next_is(',') {
                self.step();
            }
        }
        if place.is_none() {
            self.unknown_signal(line, "SG_MUL_VAL_");
        }
        self.with_signal(place, |signal| signal.switched_by = Some(SwitchText { switch, ranges, line }));
        Ok(())
    }

    fn signal_place(&mut self) -> Result<Option<(usize, usize)>, Broken> {
        let id = self.number()?;
        let name = self.word()?;
        Ok(self.signals.get(&(id, name)).copied())
    }

    fn with_signal(&mut self, place: Option<(usize, usize)>, change: impl FnOnce(&mut SignalText)) {
        if let Some((message, signal)) = place {
            change(&mut self.file.messages[message].signals[signal]);
        }
    }

    fn unknown_signal(&mut self, line: u32, keyword: &str) {
        let what = format!("{keyword} is of a signal that the file does not have");
        self.findings.warning(line, what, "take it out, or mend the number of the message or the name");
    }
}
