//! Adapter: what happens to tool calls.

use std::time::Duration;

use tracing::info;

use crate::telemetry::{
    metrics::{metrics, observe},
    words::ToolEnd,
};

/// A tool call ended.
#[derive(Debug)]
pub struct ToolFinished<'a> {
    /// The tool's name; must be one of the registered ones, never the model's word for it.
    pub tool: &'a str,
    /// How it ended.
    pub outcome: ToolEnd,
    /// How long it took.
    pub took: Duration,
}

impl ToolFinished<'_> {
    /// Logs and counts.
    pub fn emit(self) {
        let metrics = metrics();
        metrics
            .tool_calls_total
            .with_label_values(&[self.tool, self.outcome.as_str()])
            .inc();
        observe(
            &metrics.tool_call_seconds.with_label_values(&[self.tool]),
            self.took,
        );
        info!(
            tool = self.tool,
            outcome = self.outcome.as_str(),
            took = ?self.took,
            "tool finished"
        );
    }
}
