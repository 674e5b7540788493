//! Workshop tools as they are written in the configuration: what each speaks, and how much it may send.

use serde::Deserialize;
use std::{collections::BTreeMap, num::NonZeroU32, path::PathBuf};
use vernport_mqtt::{ToolLimits, ToolRate};
use vernport_types::Slug;

/// Most `[[tool]]`.
const MAX_TOOLS: usize = 64;

/// One tool that is not like the others. A tool without one speaks our contract, with zones in its times.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// Its name in the topics of this station.
    pub name: Slug,
    /// File with the mapping of what it sends (config/tools). None: it speaks our contract.
    pub mapping: Option<PathBuf>,
    /// Where its clock stands (IANA, such as `Europe/Oslo`), if its times do not say. None: those are refused.
    pub time_zone: Option<String>,
    /// Messages a minute, evenly. Default: as `[tool_limits]`.
    pub per_minute: Option<NonZeroU32>,
    /// Messages at once, after a pause. Default: as `[tool_limits]`.
    pub burst: Option<NonZeroU32>,
}

/// How much tools may send. One that sends more is told so and sends again.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Messages a minute of one tool, evenly. Default 600.
    pub per_minute: NonZeroU32,
    /// Messages of one tool at once, after a pause. Default 60.
    pub burst: NonZeroU32,
    /// Messages a minute of all tools. Default 6000.
    pub total_per_minute: NonZeroU32,
}

impl Default for Limits {
    fn default() -> Self {
        let limits = ToolLimits::default();
        Self {
            per_minute: limits.per_tool_per_minute,
            burst: limits.per_tool_burst,
            total_per_minute: limits.total_per_minute,
        }
    }
}

/// The bounds of all tools and of those with their own.
pub(crate) fn limits(all: &Limits, tools: &[Tool]) -> ToolLimits {
    let rate = |tool: &Tool| ToolRate {
        per_minute: tool.per_minute.unwrap_or(all.per_minute),
        burst: tool.burst.unwrap_or(all.burst),
    };
    let own: BTreeMap<Slug, ToolRate> = tools.iter().map(|tool| (tool.name.clone(), rate(tool))).collect();
    ToolLimits {
        per_tool_per_minute: all.per_minute,
        per_tool_burst: all.burst,
        total_per_minute: all.total_per_minute,
        tools: MAX_TOOLS,
        own,
    }
}

/// What is wrong with the section, and how to mend it.
pub(super) fn check(tools: &[Tool], listens: bool) -> Result<(), (&'static str, String)> {
    if !tools.is_empty() && !listens {
        return Err(("tool", "no tool is heard; add a [tools] section with the broker".into()));
    }
    if tools.len() > MAX_TOOLS {
        return Err(("tool", format!("at most {MAX_TOOLS} tools")));
    }
    for (place, tool) in tools.iter().enumerate() {
        if tools[..place].iter().any(|other| other.name == tool.name) {
            return Err(("tool.name", format!("{} is written twice; keep one [[tool]]", tool.name)));
        }
    }
    Ok(())
}
