//! Core: look-ups that are started before anybody asks for them.
//!
//! What a caller will most likely want to know is known when they call, or when a word falls. A later call
//! with the same arguments takes the answer; nobody hears of one that is never asked for.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::caller::{Caller, Text};

/// A look-up that is started beforehand.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PrefetchForm {
    /// One of the agent's tools; it must change nothing.
    pub tool: String,
    /// Its arguments. Texts may hold variables, and `{{caller.…}}` as in `instructions`; without a value
    /// for one of these the look-up is not started.
    #[serde(default)]
    pub arguments: BTreeMap<String, Value>,
    /// Started when the caller says this; letter case does not count.
    #[serde(default)]
    #[schemars(length(min = 2, max = 100))]
    pub phrase: Option<String>,
    /// Started when this tool has answered. Neither this nor `phrase` = when the caller is there.
    #[serde(default)]
    pub after: Option<String>,
}

/// When a look-up is started; each once in a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cue {
    /// A tool has answered.
    After(String),
    /// The caller has said this, in small letters.
    Phrase(String),
    /// The caller is there.
    Start,
}

/// A look-up, its variables filled in.
#[derive(Clone, PartialEq)]
pub struct Prefetch {
    /// Name of the tool.
    pub tool: String,
    /// When.
    pub cue: Cue,
    arguments: BTreeMap<String, Argument>,
}

#[derive(Clone, PartialEq)]
enum Argument {
    Text(Text),
    Value(Value),
}

impl std::fmt::Debug for Prefetch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Prefetch({} {:?}, ..)", self.tool, self.cue)
    }
}

impl PrefetchForm {
    /// The texts in which variables may stand, with their places.
    pub(super) fn texts(&self) -> impl Iterator<Item = (String, &str)> {
        self.arguments
            .iter()
            .filter_map(|(name, value)| Some((format!("arguments.{name}"), value.as_str()?)))
    }

    /// The arguments as they stand there, and the names of those in which variables stand.
    pub(crate) fn written(&self) -> (Value, Vec<&str>) {
        let arguments = self.arguments.clone().into_iter().collect();
        let texts = self.arguments.iter();
        let has_variable = |value: &Value| value.as_str().is_some_and(|text| text.contains("{{"));
        let open = texts.filter_map(|(name, value)| has_variable(value).then_some(name.as_str()));
        (Value::Object(arguments), open.collect())
    }

    pub(super) fn render(&self, text: impl Fn(&str) -> Text) -> Prefetch {
        let argument = |(name, value): (&String, &Value)| {
            let argument = match value {
                Value::String(said) => Argument::Text(text(said)),
                other => Argument::Value(other.clone()),
            };
            (name.clone(), argument)
        };
        Prefetch {
            tool: self.tool.clone(),
            cue: match (&self.phrase, &self.after) {
                (Some(phrase), _) => Cue::Phrase(phrase.to_lowercase()),
                (None, Some(tool)) => Cue::After(tool.clone()),
                (None, None) => Cue::Start,
            },
            arguments: self.arguments.iter().map(argument).collect(),
        }
    }
}

impl Prefetch {
    /// The arguments as JSON; `None` = something that they say of the caller is not known.
    pub fn arguments(&self, caller: &Caller) -> Option<String> {
        let fill = |(name, argument): (&String, &Argument)| {
            let value = match argument {
                Argument::Value(value) => value.clone(),
                Argument::Text(text) => Value::String(text.plain(caller)?),
            };
            Some((name.clone(), value))
        };
        let filled: Option<Map<String, Value>> = self.arguments.iter().map(fill).collect();
        filled.map(|arguments| Value::Object(arguments).to_string())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::agents::caller::{Field, Part};

    fn customer() -> Prefetch {
        let form: PrefetchForm = serde_json::from_value(json!({
            "tool": "find_customer",
            "arguments": {"phone": "{{caller.attributes.phone}}", "most": 3},
        }))
        .unwrap();
        form.render(|_| {
            let field = Field::parse("attributes.phone").unwrap();
            Text::new(vec![Part::Said("tel:".to_owned()), Part::Of(field)])
        })
    }

    #[test]
    fn what_is_known_of_the_caller_is_filled_in_as_it_is() {
        let ann = Caller {
            attributes: [("phone".to_owned(), "555\" 01".to_owned())].into(),
            ..Caller::default()
        };
        assert_eq!(
            customer().arguments(&ann).unwrap(),
            r#"{"most":3,"phone":"tel:555\" 01"}"#
        );
        assert_eq!(customer().cue, Cue::Start);
    }

    #[test]
    fn what_is_not_known_is_not_looked_up() {
        assert_eq!(customer().arguments(&Caller::default()), None);
    }
}
