//! The log of a daemon: lines for people, or one JSON object a line.

use serde::Deserialize;
use std::io::IsTerminal as _;
use thiserror::Error;
use tracing_subscriber::EnvFilter;

/// Section `[log]` of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// How lines look. Default `text`. The option `--log-json` wins.
    pub format: Format,
    /// What is logged, as in `info` or `vernport_spool=debug,info`. Default `info`. `VERNPORT_LOG` wins.
    pub filter: String,
}

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One object a line: `timestamp`, `level`, `target`, and `fields` with the `message`.
    Json,
}

/// Why there is no log.
#[derive(Debug, Error)]
#[error("{place}: `{filter}` is no filter; write `info`, for instance, or `vernport_spool=debug,info`")]
pub struct LogError {
    place: &'static str,
    filter: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: Format::Text, filter: "info".to_owned() }
    }
}

impl Log {
    /// Checks the filter.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn check(&self) -> Result<(), LogError> {
        filter("log.filter", &self.filter).map(drop)
    }

    /// Starts the log of this process, on standard error. What was typed wins: `said` (an option or
    /// `VERNPORT_LOG`) over the filter, `json` over the format.
    ///
    /// # Errors
    /// [`LogError`], for a filter that cannot be read.
    pub fn start(&self, said: Option<&str>, json: bool) -> Result<(), LogError> {
        let filter = match said {
            Some(said) => filter("VERNPORT_LOG", said)?,
            None => filter("log.filter", &self.filter)?,
        };
        let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
        if json || self.format == Format::Json {
            builder.json().with_current_span(false).with_span_list(false).init();
        } else {
            builder.with_ansi(std::io::stderr().is_terminal()).init();
        }
        Ok(())
    }
}

fn filter(place: &'static str, text: &str) -> Result<EnvFilter, LogError> {
    EnvFilter::try_new(text).map_err(|_| LogError { place, filter: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value as Json;
    use std::process::Command;

    /// Set for the process that logs.
    const SPEAKS: &str = "VERNPORT_TEST_SPEAKS";

    /// Logs where it is started as a process of its own, which has a log of its own.
    #[test]
    fn a_process_that_logs() {
        if std::env::var_os(SPEAKS).is_none() {
            return;
        }
        let log = Log { format: Format::Json, filter: "debug".to_owned() };
        log.start(std::env::var("VERNPORT_LOG").ok().as_deref(), false).expect("a log");
        tracing::info!(batches = 3, reason = %"no-grant", late = true, "batches wait:\n\"two\" lines");
        tracing::error!(error = "a; b", "it broke");
        tracing::debug!("quiet");
    }

    fn heard(filter: Option<&str>) -> Vec<Json> {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(["--exact", "log::tests::a_process_that_logs", "--nocapture"]).env(SPEAKS, "1");
        match filter {
            Some(filter) => command.env("VERNPORT_LOG", filter),
            None => command.env_remove("VERNPORT_LOG"),
        };
        let output = command.output().expect("it starts");
        assert!(output.status.success());
        let text = String::from_utf8(output.stderr).expect("UTF-8");
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
            .collect()
    }

    #[test]
    fn each_line_of_a_json_log_is_one_object_of_the_schema_and_what_was_typed_wins() {
        let schema: Json = serde_json::from_str(include_str!("../schema/log-v1.json")).expect("JSON");
        let schema = jsonschema::validator_for(&schema).expect("a schema");
        let lines = heard(None);
        assert_eq!(lines.len(), 3);
        for line in &lines {
            let wrong: Vec<_> = schema.iter_errors(line).map(|error| error.to_string()).collect();
            assert!(wrong.is_empty(), "{wrong:?} in {line}");
        }
        assert_eq!(lines[0]["fields"]["batches"], 3);
        assert_eq!(lines[0]["fields"]["message"], "batches wait:\n\"two\" lines");
        assert_eq!(lines[1]["level"], "ERROR");
        assert_eq!(heard(Some("error")).len(), 1);
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_named_with_its_place() {
        assert!(Log::default().check().is_ok());
        let wrong = Log { filter: "=loud=".into(), ..Log::default() }.check().expect_err("no filter");
        assert!(wrong.to_string().starts_with("log.filter: `=loud=`"), "{wrong}");
    }
}
