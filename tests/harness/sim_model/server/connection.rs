//! Task: one connection: reads the socket and the clock, feeds the rules, does what they say.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    time::{Instant, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async_with_config,
    tungstenite::{
        self, Message,
        handshake::server::{Request, Response},
        protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode},
    },
};

use super::{FAULT, Ordering, Shared, Side, handshake, lock};
use crate::sim_model::rules::{Out, Rules};

/// A client that does not finish its request in this time is none.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// One append carries at most 15 MiB of audio, which base64 makes a third larger.
const LARGEST_MESSAGE: usize = 24 << 20;

/// Serves one TCP connection to its end.
pub(super) async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    match timeout(HANDSHAKE_TIMEOUT, open(stream, &shared)).await {
        Ok(Some((socket, model))) => Connection::new(socket, &model, shared).run().await,
        Ok(None) => {}
        Err(_) => tracing::debug!("a client did not finish its handshake"),
    }
}

async fn open(stream: TcpStream, shared: &Shared) -> Option<(WebSocketStream<TcpStream>, String)> {
    let mut start = [0u8; 6];
    if stream.peek(&mut start).await.ok()? == start.len() && start == *b"GET / " {
        say_alive(stream).await;
        return None;
    }
    let script = lock(&shared.script).clone();
    let mut model = String::new();
    // The library fixes this signature, large error and all.
    #[expect(clippy::result_large_err, reason = "the signature is the library's")]
    let answer = |request: &Request, mut response: Response| {
        let admitted = handshake::admit(&script, request, &mut response).map_err(|e| *e)?;
        model = admitted.model;
        Ok(response)
    };
    let config = WebSocketConfig::default()
        .max_message_size(Some(LARGEST_MESSAGE))
        .max_frame_size(Some(LARGEST_MESSAGE));
    match accept_hdr_async_with_config(stream, answer, Some(config)).await {
        Ok(socket) => Some((socket, model)),
        Err(error) => {
            shared.refusals.fetch_add(1, Ordering::Relaxed);
            tracing::info!(%error, "an upgrade was refused");
            None
        }
    }
}

/// `GET /` is for health checks.
async fn say_alive(mut stream: TcpStream) {
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\nOK\n";
    if stream.write_all(answer.as_bytes()).await.is_ok() {
        let _ = stream.shutdown().await;
    }
}

struct Connection {
    socket: WebSocketStream<TcpStream>,
    rules: Rules,
    shared: Arc<Shared>,
    number: u64,
    opened: Instant,
}

/// The connection goes on, or not.
#[derive(PartialEq)]
enum Next {
    GoOn,
    End,
}

impl Connection {
    fn new(socket: WebSocketStream<TcpStream>, model: &str, shared: Arc<Shared>) -> Self {
        let number = shared.connections.fetch_add(1, Ordering::Relaxed) + 1;
        let unix = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let script = lock(&shared.script).clone();
        let rules = Rules::new(script, model, unix.as_secs(), rand::random());
        Self {
            socket,
            rules,
            shared,
            number,
            opened: Instant::now(),
        }
    }

    async fn run(mut self) {
        tracing::info!(connection = self.number, "a client connected");
        let mut changed = self.shared.changed.subscribe();
        let mut cut = self.shared.cut.subscribe();
        self.read_orders();
        loop {
            if self.carry_out().await == Next::End {
                break;
            }
            let wakeup = self.opened.checked_add(self.rules.next_wakeup());
            tokio::select! {
                frame = self.socket.next() => {
                    if self.on_frame(frame) == Next::End { break }
                }
                () = until(wakeup) => self.rules.on_time(self.opened.elapsed()),
                Ok(()) = changed.changed() => self.read_orders(),
                Ok(()) = cut.changed() => break,
            }
        }
        tracing::info!(connection = self.number, "a connection ended");
    }

    fn read_orders(&mut self) {
        let script = lock(&self.shared.script).clone();
        self.rules.set_script(script);
        if let Some(fault) = lock(&self.shared.armed).pop_front() {
            self.rules.arm(fault);
        }
    }

    fn on_frame(&mut self, frame: Option<Result<Message, tungstenite::Error>>) -> Next {
        match frame {
            Some(Ok(Message::Text(text))) => {
                let event = serde_json::from_str(&text)
                    .unwrap_or_else(|_| Value::String(text.as_str().to_owned()));
                self.shared.note(self.number, Side::Client, &event);
                self.rules.on_text(self.opened.elapsed(), &text);
                Next::GoOn
            }
            // Binary frames are not part of the protocol; they are answered like any nonsense.
            Some(Ok(Message::Binary(_))) => {
                self.rules.on_text(self.opened.elapsed(), "");
                Next::GoOn
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Next::GoOn,
            Some(Ok(Message::Close(_)) | Err(_)) | None => Next::End,
        }
    }

    fn note_fault(&self, fault: &str) {
        let event = json!({ "type": FAULT, "fault": fault });
        self.shared.note(self.number, Side::Server, &event);
    }

    async fn carry_out(&mut self) -> Next {
        while let Some(out) = self.rules.poll() {
            let sent = match out {
                Out::Event(event) => {
                    self.shared.note(self.number, Side::Server, &event);
                    self.socket.feed(Message::text(event.to_string())).await
                }
                Out::Raw(text) => self.socket.feed(Message::text(text)).await,
                Out::Close(code, reason) => {
                    self.note_fault("closed");
                    let frame = CloseFrame {
                        code: CloseCode::from(code),
                        reason: reason.into(),
                    };
                    let _ = self.socket.close(Some(frame)).await;
                    return Next::End;
                }
                Out::Drop => {
                    self.note_fault("dropped");
                    let _ = self.socket.flush().await;
                    return Next::End;
                }
                Out::Stall => {
                    self.note_fault("stalled");
                    let _ = self.socket.flush().await;
                    return self.stall().await;
                }
            };
            if sent.is_err() {
                return Next::End;
            }
        }
        match self.socket.flush().await {
            Ok(()) => Next::GoOn,
            Err(_) => Next::End,
        }
    }

    /// The socket stays open and nothing happens any more, until the test or the process ends.
    async fn stall(&self) -> Next {
        let mut cut = self.shared.cut.subscribe();
        let _ = cut.changed().await;
        Next::End
    }
}

async fn until(wakeup: Option<Instant>) {
    match wakeup {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
