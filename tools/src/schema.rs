//! Adapter: JSON Schema, compiled once; the only file that names the validator.
//!
//! An object that lists its members has no others, so that a model that invents one is told.
//! References may point into the schema itself and nowhere else: a schema never makes the process
//! open a file or a socket.

mod closed;

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

/// Problems told to the model at once: enough to correct a call, short enough to be read.
const EXPLAINED: usize = 3;
/// Longest explanation of one problem, in characters.
const LONGEST: usize = 200;

/// A compiled schema.
#[derive(Debug)]
pub struct Schema {
    validator: Validator,
}

impl Schema {
    /// Compiles a schema of an arguments object.
    ///
    /// # Errors
    /// When it is no schema, does not describe an object, or refers to something outside itself.
    pub fn compile(schema: &Value) -> Result<Self, String> {
        if schema.get("type").and_then(Value::as_str) != Some("object") {
            return Err("it must be an object schema, with `\"type\": \"object\"`".to_owned());
        }
        if let Some(reference) = outside_reference(schema) {
            return Err(format!(
                "`{reference}` refers to something outside the schema"
            ));
        }
        // Linear in the text, whatever the pattern: the other engine tracks back.
        let options = jsonschema::options()
            .offline()
            .with_pattern_options(PatternOptions::regex());
        let closed = closed::closed(schema);
        let validator = options.build(&closed).map_err(|error| error.to_string())?;
        Ok(Self { validator })
    }

    /// Checks arguments.
    ///
    /// # Errors
    /// Short explanations, the first three problems.
    pub fn check(&self, arguments: &Value) -> Result<(), Vec<String>> {
        self.check_but(arguments, &[])
    }

    /// The same for arguments some of which, by name, have no value yet.
    pub(crate) fn check_but(&self, arguments: &Value, open: &[&str]) -> Result<(), Vec<String>> {
        let problems = self.validator.iter_errors(arguments);
        let counts = |problem: &jsonschema::ValidationError<'_>| {
            let place = problem.instance_path().to_string();
            let argument = place.split('/').nth(1);
            argument.is_none_or(|name| !open.contains(&name))
        };
        let problems = problems.filter(counts).take(EXPLAINED);
        let explained: Vec<String> = problems.map(|problem| explain(&problem)).collect();
        if explained.is_empty() {
            Ok(())
        } else {
            Err(explained)
        }
    }
}

/// The values are left out: the model knows what it sent, and they may be long.
fn explain(problem: &jsonschema::ValidationError<'_>) -> String {
    let path = problem.instance_path().to_string();
    let place = if path.is_empty() {
        "the top".to_owned()
    } else {
        format!("`{path}`")
    };
    let text = format!("At {place}: {}", problem.masked_with("the value"));
    text.chars().take(LONGEST).collect()
}

fn outside_reference(schema: &Value) -> Option<&str> {
    match schema {
        Value::Array(values) => values.iter().find_map(outside_reference),
        Value::Object(fields) => fields.iter().find_map(|(key, value)| match value {
            Value::String(target) if is_reference(key) && !target.starts_with('#') => {
                Some(target.as_str())
            }
            other => outside_reference(other),
        }),
        _ => None,
    }
}

fn is_reference(key: &str) -> bool {
    matches!(key, "$ref" | "$dynamicRef" | "$recursiveRef")
}
