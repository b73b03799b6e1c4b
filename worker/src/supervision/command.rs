//! Core: what can be asked of an agent, and how it is read.
//!
//! A command is an RPC `room_agent.<verb>` whose payload is a JSON object with the grant and what the
//! verb needs. Owns the limits of that. It does not know who asks.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::agents::Hears;

/// Characters of a sentence that is to be said; more is a speech.
const LONGEST_SENTENCE: usize = 1_000;
/// Characters of new instructions; an RPC of the room carries 15 KiB.
const LONGEST_INSTRUCTIONS: usize = 12_000;
/// Tools of one agent; with more, models choose badly.
const MOST_TOOLS: usize = 128;

/// What is asked.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// Let a call run that waits for a supervisor, or not.
    Approve,
    /// End the conversation, with a goodbye.
    End,
    /// Hear the caller only, or everyone.
    Hear,
    /// Press to talk, or let go.
    Ptt,
    /// Answer again.
    Resume,
    /// Move to a fresh connection to the model at the next silence.
    Rotate,
    /// Say a sentence now.
    Say,
    /// Say nothing more, and keep hearing.
    Silence,
    /// Replace the instructions, the tools, or both.
    Update,
}

impl Verb {
    /// Every verb.
    pub const ALL: [Self; 9] = [
        Self::Approve,
        Self::End,
        Self::Hear,
        Self::Ptt,
        Self::Resume,
        Self::Rotate,
        Self::Say,
        Self::Silence,
        Self::Update,
    ];

    /// The word in grants, logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::End => "end",
            Self::Hear => "hear",
            Self::Ptt => "ptt",
            Self::Resume => "resume",
            Self::Rotate => "rotate",
            Self::Say => "say",
            Self::Silence => "silence",
            Self::Update => "update",
        }
    }

    /// The name of its RPC method.
    pub fn method(self) -> String {
        format!("room_agent.{}", self.as_str())
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Verb {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let verb = Self::ALL.into_iter().find(|verb| verb.as_str() == word);
        verb.ok_or_else(|| {
            let all = Self::ALL.map(Self::as_str).join(", ");
            format!("`{word}` is no command; there are: {all}")
        })
    }
}

/// A command with everything it needs. Text is personal data: `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub enum Command {
    /// Let a call run, or not.
    Approve {
        /// Names the question.
        id: String,
        /// It may run.
        is_approved: bool,
    },
    /// End the conversation with this sentence; `None` = with the agent's own goodbye.
    End(Option<String>),
    /// From now on these people are heard.
    Hear(Hears),
    /// Somebody presses to talk, or lets go.
    Ptt {
        /// Their identity; `None` = who asks.
        who: Option<String>,
        /// They press.
        is_down: bool,
    },
    /// Answer again.
    Resume,
    /// Move to a fresh connection.
    Rotate,
    /// Say this sentence now.
    Say(String),
    /// Say nothing more.
    Silence,
    /// From now on these hold; what is `None` stays.
    Update {
        /// The instructions.
        instructions: Option<String>,
        /// Names of the tools that the model may call.
        tools: Option<Vec<String>>,
    },
}

impl Command {
    /// The verb alone.
    pub fn verb(&self) -> Verb {
        match self {
            Self::Approve { .. } => Verb::Approve,
            Self::End(_) => Verb::End,
            Self::Hear(_) => Verb::Hear,
            Self::Ptt { .. } => Verb::Ptt,
            Self::Resume => Verb::Resume,
            Self::Rotate => Verb::Rotate,
            Self::Say(_) => Verb::Say,
            Self::Silence => Verb::Silence,
            Self::Update { .. } => Verb::Update,
        }
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Command({})", self.verb())
    }
}

/// A command as it came, with the grant that is to be checked.
#[derive(Debug)]
pub struct Petition {
    /// What is asked.
    pub command: Command,
    /// Who may, signed; `None` = none was given, which only [`Command::Ptt`] may.
    pub grant: Option<String>,
}

/// What is wrong with a payload, with the path to it. Names no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bare {
    grant: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Approving {
    grant: String,
    id: String,
    approve: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ending {
    grant: String,
    text: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Hearing {
    grant: String,
    hears: Hears,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pressing {
    grant: Option<String>,
    identity: Option<String>,
    pressed: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Saying {
    grant: String,
    text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Updating {
    grant: String,
    instructions: Option<String>,
    tools: Option<Vec<String>>,
}

impl Petition {
    fn granted(command: Command, grant: String) -> Self {
        Self {
            command,
            grant: Some(grant),
        }
    }

    /// Whether it is only about who asks: everybody may press to talk for themselves.
    pub fn is_about(&self, caller: &str) -> bool {
        match &self.command {
            Command::Ptt { who, .. } => who.as_deref().is_none_or(|who| who == caller),
            _ => false,
        }
    }

    /// Reads the payload of an RPC.
    ///
    /// # Errors
    /// When it is no JSON object with exactly what the verb needs, or a text is empty or too long.
    pub fn read(verb: Verb, payload: &str) -> Result<Self, Malformed> {
        let bare = |command: Command| {
            let Bare { grant } = object(payload)?;
            Ok(Self::granted(command, grant))
        };
        match verb {
            Verb::Approve => {
                let Approving {
                    grant,
                    id,
                    approve: is_approved,
                } = object(payload)?;
                Ok(Self::granted(Command::Approve { id, is_approved }, grant))
            }
            Verb::End => {
                let Ending { grant, text } = object(payload)?;
                let text = text.map(|text| sentence(&text)).transpose()?;
                Ok(Self::granted(Command::End(text), grant))
            }
            Verb::Hear => {
                let Hearing { grant, hears } = object(payload)?;
                Ok(Self::granted(Command::Hear(hears), grant))
            }
            Verb::Ptt => {
                let Pressing {
                    grant,
                    identity: who,
                    pressed: is_down,
                } = object(payload)?;
                let command = Command::Ptt { who, is_down };
                Ok(Self { command, grant })
            }
            Verb::Resume => bare(Command::Resume),
            Verb::Rotate => bare(Command::Rotate),
            Verb::Say => {
                let Saying { grant, text } = object(payload)?;
                Ok(Self::granted(Command::Say(sentence(&text)?), grant))
            }
            Verb::Silence => bare(Command::Silence),
            Verb::Update => {
                let Updating {
                    grant,
                    instructions,
                    tools,
                } = object(payload)?;
                if instructions.is_none() && tools.is_none() {
                    let what = "payload: neither `instructions` nor `tools`";
                    return Err(Malformed(what.to_owned()));
                }
                let words = |words: String| text("instructions", &words, LONGEST_INSTRUCTIONS);
                let instructions = instructions.map(words).transpose()?;
                if tools.as_ref().is_some_and(|tools| tools.len() > MOST_TOOLS) {
                    return Err(Malformed(format!("tools: more than {MOST_TOOLS}")));
                }
                let command = Command::Update {
                    instructions,
                    tools,
                };
                Ok(Self::granted(command, grant))
            }
        }
    }
}

fn object<T: DeserializeOwned>(payload: &str) -> Result<T, Malformed> {
    serde_json::from_str(payload).map_err(|error| {
        // The provider of the words is a stranger: their values are not repeated.
        let place = format!("line {} column {}", error.line(), error.column());
        Malformed(match error.classify() {
            serde_json::error::Category::Data if !error.to_string().contains("invalid") => {
                format!("payload: {error}")
            }
            serde_json::error::Category::Data => format!("payload: a wrong type at {place}"),
            _ => format!("payload: no JSON object at {place}"),
        })
    })
}

/// One line to be said.
fn sentence(words: &str) -> Result<String, Malformed> {
    let plain: String = words
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    text("text", &plain, LONGEST_SENTENCE)
}

fn text(field: &str, words: &str, longest: usize) -> Result<String, Malformed> {
    let words = words.trim();
    if words.is_empty() {
        return Err(Malformed(format!("{field}: empty")));
    }
    if words.chars().count() > longest {
        return Err(Malformed(format!(
            "{field}: more than {longest} characters"
        )));
    }
    Ok(words.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(verb: Verb, payload: &str) -> Result<Command, String> {
        let petition = Petition::read(verb, payload);
        petition.map(|p| p.command).map_err(|e| e.to_string())
    }

    #[test]
    fn each_verb_is_read_with_what_it_needs() {
        let bare = r#"{"grant":"g"}"#;
        for (verb, payload, command) in [
            (
                Verb::Approve,
                r#"{"grant":"g","id":"0f","approve":false}"#,
                Command::Approve {
                    id: "0f".to_owned(),
                    is_approved: false,
                },
            ),
            (Verb::End, bare, Command::End(None)),
            (
                Verb::End,
                r#"{"grant":"g","text":"Bye."}"#,
                Command::End(Some("Bye.".to_owned())),
            ),
            (
                Verb::Hear,
                r#"{"grant":"g","hears":"caller"}"#,
                Command::Hear(Hears::Caller),
            ),
            (
                Verb::Ptt,
                r#"{"pressed":true}"#,
                Command::Ptt {
                    who: None,
                    is_down: true,
                },
            ),
            (
                Verb::Ptt,
                r#"{"pressed":false,"identity":"ann","grant":"g"}"#,
                Command::Ptt {
                    who: Some("ann".to_owned()),
                    is_down: false,
                },
            ),
            (Verb::Resume, bare, Command::Resume),
            (Verb::Rotate, bare, Command::Rotate),
            (
                Verb::Say,
                "{\"grant\":\"g\",\"text\":\" One\\nline. \"}",
                Command::Say("One line.".to_owned()),
            ),
            (Verb::Silence, bare, Command::Silence),
            (
                Verb::Update,
                "{\"grant\":\"g\",\"instructions\":\"Be\\nbrief.\"}",
                Command::Update {
                    instructions: Some("Be\nbrief.".to_owned()),
                    tools: None,
                },
            ),
            (
                Verb::Update,
                r#"{"grant":"g","tools":["end_call"]}"#,
                Command::Update {
                    instructions: None,
                    tools: Some(vec!["end_call".to_owned()]),
                },
            ),
        ] {
            assert_eq!(read(verb, payload), Ok(command));
            assert_eq!(verb.as_str().parse(), Ok(verb));
        }
    }

    #[test]
    fn a_wrong_payload_is_named_by_its_path_and_never_repeated() {
        let long = format!(r#"{{"grant":"g","text":"{}"}}"#, "a".repeat(1_001));
        for (verb, payload, wrong) in [
            (Verb::Say, "", "payload: no JSON object at line 1 column 0"),
            (Verb::Say, "[7", "payload: a wrong type at line 1 column 2"),
            (
                Verb::Say,
                r#"{"grant":"g"}"#,
                "payload: missing field `text` at line 1 column 13",
            ),
            (
                Verb::Say,
                r#"{"grant":7,"text":"a"}"#,
                "payload: a wrong type at line 1 column 10",
            ),
            (
                Verb::Hear,
                r#"{"grant":"g","hears":"nobody"}"#,
                "payload: unknown variant `nobody`, expected `caller` or `everyone` at line 1 column 29",
            ),
            (
                Verb::Update,
                r#"{"grant":"g"}"#,
                "payload: neither `instructions` nor `tools`",
            ),
            (Verb::Say, r#"{"grant":"g","text":" "}"#, "text: empty"),
            (Verb::Say, &long, "text: more than 1000 characters"),
        ] {
            assert_eq!(read(verb, payload), Err(wrong.to_owned()), "{payload:.40}");
        }
        let unknown = read(Verb::Silence, r#"{"grant":"g","force":true}"#).unwrap_err();
        assert!(unknown.contains("unknown field `force`"), "{unknown}");
    }

    #[test]
    fn a_command_does_not_print_its_words() {
        let said = Command::Say("secret".to_owned());
        assert_eq!(format!("{said:?}"), "Command(say)");
    }
}
