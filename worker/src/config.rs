//! Adapter: the settings of the worker; composes the tables of its parts.
//!
//! Owns precedence (flag > environment > file > default), the check that reports every problem at
//! once, and the printable form without secrets. Each table sits beside the code it configures;
//! only what needs more than one of them is judged here. Immutable after start.

pub mod duration;
pub mod engine;
pub mod parse;
pub mod secret;
pub mod source;

use std::{num::NonZeroUsize, path::Path, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use parse::{Problem, Problems};
pub use secret::Secret;
pub use source::{Flag, ProcessSource, Source};

use crate::{
    admin, audit, console, model,
    session::{meter, report},
    supervision, telemetry, tooling,
};

/// The whole tree.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The LiveKit server.
    pub livekit: LiveKit,
    /// How many jobs, under which names, and how the worker ends.
    pub worker: Worker,
    /// Where agent definitions are.
    pub agents: Agents,
    /// Tools besides the built-in ones.
    pub tools: tooling::files::Config,
    /// The speech model.
    pub model: model::Config,
    /// The WebRTC engine.
    pub engine: engine::Config,
    /// The listener for probes, metrics and drain.
    pub admin: admin::Config,
    /// The listener for the web page.
    pub console: console::Config,
    /// What a session may cost.
    pub budget: meter::Config,
    /// The journal of what was done.
    pub audit: audit::Config,
    /// Who is told when an agent asks for a person.
    pub escalation: supervision::escalation::Config,
    /// Where reports of sessions go.
    pub report: report::outlet::Config,
    /// Logging.
    pub log: telemetry::Config,
}

/// The `[livekit]` table.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct LiveKit {
    /// Address of the server, `ws://`, `wss://`, `http://` or `https://`. Also `LIVEKIT_URL`.
    #[schemars(extend("format" = "livekit-url"))]
    pub url: String,
    /// The API key. Also `LIVEKIT_API_KEY`.
    pub api_key: Secret,
    /// The API secret. Also `LIVEKIT_API_SECRET`.
    pub api_secret: Secret,
    /// The passphrase of rooms that are encrypted end to end, the same as the clients'. Default: rooms are not.
    pub e2ee_key: Secret,
}

/// The `[worker]` table.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Worker {
    /// Sessions at once, 1 to 10000. Default: 25 per core.
    #[schemars(range(min = 1, max = 10000))]
    pub slots: Option<usize>,
    /// Names under which the worker takes jobs; the empty name takes every new room that asks for
    /// no agent (automatic dispatch). Also `LIVEKIT_AGENT_NAME`. Default: the empty name.
    #[schemars(length(min = 1, max = 32), extend("uniqueItems" = true))]
    pub agent_names: Vec<String>,
    /// How long sessions may go on after SIGTERM. Keep the grace period of your orchestrator 30 s
    /// longer. Default: 10m.
    #[serde(with = "duration")]
    #[schemars(schema_with = "duration::schema")]
    pub drain_grace: Duration,
}

impl Default for Worker {
    fn default() -> Self {
        Self {
            slots: None,
            agent_names: vec![String::new()],
            drain_grace: Duration::from_secs(600),
        }
    }
}

impl Worker {
    /// Sessions at once.
    pub fn slots(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        self.slots.unwrap_or_else(|| SLOTS_PER_CORE * cores())
    }
}

/// What one core carries with room to spare when half of the agents speak.
const SLOTS_PER_CORE: usize = 25;

/// The `[agents]` table.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Agents {
    /// Directory of agent definitions (`*.toml`). Default: only the built-in `receptionist`.
    pub dir: Option<String>,
    /// The definition for jobs that name none. Default: `receptionist`.
    #[schemars(length(min = 1))]
    pub default: String,
}

impl Default for Agents {
    fn default() -> Self {
        Self {
            dir: None,
            default: "receptionist".to_owned(),
        }
    }
}

/// What the settings are read for; each needs others to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Taking jobs: server and model.
    Work,
    /// Talking to the server only.
    Server,
    /// Talking to a worker on this machine.
    Local,
}

impl Purpose {
    /// Paths, and how else to give them.
    fn required(self) -> &'static [(&'static str, &'static str)] {
        const ALL: &[(&str, &str)] = &[
            ("livekit.url", "LIVEKIT_URL"),
            ("livekit.api_key", "LIVEKIT_API_KEY"),
            ("livekit.api_secret", "LIVEKIT_API_SECRET"),
            ("model.api_key", "OPENAI_API_KEY"),
        ];
        match self {
            Self::Work => ALL,
            Self::Server => &ALL[..3],
            Self::Local => &[],
        }
    }
}

impl Config {
    /// Reads and checks everything.
    ///
    /// # Errors
    /// Every problem of every layer at once.
    pub fn load(
        source: &dyn Source,
        file: Option<&Path>,
        flags: &[Flag],
        purpose: Purpose,
    ) -> Result<Self, Problems> {
        let schema = Self::schema();
        let mut problems = Vec::new();
        let tree = source::merge(source, &schema, file, flags, &mut problems);
        problems.extend(parse::problems(&schema, &tree));
        problems.extend(missing(&tree, purpose));
        problems.extend(beyond_schema(&tree, &problems));
        Problems::none_or(problems)?;
        parse::typed(tree)
    }

    /// The JSON schema of the file, for editors.
    pub fn schema() -> Value {
        parse::schema::<Self>()
    }

    /// The effective tree as TOML; secrets only say whether they are there.
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).unwrap_or_else(|error| format!("# {error}\n"))
    }
}

fn missing(tree: &Value, purpose: Purpose) -> Vec<Problem> {
    let is_there = |path: &str| {
        let pointer = format!("/{}", path.replace('.', "/"));
        // A value of a wrong type is somebody else's problem.
        tree.pointer(&pointer)
            .is_some_and(|value| value.as_str() != Some(""))
            || tree.pointer(&format!("{pointer}_file")).is_some()
    };
    let absent = purpose
        .required()
        .iter()
        .filter(|(path, _)| !is_there(path));
    absent
        .map(|(path, var)| Problem::new(*path, format!("missing; or set {var}")))
        .collect()
}

/// What the parts check by themselves, even while other parts are wrong.
fn beyond_schema(tree: &Value, told: &[Problem]) -> Vec<Problem> {
    let mut problems = beyond_model_schema(tree, told);
    problems.extend(bad_signing_key(tree));
    problems
}

/// A key that came from a file is told by the file's path.
fn bad_signing_key(tree: &Value) -> Option<Problem> {
    let table = tree.get("audit")?;
    let key = table.get("signing_key")?.as_str()?;
    let config = audit::Config {
        signing_key: Secret::new(key),
        ..Default::default()
    };
    let error = config.check().err()?;
    let file = table.get("signing_key_file").map_or("", |_| "_file");
    Some(Problem::new(
        format!("audit.signing_key{file}"),
        error.to_string(),
    ))
}

fn beyond_model_schema(tree: &Value, told: &[Problem]) -> Vec<Problem> {
    let model = tree
        .get("model")
        .cloned()
        .unwrap_or_else(|| Value::Object(Default::default()));
    let is_told = |path: &str| path == "model.api_key" || told.iter().any(|p| p.path == path);
    let problems = match parse::typed::<model::Config>(model) {
        Ok(model) => Problems(model.problems()).within("model").0,
        // Usually told by the schema, with a better path.
        Err(_) if told.iter().any(|problem| problem.path.starts_with("model")) => Vec::new(),
        Err(problems) => problems.within("model").0,
    };
    problems
        .into_iter()
        .filter(|problem| !is_told(&problem.path))
        .collect()
}

#[cfg(test)]
mod tests;
