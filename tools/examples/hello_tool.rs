//! The smallest useful tool: a function with typed arguments, run once through the gateway.
//!
//! `cargo run -p tools --example hello_tool -- Ann`

#![allow(clippy::print_stdout, reason = "an example speaks on the terminal")]

use std::sync::Arc;

use tools::{BuildErrors, Context, Gateway, Registry, Tool, ToolCall, function};

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Greet {
    /// Whom to greet.
    name: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BuildErrors> {
    let hello = function::tool("hello", "Greets somebody by name.", async |greet: Greet| {
        Ok(format!("Hello, {}!", greet.name))
    });
    let gateway = Gateway::new(Registry::build([Arc::new(hello) as Arc<dyn Tool>])?);
    for spec in gateway.registry().specs() {
        println!("{}: {}\n{:#}", spec.name, spec.description, spec.parameters);
    }

    let name = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "world".to_owned());
    let arguments = serde_json::json!({ "name": name }).to_string();
    let call = ToolCall::new("call_1", "hello", &arguments);
    let outcome = gateway.invoke(&call, &Context::default()).await;
    println!("{}", outcome.text_for_model());
    Ok(())
}
