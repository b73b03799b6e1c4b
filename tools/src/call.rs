//! Core: a call, from what the model sent to what a tool may trust.
//!
//! Owns the names and the two shapes of a call. Does not check anything against a schema: a
//! [`ValidCall`] is made by the gateway alone, so whoever holds one knows that it was checked.

use std::{fmt, sync::Arc};

use serde::de::DeserializeOwned;
use serde_json::Value;

/// The id the model gave a call.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CallId(Arc<str>);

impl CallId {
    /// Wraps an id as it stands on the wire.
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self(id.into())
    }

    /// The id as it stands on the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name of a registered tool: 1 to 64 letters, digits, `_` and `-`, as every provider takes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ToolName(Arc<str>);

impl ToolName {
    /// Checks a name; `None` = it has a form that some provider refuses.
    pub fn parse(name: &str) -> Option<Self> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        let is_good = (1..=64).contains(&name.len()) && name.bytes().all(fits);
        is_good.then(|| Self(name.into()))
    }

    /// The name as the model uses it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ToolName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A call as the model sent it: nothing is checked. Arguments are personal data, and a model can
/// invent any name: `Debug` hides both.
#[derive(Clone, PartialEq, Eq)]
pub struct ToolCall {
    /// The call's own id.
    pub id: CallId,
    /// The name the model used.
    pub name: String,
    /// JSON text, or what the model takes for it.
    pub arguments: String,
}

impl ToolCall {
    /// A call, in the order of the wire.
    pub fn new(id: &str, name: &str, arguments: &str) -> Self {
        Self {
            id: CallId::new(id),
            name: name.to_owned(),
            arguments: arguments.to_owned(),
        }
    }
}

impl fmt::Debug for ToolCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ToolCall({}, ..)", self.id.as_str())
    }
}

/// A call whose arguments fit the schema of its tool.
#[derive(Clone)]
pub struct ValidCall {
    id: CallId,
    arguments: Value,
}

impl ValidCall {
    pub(crate) fn new(id: CallId, arguments: Value) -> Self {
        Self { id, arguments }
    }

    /// The call's own id.
    pub fn id(&self) -> &CallId {
        &self.id
    }

    /// The arguments, as a JSON object.
    pub fn arguments(&self) -> &Value {
        &self.arguments
    }

    /// The arguments, as a type.
    ///
    /// # Errors
    /// When the type asks for more than the schema promised.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        T::deserialize(&self.arguments)
    }
}

impl fmt::Debug for ValidCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ValidCall({}, ..)", self.id.as_str())
    }
}
