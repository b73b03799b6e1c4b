//! Core: the part of the rules that is about MCP servers, which the provider calls when it may.

use serde_json::{Value, json};

use super::Rules;
use crate::sim_model::{items::Item, register};

impl Rules {
    /// Lists the tools of servers that this session has not heard of.
    pub(super) fn list_servers(&mut self) {
        let tools = self.session.object()["tools"].clone();
        let tools = tools.as_array().into_iter().flatten();
        for server in tools.filter(|tool| tool["type"] == "mcp") {
            let label = &server["server_label"];
            let is_it = |item: &Item| {
                item.kind() == "mcp_list_tools" && item.json["server_label"] == *label
            };
            if self.items.iter().any(is_it) {
                continue;
            }
            let id = self.new_id("mcpl");
            self.send(json!({"type": "mcp_list_tools.in_progress", "item_id": id}));
            let listing = register::listing();
            let listed = listing.as_array().into_iter().flatten();
            let allowed = server["allowed_tools"].as_array();
            let may = |tool: &&Value| allowed.is_none_or(|names| names.contains(&tool["name"]));
            let listed: Vec<&Value> = listed.filter(may).collect();
            let item = json!({"id": id, "type": "mcp_list_tools", "server_label": label,
                "tools": listed});
            let previous = self.items.push(Item::new(item.clone()));
            self.send_item(&item, &previous);
            self.send(json!({"type": "mcp_list_tools.completed", "item_id": id}));
        }
    }

    /// The client has decided about a request; what may run runs at once.
    pub(super) fn on_approval(&mut self, answer: &Value) {
        let request = answer["approval_request_id"].as_str().unwrap_or_default();
        let Some(request) = self.items.find(request).map(|item| item.json.clone()) else {
            return;
        };
        if answer["approve"] != true {
            return;
        }
        let tool = request["name"].as_str().unwrap_or_default();
        let arguments = request["arguments"].as_str().unwrap_or_default();
        let given = serde_json::from_str(arguments).unwrap_or_default();
        let (output, error) = match register::call(tool, &given) {
            Ok(output) => (json!(output), Value::Null),
            Err(what) => (
                Value::Null,
                json!({"type": "tool_execution_error", "message": what}),
            ),
        };
        let id = self.new_id("mcp");
        let item = json!({"id": id, "type": "mcp_call", "server_label": request["server_label"],
            "name": tool, "arguments": arguments, "approval_request_id": request["id"],
            "output": output, "error": error});
        let mut begun = item.clone();
        begun["output"] = Value::Null;
        begun["error"] = Value::Null;
        let previous = self.items.push(Item::new(item.clone()));
        self.send(json!({"type": "conversation.item.added", "item": begun,
            "previous_item_id": previous}));
        self.send(
            json!({"type": "response.mcp_call.in_progress", "item_id": id,
            "output_index": 0}),
        );
        let kind = if error.is_null() {
            "completed"
        } else {
            "failed"
        };
        self.send(
            json!({"type": format!("response.mcp_call.{kind}"), "item_id": id,
            "output_index": 0}),
        );
        self.send(json!({"type": "conversation.item.done", "item": item,
            "previous_item_id": previous}));
    }
}
