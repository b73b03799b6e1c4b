//! Adapter: conditions in the Common Expression Language; the only file that names its interpreter.
//!
//! `args`, `caller`, `vars` and `now` can be looked at. The language has no loops but over lists, and the
//! lists of a call are bounded before they come here.

use std::{collections::HashMap, fmt, panic::catch_unwind, sync::Arc, time::SystemTime};

use cel::{Context, Program, Value as Cel};
use serde_json::Value;

use super::Facts;

/// Longest source, in bytes.
const LONGEST: usize = 2_000;
/// The names that can be looked at.
const NAMES: [&str; 4] = ["args", "caller", "vars", "now"];

/// A condition, and whether it is wanted to hold or not to.
#[derive(Clone)]
pub(super) struct Expression {
    source: String,
    program: Arc<Program>,
    wanted: bool,
}

impl Expression {
    /// One that holds when `source` does (`wanted`), or when it does not.
    pub(super) fn read(source: &str, wanted: bool) -> Result<Self, String> {
        if source.len() > LONGEST {
            return Err(format!("longer than {LONGEST} bytes"));
        }
        let program = Program::compile(source).map_err(|errors| first_line(&errors.to_string()))?;
        let references = program.references();
        let unknown = references
            .variables()
            .into_iter()
            .find(|name| !NAMES.contains(name));
        if let Some(name) = unknown {
            return Err(format!(
                "there is no `{name}` here; a rule can look at {}",
                NAMES.join(", ")
            ));
        }
        Ok(Self {
            source: source.to_owned(),
            program: Arc::new(program),
            wanted,
        })
    }

    /// Whether it holds; `None` = it cannot be told.
    pub(super) fn holds(&self, arguments: &Value, facts: &Facts) -> Option<bool> {
        // A foreign interpreter that panics must refuse, too.
        let run = || {
            let mut context = Context::default();
            let variables = facts.variables.iter();
            let variables: HashMap<String, Cel> = variables
                .map(|(name, value)| (name.clone(), Cel::from(value.as_str())))
                .collect();
            context.add_variable_from_value("args", convert(arguments));
            context.add_variable_from_value("caller", convert(&facts.caller));
            context.add_variable_from_value("vars", variables);
            context.add_variable_from_value("now", time(facts.now)?);
            match self.program.execute(&context) {
                Ok(Cel::Bool(holds)) => Some(holds == self.wanted),
                _ => None,
            }
        };
        catch_unwind(std::panic::AssertUnwindSafe(run))
            .ok()
            .flatten()
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        (&self.source, self.wanted) == (&other.source, other.wanted)
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}({:?})",
            if self.wanted { "" } else { "not" },
            self.source
        )
    }
}

fn first_line(text: &str) -> String {
    text.lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(200)
        .collect()
}

/// Whole numbers as such, whatever their sign.
fn convert(value: &Value) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bool(value) => Cel::Bool(*value),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Cel::Int(number),
            (None, Some(number)) => Cel::UInt(number),
            (None, None) => Cel::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => Cel::from(text.as_str()),
        Value::Array(values) => Cel::from(values.iter().map(convert).collect::<Vec<_>>()),
        Value::Object(members) => {
            let members = members.iter();
            let members: HashMap<String, Cel> = members
                .map(|(key, value)| (key.clone(), convert(value)))
                .collect();
            Cel::from(members)
        }
    }
}

fn time(now: SystemTime) -> Option<Cel> {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let seconds = i64::try_from(since.as_secs()).ok()?;
    let utc = chrono::DateTime::from_timestamp(seconds, since.subsec_nanos())?;
    Some(Cel::Timestamp(utc.fixed_offset()))
}
