//! Core: an HTTP tool as it is written in TOML.

use std::{collections::BTreeMap, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    policy::{Marks, RuleForm},
    tool::Effect,
};

/// A tool that asks a service over HTTP.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct HttpToolForm {
    /// What the model calls it: letters, digits, `_` and `-`.
    #[schemars(regex(pattern = r"^[A-Za-z0-9_-]{1,64}$"))]
    pub name: String,
    /// When and how to use it; the model reads this.
    #[schemars(length(min = 1))]
    pub description: String,
    /// The arguments: for each a JSON Schema.
    #[serde(default)]
    pub arguments: BTreeMap<String, Map<String, Value>>,
    /// Names of the arguments that may be left out.
    #[serde(default)]
    pub optional: Vec<String>,
    /// Where to ask. `{{args.NAME}}` and `{{vars.NAME}}` may stand in path and query, percent-encoded
    /// when they are filled in. The host stands here as it is.
    #[schemars(regex(pattern = r"^https?://[^{}/?#@]+"))]
    pub url: String,
    /// Default: `GET` for a tool that reads, `POST` for one that writes.
    #[serde(default)]
    pub method: Option<HttpMethod>,
    /// Further headers. `{{secrets.NAME}}` stands for the environment variable `ROOM_AGENT_SECRET_NAME`.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The JSON body. A text that is nothing but a place keeps the type of its value. Absent = all
    /// arguments, where the method has a body.
    #[serde(default)]
    pub body: Option<Value>,
    /// The part of the answer that the model is told, as a JSON pointer such as `/slots`. Absent = all.
    #[serde(default)]
    #[schemars(regex(pattern = "^/"))]
    pub take: Option<String>,
    /// Whether it changes something. Default: it reads.
    #[serde(default)]
    pub effect: HttpEffect,
    /// Whether the service takes the header `Idempotency-Key`, so that a request which broke may be sent
    /// again. Default: no.
    #[serde(default)]
    pub idempotent: bool,
    /// The longest it may take, 1 to 60 seconds. Default 10.
    #[serde(default = "deadline")]
    #[schemars(range(min = 1, max = 60))]
    pub deadline_seconds: u8,
    /// How often it may run in one session, 1 to 500. Default: as often as all tools together may, 500 times.
    #[serde(default)]
    #[schemars(range(min = 1, max = 500))]
    pub most_runs: Option<u32>,
    /// What it touches; a tool that writes then wants a rule.
    #[serde(default)]
    pub touches: Marks,
    /// What is looked at before each call, in this order.
    #[serde(default)]
    pub rules: Vec<RuleForm>,
}

fn deadline() -> u8 {
    10
}

/// The method of a request.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(
    missing_docs,
    reason = "they are named as the RFC names them (RFC 9110, section 9.3)"
)]
pub enum HttpMethod {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

/// What an HTTP tool does to the world.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HttpEffect {
    /// It changes nothing.
    #[default]
    Reads,
    /// It changes something: never run twice for one intent.
    Writes,
}

impl From<HttpEffect> for Effect {
    fn from(effect: HttpEffect) -> Self {
        match effect {
            HttpEffect::Reads => Self::Reads,
            HttpEffect::Writes => Self::Writes,
        }
    }
}

impl HttpToolForm {
    pub(super) fn deadline(&self) -> Duration {
        Duration::from_secs(self.deadline_seconds.into())
    }

    pub(super) fn method(&self) -> HttpMethod {
        self.method.unwrap_or(match self.effect {
            HttpEffect::Reads => HttpMethod::Get,
            HttpEffect::Writes => HttpMethod::Post,
        })
    }

    /// The schema of the arguments object.
    pub(super) fn parameters(&self) -> Value {
        let names = self.arguments.keys();
        let required: Vec<&String> = names.filter(|name| !self.optional.contains(name)).collect();
        json!({
            "type": "object",
            "properties": self.arguments,
            "required": required,
            "additionalProperties": false,
        })
    }
}
