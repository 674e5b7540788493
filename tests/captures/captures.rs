//! The folder of captures, its logs, and what is decoded out of one.

use serde_json::Value as Json;
use std::{fs, path::PathBuf};
use vernport_decode::{Config, Decoded, Decoder, candump};
use vernport_types::{BootMicros, CanFrame, Catalogue, SignalId, Source, Stamp, TimeQuality, Value};

/// The shipped catalogue.
pub(crate) fn catalogue() -> Catalogue {
    let text = include_str!("../../config/signals/vehicle.toml");
    Catalogue::from_toml([("config/signals/vehicle.toml", text)]).expect("the shipped catalogue is valid")
}

/// Where the captures are.
pub(crate) struct Captures {
    folder: PathBuf,
}

/// One frame of a log.
pub(crate) struct Logged {
    pub(crate) channel: String,
    pub(crate) at: Stamp,
    pub(crate) frame: CanFrame,
}

/// A log and what other tools say of it.
pub(crate) struct Log {
    pub(crate) name: String,
    pub(crate) frames: Vec<Logged>,
    pub(crate) expected: Json,
}

impl Captures {
    /// The captures, or none with a line that says why.
    pub(crate) fn find() -> Option<Self> {
        let Some(folder) = std::env::var_os("VERNPORT_CAPTURES") else {
            #[expect(
                clippy::print_stderr,
                reason = "`cargo xtask test` reads it from the output of the test"
            )]
            {
                eprintln!(
                    "SKIPPED captures: set VERNPORT_CAPTURES to the folder of captures (with expected/*.json)"
                );
            }
            return None;
        };
        Some(Self { folder: folder.into() })
    }

    /// Where a file is.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The text of a file.
    pub(crate) fn text(&self, name: &str) -> String {
        let path = self.folder.join(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The bytes of a file.
    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        let path = self.folder.join(name);
        fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The names of the files in a folder that end so.
    pub(crate) fn names(&self, folder: &str, ending: &str) -> Vec<String> {
        let path = self.folder.join(folder);
        let entries = fs::read_dir(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let names =
            entries.map(|entry| entry.expect("a folder entry").file_name().into_string().expect("a name"));
        let mut names: Vec<String> =
            names.filter(|name| name.ends_with(ending)).map(|name| format!("{folder}/{name}")).collect();
        names.sort();
        names
    }

    /// The frames of a candump log.
    pub(crate) fn frames(&self, name: &str) -> Vec<Logged> {
        let text = self.text(name);
        let frames = text.lines().zip(1..).map(|(line, number)| {
            let line = candump::parse(line).unwrap_or_else(|error| panic!("{name}:{number}: {error}"));
            let boot = BootMicros(u64::try_from(line.time.0).expect("after 1970"));
            let at = Stamp { wall: line.time, boot, quality: TimeQuality::Synced };
            Logged { channel: line.channel.into(), at, frame: line.frame }
        });
        frames.collect()
    }

    /// All logs that have expected values.
    pub(crate) fn logs(&self) -> Vec<Log> {
        let folder = self.folder.join("expected");
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let names =
            entries.map(|entry| entry.expect("a folder entry").file_name().into_string().expect("a name"));
        let mut names: Vec<String> = names.filter(|name| name.ends_with(".log.json")).collect();
        names.sort();
        assert!(!names.is_empty(), "{}: no expected values", folder.display());
        names.iter().map(|name| self.log(name)).collect()
    }

    /// One log, by the name of its expected values.
    pub(crate) fn log(&self, expected: &str) -> Log {
        let expected: Json = self.json(&format!("expected/{expected}"));
        let name = expected["file"].as_str().expect("the name of the log").to_owned();
        Log { frames: self.frames(&name), name, expected }
    }

    /// A log of which no expected values are listed.
    pub(crate) fn whole(&self, name: &str) -> Log {
        Log { frames: self.frames(name), name: name.to_owned(), expected: Json::Null }
    }

    /// How many frames of a file in `formats/` the tool that counted them did not see. python-can
    /// takes the line after `base` of an ASC log for a header, whatever it holds.
    pub(crate) fn lost_by_the_tool(&self, name: &str, expected: &Json) -> u64 {
        let by_python_can = expected["tool"].as_str().is_some_and(|tool| tool.starts_with("python-can"));
        if !by_python_can || !name.ends_with(".asc") {
            return 0;
        }
        let text = self.text(&format!("formats/{name}"));
        let after = text.lines().skip_while(|line| !line.starts_with("base ")).nth(1);
        u64::from(after.is_some_and(|line| line.contains(" Rx ") || line.contains(" Tx ")))
    }

    /// A file of JSON.
    pub(crate) fn json(&self, name: &str) -> Json {
        serde_json::from_str(&self.text(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }
}

impl Log {
    /// The channels of the log, each a bus of its own.
    pub(crate) fn channels(&self) -> Vec<&str> {
        let mut channels: Vec<&str> = self.frames.iter().map(|logged| logged.channel.as_str()).collect();
        channels.sort_unstable();
        channels.dedup();
        channels
    }

    /// Everything that is decoded, channel by channel.
    pub(crate) fn decode(&self) -> Vec<Decoded> {
        let mut decoded = Vec::new();
        for channel in self.channels() {
            let mut decoder =
                Decoder::new(&catalogue(), Config::default()).expect("the shipped catalogue fits");
            for logged in self.frames.iter().filter(|logged| logged.channel == channel) {
                decoder.push(&logged.frame, logged.at, &mut |event| decoded.push(event));
            }
        }
        decoded
    }
}

/// The values of one signal from one source, in order.
pub(crate) fn values_of(decoded: &[Decoded], path: &str, from: impl Fn(Source) -> bool) -> Vec<Value> {
    let wanted: SignalId = catalogue().find(path).expect("in the catalogue");
    let value = |event: &Decoded| match event {
        Decoded::Signal { signal, value, source, .. } if *signal == wanted && from(*source) => Some(*value),
        _ => None,
    };
    decoded.iter().filter_map(value).collect()
}

/// The frame of a text like `7E8#03410D00`.
pub(crate) fn frame(text: &str) -> CanFrame {
    candump::parse(&format!("(0.0) can0 {text}")).unwrap_or_else(|error| panic!("{text}: {error}")).frame
}
