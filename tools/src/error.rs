//! Core: what can go wrong while the plane is built. Calls have no errors, they have outcomes.

use std::fmt;

/// One problem of one tool.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Two tools have the same name.
    #[error("two tools are named `{0}`")]
    DuplicateName(String),
    /// The schema of the arguments cannot be used.
    #[error("the parameters of `{tool}`: {problem}")]
    InvalidSchema {
        /// Whose.
        tool: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Something asks for a tool that does not exist.
    #[error("there is no tool `{0}`")]
    Unknown(String),
}

/// Every problem at once, not only the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildErrors(pub Vec<BuildError>);

impl fmt::Display for BuildErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problems: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&problems.join("; "))
    }
}

impl std::error::Error for BuildErrors {}
