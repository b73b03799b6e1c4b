//! Task: the registration of one agent name at the server, over all the sockets it takes.
//!
//! Connects, registers, carries messages both ways, notices a dead peer, and starts again with
//! backoff and jitter for as long as it is wanted. It decides nothing about jobs: offers go to the
//! dispatcher, answers come from it. Sessions do not notice when this connection is lost.

use std::{fmt, time::Duration};

use futures_util::{SinkExt, StreamExt};
use rand::Rng;
use tokio::{
    net::TcpStream,
    sync::{mpsc, oneshot},
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{
        self, Message,
        client::IntoClientRequest,
        http::{HeaderValue, StatusCode, header::AUTHORIZATION},
        protocol::WebSocketConfig,
    },
};
use tokio_util::sync::CancellationToken;

use super::agent_protocol::{self, FromServer};
use crate::{
    config::Secret,
    telemetry::event::{ControlLinkLost, Fault, ProtocolError, Registered},
};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// From the first packet to the answer to our registration. Servers close the socket after 10 s.
const REGISTER_DEADLINE: Duration = Duration::from_secs(10);
/// One message must leave within this time, or the connection is dead.
const WRITE_DEADLINE: Duration = Duration::from_secs(5);
/// Servers ping every 10 s; three of them missing means that nobody is there.
const LONGEST_SILENCE: Duration = Duration::from_secs(30);
/// Our own pings, so that a dead path is noticed even by servers that do not ping.
const PING_EVERY: Duration = Duration::from_secs(10);
/// Waits between attempts: a random share of a bound that doubles from the first to the last.
const FIRST_BACKOFF: Duration = Duration::from_millis(500);
const LAST_BACKOFF: Duration = Duration::from_secs(10);
/// Whatever a server has to say to a worker is far smaller.
const LARGEST_MESSAGE: usize = 2 << 20;

/// Where and as whom to register.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The server, as configured.
    pub url: String,
    /// The API key.
    pub api_key: Secret,
    /// The API secret.
    pub api_secret: Secret,
}

/// What a connection tells the dispatcher.
#[derive(Debug)]
pub(super) enum Report {
    /// Not registered any more; another attempt follows.
    Down,
    /// A message of the server and when it was read.
    Message(FromServer, Instant),
    /// The server refused our key at the first attempt; there will be no other.
    Refused,
    /// Registered.
    Up,
}

/// What the dispatcher wants to be sent.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) frame: Vec<u8>,
    /// Worth sending on the next connection when this one is lost.
    pub(super) survives: bool,
    /// Fired when the frame was written.
    pub(super) written: Option<oneshot::Sender<()>>,
}

/// The task's state.
pub(super) struct Connection {
    pub(super) settings: Settings,
    pub(super) agent_name: String,
    /// Written by the dispatcher, 256; when full, it drops and says so.
    pub(super) outgoing: mpsc::Receiver<Outgoing>,
    /// How the dispatcher calls us.
    pub(super) index: usize,
    /// Read by the dispatcher, which never waits for us; 256, shared: when full, we wait.
    pub(super) reports: mpsc::Sender<(usize, Report)>,
    /// The worker needs no registration any more.
    pub(super) stop: CancellationToken,
}

/// Why a connection ended, or never came to be.
#[derive(Debug)]
enum Lost {
    GoAway,
    Network(String),
    Peer(&'static str),
    Refused,
    Silent,
    Stopped,
    Unusable(&'static str),
}

impl Connection {
    /// Runs until it is stopped, or refused at its first attempt.
    pub(super) async fn run(mut self) {
        let mut failures = 0;
        let mut was_registered = false;
        loop {
            let registered = was_registered;
            let lost = self.attempt(&mut was_registered, &mut failures).await;
            match lost {
                Lost::Stopped => return,
                Lost::Refused | Lost::Unusable(_) if !registered && !was_registered => {
                    self.tell(&lost, None);
                    let _ = self.reports.send((self.index, Report::Refused)).await;
                    return;
                }
                lost => {
                    let wait = backoff(failures);
                    failures = failures.saturating_add(1);
                    self.tell(&lost, Some(wait));
                    if self.reports.send((self.index, Report::Down)).await.is_err() {
                        return;
                    }
                    let stop = self.stop.clone();
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = sleep(wait) => {}
                    }
                }
            }
        }
    }

    fn tell(&self, lost: &Lost, retry_in: Option<Duration>) {
        let reason = lost.to_string();
        ControlLinkLost {
            agent_name: &self.agent_name,
            fault: lost.fault(),
            reason: &reason,
            retry_in,
        }
        .emit();
    }

    /// One socket, from the connect to its end.
    async fn attempt(&mut self, was_registered: &mut bool, failures: &mut u32) -> Lost {
        let stop = self.stop.clone();
        let registering = timeout(REGISTER_DEADLINE, self.register());
        let registered = tokio::select! {
            () = stop.cancelled() => return Lost::Stopped,
            registered = registering => registered,
        };
        let (socket, worker_id, server_version) = match registered {
            Err(_) => return Lost::Network("no answer in time".to_owned()),
            Ok(Err(lost)) => return lost,
            Ok(Ok(registered)) => registered,
        };
        (*was_registered, *failures) = (true, 0);
        Registered {
            agent_name: &self.agent_name,
            worker_id: &worker_id,
            server_version: &server_version,
        }
        .emit();
        self.serve(socket).await
    }

    async fn register(&self) -> Result<(Socket, String, String), Lost> {
        let mut socket = self.connect().await?;
        write(&mut socket, agent_protocol::register(&self.agent_name)).await?;
        loop {
            let frame = match socket.next().await {
                Some(frame) => frame.map_err(|error| Lost::Network(describe(&error)))?,
                None => return Err(Lost::Peer("closed before the registration was accepted")),
            };
            match frame {
                Message::Binary(bytes) => match agent_protocol::decode(&bytes) {
                    Ok(FromServer::Registered {
                        worker_id,
                        server_version,
                    }) => {
                        return Ok((socket, worker_id, server_version));
                    }
                    _ => return Err(Lost::Peer("answered the registration with something else")),
                },
                Message::Close(_) => return Err(Lost::Peer("closed the registration")),
                _ => {}
            }
        }
    }

    async fn connect(&self) -> Result<Socket, Lost> {
        let address =
            agent_protocol::address(&self.settings.url).map_err(|e| Lost::Unusable(e.0))?;
        let token = agent_protocol::token(&self.settings.api_key, &self.settings.api_secret)
            .map_err(|error| Lost::Unusable(error.0))?;
        let mut request = address
            .into_client_request()
            .map_err(|_| Lost::Unusable("not an address of a server"))?;
        let bearer = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
            .map_err(|_| Lost::Unusable("the token fits no header"))?;
        request.headers_mut().insert(AUTHORIZATION, bearer);
        let limits = WebSocketConfig::default()
            .read_buffer_size(16 << 10)
            .max_message_size(Some(LARGEST_MESSAGE))
            .max_frame_size(Some(LARGEST_MESSAGE));
        // Small messages that somebody waits for: no Nagle.
        match connect_async_with_config(request, Some(limits), true).await {
            Ok((socket, _)) => Ok(socket),
            Err(tungstenite::Error::Http(response))
                if matches!(
                    response.status(),
                    StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
                ) =>
            {
                Err(Lost::Refused)
            }
            Err(error) => Err(Lost::Network(describe(&error))),
        }
    }

    async fn serve(&mut self, mut socket: Socket) -> Lost {
        let mut left_over = Vec::new();
        while let Ok(outgoing) = self.outgoing.try_recv() {
            if outgoing.survives {
                left_over.push(outgoing);
            }
        }
        if self.reports.send((self.index, Report::Up)).await.is_err() {
            return Lost::Stopped;
        }
        for outgoing in left_over {
            if let Err(lost) = send(&mut socket, outgoing).await {
                return lost;
            }
        }
        let mut ping = interval(PING_EVERY);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard = Instant::now();
        loop {
            let done = tokio::select! {
                () = self.stop.cancelled() => Err(Lost::Stopped),
                frame = socket.next() => {
                    heard = Instant::now();
                    self.on_frame(frame).await
                }
                Some(outgoing) = self.outgoing.recv() => send(&mut socket, outgoing).await,
                _ = ping.tick() => on_ping(&mut socket, heard).await,
            };
            let Err(lost) = done else { continue };
            if matches!(lost, Lost::Stopped | Lost::GoAway) {
                let _ = timeout(WRITE_DEADLINE, socket.close(None)).await;
            }
            return lost;
        }
    }

    async fn on_frame(
        &self,
        frame: Option<Result<Message, tungstenite::Error>>,
    ) -> Result<(), Lost> {
        let read_at = Instant::now();
        let bytes = match frame {
            None | Some(Ok(Message::Close(_))) => return Err(Lost::Peer("closed the connection")),
            Some(Err(error)) => return Err(Lost::Network(describe(&error))),
            Some(Ok(Message::Binary(bytes))) => bytes,
            Some(Ok(Message::Text(_))) => {
                ProtocolError {
                    link: "agent",
                    what: "text frame",
                }
                .emit();
                return Ok(());
            }
            // Pings are answered by the library, because this loop always reads.
            Some(Ok(_)) => return Ok(()),
        };
        match agent_protocol::decode(&bytes) {
            Err(error) => {
                ProtocolError {
                    link: "agent",
                    what: error.0,
                }
                .emit();
                Ok(())
            }
            Ok(FromServer::GoAway) => Err(Lost::GoAway),
            Ok(message) => {
                let report = Report::Message(message, read_at);
                self.reports
                    .send((self.index, report))
                    .await
                    .map_err(|_| Lost::Stopped)
            }
        }
    }
}

async fn on_ping(socket: &mut Socket, heard: Instant) -> Result<(), Lost> {
    if heard.elapsed() > LONGEST_SILENCE {
        return Err(Lost::Silent);
    }
    let ping = Message::Ping(Vec::new().into());
    written(timeout(WRITE_DEADLINE, socket.send(ping)).await)
}

async fn send(socket: &mut Socket, outgoing: Outgoing) -> Result<(), Lost> {
    write(socket, outgoing.frame).await?;
    if let Some(written) = outgoing.written {
        let _ = written.send(());
    }
    Ok(())
}

async fn write(socket: &mut Socket, frame: Vec<u8>) -> Result<(), Lost> {
    written(timeout(WRITE_DEADLINE, socket.send(Message::Binary(frame.into()))).await)
}

fn written(
    result: Result<Result<(), tungstenite::Error>, tokio::time::error::Elapsed>,
) -> Result<(), Lost> {
    match result {
        Err(_) => Err(Lost::Network(
            "a message could not leave in time".to_owned(),
        )),
        Ok(Err(error)) => Err(Lost::Network(describe(&error))),
        Ok(Ok(())) => Ok(()),
    }
}

/// A random share of the bound, so that a fleet does not come back in one wave.
fn backoff(failures: u32) -> Duration {
    let bound = FIRST_BACKOFF
        .saturating_mul(1 << failures.min(16))
        .min(LAST_BACKOFF);
    bound.mul_f64(rand::rng().random_range(0.1..=1.0))
}

/// The kind of failure, without addresses: URLs may carry names that nobody should read.
fn describe(error: &tungstenite::Error) -> String {
    match error {
        tungstenite::Error::Http(response) => format!("HTTP status {}", response.status().as_u16()),
        tungstenite::Error::Io(error) => error.kind().to_string(),
        tungstenite::Error::Tls(_) => "TLS failed".to_owned(),
        tungstenite::Error::Protocol(error) => error.to_string(),
        tungstenite::Error::ConnectionClosed => "connection closed".to_owned(),
        tungstenite::Error::Capacity(_) => "message too large".to_owned(),
        _ => "WebSocket failed".to_owned(),
    }
}

impl Lost {
    fn fault(&self) -> Fault {
        match self {
            Self::Network(_) | Self::Silent => Fault::Network,
            Self::GoAway | Self::Peer(_) => Fault::Peer,
            Self::Refused | Self::Unusable(_) => Fault::Config,
            Self::Stopped => Fault::Us,
        }
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GoAway => f.write_str("the server asked us to register elsewhere"),
            Self::Network(what) => f.write_str(what),
            Self::Peer(what) => write!(f, "the server {what}"),
            Self::Refused => f.write_str("the server refused the API key or secret"),
            Self::Silent => f.write_str("nothing was heard for too long"),
            Self::Stopped => f.write_str("not needed any more"),
            Self::Unusable(what) => f.write_str(what),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_their_bound_and_are_never_equal_to_nothing() {
        for failures in [0, 1, 5, 40, u32::MAX] {
            let wait = backoff(failures);
            assert!(
                wait >= FIRST_BACKOFF / 10 && wait <= LAST_BACKOFF,
                "{failures}: {wait:?}"
            );
        }
    }
}
