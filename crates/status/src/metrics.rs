//! Metrics, taken when they are asked for from what is counted anyway, and written as
//! OpenMetrics 1.0 or as Prometheus text 0.0.4.

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text::encode},
    metrics::MetricType,
    registry::Registry,
};
use std::fmt;

/// What a number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only grows, from the start of the process; its name ends in `_total`.
    Counter,
    /// It goes up and down.
    Gauge,
}

impl Kind {
    /// The word.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
        }
    }
}

/// All that is told under one name. Label values are of closed lists or of the configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    /// The name, with its unit, and `_total` for a counter.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// What it says, in one line.
    pub help: &'static str,
    /// Labels and value of each sample.
    pub samples: Vec<(Vec<(&'static str, String)>, f64)>,
}

impl Family {
    /// A family without samples.
    pub fn new(name: &'static str, kind: Kind, help: &'static str) -> Self {
        debug_assert_eq!(name.ends_with("_total"), kind == Kind::Counter, "{name}");
        Self { name, kind, help, samples: Vec::new() }
    }

    /// One that only grows.
    pub fn counter(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::Counter, help)
    }

    /// One that goes up and down.
    pub fn gauge(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::Gauge, help)
    }

    /// The one sample, without labels.
    #[must_use]
    pub fn value(mut self, value: f64) -> Self {
        self.samples.push((Vec::new(), value));
        self
    }

    /// Another sample.
    #[must_use]
    pub fn with(mut self, labels: Vec<(&'static str, String)>, value: f64) -> Self {
        self.samples.push((labels, value));
        self
    }
}

/// A count as the value of a sample: exact up to 2^53.
pub fn number(count: u64) -> f64 {
    count as f64
}

/// How metrics are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposition {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// Prometheus text, version 0.0.4.
    Text,
}

impl Exposition {
    /// What somebody who sends this `Accept` gets.
    pub fn accepted(accept: &str) -> Self {
        if accept.contains("application/openmetrics-text") { Self::OpenMetrics } else { Self::Text }
    }

    /// The content type.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    /// Writes families.
    pub fn write(self, families: Vec<Family>) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Families(families)));
        let mut text = String::new();
        encode(&mut text, &registry).expect("writing into a string does not fail");
        match self {
            Self::OpenMetrics => text,
            Self::Text => in_text_format(&text),
        }
    }
}

/// The two formats differ in what they call a counter: OpenMetrics names the family without `_total`. And
/// 0.0.4 has no unit and no end.
fn in_text_format(open: &str) -> String {
    let mut text = String::with_capacity(open.len());
    let counter = |name: &str| open.contains(&format!("# TYPE {name} counter\n"));
    for line in open.lines().filter(|line| *line != "# EOF" && !line.starts_with("# UNIT ")) {
        let head = line.strip_prefix("# ").and_then(|rest| {
            let (word, rest) = rest.split_once(' ')?;
            let (name, rest) = rest.split_once(' ')?;
            Some((word, name, rest))
        });
        match head {
            Some((word, name, rest)) if counter(name) => {
                text.push_str(&format!("# {word} {name}_total {rest}\n"));
            }
            _ => text.extend([line, "\n"]),
        }
    }
    text
}

#[derive(Debug)]
struct Families(Vec<Family>);

impl Collector for Families {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        for family in &self.0 {
            let (name, kind) = match family.kind {
                Kind::Counter => (family.name.trim_end_matches("_total"), MetricType::Counter),
                Kind::Gauge => (family.name, MetricType::Gauge),
            };
            let mut metric = encoder.encode_descriptor(name, family.help, None, kind)?;
            for (labels, value) in &family.samples {
                if labels.is_empty() {
                    sample(&mut metric, family.kind, *value)?;
                } else {
                    sample(&mut metric.encode_family(labels)?, family.kind, *value)?;
                }
            }
        }
        Ok(())
    }
}

fn sample(metric: &mut MetricEncoder<'_>, kind: Kind, value: f64) -> fmt::Result {
    match kind {
        Kind::Counter => metric.encode_counter::<NoLabelSet, _, f64>(&value, None),
        Kind::Gauge => metric.encode_gauge(&value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn families() -> Vec<Family> {
        vec![
            Family::new("vernport_x_total", Kind::Counter, "Things.")
                .with(vec![("bus", "a\"b".into())], 3.0)
                .with(vec![("bus", "c".into())], 0.0),
            Family::new("vernport_y_bytes", Kind::Gauge, "Bytes.").value(1.5),
            Family::new("vernport_z_total", Kind::Counter, "None yet."),
        ]
    }

    #[test]
    fn open_metrics_names_the_family_without_total_and_ends() {
        let text = Exposition::accepted("application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
            .write(families());
        let expected = "# HELP vernport_x Things.\n# TYPE vernport_x counter\n\
            vernport_x_total{bus=\"a\\\"b\"} 3.0\nvernport_x_total{bus=\"c\"} 0.0\n\
            # HELP vernport_y_bytes Bytes.\n# TYPE vernport_y_bytes gauge\nvernport_y_bytes 1.5\n\
            # HELP vernport_z None yet.\n# TYPE vernport_z counter\n# EOF\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn the_text_format_names_a_counter_as_its_samples_are_named() {
        let text = Exposition::accepted("*/*").write(families());
        let expected = "# HELP vernport_x_total Things.\n# TYPE vernport_x_total counter\n\
            vernport_x_total{bus=\"a\\\"b\"} 3.0\nvernport_x_total{bus=\"c\"} 0.0\n\
            # HELP vernport_y_bytes Bytes.\n# TYPE vernport_y_bytes gauge\nvernport_y_bytes 1.5\n\
            # HELP vernport_z_total None yet.\n# TYPE vernport_z_total counter\n";
        assert_eq!(text, expected);
    }
}
