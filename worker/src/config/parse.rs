//! Adapter: from a tree of values to a typed one, with every problem at once.
//!
//! The types describe themselves (schemars), the description is checked first and reports all
//! problems with their paths; only a clean tree reaches serde, which would stop at the first one.
//! Problems never repeat the value: it may be a secret.

use std::fmt;

use jsonschema::{
    ValidationError, Validator,
    error::{TypeKind, ValidationErrorKind},
};
use schemars::{JsonSchema, generate::SchemaSettings};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::source;

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// For example `worker.slots`; empty = the whole.
    pub path: String,
    /// What was expected.
    pub what: String,
}

impl Problem {
    /// Names a problem.
    pub fn new(path: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            what: what.into(),
        }
    }
}

/// Everything that is wrong; at least one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// `Err` when there is at least one.
    pub fn none_or(mut problems: Vec<Problem>) -> Result<(), Self> {
        if problems.is_empty() {
            return Ok(());
        }
        problems.sort();
        problems.dedup();
        Err(Self(problems))
    }

    /// The same problems, with this in front of each path.
    pub fn within(mut self, prefix: &str) -> Self {
        for problem in &mut self.0 {
            let dot = if problem.path.is_empty() { "" } else { "." };
            problem.path = format!("{prefix}{dot}{}", problem.path);
        }
        self
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let line = if index == 0 { "" } else { "\n" };
            let colon = if problem.path.is_empty() { "" } else { ": " };
            write!(f, "{line}{}{colon}{}", problem.path, problem.what)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// The JSON schema of a settings type. Every secret `x` gets a sibling `x_file`.
pub fn schema<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|s| s.inline_subschemas = true);
    let mut schema = settings
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value();
    add_secret_files(&mut schema);
    schema
}

/// All problems of a tree against a schema.
pub fn problems(schema: &Value, tree: &Value) -> Vec<Problem> {
    let validator = validator(schema);
    validator
        .iter_errors(tree)
        .flat_map(|error| describe(&error))
        .collect()
}

/// A file of TOML as this type, whose schema this is.
///
/// # Errors
/// All problems, each with its path in the file.
pub fn toml<T: DeserializeOwned>(schema: &Value, text: &str) -> Result<T, Problems> {
    let tree = source::from_toml(text).map_err(|what| Problems(vec![Problem::new("", what)]))?;
    let tree = Value::Object(tree);
    Problems::none_or(problems(schema, &tree))?;
    typed(tree)
}

/// Turns a tree without problems into its type.
///
/// # Errors
/// When the tree does not fit after all; that is told with the place serde stopped at.
pub fn typed<T: DeserializeOwned>(mut tree: Value) -> Result<T, Problems> {
    drop_secret_files(&mut tree);
    serde_json::from_value(tree).map_err(|error| Problems(vec![Problem::new("", clean(&error))]))
}

/// serde's message without the value it quotes.
fn clean(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.split_once(", expected ") {
        Some((_, expected)) => format!("expected {expected}"),
        None => text,
    }
}

fn validator(schema: &Value) -> Validator {
    jsonschema::options()
        .should_validate_formats(true)
        .with_format("secret", |_: &str| true)
        .with_format("duration-with-unit", |text: &str| {
            humantime::parse_duration(text).is_ok()
        })
        .with_format("livekit-url", |text: &str| {
            is_url(text, &["ws", "wss", "http", "https"])
        })
        .with_format("http-url", |text: &str| is_url(text, &["http", "https"]))
        .with_format("ws-url", |text: &str| is_url(text, &["ws", "wss"]))
        .with_format("listen-address", |text: &str| {
            text.parse::<std::net::SocketAddr>().is_ok()
        })
        .with_format("port-range", |text: &str| {
            super::engine::port_range(text).is_some()
        })
        .with_format("log-filter", crate::telemetry::is_log_filter)
        .build(schema)
        .expect("schemas generated from our types are valid")
}

fn is_url(text: &str, schemes: &[&str]) -> bool {
    url::Url::parse(text).is_ok_and(|url| schemes.contains(&url.scheme()) && url.has_host())
}

fn describe(error: &ValidationError<'_>) -> Vec<Problem> {
    let path = dotted(error.instance_path().as_str());
    let at = |key: &str| {
        if path.is_empty() {
            key.to_owned()
        } else {
            format!("{path}.{key}")
        }
    };
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => unexpected
            .iter()
            .map(|key| Problem::new(at(key), "unknown key"))
            .collect(),
        ValidationErrorKind::Required { property } => {
            vec![Problem::new(
                at(property.as_str().unwrap_or("?")),
                "missing",
            )]
        }
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            alternatives(path, context)
        }
        kind => vec![Problem::new(path, expectation(kind))],
    }
}

/// A choice failed: name the words it is between, or explain the branch that comes closest.
fn alternatives(path: String, branches: &[Vec<ValidationError<'static>>]) -> Vec<Problem> {
    let chosen: Vec<_> = branches
        .iter()
        .filter(|errors| !is_other_choice(errors))
        .collect();
    if chosen.is_empty() {
        let named = branches
            .iter()
            .flatten()
            .find(|error| expected_word(error).is_some());
        let path = named.map_or(path, |error| dotted(error.instance_path().as_str()));
        let words: Vec<String> = branches
            .iter()
            .flatten()
            .filter_map(expected_word)
            .collect();
        return vec![Problem::new(
            path,
            format!("expected one of {}", words.join(", ")),
        )];
    }
    let expects_nothing = |errors: &[ValidationError<'_>]| {
        errors.iter().any(|error| {
            matches!(error.kind(), ValidationErrorKind::Type { kind: TypeKind::Single(kind) }
                if kind.as_str() == "null")
        })
    };
    let closest = chosen
        .into_iter()
        .filter(|errors| !expects_nothing(errors))
        .min_by_key(|errors| errors.len());
    match closest {
        Some(errors) => errors.iter().flat_map(describe).collect(),
        None => vec![Problem::new(path, "not one of the possible forms")],
    }
}

/// The branch is for another word than the one that was given.
fn is_other_choice(errors: &[ValidationError<'_>]) -> bool {
    errors.iter().any(|error| expected_word(error).is_some())
}

fn expected_word(error: &ValidationError<'_>) -> Option<String> {
    match error.kind() {
        ValidationErrorKind::Constant { expected_value } => expected_value.as_str().map(quoted),
        ValidationErrorKind::Enum { options } => Some(list(options)),
        _ => None,
    }
}

fn expectation(kind: &ValidationErrorKind) -> String {
    use ValidationErrorKind as Kind;
    match kind {
        Kind::Constant { expected_value } => format!("expected {expected_value}"),
        Kind::Enum { options } => format!("expected one of {}", list(options)),
        Kind::Format { format } => format!("expected {}", format_words(format)),
        Kind::Maximum { limit } => format!("must be {limit} or less"),
        Kind::ExclusiveMaximum { limit } => format!("must be less than {limit}"),
        Kind::Minimum { limit } => format!("must be {limit} or more"),
        Kind::ExclusiveMinimum { limit } => format!("must be more than {limit}"),
        Kind::MaxItems { limit } => format!("at most {limit} entries"),
        Kind::MinItems { limit } => format!("at least {limit} entries"),
        Kind::MaxLength { limit } => format!("at most {limit} characters"),
        Kind::MinLength { limit: 1 } => "must not be empty".to_owned(),
        Kind::MinLength { limit } => format!("at least {limit} characters"),
        Kind::UniqueItems => "the same entry twice".to_owned(),
        Kind::Pattern { pattern } => format!("must match {pattern}"),
        Kind::Type {
            kind: TypeKind::Single(kind),
        } => format!("expected {}", kind.as_str()),
        Kind::Type {
            kind: TypeKind::Multiple(kinds),
        } => {
            let kinds: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
            let kinds: Vec<&str> = kinds.into_iter().filter(|kind| *kind != "null").collect();
            format!("expected {}", kinds.join(" or "))
        }
        other => format!("breaks the rule `{}`", other.keyword()),
    }
}

fn format_words(format: &str) -> &str {
    match format {
        "duration-with-unit" => "a duration with a unit, such as 500ms or 10m",
        "http-url" => "a URL that begins with http:// or https://",
        "listen-address" => "an address and port, such as 127.0.0.1:8080",
        "livekit-url" => "a URL that begins with ws://, wss://, http:// or https://",
        "log-filter" => "a level (error, warn, info, debug, trace) or a filter",
        "port-range" => "a range of ports, such as 40000-40999",
        "ws-url" => "a URL that begins with ws:// or wss://",
        other => other,
    }
}

fn list(options: &Value) -> String {
    let words = options.as_array().map(Vec::as_slice).unwrap_or_default();
    words
        .iter()
        .filter_map(Value::as_str)
        .map(quoted)
        .collect::<Vec<_>>()
        .join(", ")
}

fn quoted(word: &str) -> String {
    format!("`{word}`")
}

/// `/tools/3/http/url` → `tools[3].http.url`.
fn dotted(pointer: &str) -> String {
    let mut path = String::new();
    for segment in pointer.split('/').filter(|segment| !segment.is_empty()) {
        if segment.bytes().all(|byte| byte.is_ascii_digit()) {
            path.push_str(&format!("[{segment}]"));
            continue;
        }
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(&segment.replace("~1", "/").replace("~0", "~"));
    }
    path
}

fn is_secret(schema: &Value) -> bool {
    schema.get("format").and_then(Value::as_str) == Some("secret")
}

fn add_secret_files(schema: &mut Value) {
    let Some(Value::Object(properties)) = schema.get_mut("properties") else {
        return;
    };
    let secrets: Vec<String> = properties
        .iter()
        .filter(|(_, property)| is_secret(property))
        .map(|(name, _)| name.clone())
        .collect();
    for name in secrets {
        let description =
            format!("Path of a file that holds `{name}`; white space around it goes.");
        properties.insert(
            format!("{name}_file"),
            json!({ "type": "string", "minLength": 1, "description": description }),
        );
    }
    for property in properties.values_mut() {
        add_secret_files(property);
    }
}

fn drop_secret_files(tree: &mut Value) {
    let Value::Object(table) = tree else { return };
    let stale: Vec<String> = table
        .keys()
        .filter(|key| names_secret_file(table, key))
        .cloned()
        .collect();
    for key in stale {
        table.remove(&key);
    }
    table.values_mut().for_each(drop_secret_files);
}

/// The loader puts the secret beside its file before the tree becomes typed.
fn names_secret_file(table: &Map<String, Value>, key: &str) -> bool {
    key.strip_suffix("_file")
        .is_some_and(|secret| table.contains_key(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_becomes_a_readable_path() {
        assert_eq!(dotted("/tools/3/http/url"), "tools[3].http.url");
        assert_eq!(dotted(""), "");
    }

    #[test]
    fn problems_are_sorted_and_said_once() {
        let twice = vec![
            Problem::new("b", "x"),
            Problem::new("a", "y"),
            Problem::new("b", "x"),
        ];
        let all = Problems::none_or(twice).unwrap_err();
        assert_eq!(all.to_string(), "a: y\nb: x");
    }
}
