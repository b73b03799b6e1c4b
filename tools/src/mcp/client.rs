//! Adapter: the MCP SDK: connects, lists, calls.
//!
//! The only file, besides [`super::wire`], that names it. Nothing that a server says reaches anybody but as
//! an answer or a listing: the SDK's other features (sampling, roots, elicitation) are declined.

use std::{fmt, process::Stdio, str::FromStr, sync::Arc, time::Duration};

use reqwest::header::{HeaderName, HeaderValue};
use rmcp::{
    ClientCacheConfig, ClientHandler, RoleClient, ServiceError, ServiceExt,
    model::{
        CallToolRequestParams, CallToolResult, ClientCapabilities, ContentBlock, ErrorCode,
        Implementation, InitializeRequestParams, PaginatedRequestParams, RequestMetaObject, Tool,
    },
    service::{ClientInitializeError, NotificationContext, Peer, RunningService},
    transport::{
        StreamableHttpClientTransport,
        async_rw::AsyncRwTransport,
        streamable_http_client::{StreamableHttpClientTransportConfig, StreamableHttpError},
    },
};
use serde_json::{Map, Value};
use tokio::{process::Command, sync::Notify};

use super::{catalog::Listed, form::Way, wire::Wire};
use crate::http;

/// Longest message that is read, in bytes.
const LONGEST_MESSAGE: usize = 1024 * 1024;
/// Pages of a listing, and tools on all of them. A server with more is not for a model on the phone.
const MOST_PAGES: usize = 16;
const MOST_TOOLS: usize = 512;
/// Until a server must have answered whatever belongs to connecting.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest part of a server's words that anybody is told, in characters.
const LONGEST_REASON: usize = 300;
/// What a server answers before it does anything (JSON-RPC 2.0, section 5.1). Any other error may have come after.
const REFUSALS: [ErrorCode; 4] = [
    ErrorCode::PARSE_ERROR,
    ErrorCode::INVALID_REQUEST,
    ErrorCode::METHOD_NOT_FOUND,
    ErrorCode::INVALID_PARAMS,
];
/// Where a call's key stands in its `_meta`.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Headers that the protocol sets.
const SDKS: [&str; 4] = [
    "accept",
    "last-event-id",
    "mcp-protocol-version",
    "mcp-session-id",
];

/// Why a server did not do what it was asked, in words without addresses and secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failed {
    /// It says so itself.
    Refused(String),
    /// It says that something went wrong, and not when.
    Told(String),
    /// It never had the request.
    Unsent(String),
    /// It may have done it.
    Unsure(String),
}

impl Failed {
    fn unsent(what: &str) -> Self {
        Self::Unsent(what.to_owned())
    }

    fn unsure(what: &str) -> Self {
        Self::Unsure(what.to_owned())
    }

    pub(super) fn what(self) -> String {
        match self {
            Self::Refused(what) | Self::Told(what) | Self::Unsent(what) | Self::Unsure(what) => {
                what
            }
        }
    }
}

/// A server that answers; dropping it closes the connection, and ends the program.
pub(super) struct Connection {
    running: RunningService<RoleClient, Ears>,
    /// Ends with it.
    _child: Option<tokio::process::Child>,
}

/// A way to call tools; cheap to clone.
#[derive(Clone)]
pub(super) struct Caller {
    peer: Peer<RoleClient>,
    /// Each open call has a weak handle on it.
    open: Arc<()>,
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Caller")
    }
}

/// Hears that the listing has changed.
#[derive(Clone)]
struct Ears(Arc<Notify>);

impl ClientHandler for Ears {
    async fn on_tool_list_changed(&self, _context: NotificationContext<RoleClient>) {
        self.0.notify_one();
    }

    fn get_info(&self) -> InitializeRequestParams {
        let us = Implementation::new("room-agent", env!("CARGO_PKG_VERSION"));
        InitializeRequestParams::new(ClientCapabilities::default(), us)
    }
}

/// What cannot be sent, with its place in the form.
pub(super) fn problems(way: &Way) -> Vec<(String, &'static str)> {
    let Way::Http { url, headers } = way else {
        return Vec::new();
    };
    let mut problems = Vec::new();
    if url::Url::parse(url).is_err() {
        problems.push(("url".to_owned(), "not an address"));
    }
    for (name, value) in headers {
        let what = match HeaderName::from_str(name) {
            Err(_) => "not a header name",
            Ok(name) if http::OURS.contains(&name.as_str()) || SDKS.contains(&name.as_str()) => {
                "this header is set by the worker"
            }
            Ok(_) if HeaderValue::from_str(value).is_err() => "has characters that cannot be sent",
            Ok(_) => continue,
        };
        problems.push((format!("headers.{name}"), what));
    }
    problems
}

impl Connection {
    /// Connects, within ten seconds.
    pub(super) async fn open(
        way: &Way,
        client: &http::Client,
        changed: Arc<Notify>,
    ) -> Result<Self, Failed> {
        let opened = tokio::time::timeout(PATIENCE, Self::connect(way, client, Ears(changed)));
        let late = |_| Failed::unsent("it does not answer");
        opened.await.map_err(late)?
    }

    async fn connect(way: &Way, client: &http::Client, ears: Ears) -> Result<Self, Failed> {
        match way {
            Way::Http { url, headers } => {
                let mut all = std::collections::HashMap::new();
                for (name, value) in headers {
                    let name = HeaderName::from_str(name);
                    let value = HeaderValue::from_str(value);
                    let (Ok(name), Ok(value)) = (name, value) else {
                        return Err(Failed::unsent("a header cannot be sent"));
                    };
                    all.insert(name, value);
                }
                let config = StreamableHttpClientTransportConfig::with_uri(url.as_str())
                    .custom_headers(all)
                    .max_sse_event_size(LONGEST_MESSAGE)
                    .max_json_response_size(LONGEST_MESSAGE);
                let transport =
                    StreamableHttpClientTransport::with_client(Wire(client.clone()), config);
                let running = ears.serve(transport).await;
                Self::begun(running, None).await
            }
            Way::Stdio {
                program,
                arguments,
                environment,
            } => {
                let mut child = Command::new(program)
                    .args(arguments)
                    .env_clear()
                    .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
                    .envs(environment)
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .stderr(Stdio::null())
                    .kill_on_drop(true)
                    .spawn()
                    .map_err(|error| Failed::Unsent(format!("cannot be run: {}", error.kind())))?;
                let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
                    return Err(Failed::unsent("has no standard input or output"));
                };
                let transport = AsyncRwTransport::<RoleClient, _, _>::new(output, input)
                    .with_max_line_length(LONGEST_MESSAGE);
                let running = ears.serve(transport).await;
                Self::begun(running, Some(child)).await
            }
        }
    }

    async fn begun(
        running: Result<RunningService<RoleClient, Ears>, ClientInitializeError>,
        child: Option<tokio::process::Child>,
    ) -> Result<Self, Failed> {
        let running = running.map_err(|error| Failed::Unsent(not_begun(&error)))?;
        // A listing that the server wants to be kept would hide that it has changed, or is away.
        let peer = running.peer();
        peer.set_response_cache_config(ClientCacheConfig::disabled())
            .await;
        Ok(Self {
            running,
            _child: child,
        })
    }

    pub(super) fn caller(&self) -> Caller {
        Caller {
            peer: self.running.peer().clone(),
            open: Arc::default(),
        }
    }

    /// Returns when the server is gone.
    pub(super) async fn closed(self) {
        let _ = self.running.waiting().await;
    }
}

impl Caller {
    /// Whether a call is open.
    pub(super) fn is_busy(&self) -> bool {
        Arc::weak_count(&self.open) > 0
    }

    /// Everything the server lists, within ten seconds.
    pub(super) async fn list(&self) -> Result<Vec<Listed>, Failed> {
        let listed = tokio::time::timeout(PATIENCE, self.pages());
        listed
            .await
            .map_err(|_| Failed::unsent("it does not list its tools"))?
    }

    async fn pages(&self) -> Result<Vec<Listed>, Failed> {
        let mut all = Vec::new();
        let mut cursor = None;
        for _ in 0..MOST_PAGES {
            let params = PaginatedRequestParams::default().with_cursor(cursor);
            let page = self.peer.list_tools(Some(params)).await.map_err(failed)?;
            all.extend(page.tools.into_iter().map(listed));
            if all.len() > MOST_TOOLS {
                break;
            }
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(all);
            }
        }
        Err(Failed::unsent("it lists more tools than can be read"))
    }

    /// Calls a tool; dropping the future tells the server that nobody waits.
    pub(super) async fn call(
        &self,
        name: &str,
        arguments: &Value,
        key: Option<String>,
    ) -> Result<Value, Failed> {
        let mut params = CallToolRequestParams::new(name.to_owned());
        params.arguments = arguments.as_object().cloned();
        if let Some(key) = key {
            let mut meta = RequestMetaObject::new();
            meta.0.insert(IDEMPOTENCY_KEY.to_owned(), key.into());
            params.meta = Some(meta);
        }
        let _open = Arc::downgrade(&self.open);
        answer(self.peer.call_tool(params).await.map_err(failed)?)
    }
}

fn listed(tool: Tool) -> Listed {
    Listed {
        name: tool.name.into_owned(),
        description: tool.description.unwrap_or_default().into_owned(),
        input_schema: Value::Object(Map::clone(&tool.input_schema)),
    }
}

/// What the tool tells: its structured answer, or its text. What else it may hold is left out.
fn answer(result: CallToolResult) -> Result<Value, Failed> {
    let text = |block: &ContentBlock| block.as_text().map(|text| text.text.clone());
    let texts: Vec<String> = result.content.iter().filter_map(text).collect();
    if result.is_error == Some(true) {
        return Err(Failed::Told(short(&texts.join("\n"))));
    }
    Ok(match result.structured_content {
        Some(structured) => structured,
        None => texts.join("\n").into(),
    })
}

fn failed(error: ServiceError) -> Failed {
    match error {
        ServiceError::McpError(error) => {
            let told = format!("the service answered: {}", short(&error.message));
            if REFUSALS.contains(&error.code) {
                Failed::Refused(told)
            } else {
                Failed::Unsure(told)
            }
        }
        ServiceError::TransportSend(error) => {
            let cause = error.error.as_ref();
            match trouble(cause) {
                Some(http::Trouble::Unreachable | http::Trouble::Forbidden) => {
                    Failed::Unsent(of_chain(cause))
                }
                _ => Failed::Unsure(of_chain(cause)),
            }
        }
        ServiceError::TransportClosed => {
            Failed::unsure("the connection broke before the answer came")
        }
        _ => Failed::unsure("the service answered something that cannot be read"),
    }
}

/// Why the conversation with a server could not begin.
fn not_begun(error: &ClientInitializeError) -> String {
    match error {
        ClientInitializeError::TransportError { error, .. } => of_chain(error),
        ClientInitializeError::LegacyFallbackFailed { fallback, .. } => not_begun(fallback),
        other => of_chain(other),
    }
}

/// Our own words for what went wrong, if they are in it; the SDK's may quote addresses.
fn of_chain(error: &(dyn std::error::Error + 'static)) -> String {
    match trouble(error) {
        Some(trouble) => trouble.to_string(),
        None => "the service does not answer as an MCP server does".to_owned(),
    }
}

fn trouble(error: &(dyn std::error::Error + 'static)) -> Option<http::Trouble> {
    let mut cause = Some(error);
    while let Some(inner) = cause {
        if let Some(StreamableHttpError::Client(trouble)) =
            inner.downcast_ref::<StreamableHttpError<http::Trouble>>()
        {
            return Some(*trouble);
        }
        cause = inner.source();
    }
    None
}

/// A server's words, as far as anybody is told them.
pub(super) fn short(text: &str) -> String {
    let is_fit = |c: &char| !c.is_control();
    text.chars().filter(is_fit).take(LONGEST_REASON).collect()
}

#[cfg(test)]
mod tests {
    use rmcp::model::{JsonRpcMessage, ServerJsonRpcMessage, ServerResult};

    use super::*;
    use crate::mcp::Catalog;

    /// What a server may send, a line each.
    const REPLIES: &[&str] = &[
        r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"hi"}],"isError":true}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"content":[],"structuredContent":{"found":[1,2]}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"find","inputSchema":{"type":"object"}}]}}"#,
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"no such customer"}}"#,
    ];

    #[test]
    fn any_reply_is_an_answer_a_listing_or_a_failure() {
        let mut seen = [false; 3];
        for reply in REPLIES {
            read(reply.as_bytes(), &mut seen);
        }
        assert_eq!(seen, [true; 3], "an answer, a listing and a failure");
        bolero::check!().for_each(|input: &[u8]| {
            let Some((which, changes)) = input.split_first() else {
                return;
            };
            let mut damaged = REPLIES[usize::from(*which) % REPLIES.len()]
                .as_bytes()
                .to_vec();
            for change in changes.chunks_exact(2) {
                let at = usize::from(change[0]) % damaged.len();
                damaged[at] = change[1];
            }
            read(&damaged, &mut [false; 3]);
        });
    }

    fn read(reply: &[u8], [answers, listings, failures]: &mut [bool; 3]) {
        let failed = |failed: Failed| {
            let what = failed.what();
            assert!(what.chars().count() <= LONGEST_REASON + 30, "{what}");
            assert!(!what.contains(char::is_control), "{what:?}");
        };
        match serde_json::from_slice::<ServerJsonRpcMessage>(reply) {
            Ok(JsonRpcMessage::Response(response)) => match response.result {
                ServerResult::CallToolResult(result) => match answer(result) {
                    Ok(_) => *answers = true,
                    Err(told) => failed(told),
                },
                ServerResult::ListToolsResult(page) => {
                    let listing: Vec<Listed> = page.tools.into_iter().map(listed).collect();
                    let names: Vec<String> = listing.iter().map(|one| one.name.clone()).collect();
                    if let Ok(pinned) = Catalog::pin(names.iter(), &listing) {
                        assert_eq!(Catalog::read(&pinned.to_json()), Ok(pinned));
                    }
                    *listings = true;
                }
                _ => {}
            },
            Ok(JsonRpcMessage::Error(error)) => {
                failed(super::failed(ServiceError::McpError(error.error)));
                *failures = true;
            }
            _ => {}
        }
    }
}
