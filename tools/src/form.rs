//! Core: what is wrong with a tool as somebody wrote it down, and where.

use crate::policy::{RuleForm, Rules};

/// What is wrong with a tool or a server, and where in its form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormProblem {
    /// For example `rules[0].require`.
    pub path: String,
    /// What.
    pub problem: String,
}

/// Everything that is wrong with one form.
#[derive(Debug, Default)]
pub(crate) struct Problems(pub(crate) Vec<FormProblem>);

impl Problems {
    pub(crate) fn add(&mut self, path: impl Into<String>, problem: impl Into<String>) {
        self.0.push(FormProblem {
            path: path.into(),
            problem: problem.into(),
        });
    }

    /// What there is; a problem is kept, at its place.
    pub(crate) fn take<T, E: Into<String>>(
        &mut self,
        path: &str,
        result: Result<T, E>,
    ) -> Option<T> {
        result.map_err(|problem| self.add(path, problem)).ok()
    }

    /// The rules that stand at this place.
    pub(crate) fn rules(&mut self, path: &str, forms: &[RuleForm]) -> Rules {
        Rules::read(forms).unwrap_or_else(|found| {
            for one in found {
                let dot = if one.key.is_empty() { "" } else { "." };
                self.add(
                    format!("{path}[{}]{dot}{}", one.index, one.key),
                    one.problem,
                );
            }
            Rules::default()
        })
    }
}
