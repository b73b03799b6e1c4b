//! Admin.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The `[admin]` table.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Address and port of the listener for probes, metrics and drain. Default: 0.0.0.0:8081.
    #[schemars(extend("format" = "listen-address"))]
    pub listen: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "0.0.0.0:8081".to_owned(),
        }
    }
}
