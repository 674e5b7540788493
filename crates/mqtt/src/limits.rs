//! How much tools may send: each on its own, and all together. A tool over its
//! rate is told so and loses nothing that it sends again.

use crate::topic::ToolAddress;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use std::{
    collections::{BTreeMap, HashMap},
    num::NonZeroU32,
};
use vernport_types::Slug;

/// Bounds on what comes in from tools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolLimits {
    /// Messages a minute of one tool, evenly.
    pub per_tool_per_minute: NonZeroU32,
    /// Messages of one tool at once, after a pause.
    pub per_tool_burst: NonZeroU32,
    /// Messages a minute of all tools.
    pub total_per_minute: NonZeroU32,
    /// Tools that are told apart; one beyond is over its limit.
    pub tools: usize,
    /// Tools that may send more than the others, or less, by name.
    pub own: BTreeMap<Slug, ToolRate>,
}

/// What one tool may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToolRate {
    /// Messages a minute, evenly.
    pub per_minute: NonZeroU32,
    /// Messages at once, after a pause.
    pub burst: NonZeroU32,
}

impl Default for ToolLimits {
    fn default() -> Self {
        let number = |n| NonZeroU32::new(n).expect("not zero");
        Self {
            per_tool_per_minute: number(600),
            per_tool_burst: number(60),
            total_per_minute: number(6000),
            tools: 64,
            own: BTreeMap::new(),
        }
    }
}

impl ToolLimits {
    fn of(&self, tool: &Slug) -> ToolRate {
        let all = ToolRate { per_minute: self.per_tool_per_minute, burst: self.per_tool_burst };
        self.own.get(tool).copied().unwrap_or(all)
    }
}

/// Counts what each tool sent lately.
pub(crate) struct Gauge {
    limits: ToolLimits,
    total: DefaultDirectRateLimiter,
    tools: HashMap<ToolAddress, DefaultDirectRateLimiter>,
}

impl Gauge {
    pub(crate) fn new(limits: ToolLimits) -> Self {
        let total = RateLimiter::direct(Quota::per_minute(limits.total_per_minute));
        Self { limits, total, tools: HashMap::new() }
    }

    /// Whether one more message of this tool is within its bounds. What one tool
    /// sends too much is not counted against the others.
    pub(crate) fn admit(&mut self, tool: &ToolAddress) -> bool {
        if !self.tools.contains_key(tool) {
            if self.tools.len() >= self.limits.tools {
                return false;
            }
            let rate = self.limits.of(&tool.tool);
            let quota = Quota::per_minute(rate.per_minute).allow_burst(rate.burst);
            self.tools.insert(tool.clone(), RateLimiter::direct(quota));
        }
        self.tools.get(tool).is_some_and(|own| own.check().is_ok()) && self.total.check().is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(n: usize) -> ToolAddress {
        format!("north/bay-1/tool-{n}").parse().expect("an address")
    }

    fn limits() -> ToolLimits {
        let number = |n| NonZeroU32::new(n).expect("not zero");
        ToolLimits {
            per_tool_per_minute: number(1),
            per_tool_burst: number(3),
            total_per_minute: number(10),
            tools: 4,
            own: BTreeMap::new(),
        }
    }

    #[test]
    fn a_flood_of_one_tool_takes_nothing_from_another() {
        let mut gauge = Gauge::new(limits());
        let let_in = (0..50).filter(|_| gauge.admit(&tool(0))).count();
        assert_eq!(let_in, 3);
        assert_eq!((0..3).filter(|_| gauge.admit(&tool(1))).count(), 3);
    }

    #[test]
    fn a_tool_with_a_rate_of_its_own_has_no_other() {
        let number = |n| NonZeroU32::new(n).expect("not zero");
        let rate = ToolRate { per_minute: number(1), burst: number(7) };
        let own = BTreeMap::from([("tool-1".parse().expect("a slug"), rate)]);
        let mut gauge = Gauge::new(ToolLimits { own, ..limits() });
        assert_eq!((0..50).filter(|_| gauge.admit(&tool(0))).count(), 3);
        assert_eq!((0..50).filter(|_| gauge.admit(&tool(1))).count(), 7);
    }

    #[test]
    fn all_tools_together_are_bounded_and_so_is_their_number() {
        let mut gauge = Gauge::new(limits());
        let let_in = (0..40).filter(|n| gauge.admit(&tool(n % 4))).count();
        assert_eq!(let_in, 10);
        let mut gauge = Gauge::new(limits());
        for n in 0..100 {
            assert_eq!(gauge.admit(&tool(n)), n < 4, "{n}");
        }
        assert_eq!(gauge.tools.len(), 4);
    }
}
