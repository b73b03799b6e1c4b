//! Core: definition + the variables of one job → the agent of one session.
//!
//! `{{name}}` is replaced by the variable's text, once: what a variable contains is never looked
//! at again, so a caller's name cannot smuggle in another variable. There is no other syntax.

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde_json::{Map, Value};

use super::{
    addressing::Answers,
    caller::{self, Field, Part, Personal, Text},
    clips::Clips,
    definition::{Definition, Hears, Silence},
    interruption::Interruption,
    prefetch::Prefetch,
};
use crate::{
    config::parse::{Problem, Problems},
    model::{NoiseReduction, Transcription, TurnDetection},
};

/// An agent that is ready for a session. Its texts may hold personal data: `Debug` hides them.
#[derive(Clone, Default, PartialEq)]
pub struct Rendered {
    /// Name of the definition.
    pub name: String,
    /// The definition's version.
    pub version: String,
    /// The definition's content hash.
    pub hash: String,
    /// What the model is told about its task.
    pub instructions: String,
    /// A sentence that the agent says word for word before anything else; `None` = none.
    pub disclosure: Option<String>,
    /// What the agent says first, as an instruction to the model; `None` = it waits.
    pub greeting: Option<String>,
    /// What it says when a tool takes its time, as an instruction to the model; `None` = the usual.
    pub working: Option<String>,
    /// The provider's name of a voice; `None` = the worker's.
    pub voice: Option<String>,
    /// The provider's name of a model; `None` = the worker's.
    pub model: Option<String>,
    /// Names of the tools the model may call.
    pub tools: Vec<String>,
    /// Names of the agents it may hand over to.
    pub hands_to: Vec<String>,
    /// Every agent that the conversation can come to, by name.
    pub colleagues: BTreeMap<String, Colleague>,
    /// Look-ups that are started beforehand.
    pub prefetch: Vec<Prefetch>,
    /// What the job or the definition filled in, for the rules of tools.
    pub variables: BTreeMap<String, String>,
    /// How the end of a user turn is found; `None` = the worker's way.
    pub turn_detection: Option<TurnDetection>,
    /// Text of what users say; `None` = the worker's way.
    pub transcription: Option<Transcription>,
    /// Provider-side filter on the users' audio; `None` = the worker's.
    pub noise_reduction: Option<NoiseReduction>,
    /// Which of the people in the room the agent hears.
    pub hears: Hears,
    /// Which turns the agent answers.
    pub answers: Answers,
    /// What people call it.
    pub names: Vec<String>,
    /// When the agent gives way to people who speak while it does.
    pub interruption: Interruption,
    /// What is done about a caller who says nothing; `None` = nothing.
    pub silence: Option<Silence>,
    /// The texts that speak of the caller, who is not known yet; `None` = none does.
    pub personal: Option<Personal>,
    /// What it says when there is no model to say it.
    pub clips: Arc<Clips>,
}

/// What changes when an agent takes over from another. `Debug` hides its texts.
#[derive(Clone, Default, PartialEq)]
pub struct Colleague {
    /// What the model is told about its task.
    pub instructions: Personal,
    /// Names of the tools the model may call.
    pub tools: Vec<String>,
    /// Names of the agents it may hand over to.
    pub hands_to: Vec<String>,
    /// For the rules of tools.
    pub variables: BTreeMap<String, String>,
    /// Look-ups that are started before the model asks for them.
    pub prefetch: Vec<Prefetch>,
}

impl fmt::Debug for Colleague {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Colleague({:?}, ..)", self.tools)
    }
}

impl fmt::Debug for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Rendered({} {} {}, ..)",
            self.name, self.version, self.hash
        )
    }
}

/// What a job says: which agent, and the variables.
#[derive(Clone, Default, PartialEq)]
pub(super) struct Metadata {
    pub(super) agent: Option<String>,
    pub(super) variables: Map<String, Value>,
}

impl Metadata {
    /// Reads a job's metadata; nothing at all is fine.
    pub(super) fn read(text: &str) -> Result<Self, Problems> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let Ok(Value::Object(fields)) = serde_json::from_str::<Value>(text) else {
            return Err(Problems(vec![Problem::new(
                "metadata",
                "not a JSON object",
            )]));
        };
        let mut metadata = Self::default();
        let mut problems = Vec::new();
        for (key, value) in fields {
            match (key.as_str(), value) {
                ("agent", Value::String(name)) => metadata.agent = Some(name),
                ("variables", Value::Object(variables)) => metadata.variables = variables,
                ("agent" | "variables", Value::Null) => {}
                ("agent", _) => problems.push(Problem::new("agent", "expected string")),
                ("variables", _) => problems.push(Problem::new("variables", "expected object")),
                _ => problems.push(Problem::new(short(&key), "unknown key")),
            }
        }
        Problems::none_or(problems)?;
        Ok(metadata)
    }
}

/// Fills in the variables.
pub(super) fn render(
    definition: &Definition,
    variables: &Map<String, Value>,
) -> Result<Rendered, Problems> {
    let mut problems = Vec::new();
    for (name, value) in variables {
        let path = || format!("variables.{}", short(name));
        if !definition.variables.contains_key(name) {
            problems.push(Problem::new(path(), "unknown variable"));
        } else if plain(value).is_none() {
            problems.push(Problem::new(
                path(),
                "expected text, a number, true or false",
            ));
        }
    }
    let values = values(definition, variables, &mut problems);
    Problems::none_or(problems)?;
    let text = |text: &str| text_of(text, |name| values.get(name).and_then(Value::as_str));
    let fill = |plain: &str| text(plain).about(None);
    let personal = Personal {
        instructions: text(definition.instructions.trim()),
        greeting: definition.greeting.as_deref().map(text),
    };
    let is_personal = personal.instructions.is_personal()
        || personal.greeting.as_ref().is_some_and(Text::is_personal);
    Ok(Rendered {
        name: definition.name.clone(),
        version: definition.version.clone(),
        hash: definition.hash.clone(),
        instructions: fill(definition.instructions.trim()),
        disclosure: definition.disclosure.as_deref().map(fill),
        greeting: definition.greeting.as_deref().map(fill),
        working: definition.working.as_deref().map(fill),
        voice: definition.voice.clone(),
        model: definition.model.clone(),
        tools: definition.tools.clone(),
        hands_to: definition.hands_to.clone(),
        colleagues: BTreeMap::new(),
        prefetch: definition
            .prefetch
            .iter()
            .map(|form| form.render(text))
            .collect(),
        variables: plain_variables(&values),
        turn_detection: definition.turn_detection.clone(),
        transcription: definition.transcription.clone(),
        noise_reduction: definition.noise_reduction,
        hears: definition.hears,
        answers: definition.answers,
        names: names(definition).iter().map(|name| fill(name)).collect(),
        interruption: definition.interruption.clone(),
        silence: definition.silence.as_ref().map(|silence| Silence {
            prompt: fill(&silence.prompt),
            ..silence.clone()
        }),
        personal: is_personal.then_some(personal),
        clips: definition.sounds.clone(),
    })
}

/// What one of the agents that may take over is made of. Its variables are the job's, where it has any; without
/// a default of its own they are those of the agent `before`.
pub(super) fn colleague(
    definition: &Definition,
    variables: &Map<String, Value>,
    before: &BTreeMap<String, String>,
) -> Result<Colleague, Problems> {
    let mut problems = Vec::new();
    let mut variables = variables.clone();
    for (name, variable) in &definition.variables {
        if let Some(text) = before.get(name).filter(|_| variable.default.is_none()) {
            let text = Value::String(text.clone());
            variables.entry(name.clone()).or_insert(text);
        }
    }
    let values = values(definition, &variables, &mut problems);
    let of = |problem: Problem| {
        let what = format!("{} (for the agent `{}`)", problem.what, definition.name);
        Problem::new(problem.path, what)
    };
    Problems::none_or(problems.into_iter().map(of).collect())?;
    let value = |name: &str| values.get(name).and_then(Value::as_str);
    let text = |text: &str| text_of(text, value);
    Ok(Colleague {
        instructions: Personal {
            instructions: text(definition.instructions.trim()),
            greeting: None,
        },
        prefetch: definition
            .prefetch
            .iter()
            .map(|form| form.render(text))
            .collect(),
        tools: definition.tools.clone(),
        hands_to: definition.hands_to.clone(),
        variables: plain_variables(&values),
    })
}

/// The text of every variable of a definition; what is missing is a problem.
fn values(
    definition: &Definition,
    variables: &Map<String, Value>,
    problems: &mut Vec<Problem>,
) -> Map<String, Value> {
    let mut values = Map::new();
    for (name, variable) in &definition.variables {
        match (variables.get(name).and_then(plain), &variable.default) {
            (Some(text), _) => values.insert(name.clone(), Value::String(text)),
            (None, Some(text)) => values.insert(name.clone(), Value::String(text.clone())),
            (None, None) if variables.contains_key(name) => continue, // told above
            (None, None) => {
                problems.push(Problem::new(format!("variables.{name}"), "missing"));
                continue;
            }
        };
    }
    values
}

fn plain_variables(values: &Map<String, Value>) -> BTreeMap<String, String> {
    values
        .iter()
        .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
        .collect()
}

/// What people call an agent when its definition does not say.
fn names(definition: &Definition) -> Vec<String> {
    if definition.names.is_empty() {
        vec![definition.name.clone()]
    } else {
        definition.names.clone()
    }
}

/// Placeholders that no variable stands behind.
pub(super) fn undeclared(definition: &Definition) -> Vec<Problem> {
    let disclosure = definition.disclosure.as_deref().unwrap_or_default();
    let greeting = definition.greeting.as_deref().unwrap_or_default();
    let silence = definition.silence.as_ref();
    let prompt = silence.map_or("", |silence| silence.prompt.as_str());
    let names = definition.names.join("\n");
    let fixed = [
        ("names".to_owned(), names.as_str()),
        ("instructions".to_owned(), definition.instructions.as_str()),
        ("disclosure".to_owned(), disclosure),
        ("greeting".to_owned(), greeting),
        ("silence.prompt".to_owned(), prompt),
        (
            "working".to_owned(),
            definition.working.as_deref().unwrap_or_default(),
        ),
    ];
    let prefetched = definition
        .prefetch
        .iter()
        .enumerate()
        .flat_map(|(nth, form)| {
            let texts = form.texts();
            texts.map(move |(path, text)| (format!("prefetch[{nth}].{path}"), text))
        });
    let texts = fixed.into_iter().chain(prefetched);
    let mut problems = Vec::new();
    for (path, text) in texts {
        for name in pieces(text).filter_map(Piece::variable) {
            if let Some(field) = name.strip_prefix(caller::PREFIX) {
                problems.extend(unknown_field(&path, name, field));
            } else if !definition.variables.contains_key(name) {
                let what = format!("`{{{{{name}}}}}` is not among the variables");
                problems.push(Problem::new(path.clone(), what));
            }
        }
    }
    problems
}

/// Only what is said when the caller is there may speak of them.
fn unknown_field(path: &str, name: &str, field: &str) -> Option<Problem> {
    let is_known = Field::parse(field).is_some();
    let may_speak = matches!(path, "instructions" | "greeting") || path.starts_with("prefetch");
    (!is_known || !may_speak).then(|| {
        let what = if is_known {
            format!("`{{{{{name}}}}}` is for instructions, greeting and prefetch only")
        } else {
            format!("`{{{{{name}}}}}` is not known of a caller")
        };
        Problem::new(path, what)
    })
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        Value::Array(_) | Value::Null | Value::Object(_) => None,
    }
}

/// Keys are the caller's text: enough of one to find it, never a flood.
fn short(key: &str) -> String {
    key.chars().filter(|c| !c.is_control()).take(40).collect()
}

fn text_of<'a>(text: &str, value: impl Fn(&str) -> Option<&'a str>) -> Text {
    let part = |piece| match piece {
        Piece::Text(text) => Part::Said(text.to_owned()),
        Piece::Variable(name) => match name.strip_prefix(caller::PREFIX).and_then(Field::parse) {
            Some(field) => Part::Of(field),
            None => Part::Said(value(name).unwrap_or_default().to_owned()),
        },
    };
    Text::new(pieces(text).map(part).collect())
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Piece<'a> {
    Text(&'a str),
    Variable(&'a str),
}

impl<'a> Piece<'a> {
    fn variable(self) -> Option<&'a str> {
        match self {
            Self::Text(_) => None,
            Self::Variable(name) => Some(name),
        }
    }
}

/// Splits at `{{name}}`; braces that hold no name are text.
fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        match placeholder(rest) {
            Some((0, name, end)) => {
                rest = &rest[end..];
                Some(Piece::Variable(name))
            }
            Some((start, ..)) => {
                let (before, after) = rest.split_at(start);
                rest = after;
                Some(Piece::Text(before))
            }
            None => Some(Piece::Text(std::mem::take(&mut rest))),
        }
    })
}

/// The first placeholder: where it starts, its name, where it ends.
fn placeholder(text: &str) -> Option<(usize, &str, usize)> {
    let mut from = 0;
    while let Some(open) = text[from..].find("{{").map(|at| from + at) {
        let inner = open + 2;
        let close = inner + text[inner..].find("}}")?;
        let name = text[inner..close].trim();
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if !name.is_empty() && name.chars().all(legal) {
            return Some((open, name, close + 2));
        }
        from = inner;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> String {
        text_of(text, |name| match name {
            "who" => Some("Ann {{secret}}"),
            "secret" => Some("42"),
            _ => None,
        })
        .about(None)
    }

    #[test]
    fn placeholders_are_filled_once_and_other_braces_are_text() {
        assert_eq!(filled("Hi {{who}}!"), "Hi Ann {{secret}}!");
        assert_eq!(filled("{{ who }}{{secret}}"), "Ann {{secret}}42");
        assert_eq!(
            filled("a {b} {{not a name}} {{ {{secret}}"),
            "a {b} {{not a name}} {{ 42"
        );
        assert_eq!(filled("{{who"), "{{who");
        assert_eq!(filled(""), "");
    }

    #[test]
    fn a_rendered_agent_does_not_print_its_texts() {
        let agent = Rendered {
            instructions: "Ann owes 5".to_owned(),
            ..Rendered::default()
        };
        assert!(!format!("{agent:?}").contains("Ann"));
    }
}
