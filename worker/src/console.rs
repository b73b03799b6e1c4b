//! Console.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::duration;

/// The `[console]` table.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Address and port of the web page, such as 127.0.0.1:8080. Default: off.
    #[schemars(extend("format" = "listen-address"))]
    pub listen: Option<String>,
    /// The agent name that is called into the page's rooms. Default: the first of
    /// `worker.agent_names`.
    pub agent_name: Option<String>,
    /// The LiveKit server as browsers reach it, when that is not `livekit.url`.
    #[schemars(extend("format" = "livekit-url"))]
    pub livekit_url: Option<String>,
    /// How long a link made by `room-agent invite` works. Default: 24h.
    #[serde(with = "duration")]
    #[schemars(schema_with = "duration::schema")]
    pub link_lifetime: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: None,
            agent_name: None,
            livekit_url: None,
            link_lifetime: Duration::from_secs(24 * 3600),
        }
    }
}
