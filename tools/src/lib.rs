//! The tool plane: what a model may call, checked, timed and answered.
//!
//! Owns the tools, their schemas and the ordered steps of a call. Does not know rooms, models or
//! audio, and never errors on a call: whatever a model sends, it gets an [`Outcome`] that tells it
//! what happened.
//!
//! # A tour: one call through the gateway
//!
//! ```
//! use std::sync::Arc;
//! use tools::{Context, Effect, Gateway, Outcome, Registry, ToolCall, function};
//!
//! // The arguments are a type; its schema is what the model sees.
//! #[derive(serde::Deserialize, schemars::JsonSchema)]
//! struct Order {
//!     /// How many pizzas.
//!     count: u8,
//! }
//!
//! let order_pizza = function::tool(
//!     "order_pizza",
//!     "Orders pizzas. Ask how many before you call it.",
//!     async |order: Order| Ok(format!("{} pizzas ordered", order.count)),
//! )
//! .effect(Effect::Writes);
//!
//! // Names are checked once, when the plane is built.
//! let registry = Registry::build([Arc::new(order_pizza) as Arc<dyn tools::Tool>]).unwrap();
//! let spec = registry.specs().next().unwrap();
//! assert_eq!(spec.parameters["properties"]["count"]["description"], "How many pizzas.");
//! let gateway = Gateway::new(registry);
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! // A good call is run ...
//! let context = Context::default();
//! let outcome = gateway.invoke(&ToolCall::new("c1", "order_pizza", r#"{"count": 2}"#), &context).await;
//! assert_eq!(outcome.text_for_model(), "2 pizzas ordered");
//!
//! // ... and the model is told what is wrong with a bad one.
//! let outcome = gateway.invoke(&ToolCall::new("c2", "order_pizza", "{}"), &context).await;
//! assert!(matches!(outcome, Outcome::Refused(_)));
//! assert_eq!(
//!     outcome.text_for_model(),
//!     r#"Not run: the arguments do not fit. At the top: "count" is a required property"#
//! );
//! # });
//! ```
#![warn(missing_docs)]

pub mod approval;
pub mod builtin;
pub mod call;
pub mod confirm;
pub mod error;
pub mod form;
pub mod function;
pub mod gateway;
pub mod hooks;
pub mod http;
pub mod idempotency;
pub mod mcp;
pub mod outcome;
pub mod policy;
pub mod provider;
pub mod registry;
pub mod schema;
pub mod strict;
pub mod threads;
pub mod tool;

pub use call::{CallId, ToolCall, ToolName, ValidCall};
pub use error::{BuildError, BuildErrors};
pub use gateway::Gateway;
pub use hooks::Hooks;
pub use outcome::{Outcome, Refusal};
pub use policy::{Facts, Marks, Rules};
pub use provider::Provider;
pub use registry::Registry;
pub use threads::Threads;
pub use tool::{Answer, Context, Effect, Then, Tool, ToolError, ToolSpec};
