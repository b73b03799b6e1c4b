//! Calls that the model's provider runs by itself, once they are allowed here.

use std::fmt;

use async_trait::async_trait;

use crate::{
    call::CallId,
    tool::{Answer, ToolError},
};

/// Speaks to the provider of a session's model. For the gateway such a call is one like any other: it is looked
/// up, checked, decided and recorded here, and what runs it is this.
#[async_trait]
pub trait Provider: fmt::Debug + Send + Sync {
    /// Allows the call and waits for its end.
    ///
    /// # Errors
    /// Why it did not do what it should; unsure when it may have begun and nobody can tell how it ended.
    async fn run(&self, call: &CallId) -> Result<Answer, ToolError>;
}
