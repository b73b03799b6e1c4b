//! Core: the MCP server that the simulated provider reaches, wherever it is said to be: a register of customers.

use serde_json::{Value, json};

/// Its tools, as the protocol lists them (but for the name of the key `input_schema`, which is the provider's).
pub(super) fn listing() -> Value {
    let name = json!({"type": "object", "properties": {"name": {"type": "string"}},
        "required": ["name"]});
    json!([
        {"name": "find_customer", "description": "Finds a customer by name.",
            "input_schema": name, "annotations": null},
        {"name": "rename_customer", "description": "Gives the caller another name.",
            "input_schema": name, "annotations": null},
    ])
}

/// What a call comes to, or the error.
pub(super) fn call(tool: &str, arguments: &Value) -> Result<String, String> {
    let name = arguments["name"].as_str().unwrap_or_default();
    match tool {
        "find_customer" => Ok(format!("{name} is a customer.")),
        "rename_customer" => Ok(format!("The caller is {name} now.")),
        _ => Err("no such tool".to_owned()),
    }
}
