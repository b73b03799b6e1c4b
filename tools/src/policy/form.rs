//! Core: a rule as it is written: a condition, and what follows from it.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Decision, Otherwise, Rule, Who, expression::Expression};

/// Seconds; a question that is older was about something else.
const OPEN_FOR: u16 = 120;

/// One rule: `require` or `when`, and `refuse` or `ask`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RuleForm {
    /// A condition (CEL) that a call must meet; the rule speaks about calls that do not. It can look at
    /// `args`, `caller`, `vars` and `now`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub require: Option<String>,
    /// A condition (CEL); the rule speaks about calls that meet it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// Such a call is not run, and the model is told this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refuse: Option<String>,
    /// Such a call is run when this one agrees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ask: Option<Who>,
    /// What they are asked. Absent = what the agent makes of the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<String>,
    /// For how long the question is open, 10 to 600 seconds. Default 120.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 10, max = 600))]
    pub within_seconds: Option<u16>,
    /// What is done when a supervisor does not answer in time. Default: it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<Otherwise>,
    /// Such a call is run, and no later rule looks at it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow: bool,
}

/// What is wrong with one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleProblem {
    /// The how manieth, from 0.
    pub index: usize,
    /// Which of its keys; empty = the rule as a whole.
    pub key: &'static str,
    /// What.
    pub problem: String,
}

impl RuleForm {
    pub(super) fn read(&self) -> Result<Rule, (&'static str, String)> {
        Ok(Rule {
            applies: self.applies()?,
            decision: self.decision()?,
        })
    }

    fn applies(&self) -> Result<Expression, (&'static str, String)> {
        let (key, source, wanted) = match (&self.require, &self.when) {
            (Some(source), None) => ("require", source, false),
            (None, Some(source)) => ("when", source, true),
            _ => return Err(("", "a rule has either `require` or `when`".to_owned())),
        };
        Expression::read(source, wanted).map_err(|problem| (key, problem))
    }

    fn decision(&self) -> Result<Decision, (&'static str, String)> {
        match (&self.refuse, self.ask, self.allow) {
            (Some(reason), None, false) => Ok(Decision::Refuse(reason.clone())),
            (None, Some(Who::Caller), false) if self.otherwise.is_some() => Err((
                "otherwise",
                "a caller who does not answer has not agreed; leave it out".to_owned(),
            )),
            (None, Some(who), false) => Ok(Decision::Ask {
                who,
                question: self.question.clone().unwrap_or_default(),
                within: Duration::from_secs(self.within_seconds.unwrap_or(OPEN_FOR).into()),
                otherwise: self.otherwise.unwrap_or_default(),
            }),
            (None, None, true) => Ok(Decision::Allow),
            _ => Err((
                "",
                "a rule has one of `refuse`, `ask` and `allow`".to_owned(),
            )),
        }
    }
}
