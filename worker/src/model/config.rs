//! Core: the `[model]` table of the configuration file.
//!
//! Owns names, units, ranges and defaults; [`Config::problems`] reports every value that is out of
//! range at once, with its path. It opens nothing and reads no environment.

use std::{path::PathBuf, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{price::Price, rotation};
use crate::config::{Problem, Secret};

/// Nobody stays in a room for longer without a model.
const LONGEST_OUTAGE: Duration = Duration::from_secs(24 * 3_600);

/// The `[model]` table: which speech model is used and how.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Whose protocol is spoken. Default `openai_realtime`.
    pub provider: Provider,
    /// Variation of the protocol's address and authentication. Default `openai`.
    pub dialect: Dialect,
    /// Address of the endpoint without query, `wss://` or `ws://` (then the key travels in clear:
    /// for a model on the same machine or network only). Default
    /// `wss://api.openai.com/v1/realtime`.
    #[schemars(with = "String", extend("format" = "ws-url"))]
    pub url: Url,
    /// The API key. Usually given as `OPENAI_API_KEY`, or by a file named in `api_key_file`.
    pub api_key: Secret,
    /// The model (Azure: the deployment). Any name is passed on. Default `gpt-realtime-2.1`.
    #[schemars(length(min = 1))]
    pub model: String,
    /// The voice, for agents that name none. Default `marin`.
    #[schemars(length(min = 1))]
    pub voice: String,
    /// How the end of a user turn is found, for agents that do not say.
    pub turn_detection: TurnDetection,
    /// Text of what users say.
    pub transcription: Transcription,
    /// Provider-side filter on the users' audio; absent = off, the default.
    pub noise_reduction: Option<NoiseReduction>,
    /// How long the model may be away before a session gives up, at start and later. 1s to 24h,
    /// default 24h: as long as the caller stays.
    #[serde(with = "crate::config::duration")]
    #[schemars(schema_with = "crate::config::duration::schema")]
    pub give_up_after: Duration,
    /// When a fresh connection takes over from a long-lived one.
    pub rotation: rotation::Config,
    /// HTTP proxy (`http://[user:password@]host:port`) for `wss://` addresses. Absent =
    /// `HTTPS_PROXY`, unless `NO_PROXY` names the host.
    pub proxy: Secret,
    /// PEM file with certificate authorities to trust besides the public ones. Absent =
    /// `SSL_CERT_FILE`.
    pub ca_file: Option<PathBuf>,
    /// What tokens cost, by model and day. Default: the provider's list as it was when this version
    /// was made. A model that is not in the list costs an unknown amount.
    pub prices: Vec<Price>,
}

/// Prices change more often than code: a list and not constants.
fn default_prices() -> Vec<Price> {
    #[derive(Deserialize)]
    struct List {
        prices: Vec<Price>,
    }
    let list: List = toml::from_str(include_str!("../../prices.toml")).expect("a list of prices");
    list.prices
}

impl Default for Config {
    fn default() -> Self {
        Self {
            provider: Provider::default(),
            dialect: Dialect::default(),
            url: Url::parse("wss://api.openai.com/v1/realtime").expect("the default URL is valid"),
            api_key: Secret::default(),
            model: "gpt-realtime-2.1".to_owned(),
            voice: "marin".to_owned(),
            turn_detection: TurnDetection::default(),
            transcription: Transcription::default(),
            noise_reduction: None,
            give_up_after: LONGEST_OUTAGE,
            rotation: rotation::Config::default(),
            proxy: Secret::default(),
            ca_file: None,
            prices: default_prices(),
        }
    }
}

/// The model drivers of this worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Provider {
    /// OpenAI's Realtime API over WebSocket, and servers that speak it.
    #[default]
    OpenaiRealtime,
}

/// Variations of the Realtime API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Dialect {
    /// Azure's GA endpoint, `wss://<resource>.openai.azure.com/openai/v1/realtime`.
    Azure,
    /// OpenAI itself, and most compatible servers.
    #[default]
    Openai,
}

/// How the end of a user turn is found. Default: `server_vad` with 300 ms of silence.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(tag = "mode", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum TurnDetection {
    /// People press to talk, and are answered when they let go: `room_agent.ptt`, or the space bar of the
    /// talk page.
    Manual,
    /// The model judges from the words whether the user has finished.
    SemanticVad {
        /// How soon it answers. Default `auto`.
        #[serde(default)]
        eagerness: Eagerness,
    },
    /// Silence ends a turn.
    ServerVad {
        /// How loud speech must be, 0 to 1. Default 0.5.
        #[serde(default = "default_threshold")]
        #[schemars(range(min = 0.0, max = 1.0))]
        threshold: f64,
        /// Audio kept from before the detected start, up to 2s. Default 300ms.
        #[serde(default = "default_padding", with = "crate::config::duration")]
        #[schemars(schema_with = "crate::config::duration::schema")]
        prefix_padding: Duration,
        /// Silence that ends a turn, 100ms to 10s. Default 300ms: people notice longer waits.
        #[serde(default = "default_silence", with = "crate::config::duration")]
        #[schemars(schema_with = "crate::config::duration::schema")]
        silence: Duration,
    },
}

/// What a model may need beyond the silence it was told to wait for, until it has ended a turn.
const TURN_END_SLACK: Duration = Duration::from_millis(700);

impl TurnDetection {
    /// Silence after which the model has ended any turn. Zero where people end their turns themselves.
    pub(crate) fn longest_end(&self) -> Duration {
        let silence = match self {
            Self::Manual => return Duration::ZERO,
            Self::SemanticVad { eagerness } => Duration::from_secs(match eagerness {
                Eagerness::High => 2,
                Eagerness::Auto | Eagerness::Medium => 4,
                Eagerness::Low => 8,
            }),
            Self::ServerVad { silence, .. } => *silence,
        };
        silence + TURN_END_SLACK
    }
}

impl Default for TurnDetection {
    fn default() -> Self {
        Self::ServerVad {
            threshold: default_threshold(),
            prefix_padding: default_padding(),
            silence: default_silence(),
        }
    }
}

fn default_threshold() -> f64 {
    0.5
}

fn default_padding() -> Duration {
    Duration::from_millis(300)
}

fn default_silence() -> Duration {
    Duration::from_millis(300)
}

/// How soon semantic turn detection answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Eagerness {
    /// The provider's choice; as `medium`.
    #[default]
    Auto,
    /// Waits at most about 2 s.
    High,
    /// Waits at most about 8 s.
    Low,
    /// Waits at most about 4 s.
    Medium,
}

/// Text of what users say, made by a second model of the provider and billed apart.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Transcription {
    /// Default true.
    pub enabled: bool,
    /// The transcription model (Azure: a deployment). Default `gpt-4o-mini-transcribe`.
    pub model: String,
    /// Language hint, ISO-639-1, such as `en`; absent = detected.
    pub language: Option<String>,
}

impl Default for Transcription {
    fn default() -> Self {
        Self {
            enabled: true,
            model: "gpt-4o-mini-transcribe".to_owned(),
            language: None,
        }
    }
}

/// Provider-side filter on the users' audio, before turn detection and model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NoiseReduction {
    /// Laptop and conference-room microphones.
    FarField,
    /// Headsets.
    NearField,
}

impl Config {
    /// What the schema cannot express, with paths below `[model]`; empty = usable.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut check = |fine: bool, path: &str, what: &str| {
            if !fine {
                problems.push(Problem::new(path, what));
            }
        };
        let give_up_after = Duration::from_secs(1)..=LONGEST_OUTAGE;
        let transcribes = self.transcription.enabled;
        check(
            !self.api_key.is_empty(),
            "api_key",
            "missing; also OPENAI_API_KEY",
        );
        check(
            !self.model.trim().is_empty(),
            "model",
            "expected the name of a model",
        );
        check(
            !self.voice.trim().is_empty(),
            "voice",
            "expected the name of a voice",
        );
        check(
            give_up_after.contains(&self.give_up_after),
            "give_up_after",
            "expected 1s to 24h",
        );
        check(
            !transcribes || !self.transcription.model.trim().is_empty(),
            "transcription.model",
            "expected the name of a model, or enabled = false",
        );
        problems.extend(self.rotation.problems());
        problems.extend(self.turn_detection.problems("turn_detection"));
        problems
    }
}

impl TurnDetection {
    /// What the schema cannot express, with paths below `prefix`; also for agents that bring their
    /// own.
    pub fn problems(&self, prefix: &str) -> Vec<Problem> {
        let Self::ServerVad {
            prefix_padding,
            silence,
            ..
        } = self
        else {
            return Vec::new();
        };
        let mut problems = Vec::new();
        if *prefix_padding > Duration::from_secs(2) {
            problems.push(Problem::new(
                format!("{prefix}.prefix_padding"),
                "expected up to 2s",
            ));
        }
        if !(Duration::from_millis(100)..=Duration::from_secs(10)).contains(silence) {
            problems.push(Problem::new(
                format!("{prefix}.silence"),
                "expected 100ms to 10s",
            ));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_table_is_the_documented_default() {
        let config: Config = toml::from_str("").unwrap();
        assert_eq!(config.url.as_str(), "wss://api.openai.com/v1/realtime");
        assert_eq!(config.model, "gpt-realtime-2.1");
        assert_eq!(config.give_up_after, LONGEST_OUTAGE);
        assert_eq!(config.turn_detection, TurnDetection::default());
        let missing: Vec<_> = config
            .problems()
            .into_iter()
            .map(|problem| problem.path)
            .collect();
        assert_eq!(missing, ["api_key"]);
    }

    #[test]
    fn both_turn_detections_are_read_with_their_own_settings() {
        let config: Config =
            toml::from_str("[turn_detection]\nmode = \"semantic_vad\"\neagerness = \"high\"\n")
                .unwrap();
        assert_eq!(
            config.turn_detection,
            TurnDetection::SemanticVad {
                eagerness: Eagerness::High
            }
        );
        let config: Config =
            toml::from_str("[turn_detection]\nmode = \"server_vad\"\nsilence = \"450ms\"\n")
                .unwrap();
        let TurnDetection::ServerVad {
            silence, threshold, ..
        } = config.turn_detection
        else {
            panic!("server_vad was asked for");
        };
        assert_eq!(silence, Duration::from_millis(450));
        assert!((threshold - 0.5).abs() < f64::EPSILON);
    }

    #[test]
    fn a_key_of_the_other_turn_detection_is_refused() {
        let text = "[turn_detection]\nmode = \"semantic_vad\"\nsilence = \"450ms\"\n";
        assert!(toml::from_str::<Config>(text).is_err());
        assert!(toml::from_str::<Config>("volume = 3\n").is_err());
    }

    #[test]
    fn every_value_out_of_range_is_named() {
        let config: Config = toml::from_str(
            "model = \"\"\ngive_up_after = \"0s\"\n\
             [turn_detection]\nmode = \"server_vad\"\nsilence = \"1ms\"\n\
             prefix_padding = \"3s\"\n",
        )
        .unwrap();
        let paths: Vec<_> = config
            .problems()
            .into_iter()
            .map(|problem| problem.path)
            .collect();
        assert_eq!(
            paths,
            [
                "api_key",
                "model",
                "give_up_after",
                "turn_detection.prefix_padding",
                "turn_detection.silence"
            ]
        );
    }

    #[test]
    fn the_key_is_in_no_output() {
        let config: Config = toml::from_str(
            "api_key = \"sk-very-secret\"\nproxy = \"http://u:very-secret@proxy.test:1\"\n",
        )
        .unwrap();
        assert!(!format!("{config:?}").contains("very-secret"));
        assert!(!toml::to_string(&config).unwrap().contains("very-secret"));
    }

    #[test]
    fn what_is_written_can_be_read_again() {
        let text = toml::to_string(&Config::default()).unwrap();
        let again: Config = toml::from_str(&text).unwrap();
        assert_eq!(again.turn_detection, TurnDetection::default());
        assert_eq!(again.give_up_after, LONGEST_OUTAGE);
    }
}
