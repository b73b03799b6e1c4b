//! Core: the TOML form of an agent definition, the reusable and versioned template of an agent.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::model::{NoiseReduction, Transcription, TurnDetection};

/// One agent definition: a file of the agents directory.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// How jobs name it. Letters, digits, `-` and `_`.
    #[schemars(regex(pattern = r"^[A-Za-z0-9_-]{1,64}$"))]
    pub name: String,
    /// Your own word for this state of the file. Default: `1`.
    #[serde(default = "first_version")]
    #[schemars(length(min = 1, max = 64))]
    pub version: String,
    /// For people who choose among definitions.
    #[serde(default)]
    pub description: String,
    /// What the model is told about its task. `{{name}}` stands for a variable.
    #[schemars(length(min = 1))]
    pub instructions: String,
    /// What the agent says first, as an instruction to the model; may hold variables. Absent = it
    /// waits to be spoken to.
    #[serde(default)]
    pub greeting: Option<String>,
    /// The provider's name of a voice. Absent = `[model] voice`.
    #[serde(default)]
    pub voice: Option<String>,
    /// The provider's name of a model. Absent = `[model] model`.
    #[serde(default)]
    pub model: Option<String>,
    /// Names of the tools the model may call.
    #[serde(default)]
    pub tools: Vec<String>,
    /// What a job may or must fill in.
    #[serde(default)]
    pub variables: BTreeMap<String, Variable>,
    /// How the end of a user turn is found. Absent = `[model.turn_detection]`.
    #[serde(default)]
    pub turn_detection: Option<TurnDetection>,
    /// Text of what users say. Absent = `[model.transcription]`.
    #[serde(default)]
    pub transcription: Option<Transcription>,
    /// Provider-side filter on the users' audio. Absent = `[model] noise_reduction`.
    #[serde(default)]
    pub noise_reduction: Option<NoiseReduction>,
    /// First twelve hexadecimal digits of the file's SHA-256; made by the loader.
    #[serde(skip)]
    pub hash: String,
}

/// One thing a job fills in.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Variable {
    /// For people who write jobs.
    pub description: String,
    /// Used when a job says nothing. Absent = every job must say something.
    pub default: Option<String>,
}

fn first_version() -> String {
    "1".to_owned()
}

pub(super) fn content_hash(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
