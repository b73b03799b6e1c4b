//! Core: what the provider tells of the MCP servers it calls (API guide, MCP).
//!
//! A request, its end and a listing may each be told twice, as the item of a response and as an item of the
//! conversation; the first one counts.

use dialog::model::{CallId, Event, McpEnd, ResponseId};
use serde_json::Value;
use tools::mcp::{Listed, full_name};

use super::{Fact, Translator};
use crate::model::openai_realtime::wire::server_event::Item;

/// What a server answers before it does anything (JSON-RPC 2.0, section 5.1). Any other error may have come after.
const REFUSALS: [i64; 4] = [-32_700, -32_600, -32_601, -32_602];

impl Translator {
    /// `response`: the one that it is an item of; `None` = it is one of the conversation.
    pub(super) fn on_mcp_item(
        &mut self,
        response: Option<&ResponseId>,
        item: Item,
        facts: &mut Vec<Fact>,
    ) {
        match item.kind.as_deref() {
            Some("mcp_approval_request") => {
                match response.cloned().or_else(|| self.responding.clone()) {
                    Some(response) => self.on_approval_request(response, item, facts),
                    None => facts.push(Fact::Unusable("an approval request without a response")),
                }
            }
            Some("mcp_call") => self.on_mcp_call(response.is_none(), item, facts),
            Some("mcp_list_tools") => facts.extend(listing(item)),
            _ => {}
        }
    }

    fn on_approval_request(&mut self, response: ResponseId, item: Item, facts: &mut Vec<Fact>) {
        let (Some(id), Some(server), Some(name)) = (item.id, item.server_label, item.name) else {
            facts.push(Fact::Unusable("an approval request without id or name"));
            return;
        };
        let call = CallId::new(id);
        if !self.is_news(&call) {
            return;
        }
        // Without a name that a tool can have it is no tool's, and told so.
        let full = full_name(&server, &name).map(|full| full.to_string());
        facts.push(Fact::Event(Event::ApprovalRequested {
            response,
            call,
            name: full.unwrap_or(name),
            arguments: item.arguments.unwrap_or_default(),
        }));
    }

    /// As an item of a response it may be there before it has run.
    fn on_mcp_call(&mut self, is_over: bool, item: Item, facts: &mut Vec<Fact>) {
        let Some(request) = item.approval_request_id else {
            facts.push(Fact::Unusable("an MCP call that nobody has approved"));
            return;
        };
        let end = match (item.error, item.output) {
            (Value::Null, Value::Null) if !is_over => return,
            (Value::Null, Value::Null) => McpEnd::Answered(String::new()),
            (Value::Null, Value::String(output)) => McpEnd::Answered(output),
            (Value::Null, output) => McpEnd::Answered(output.to_string()),
            (error, _) => failed(&error),
        };
        let id = CallId::new(item.id.unwrap_or_default());
        if self.is_news(&id) {
            let call = CallId::new(request);
            facts.push(Fact::Event(Event::McpCallDone { call, end }));
        }
    }
}

/// Only what the server refused at once surely did not happen.
fn failed(error: &Value) -> McpEnd {
    let code = error["code"].as_i64();
    let is_refusal = code.is_some_and(|code| REFUSALS.contains(&code));
    let what = error["message"].as_str().unwrap_or("it failed").to_owned();
    if error["type"] == "protocol_error" && is_refusal {
        McpEnd::Failed(what)
    } else {
        McpEnd::Doubtful(what)
    }
}

/// The tools of a server as an item lists them; entries that are none are left out.
pub(in crate::model::openai_realtime) fn listing(item: Item) -> Option<Fact> {
    let (server, tools) = (item.server_label?, item.tools);
    let listed = |tool: &Value| {
        Some(Listed {
            name: tool["name"].as_str()?.to_owned(),
            description: tool["description"].as_str().unwrap_or_default().to_owned(),
            input_schema: tool["input_schema"].clone(),
        })
    };
    let tools = tools.as_array()?.iter().filter_map(listed).collect();
    Some(Fact::Listed { server, tools })
}

#[cfg(test)]
mod tests {
    use crate::model::openai_realtime::{
        translate::{Fact, Translator},
        wire::server_event::ServerEvent,
    };

    const CREATED: &str =
        r#"{"type":"response.created","response":{"id":"r","status":"in_progress"}}"#;
    const REQUEST: &str = r#"{"id":"mcpr_1","type":"mcp_approval_request","server_label":"crm","name":"find.one","arguments":"{\"name\":\"Ann\"}"}"#;

    fn of_conversation(item: &str) -> String {
        format!(r#"{{"type":"conversation.item.done","previous_item_id":null,"item":{item}}}"#)
    }

    fn of_response(item: &str) -> String {
        format!(r#"{{"type":"response.output_item.done","response_id":"r","item":{item}}}"#)
    }

    fn told(frames: &[&str]) -> Vec<String> {
        let mut translator = Translator::default();
        let mut facts = Vec::new();
        for frame in frames {
            translator.translate(ServerEvent::parse(frame).unwrap(), &mut facts);
        }
        let told = facts.iter().map(|fact| match fact {
            Fact::Event(event) => format!("{event:?}"),
            fact => format!("{fact:?}"),
        });
        told.collect()
    }

    #[test]
    fn a_request_is_told_once_however_often_it_comes() {
        let (first, second) = (of_conversation(REQUEST), of_response(REQUEST));
        let asked = r#"ApprovalRequested { response: r, call: mcpr_1, name: "crm-find_one", arguments: "{\"name\":\"Ann\"}" }"#;
        assert_eq!(told(&[CREATED, &first, &second])[1..], [asked]);
        assert_eq!(told(&[CREATED, &second, &first])[1..], [asked]);
    }

    #[test]
    fn a_call_is_over_when_it_says_what_came_of_it() {
        let item = |rest: &str| {
            format!(
                r#"{{"id":"mcp_1","type":"mcp_call","server_label":"crm","name":"find","arguments":"{{}}","approval_request_id":"mcpr_1",{rest}}}"#
            )
        };
        let call = |rest: &str| of_conversation(&item(rest));
        let silent = r#""output":null,"error":null"#;
        let done = call(r#""output":"Ann","error":null"#);
        let answered = ["McpCallDone { call: mcpr_1, end: Answered(..) }"];
        assert_eq!(told(&[&of_response(&item(silent))]), [""; 0]);
        assert_eq!(told(&[&of_response(&item(silent)), &done, &done]), answered);
        // It may have nothing to say, or something that is no text.
        assert_eq!(told(&[&call(silent)]), answered);
        assert_eq!(told(&[&of_response(&item(r#""output":7"#))]), answered);
        for (error, end) in [
            (
                r#"{"type":"protocol_error","code":-32602,"message":"no"}"#,
                "Failed(..)",
            ),
            (
                r#"{"type":"protocol_error","code":-32603,"message":"no"}"#,
                "Doubtful(..)",
            ),
            (
                r#"{"type":"tool_execution_error","message":"no"}"#,
                "Doubtful(..)",
            ),
            (
                r#"{"type":"http_error","code":503,"message":"no"}"#,
                "Doubtful(..)",
            ),
            (r#""of tomorrow""#, "Doubtful(..)"),
        ] {
            let failed = call(&format!(r#""output":null,"error":{error}"#));
            let ended = format!("McpCallDone {{ call: mcpr_1, end: {end} }}");
            assert_eq!(told(&[&failed]), [ended], "{error}");
        }
    }

    #[test]
    fn a_listing_is_told_with_what_models_read() {
        let listing = of_conversation(
            r#"{"id":"mcpl_1","type":"mcp_list_tools","server_label":"crm","tools":[{"name":"find","description":"Finds.","input_schema":{"type":"object"},"annotations":null}]}"#,
        );
        assert_eq!(
            told(&[&listing]),
            [
                r#"Listed { server: "crm", tools: [Listed { name: "find", description: "Finds.", input_schema: Object {"type": String("object")} }] }"#
            ]
        );
    }

    #[test]
    fn what_makes_no_sense_is_skipped() {
        let nameless = of_response(r#"{"id":"mcpr_1","type":"mcp_approval_request"}"#);
        let unapproved = of_response(r#"{"id":"mcp_1","type":"mcp_call","output":"done"}"#);
        let lonely = of_conversation(REQUEST);
        assert_eq!(
            told(&[
                &nameless,
                &unapproved,
                &lonely,
                r#"{"type":"mcp_list_tools.failed","item_id":"i"}"#
            ]),
            [
                r#"Unusable("an approval request without id or name")"#,
                r#"Unusable("an MCP call that nobody has approved")"#,
                r#"Unusable("an approval request without a response")"#,
                r#"Unusable("the tools of an MCP server could not be listed")"#,
            ]
        );
        // Other items of the conversation are of no use, whatever they look like.
        let message = of_conversation(r#"{"id":"i","type":"message","output":7}"#);
        assert_eq!(told(&[&message]), [""; 0]);
    }
}
