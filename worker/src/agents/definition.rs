//! Core: the TOML form of an agent definition, the reusable and versioned template of an agent.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    addressing::Answers,
    clips::{ClipFiles, Clips},
    interruption::Interruption,
    prefetch::PrefetchForm,
};
use crate::{
    config::{Problem, duration},
    model::{NoiseReduction, Transcription, TurnDetection},
};

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
    /// What the model is told about its task. `{{name}}` stands for a variable; `{{caller.name}}`,
    /// `{{caller.metadata}}` and `{{caller.attributes.KEY}}` for what is known of the caller.
    #[schemars(length(min = 1))]
    pub instructions: String,
    /// A sentence that the agent says word for word before anything else, such as that it is an AI; nobody
    /// interrupts it, and the session report says that it was heard. May hold variables. Absent =
    /// none.
    #[serde(default)]
    #[schemars(length(min = 1, max = 500))]
    pub disclosure: Option<String>,
    /// What the agent says first, as an instruction to the model; may hold variables. Absent = it
    /// waits to be spoken to.
    #[serde(default)]
    pub greeting: Option<String>,
    /// What the agent says when a tool takes longer than 800 ms, as an instruction to the model; may hold
    /// variables. Absent = that it is at it, in a few words.
    #[serde(default)]
    #[schemars(length(min = 1, max = 500))]
    pub working: Option<String>,
    /// The provider's name of a voice. Absent = `[model] voice`.
    #[serde(default)]
    pub voice: Option<String>,
    /// The provider's name of a model. Absent = `[model] model`.
    #[serde(default)]
    pub model: Option<String>,
    /// Names of the tools the model may call.
    #[serde(default)]
    pub tools: Vec<String>,
    /// Names of the agents it may hand the conversation to with the tool `switch_agent`. They take over
    /// instructions and tools; voice and everything else stay.
    #[serde(default)]
    pub hands_to: Vec<String>,
    /// Look-ups that are started beforehand, so that their answers are there when they are asked for.
    #[serde(default)]
    #[schemars(length(max = 16))]
    pub prefetch: Vec<PrefetchForm>,
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
    /// Which of the people in the room the agent hears. Default: `everyone`.
    #[serde(default)]
    pub hears: Hears,
    /// Which turns the agent answers. Default: `everything`.
    #[serde(default)]
    pub answers: Answers,
    /// What people call the agent, for `answers = "named"` and `"asked"`; may hold variables. Letter case and punctuation
    /// do not count. Default: the name of this definition.
    #[serde(default)]
    pub names: Vec<String>,
    /// When the agent gives way to people who speak while it does. Absent = the defaults.
    #[serde(default)]
    pub interruption: Interruption,
    /// What is done about a caller who says nothing. Absent = nothing, for as long as they stay.
    #[serde(default)]
    pub silence: Option<Silence>,
    /// What it says when there is no model to say it. Absent = in English.
    #[serde(default)]
    pub clips: ClipFiles,
    /// The recordings; read by the loader.
    #[serde(skip)]
    pub sounds: Arc<Clips>,
    /// First twelve hexadecimal digits of the file's SHA-256; made by the loader.
    #[serde(skip)]
    pub hash: String,
}

/// Which of the people in the room an agent hears: never other agents, machines or hidden participants.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Hears {
    /// Who has been there longest; when they leave, the next.
    Caller,
    /// Everyone, up to sixteen people. With more than one the model is told who says what.
    #[default]
    Everyone,
}

/// A caller who says nothing is asked whether they are still there; who stays silent is left.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Silence {
    /// What the agent asks, as an instruction to the model; may hold variables.
    #[schemars(length(min = 1))]
    pub prompt: String,
    /// Silence after which it asks, 5s to 1h. Default 30s.
    #[serde(with = "duration")]
    #[schemars(schema_with = "duration::schema")]
    pub prompt_after: Duration,
    /// Further silence after which it says goodbye and leaves, 5s to 1h. Default 30s.
    #[serde(with = "duration")]
    #[schemars(schema_with = "duration::schema")]
    pub hang_up_after: Duration,
}

impl Default for Silence {
    fn default() -> Self {
        Self {
            prompt: "Ask in a few words whether the caller is still there.".to_owned(),
            prompt_after: Duration::from_secs(30),
            hang_up_after: Duration::from_secs(30),
        }
    }
}

impl Silence {
    /// What the schema cannot express, with paths below `silence`.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let range = Duration::from_secs(5)..=Duration::from_secs(3_600);
        let waits = [
            ("prompt_after", self.prompt_after),
            ("hang_up_after", self.hang_up_after),
        ];
        let wrong = waits.into_iter().filter(|(_, wait)| !range.contains(wait));
        wrong
            .map(|(key, _)| Problem::new(format!("silence.{key}"), "expected 5s to 1h"))
            .collect()
    }
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
