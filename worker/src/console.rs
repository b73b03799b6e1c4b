//! Console: the web page and the door to its rooms.
//!
//! Serves the built page, and exchanges the signed key of a link for a room token. Runs on the
//! admin thread, behind a listener of its own. It is off by default, hands out nothing without a
//! key, and never sees audio.

pub mod assets;
pub mod limit;
#[cfg(test)]
mod tests;
pub mod tokens;

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    extract::{ConnectInfo, DefaultBodyLimit, State, rejection::JsonRejection},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header},
    middleware,
    response::{IntoResponse, Response},
    routing::post,
};
use parking_lot::Mutex;
use rand::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::{limit::Limit, tokens::Tokens};
use crate::{
    config::{Config as Settings, duration},
    server_api::{ApiError, ServerApi},
    telemetry::event::{ConsoleJoin, JoinAnswer},
};

/// The `[console]` table.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Address and port of the web page, such as 127.0.0.1:8080. Default: off.
    #[schemars(extend("format" = "listen-address"))]
    pub listen: Option<String>,
    /// The agent name that is called into the page's rooms. Default: the first of
    /// `worker.agent_names`.
    pub agent_name: Option<String>,
    /// The LiveKit server as browsers reach it, when that is not `livekit.url`.
    #[schemars(extend("format" = "livekit-url"))]
    pub livekit_url: Option<String>,
    /// How long a link made by `room-agent invite` works. Default: 24h.
    #[serde(with = "duration")]
    #[schemars(schema_with = "duration::schema")]
    pub link_lifetime: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: None,
            agent_name: None,
            livekit_url: None,
            link_lifetime: Duration::from_secs(24 * 3600),
        }
    }
}

/// A join is a key and a name; nobody needs more.
const LARGEST_BODY: usize = 8 << 10;
/// Longer names help nobody and fill other people's screens.
const LONGEST_NAME: usize = 64;
/// An agent that was called into a room is on its way for this long; it is not called again.
const ON_ITS_WAY: Duration = Duration::from_secs(10);

/// What the routes share.
#[derive(Debug)]
pub struct Console {
    tokens: Tokens,
    api: ServerApi,
    /// The server as browsers reach it, `ws://` or `wss://`.
    livekit_url: String,
    agent_name: String,
    /// Locked for moments, never across an await.
    limit: Mutex<Limit>,
    /// When the agent was called into which room; entries live for [`ON_ITS_WAY`], and the limit
    /// on joins bounds them.
    called: Mutex<HashMap<String, Instant>>,
}

impl Console {
    /// For this worker.
    pub fn new(settings: &Settings) -> Self {
        let names = &settings.worker.agent_names;
        let first = || names.first().cloned().unwrap_or_default();
        let url = settings
            .console
            .livekit_url
            .as_ref()
            .unwrap_or(&settings.livekit.url);
        Self {
            tokens: Tokens::new(&settings.livekit),
            api: ServerApi::new(&settings.livekit),
            livekit_url: browser_url(url),
            agent_name: settings.console.agent_name.clone().unwrap_or_else(first),
            limit: Mutex::default(),
            called: Mutex::default(),
        }
    }
}

/// The routes.
pub fn router(console: Console) -> Router {
    let policy = HeaderValue::from_str(&content_policy(&console.livekit_url))
        .unwrap_or(HeaderValue::from_static("default-src 'none'"));
    Router::new()
        .route("/api/join", post(join))
        .fallback(async |uri: Uri| assets::serve(uri.path()))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(middleware::map_response(move |response| {
            secure(response, policy.clone())
        }))
        .with_state(Arc::new(console))
}

#[derive(Deserialize)]
struct JoinRequest {
    #[serde(default)]
    key: String,
    #[serde(default)]
    name: String,
}

/// Why somebody was not let in.
struct Refusal(StatusCode, JoinAnswer, &'static str);

async fn join(
    State(console): State<Arc<Console>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    body: Result<Json<JoinRequest>, JsonRejection>,
) -> Response {
    match console.join(peer, body).await {
        Ok(granted) => {
            ConsoleJoin {
                answer: JoinAnswer::Granted,
                reason: "",
            }
            .emit();
            ([(header::CACHE_CONTROL, "no-store")], Json(granted)).into_response()
        }
        Err(Refusal(status, answer, reason)) => {
            ConsoleJoin { answer, reason }.emit();
            (status, Json(json!({ "error": reason }))).into_response()
        }
    }
}

impl Console {
    async fn join(
        &self,
        peer: SocketAddr,
        body: Result<Json<JoinRequest>, JsonRejection>,
    ) -> Result<Value, Refusal> {
        if !self.limit.lock().allow(Instant::now(), peer.ip()) {
            let told = "too many requests; wait a minute";
            return Err(Refusal(
                StatusCode::TOO_MANY_REQUESTS,
                JoinAnswer::Limited,
                told,
            ));
        }
        let Json(request) = body.map_err(|rejection| {
            let told = "expected a JSON object with key and name";
            Refusal(rejection.status(), JoinAnswer::Malformed, told)
        })?;
        let room = self.tokens.room_of(&request.key).map_err(|error| {
            let told = match error {
                _ if request.key.is_empty() => "open the page by the whole link you were given",
                tokens::KeyError::Expired => "this link has expired; ask for a new one",
                tokens::KeyError::Invalid => "this link is not valid here; ask for a new one",
            };
            Refusal(StatusCode::UNAUTHORIZED, JoinAnswer::Refused, told)
        })?;
        self.bring_agent(&room).await.map_err(|error| {
            tracing::warn!(%error, "the agent could not be called");
            let told = "the LiveKit server does not answer";
            Refusal(StatusCode::BAD_GATEWAY, JoinAnswer::Failed, told)
        })?;
        let identity = format!("guest-{:08x}", rand::rng().random::<u32>());
        let name = display_name(&request.name);
        let token = self
            .tokens
            .caller(&room, &identity, &name, &self.agent_name);
        let token = token.map_err(|_| {
            let told = "no token could be made";
            Refusal(StatusCode::INTERNAL_SERVER_ERROR, JoinAnswer::Failed, told)
        })?;
        Ok(json!({
            "url": self.livekit_url,
            "token": token.expose(),
            "room": room,
            "identity": identity,
        }))
    }

    /// The token brings the agent when the join creates the room. A room that exists already needs
    /// a dispatch, unless the agent is there or on its way.
    async fn bring_agent(&self, room: &str) -> Result<(), ApiError> {
        let exists = !self.api.list_rooms(vec![room.to_owned()]).await?.is_empty();
        if !self.is_first_call(room) || !exists {
            return Ok(());
        }
        let participants = self.api.list_participants(room).await?;
        let ours = Some(self.agent_name.as_str());
        if participants
            .iter()
            .any(|participant| participant.agent_name.as_deref() == ours)
        {
            return Ok(());
        }
        // Servers keep listing the dispatches of agents that are gone.
        for dispatch in self.api.list_dispatches(room).await? {
            if dispatch.agent_name == self.agent_name {
                self.api.delete_dispatch(room, &dispatch.id).await?;
            }
        }
        self.api
            .create_dispatch(room, &self.agent_name, "")
            .await
            .map(drop)
    }

    fn is_first_call(&self, room: &str) -> bool {
        let now = Instant::now();
        let mut called = self.called.lock();
        called.retain(|_, at| now.duration_since(*at) < ON_ITS_WAY);
        called.insert(room.to_owned(), now).is_none()
    }
}

fn display_name(name: &str) -> String {
    let printable = name.chars().filter(|c| !c.is_control());
    printable
        .take(LONGEST_NAME)
        .collect::<String>()
        .trim()
        .to_owned()
}

fn browser_url(url: &str) -> String {
    match url.split_once("://") {
        Some(("http", rest)) => format!("ws://{rest}"),
        Some(("https", rest)) => format!("wss://{rest}"),
        _ => url.to_owned(),
    }
}

/// Everything from ourselves; sockets and requests to the LiveKit server besides.
fn content_policy(livekit_url: &str) -> String {
    let origin = url::Url::parse(livekit_url).ok().and_then(|url| {
        let host = url.host_str()?.to_owned();
        Some(match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host,
        })
    });
    let (socket, http) = if livekit_url.starts_with("wss") {
        ("wss", "https")
    } else {
        ("ws", "http")
    };
    let server = origin
        .map(|o| format!(" {socket}://{o} {http}://{o}"))
        .unwrap_or_default();
    format!(
        "default-src 'self'; connect-src 'self'{server}; img-src 'self' data:; \
         media-src 'self' blob: mediastream:; worker-src 'self' blob:; object-src 'none'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

const SECURITY_HEADERS: &[(&str, &str)] = &[
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    (
        "permissions-policy",
        "microphone=(self), camera=(), geolocation=()",
    ),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
];

async fn secure(mut response: Response, policy: HeaderValue) -> Response {
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    for &(name, value) in SECURITY_HEADERS {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    response
}
