//! Task pair: one WebSocket from configured to closed.
//!
//! The reader is a task of its own: samples go straight to the playout, facts to the driver. The
//! writer runs in the link's task, which has nothing else to do meanwhile: orders before audio, one
//! append per frame, merged only while the socket is behind. Either one ending ends the connection.
//! It does not reconnect, and never waits for the driver to play a sample.

mod reader;
mod writer;

use std::sync::Arc;

use bytes::Bytes;
use dialog::model::{Capabilities, Order};
use futures_util::{SinkExt, StreamExt};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, timeout},
};
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tracing::Instrument;

use super::socket::Socket;
use crate::model::{
    AudioOut, Blame, DownReason, LinkEvent, Retry, SessionSettings, Uplink, link::Timings,
    reconnect::Failure,
};
use reader::Reader;
use writer::{Writer, WriterEnd};

/// A configured connection that nobody has spoken on yet.
pub(in crate::model) struct Connection {
    socket: Socket,
    model: String,
    capabilities: Capabilities,
    opened: Instant,
}

/// What a connection is connected to on our side.
pub(in crate::model) struct Lanes<'a> {
    pub(in crate::model) orders: &'a mut mpsc::Receiver<Order>,
    pub(in crate::model) uplink: &'a Uplink,
    pub(in crate::model) events: &'a mpsc::Sender<LinkEvent>,
    pub(in crate::model) out: &'a Arc<dyn AudioOut>,
}

/// How a connection ended.
#[derive(Debug)]
pub(in crate::model) enum End {
    /// It was lost.
    Lost(DownReason, Failure),
    /// A spare takes over.
    Rotate,
    /// Nobody on our side wants it any more.
    Unwanted,
}

impl End {
    fn network() -> Self {
        let failure = Failure::new("connection_lost", Blame::Network, Retry::Backoff);
        Self::Lost(DownReason::Network, failure)
    }

    fn stalled() -> Self {
        let failure = Failure::new("stalled", Blame::Network, Retry::Backoff);
        Self::Lost(DownReason::Stalled, failure)
    }

    fn closed(code: Option<u16>) -> Self {
        let reason = code.map_or_else(|| "closed".to_owned(), |code| format!("closed_{code}"));
        Self::Lost(
            DownReason::Closed,
            Failure::new(reason, Blame::Peer, Retry::Backoff),
        )
    }

    fn refused(code: &str) -> Self {
        let failure = Failure::from_code(code);
        let reason = match failure.retry {
            Retry::AtOnce => DownReason::Expired,
            _ => DownReason::Refused,
        };
        Self::Lost(reason, failure)
    }

    fn from_socket(error: &WsError) -> Self {
        use tokio_tungstenite::tungstenite::error::ProtocolError::ResetWithoutClosingHandshake;
        match error {
            WsError::AlreadyClosed | WsError::ConnectionClosed => Self::closed(None),
            WsError::Io(_) | WsError::Protocol(ResetWithoutClosingHandshake) => Self::network(),
            WsError::Capacity(_) => Self::protocol("message_too_large"),
            _ => Self::protocol("protocol_violation"),
        }
    }

    fn protocol(reason: &'static str) -> Self {
        let failure = Failure::new(reason, Blame::Peer, Retry::Backoff);
        Self::Lost(DownReason::Protocol, failure)
    }

    /// The provider would end it soon, whatever is going on; a spare is better now than nothing then.
    pub(in crate::model) fn expired() -> Self {
        let failure = Failure::new("expired", Blame::Peer, Retry::AtOnce);
        Self::Lost(DownReason::Expired, failure)
    }

    pub(in crate::model) fn bug() -> Self {
        let failure = Failure::new("bug", Blame::Us, Retry::Never);
        Self::Lost(DownReason::Protocol, failure)
    }
}

impl Connection {
    pub(super) fn new(socket: Socket, model: String, capabilities: Capabilities) -> Self {
        Self {
            socket,
            model,
            capabilities,
            opened: Instant::now(),
        }
    }

    pub(in crate::model) fn opened(&self) -> Instant {
        self.opened
    }

    /// The model's own name for itself.
    pub(in crate::model) fn model(&self) -> &str {
        &self.model
    }

    pub(in crate::model) fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Waits beside the one that serves, until it ends. What it says meanwhile concerns nobody; pings are
    /// sent and answered, so that nobody between takes it for dead, nor we a dead one for alive.
    pub(in crate::model) async fn wait(&mut self, timings: Timings) {
        let mut is_asked = false;
        loop {
            match timeout(timings.ping, self.socket.next()).await {
                Ok(Some(Ok(_))) => is_asked = false,
                Ok(_) => return,
                Err(_) if is_asked => return,
                Err(_) => {
                    is_asked = true;
                    if self.socket.send(Message::Ping(Bytes::new())).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// Runs the connection until it ends. With `is_replay`, kept audio waits until the
    /// conversation was replayed.
    pub(in crate::model) async fn serve(
        self,
        settings: &SessionSettings,
        lanes: Lanes<'_>,
        is_replay: bool,
        timings: Timings,
    ) -> End {
        let (sink, stream) = self.socket.split();
        let (out, uplink) = (Arc::clone(lanes.out), lanes.uplink.clone());
        let (events, servers) = (lanes.events.clone(), settings.servers());
        let reader = Reader::new(stream, out, uplink, events, servers, timings);
        let mut reading = JoinSet::new();
        reading.spawn(reader.run().in_current_span());
        let mut writer = Writer::new(sink, settings, lanes.uplink, is_replay, timings);
        let ended = tokio::select! {
            biased;
            end = end_of(&mut reading) => return end,
            () = lanes.events.closed() => WriterEnd::Unwanted,
            end = writer.run(lanes.orders) => end,
        };
        match ended {
            WriterEnd::Unwanted => {
                writer.say_goodbye().await;
                End::Unwanted
            }
            WriterEnd::Rotate => {
                writer.say_goodbye().await;
                End::Rotate
            }
            // The reader usually knows better why: an error, a close frame.
            WriterEnd::Broken => timeout(timings.close, end_of(&mut reading))
                .await
                .unwrap_or_else(|_| End::network()),
        }
    }
}

async fn end_of(reading: &mut JoinSet<End>) -> End {
    match reading.join_next().await {
        Some(Ok(end)) => end,
        _ => End::bug(),
    }
}
