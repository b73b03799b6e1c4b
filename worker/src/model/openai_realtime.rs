//! Driver of OpenAI's Realtime API (GA) over WebSocket, and of servers that speak it.
//!
//! Opens a connection, waits until the model introduces itself, configures the session once and
//! hands the connection over. User audio must wait until then: what is sent earlier is handled under
//! the server's defaults, and a reply under the wrong voice freezes that voice. It does not try
//! again; that is the link's.

mod connection;
mod dialect;
mod session_config;
mod socket;
mod translate;
mod wire;

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use dialog::model::Capabilities;
use futures_util::{SinkExt, StreamExt};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tools::mcp::Listed;

use super::{
    Endpoint, RemoteServer, SessionSettings, TurnDetection, link::Timings, reconnect::Failure,
};
use crate::telemetry::event::{ModelEventReceived, ProtocolError, ToolServer};
use socket::{ConnectError, Socket};
use translate::{Fact, listing};
use wire::server_event::{Malformed, ServerEvent};

pub(super) use connection::{Connection, End, Lanes};

/// The provider closes every connection after 60 minutes (realtime conversations guide).
const LONGEST_CONNECTION: Duration = Duration::from_secs(60 * 60);

/// Opens and configures one connection.
pub(super) async fn connect(
    settings: &SessionSettings,
    creates_responses: bool,
    timings: Timings,
) -> Result<Connection, Failure> {
    within(
        timings.connect,
        Box::pin(async {
            let mut socket = socket::open(&settings.endpoint, &settings.model).await?;
            let model = introduction(&mut socket).await?;
            configure(&mut socket, settings, creates_responses).await?;
            let model = model.unwrap_or_else(|| settings.model.clone());
            let capabilities = Capabilities {
                detects_turns: settings.turn_detection != TurnDetection::Manual,
                creates_responses: settings.turn_detection != TurnDetection::Manual,
                transcribes: settings.transcription.is_some(),
                ..CAPABILITIES
            };
            Ok(Connection::new(socket, model, capabilities))
        }),
    )
    .await
}

/// Both turn detections end turns and create responses by themselves when they are told to.
const CAPABILITIES: Capabilities = Capabilities {
    detects_turns: true,
    creates_responses: true,
    cancels: true,
    transcribes: true,
    truncates: true,
    longest_connection: Some(LONGEST_CONNECTION),
};

/// Opens a connection, waits for the model's introduction and closes it again.
pub(super) async fn probe(
    endpoint: &Endpoint,
    model: &str,
    timings: Timings,
) -> Result<(), Failure> {
    within(
        timings.connect,
        Box::pin(async {
            let mut socket = socket::open(endpoint, model).await?;
            introduction(&mut socket).await?;
            // The answer is known; whether the goodbye arrives does not matter.
            let _ = timeout(timings.close, socket.close(None)).await;
            Ok(())
        }),
    )
    .await
}

/// The attempt is on the heap: it holds a TLS handshake, which the link needs only now and then.
async fn within<T>(
    limit: Duration,
    attempt: Pin<Box<impl Future<Output = Result<T, ConnectError>>>>,
) -> Result<T, Failure> {
    let answer = timeout(limit, attempt).await;
    answer
        .unwrap_or(Err(ConnectError::Timeout))
        .map_err(|error| error.failure())
}

/// Waits for `session.created` and returns the model's own name.
async fn introduction(socket: &mut Socket) -> Result<Option<String>, ConnectError> {
    loop {
        let text = next_text(socket).await?;
        match read(&text) {
            Ok(ServerEvent::SessionCreated(session)) => return Ok(session.model()),
            Ok(ServerEvent::Error(error)) => {
                return Err(ConnectError::Refused { code: error.code() });
            }
            Ok(_) => {}
            Err(_) => not_understood(),
        }
    }
}

/// Sends the settings and waits until they are in force.
async fn configure(
    socket: &mut Socket,
    settings: &SessionSettings,
    creates_responses: bool,
) -> Result<(), ConnectError> {
    let update = session_config::configure(settings, creates_responses).to_json();
    socket
        .send(Message::text(update))
        .await
        .map_err(ConnectError::from_socket)?;
    loop {
        let text = next_text(socket).await?;
        match read(&text) {
            Ok(ServerEvent::SessionUpdated) => return Ok(()),
            Ok(ServerEvent::Error(error)) => {
                return Err(ConnectError::Settings {
                    code: error.code(),
                    field: error.field(),
                });
            }
            // The provider does not say when it lists them.
            Ok(ServerEvent::McpItemDone(item)) => {
                if let Some(Fact::Listed { server, tools }) = listing(item) {
                    take_listing(&settings.servers(), &server, &tools);
                }
            }
            Ok(_) => {}
            Err(_) => not_understood(),
        }
    }
}

/// What concerns a server concerns every session, so it does not wait for this one.
fn take_listing(servers: &[Arc<RemoteServer>], server: &str, tools: &[Listed]) {
    let mut servers = servers.iter();
    if let Some(remote) = servers.find(|remote| remote.server() == server) {
        remote.listed(tools, |event| ToolServer { server, event }.emit());
    }
}

async fn next_text(
    socket: &mut Socket,
) -> Result<tokio_tungstenite::tungstenite::Utf8Bytes, ConnectError> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => return Ok(text),
            Some(Ok(Message::Binary(_))) => not_understood(),
            Some(Ok(Message::Close(_))) | None => return Err(ConnectError::Closed),
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(ConnectError::from_socket(error)),
        }
    }
}

fn read(text: &str) -> Result<ServerEvent<'_>, Malformed> {
    let event = ServerEvent::parse(text)?;
    let kind = event.kind();
    ModelEventReceived { kind }.emit();
    Ok(event)
}

fn not_understood() {
    ProtocolError {
        link: "model",
        what: "unexpected message before the session began",
    }
    .emit();
}

#[cfg(test)]
mod tests;
