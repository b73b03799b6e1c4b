//! Adapter: Rust functions as tools: typed arguments in, anything serialisable out.
//!
//! The schema the model sees comes from the argument type, its doc comments included, so that type
//! and schema cannot drift apart.

use std::{marker::PhantomData, time::Duration};

use async_trait::async_trait;
use schemars::{JsonSchema, generate::SchemaSettings};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    call::{ToolName, ValidCall},
    policy::{Marks, RuleForm, Rules},
    tool::{Answer, Context, DEFAULT_DEADLINE, Effect, Tool, ToolError, ToolSpec},
};

/// Makes a tool of a function. It reads unless [`FunctionTool::effect`] says otherwise.
///
/// # Panics
/// When the name is not 1 to 64 letters, digits, `_` and `-`: names of functions are literals.
pub fn tool<A, O, F>(name: &str, description: &str, function: F) -> FunctionTool<A, F>
where
    A: DeserializeOwned + JsonSchema,
    O: Serialize,
    F: AsyncFn(A) -> Result<O, ToolError>,
{
    let name = ToolName::parse(name).expect("a function's name is a tool name");
    let spec = ToolSpec {
        name,
        description: description.to_owned(),
        parameters: parameters::<A>(),
        effect: Effect::Reads,
        deadline: DEFAULT_DEADLINE,
        most_runs: None,
        marks: Marks::default(),
        rules: Rules::default(),
    };
    FunctionTool {
        spec,
        function,
        arguments: PhantomData,
    }
}

/// A function and its spec.
#[derive(Debug)]
pub struct FunctionTool<A, F> {
    spec: ToolSpec,
    function: F,
    arguments: PhantomData<fn(A)>,
}

impl<A, F> FunctionTool<A, F> {
    /// What running it does to the world.
    #[must_use]
    pub fn effect(mut self, effect: Effect) -> Self {
        self.spec.effect = effect;
        self
    }

    /// What it touches; one that writes then wants a rule.
    #[must_use]
    pub fn marks(mut self, marks: Marks) -> Self {
        self.spec.marks = marks;
        self
    }

    /// What is looked at before each run.
    ///
    /// # Panics
    /// When a rule cannot be read: rules of functions are literals.
    #[must_use]
    pub fn rules(mut self, rules: &[RuleForm]) -> Self {
        self.spec.rules = Rules::read(rules).expect("a function's rules can be read");
        self
    }

    /// How often it may run in one session.
    #[must_use]
    pub fn most_runs(mut self, most_runs: u32) -> Self {
        self.spec.most_runs = Some(most_runs);
        self
    }

    /// The longest it may take.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.spec.deadline = deadline;
        self
    }
}

#[async_trait]
impl<A, O, F, R> Tool for FunctionTool<A, F>
where
    A: DeserializeOwned + JsonSchema + Send,
    O: Serialize + Send,
    F: Fn(A) -> R + Send + Sync,
    R: Future<Output = Result<O, ToolError>> + Send,
{
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn run(&self, call: &ValidCall, _context: &Context) -> Result<Answer, ToolError> {
        let arguments = call
            .parse()
            .map_err(|error| ToolError::new(error.to_string()))?;
        let output = (self.function)(arguments).await?;
        let value = serde_json::to_value(output)
            .map_err(|error| ToolError::new(format!("the answer cannot be written: {error}")))?;
        Ok(Answer::new(value))
    }
}

/// The schema of an argument type, without what models have no use for.
pub fn parameters<A: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings
        .into_generator()
        .into_root_schema_for::<A>()
        .to_value();
    if let Some(fields) = schema.as_object_mut() {
        fields.remove("title");
        // Providers insist on it, also for a type without fields.
        fields.entry("properties").or_insert_with(|| json!({}));
    }
    schema
}
