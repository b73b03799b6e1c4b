//! Adapter: conditions in the Common Expression Language; the only file that names its interpreter.
//!
//! `args`, `caller`, `vars` and `now` can be looked at. The language has no loops but over lists, and it
//! cannot be stopped: what an evaluation may cost is counted before it begins, and one that may cost too
//! much does not begin.

use std::{collections::HashMap, fmt, panic::catch_unwind, sync::Arc, thread, time::SystemTime};

use cel::{
    Context, IdedExpr, Program, Value as Cel,
    common::ast::{EntryExpr, Expr, operators},
};
use serde_json::Value;

use super::Facts;

/// Longest source, in bytes.
const LONGEST: usize = 2_000;
/// Deepest nesting; the interpreter's stack grows with it.
const DEEPEST: usize = 64;
/// Bytes of stack for the parser, which takes a hundred kilobytes for each pair of parentheses.
const STACK: usize = 64 * 1024 * 1024;
/// Most that one evaluation may cost, in parts of the expression that are looked at.
const MOST_STEPS: u64 = 20_000;
/// Looking for a pattern compiles it each time; in steps.
const PATTERN: u64 = 200;
/// The names that can be looked at.
const NAMES: [&str; 4] = ["args", "caller", "vars", "now"];

/// A condition, and whether it is wanted to hold or not to.
#[derive(Clone)]
pub(super) struct Expression {
    source: String,
    program: Arc<Program>,
    wanted: bool,
    /// How often what it looks at may have grown before a loop goes over it.
    growth: u64,
}

impl Expression {
    /// One that holds when `source` does (`wanted`), or when it does not.
    pub(super) fn read(source: &str, wanted: bool) -> Result<Self, String> {
        if source.len() > LONGEST {
            return Err(format!("longer than {LONGEST} bytes"));
        }
        let program = compile(source.to_owned())?;
        let own = loop_names(program.expression());
        let references = program.references();
        let unknown = references
            .variables()
            .into_iter()
            .find(|name| !NAMES.contains(name) && !own.contains(name));
        if let Some(name) = unknown {
            return Err(format!(
                "there is no `{name}` here; a rule can look at {}",
                NAMES.join(", ")
            ));
        }
        let growth = growth(program.expression());
        Ok(Self {
            source: source.to_owned(),
            program: Arc::new(program),
            wanted,
            growth,
        })
    }

    /// Whether it holds; `None` = it cannot be told, or not within [`MOST_STEPS`].
    pub(super) fn holds(&self, arguments: &Value, facts: &Facts) -> Option<bool> {
        let longest = longest(arguments)
            .max(longest(&facts.caller))
            .max(facts.variables.len() as u64);
        let longest = longest.saturating_mul(self.growth);
        if steps(self.program.expression(), longest) > MOST_STEPS {
            return None;
        }
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

/// On a stack of its own, so that no source that is short enough can break the process.
fn compile(source: String) -> Result<Program, String> {
    let read = move || {
        let program = Program::compile(&source);
        let program = program.map_err(|errors| first_line(&errors.to_string()))?;
        if depth(program.expression()) > DEEPEST {
            return Err(format!("nested deeper than {DEEPEST} levels"));
        }
        Ok(program)
    };
    let reading = thread::Builder::new().stack_size(STACK).spawn(read);
    let reading = reading.map_err(|_| "there is no thread to read it".to_owned())?;
    let unreadable = |_| Err("it cannot be read".to_owned());
    reading.join().unwrap_or_else(unreadable)
}

fn depth(expr: &IdedExpr) -> usize {
    let inner = parts(expr).into_iter().chain(looped(expr)).map(depth);
    1 + inner.max().unwrap_or_default()
}

/// Entries of the longest list or object in it.
fn longest(value: &Value) -> u64 {
    match value {
        Value::Array(values) => {
            let inner = values.iter().map(longest).max().unwrap_or_default();
            inner.max(values.len() as u64)
        }
        Value::Object(members) => {
            let inner = members.values().map(longest).max().unwrap_or_default();
            inner.max(members.len() as u64)
        }
        _ => 1,
    }
}

/// Steps that evaluating this takes at most, when nothing in it has more than `longest` entries.
fn steps(expr: &IdedExpr, longest: u64) -> u64 {
    let inner = parts(expr).into_iter().map(|part| steps(part, longest));
    let inner = inner.fold(0, u64::saturating_add);
    let own = match &expr.expr {
        Expr::Call(call) if call.func_name == "matches" => PATTERN,
        Expr::Call(call) if call.func_name == operators::IN => longest,
        _ => 1,
    };
    let once = looped(expr).into_iter().map(|part| steps(part, longest));
    let own = own.saturating_add(longest.saturating_mul(once.fold(0, u64::saturating_add)));
    inner.saturating_add(own)
}

/// How often the longest thing that is looked at may have grown: by a list that is written down, by `+`,
/// and by `+` in loops within each other.
fn growth(expr: &IdedExpr) -> u64 {
    fn count(expr: &IdedExpr, (sums, loops, literal): (u64, u32, u64)) -> (u64, u32, u64) {
        let seen = match &expr.expr {
            Expr::Call(call) if call.func_name == operators::ADD => (sums + 1, loops, literal),
            Expr::Comprehension(_) => (sums, loops + 1, literal),
            Expr::List(list) => (sums, loops, literal.max(list.elements.len() as u64)),
            Expr::Map(map) => (sums, loops, literal.max(map.entries.len() as u64)),
            _ => (sums, loops, literal),
        };
        let all = parts(expr).into_iter().chain(looped(expr));
        all.fold(seen, |seen, part| count(part, seen))
    }
    let (sums, loops, literal) = count(expr, (0, 0, 1));
    literal.saturating_mul((sums + 1).saturating_pow(loops + 1))
}

/// The names that its loops give to what they go over.
fn loop_names(expr: &IdedExpr) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    if let Expr::Comprehension(each) = &expr.expr {
        names.extend([each.iter_var.as_str(), each.accu_var.as_str()]);
        names.extend(each.iter_var2.as_deref());
    }
    let inner = parts(expr).into_iter().chain(looped(expr));
    names.extend(inner.flat_map(loop_names));
    names
}

/// What is evaluated in it for each entry of a list.
fn looped(expr: &IdedExpr) -> Vec<&IdedExpr> {
    match &expr.expr {
        Expr::Comprehension(each) => vec![&each.loop_cond, &each.loop_step],
        _ => Vec::new(),
    }
}

/// What is evaluated once in it.
fn parts(expr: &IdedExpr) -> Vec<&IdedExpr> {
    fn entry(entry: &EntryExpr) -> Vec<&IdedExpr> {
        match entry {
            EntryExpr::StructField(field) => vec![&field.value],
            EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
        }
    }
    match &expr.expr {
        Expr::Call(call) => call
            .target
            .as_deref()
            .into_iter()
            .chain(&call.args)
            .collect(),
        Expr::Comprehension(each) => vec![&each.iter_range, &each.accu_init, &each.result],
        Expr::List(list) => list.elements.iter().collect(),
        Expr::Map(map) => map
            .entries
            .iter()
            .flat_map(|one| entry(&one.expr))
            .collect(),
        Expr::Select(select) => vec![&select.operand],
        Expr::Struct(parts) => parts
            .entries
            .iter()
            .flat_map(|one| entry(&one.expr))
            .collect(),
        Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => Vec::new(),
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
