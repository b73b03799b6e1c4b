//! Adapter: what happens to tool calls.

use std::time::Duration;

use tools::mcp::LinkEvent;
use tracing::{error, info, warn};

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

/// Something happened to a server that tools come from.
#[derive(Debug)]
pub struct ToolServer<'a> {
    /// The name it has in its tool file.
    pub server: &'a str,
    /// What.
    pub event: LinkEvent,
}

impl ToolServer<'_> {
    /// Logs and counts.
    pub fn emit(self) {
        let metrics = metrics();
        let server = self.server;
        let up = metrics.tool_server_up.with_label_values(&[server]);
        let off = metrics.tool_server_tools_off.with_label_values(&[server]);
        match self.event {
            LinkEvent::Up => {
                up.set(1);
                info!(server, "tool server answers");
            }
            LinkEvent::Down(why) => {
                up.set(0);
                warn!(server, why, "tool server away");
            }
            LinkEvent::Off(tool, change) => {
                off.inc();
                error!(server, tool, change = change.word(), "tool off");
            }
            LinkEvent::On(tool) => {
                off.dec();
                info!(server, tool, "tool on again");
            }
            _ => {}
        }
    }
}
