//! An MCP server on loopback that misbehaves on request.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
};

use serde_json::{Value, json};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::request::read;

/// How calls of tools are answered.
#[derive(Clone, Debug)]
pub(crate) enum Manner {
    /// With this result.
    Result(Value),
    /// With this error of the protocol.
    Error(&'static str),
    /// As a stream of events, after the news that the tools have changed.
    News(Value),
    /// With these lines instead of any answer.
    Raw(String),
    /// With events that never end.
    Endless,
    /// By hanging up.
    Breaks,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) tools: Vec<Value>,
    pub(crate) manner: Manner,
    /// The `params` of every call.
    pub(crate) calls: Vec<Value>,
    /// How long the server wants its listing to be kept.
    pub(crate) keep_for_ms: Option<u64>,
    /// Heads of all requests.
    pub(crate) heads: Vec<String>,
}

/// A running server; dropping it ends it.
pub(crate) struct McpServer {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    _tasks: JoinSet<()>,
}

/// A tool as a server lists it.
pub(crate) fn tool(name: &str, description: &str) -> Value {
    json!({
        "name": name,
        "description": description,
        "inputSchema": {
            "type": "object",
            "properties": {"name": {"type": "string"}},
            "required": ["name"],
        },
    })
}

pub(crate) fn text(text: &str) -> Value {
    json!({"content": [{"type": "text", "text": text}]})
}

impl McpServer {
    pub(crate) async fn start(tools: &[Value]) -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Self::at(any, tools).await
    }

    pub(crate) async fn at(address: SocketAddr, tools: &[Value]) -> Self {
        let listener = TcpListener::bind(address).await.expect("a free port");
        let state = Arc::new(Mutex::new(State {
            tools: tools.to_vec(),
            manner: Manner::Result(text("done")),
            calls: Vec::new(),
            keep_for_ms: None,
            heads: Vec::new(),
        }));
        let shared = Arc::clone(&state);
        let address = listener.local_addr().expect("an address");
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                open.spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self {
            address,
            state,
            _tasks: tasks,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("unbroken")
    }
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    let request = read(&mut stream).await;
    let (head, body) = request.split_once("\r\n\r\n").unwrap_or_default();
    let message: Value = serde_json::from_str(body).unwrap_or_default();
    state
        .lock()
        .expect("unbroken")
        .heads
        .push(head.to_lowercase());
    let answer = answer(head, &message, &state);
    let Some(answer) = answer else { return };
    if stream.write_all(answer.as_bytes()).await.is_err() {
        return;
    }
    if answer.ends_with("endless\n") {
        while stream.write_all(b": nothing\n\n").await.is_ok() {}
    }
}

/// `None` = it hangs up.
fn answer(head: &str, message: &Value, state: &Mutex<State>) -> Option<String> {
    if head.starts_with("GET") {
        return Some(http("405 Method Not Allowed", "text/plain", ""));
    }
    let id = &message["id"];
    let with = |result: &Value| json!({"jsonrpc": "2.0", "id": id, "result": result});
    let mut state = state.lock().expect("unbroken");
    let result = match message["method"].as_str().unwrap_or_default() {
        "initialize" => json!({
            "protocolVersion": "2025-06-18",
            "capabilities": {"tools": {"listChanged": true}},
            "serverInfo": {"name": "test", "version": "1"},
        }),
        "tools/list" => match state.keep_for_ms {
            None => json!({"tools": state.tools}),
            Some(ms) => json!({"tools": state.tools, "ttlMs": ms, "cacheScope": "public"}),
        },
        "tools/call" => {
            state.calls.push(message["params"].clone());
            match state.manner.clone() {
                Manner::Result(result) => result,
                Manner::Breaks => return None,
                Manner::Raw(answer) => return Some(answer),
                Manner::Endless => {
                    return Some(
                        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: endless\n"
                            .to_owned(),
                    );
                }
                Manner::Error(what) => {
                    let error = json!({"code": -32602, "message": what});
                    let error = json!({"jsonrpc": "2.0", "id": id, "error": error});
                    return Some(http("200 OK", "application/json", &error.to_string()));
                }
                Manner::News(result) => {
                    let news =
                        json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"});
                    let events = format!("data: {news}\n\ndata: {}\n\n", with(&result));
                    return Some(http("200 OK", "text/event-stream", &events));
                }
            }
        }
        "ping" => json!({}),
        method if method.starts_with("notifications/") => {
            return Some(http("202 Accepted", "text/plain", ""));
        }
        _ => return Some(http("404 Not Found", "text/plain", "no such method")),
    };
    Some(http(
        "200 OK",
        "application/json",
        &with(&result).to_string(),
    ))
}

pub(crate) fn http(status: &str, kind: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    )
}
