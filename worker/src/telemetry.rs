//! Adapter: logging and metrics of the process.
//!
//! Owns the subscriber and the one metrics registry. Everything that happens is a struct in
//! [`event`]; its `emit()` writes the log line and moves the metric, so the two cannot disagree.
//! It does not decide anything and never sees names, identities, transcripts or keys: those are
//! wrapped in [`Pii`] or [`crate::config::Secret`] long before.

#[cfg(feature = "our-engine")]
mod engine;
pub mod event;
pub mod latency;
pub mod metrics;
pub mod pii;
mod process;
mod throttle;
mod words;

use std::io::IsTerminal;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

pub use metrics::metrics;
pub use pii::Pii;

/// The `[log]` table.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Shape of a line: `text` for people, `json` for collectors. Default: `text`.
    pub format: Format,
    /// `error`, `warn`, `info`, `debug` or `trace` for our own code (other crates stay at `warn`),
    /// or a full filter such as `info,room_agent::model=debug`. Default: `info`.
    pub level: Level,
}

/// Shape of a log line.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// One JSON object per line.
    Json,
    /// One readable line.
    #[default]
    Text,
}

/// A log filter as the operator wrote it.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Level(#[schemars(extend("format" = "log-filter"))] String);

impl Default for Level {
    fn default() -> Self {
        Self("info".to_owned())
    }
}

impl Level {
    /// The directives the subscriber understands. A single word speaks about our own crates only:
    /// the crates below print room names and addresses when they are talkative.
    fn directives(&self) -> String {
        let text = self.0.trim();
        if text.contains([',', '=']) {
            return format!("{text},{CAPPED}");
        }
        format!(
            "warn,room_agent={text},dialog={text},tools={text},libwebrtc={text},\
             livekit=error,livekit_api=error,livekit_signaling=error,str0m=error,rmcp=error"
        )
    }
}

/// More loudly these print whole requests, with the keys in their headers, and what servers of tools say. Comes last, so
/// that it wins.
const CAPPED: &str =
    "tungstenite=info,tokio_tungstenite=info,hyper=info,reqwest=info,h2=info,rmcp=error";

/// Says whether the text is a usable log filter; for the validation of the config file.
pub fn is_log_filter(text: &str) -> bool {
    let level = Level(text.to_owned());
    let single = !text.contains([',', '=']);
    let word = matches!(
        text.trim(),
        "error" | "warn" | "info" | "debug" | "trace" | "off"
    );
    (!single || word) && EnvFilter::try_new(level.directives()).is_ok()
}

/// Starts logging to standard error. A second call changes nothing.
pub fn init(config: &Config) {
    let filter = EnvFilter::try_new(config.level.directives())
        .unwrap_or_else(|_| EnvFilter::new(Level::default().directives()));
    let registry = tracing_subscriber::registry().with(filter);
    let started = match config.format {
        Format::Json => registry
            .with(
                fmt::layer()
                    .json()
                    .flatten_event(true)
                    .with_span_list(false)
                    .with_writer(std::io::stderr),
            )
            .try_init(),
        Format::Text => {
            let colour = std::io::stderr().is_terminal();
            let lines = fmt::layer().with_ansi(colour).with_writer(std::io::stderr);
            registry.with(lines).try_init()
        }
    };
    if started.is_err() {
        tracing::debug!("logging was already started");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_word_raises_our_own_crates_only() {
        let directives = Level("debug".to_owned()).directives();
        assert!(directives.contains("room_agent=debug"));
        assert!(directives.contains("livekit=error"));
        assert!(directives.starts_with("warn,"));
    }

    #[test]
    fn no_filter_makes_the_sockets_print_their_keys() {
        let directives = Level("trace,tungstenite=trace".to_owned()).directives();
        let filter = EnvFilter::try_new(directives).unwrap().to_string();
        assert!(filter.contains("tokio_tungstenite=info"), "{filter}");
        assert!(!filter.contains("tungstenite=trace"), "{filter}");
    }

    #[test]
    fn nonsense_is_no_log_filter() {
        assert!(is_log_filter("info"));
        assert!(is_log_filter("info,room_agent::model=debug"));
        assert!(!is_log_filter("loud"));
        assert!(!is_log_filter("room_agent=loud"));
    }
}
