//! Core: what may be done with a checked call: run it, refuse it, or ask somebody first.
//!
//! Rules are written by who runs the agent, never by a model. They are read from top to bottom and the
//! first that speaks decides and says why; a rule that cannot be read at run time refuses. Without any
//! rule a tool that changes something and touches money or persons is refused.

mod expression;
mod form;

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use serde_json::Value;

pub use form::{RuleForm, RuleProblem};

use crate::{
    policy::expression::Expression,
    tool::{Effect, ToolSpec},
};

/// Who decides a call that is asked about.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// The person who is talked with, by voice.
    Caller,
    /// A supervisor with a grant, over HTTP.
    Supervisor,
}

/// What is done with a call when nobody answers in time.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    serde::Deserialize,
    serde::Serialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Otherwise {
    /// Run it.
    Allow,
    /// Do not run it.
    #[default]
    Refuse,
}

/// What is to be done with a call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision {
    /// Run it.
    Allow,
    /// Somebody has to agree first.
    Ask {
        /// Who.
        who: Who,
        /// What they are asked; empty = what the agent makes of the call.
        question: String,
        /// How long an answer is waited for, or good.
        within: Duration,
        /// What is done when a supervisor does not answer in time.
        otherwise: Otherwise,
    },
    /// Do not run it; holds what the model is told.
    Refuse(String),
}

/// A decision, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// What is to be done.
    pub decision: Decision,
    /// The rule that spoke, from 0; `None` = none did.
    pub rule: Option<usize>,
}

/// What a tool touches; with [`Effect::Writes`] each of them wants a rule.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    serde::Deserialize,
    serde::Serialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case", default, deny_unknown_fields)]
pub struct Marks {
    /// Payments, refunds, prices.
    pub money: bool,
    /// Data about persons.
    pub personal: bool,
}

impl Marks {
    fn any(self) -> bool {
        self.money || self.personal
    }
}

/// What rules can look at besides the arguments.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// Who is talked with: identity, role, attributes.
    pub caller: Value,
    /// The variables of the job.
    pub variables: BTreeMap<String, String>,
    /// The time of day.
    pub now: SystemTime,
}

impl Default for Facts {
    fn default() -> Self {
        Self {
            caller: Value::Object(serde_json::Map::new()),
            variables: BTreeMap::new(),
            now: SystemTime::UNIX_EPOCH,
        }
    }
}

/// The rules of one tool.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules(Vec<Rule>);

#[derive(Clone, Debug, PartialEq)]
struct Rule {
    /// Which calls it speaks about.
    applies: Expression,
    decision: Decision,
}

const UNREADABLE: &str = "a rule of this tool could not be applied; a person has to look at it";
const NO_RULE: &str = "this tool changes what matters and nobody has set a rule for it";

impl Rules {
    /// Reads rules.
    ///
    /// # Errors
    /// Every problem, with the index of the rule and the key in it.
    pub fn read(forms: &[RuleForm]) -> Result<Self, Vec<RuleProblem>> {
        let mut rules = Vec::new();
        let mut problems = Vec::new();
        for (index, form) in forms.iter().enumerate() {
            match form.read() {
                Ok(rule) => rules.push(rule),
                Err((key, problem)) => problems.push(RuleProblem {
                    index,
                    key,
                    problem,
                }),
            }
        }
        if problems.is_empty() {
            Ok(Self(rules))
        } else {
            Err(problems)
        }
    }

    fn decide(&self, arguments: &Value, facts: &Facts) -> Decided {
        for (index, rule) in self.0.iter().enumerate() {
            let decision = match rule.applies.holds(arguments, facts) {
                Some(true) => rule.decision.clone(),
                Some(false) => continue,
                None => Decision::Refuse(UNREADABLE.to_owned()),
            };
            let rule = Some(index);
            return Decided { decision, rule };
        }
        Decided {
            decision: Decision::Allow,
            rule: None,
        }
    }
}

/// Decides a call of this tool.
pub fn decide(spec: &ToolSpec, arguments: &Value, facts: &Facts) -> Decided {
    if spec.effect == Effect::Writes && spec.marks.any() && spec.rules.0.is_empty() {
        return Decided {
            decision: Decision::Refuse(NO_RULE.to_owned()),
            rule: None,
        };
    }
    spec.rules.decide(arguments, facts)
}
