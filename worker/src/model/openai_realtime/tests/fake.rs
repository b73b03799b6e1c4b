//! A model on a loopback socket that does what the test says, and the session that talks to it.

use std::{
    future::Future,
    sync::{Arc, Mutex},
    time::Duration,
};

use dialog::model::{Event, ItemId, ResponseId};
use futures_util::{FutureExt, SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Notify, mpsc},
    task::JoinSet,
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{ErrorResponse, Request, Response},
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};
use url::Url;

use crate::{
    config::Secret,
    media::Pcm,
    model::{
        AudioOut, Config, Endpoint, LinkEvent, ModelHandle, SessionSettings, link::Timings,
        start_with,
    },
};

/// Longer than anything takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(20);

pub(super) async fn soon<T>(work: impl Future<Output = T>) -> T {
    timeout(DEADLINE, work)
        .await
        .expect("it happens before the deadline")
}

pub(super) fn created() -> Value {
    json!({"type": "session.created", "event_id": "event_0", "session": {
        "type": "realtime", "id": "sess_1", "model": "simulated-realtime"}})
}

pub(super) fn updated() -> Value {
    json!({"type": "session.updated", "event_id": "event_1", "session": {"type": "realtime"}})
}

pub(super) fn speech_started(item: &str) -> Value {
    json!({"type": "input_audio_buffer.speech_started", "item_id": item, "audio_start_ms": 0})
}

pub(super) struct FakeModel {
    listener: TcpListener,
}

impl FakeModel {
    pub(super) async fn start() -> Self {
        Self {
            listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
        }
    }

    pub(super) fn config(&self) -> Config {
        let address = self.listener.local_addr().unwrap();
        Config {
            url: Url::parse(&format!("ws://{address}/v1/realtime")).unwrap(),
            api_key: Secret::new("sk-test"),
            ..Config::default()
        }
    }

    /// The next connection, upgraded.
    #[expect(clippy::result_large_err, reason = "the library's callback type")]
    pub(super) async fn accept(&self) -> Peer {
        let (stream, _) = soon(self.listener.accept()).await.unwrap();
        let mut seen = None;
        let note = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
            seen = Some(request.clone());
            Ok(response)
        };
        let socket = soon(accept_hdr_async(stream, note)).await.unwrap();
        Peer {
            socket,
            request: seen.unwrap(),
        }
    }

    /// The next connection, upgraded and configured, and what it was configured with.
    pub(super) async fn accept_configured(&self) -> (Peer, Value) {
        let mut peer = self.accept().await;
        peer.send(&created()).await;
        let update = peer.next().await;
        assert_eq!(update["type"], "session.update");
        peer.send(&updated()).await;
        (peer, update)
    }

    /// The next connection is answered with this status instead of an upgrade.
    pub(super) async fn refuse(&self, status: u16, body: &str) {
        let (mut stream, _) = soon(self.listener.accept()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(soon(stream.read_u8()).await.unwrap());
        }
        let length = body.len();
        let answer = format!("HTTP/1.1 {status} No\r\ncontent-length: {length}\r\n\r\n{body}");
        soon(stream.write_all(answer.as_bytes())).await.unwrap();
        soon(stream.shutdown()).await.unwrap();
    }

    /// The next connection is told this, whatever it says.
    pub(super) async fn say(&self, text: &str) {
        let (mut stream, _) = soon(self.listener.accept()).await.unwrap();
        soon(stream.read_u8()).await.unwrap();
        soon(stream.write_all(text.as_bytes())).await.unwrap();
        soon(stream.shutdown()).await.unwrap();
    }

    /// Whether somebody is knocking right now.
    pub(super) fn is_knocked(&self) -> bool {
        self.listener.accept().now_or_never().is_some()
    }
}

pub(super) struct Peer {
    socket: WebSocketStream<TcpStream>,
    request: Request,
}

impl Peer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.request
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap())
    }

    pub(super) fn query(&self) -> &str {
        self.request.uri().query().unwrap_or_default()
    }

    pub(super) async fn send(&mut self, event: &Value) {
        self.send_raw(Message::text(event.to_string())).await;
    }

    pub(super) async fn send_raw(&mut self, message: Message) {
        soon(self.socket.send(message)).await.unwrap();
    }

    /// Says something that nobody may hear any more.
    pub(super) async fn send_if_open(&mut self, event: &Value) {
        let _ = soon(self.socket.send(Message::text(event.to_string()))).await;
    }

    /// The next event of the link.
    pub(super) async fn next(&mut self) -> Value {
        loop {
            match soon(self.socket.next()).await {
                Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).unwrap(),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("an event was expected, not {other:?}"),
            }
        }
    }

    pub(super) async fn expect_nothing_but_pong(&mut self) {
        self.send_raw(Message::Ping("?".into())).await;
        match soon(self.socket.next()).await {
            Some(Ok(Message::Pong(_))) => {}
            other => panic!("only a pong was expected, not {other:?}"),
        }
    }

    pub(super) async fn next_is_ping(&mut self) -> bool {
        matches!(soon(self.socket.next()).await, Some(Ok(Message::Ping(_))))
    }

    pub(super) async fn is_closed_politely(&mut self) -> bool {
        loop {
            match soon(self.socket.next()).await {
                Some(Ok(Message::Close(_))) => return true,
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return false,
            }
        }
    }

    pub(super) async fn close(mut self, code: u16) {
        let frame = CloseFrame {
            code: CloseCode::from(code),
            reason: "bye".into(),
        };
        soon(self.socket.close(Some(frame))).await.unwrap();
    }

    /// The raw stream: for silence and for bytes that are no WebSocket.
    pub(super) fn into_stream(self) -> TcpStream {
        self.socket.into_inner()
    }
}

/// What reached the playout.
#[derive(Default)]
pub(super) struct Playout {
    heard: Mutex<Vec<Sound>>,
    changed: Notify,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sound {
    Audio { item: String, samples: Vec<i16> },
    Finished { item: String },
}

impl AudioOut for Playout {
    fn push(&self, _: &ResponseId, item: &ItemId, pcm: Pcm) {
        let samples = pcm.as_slice().to_vec();
        self.heard.lock().unwrap().push(Sound::Audio {
            item: item.to_string(),
            samples,
        });
        self.changed.notify_one();
    }

    fn finish(&self, _: &ResponseId, item: &ItemId) {
        self.heard.lock().unwrap().push(Sound::Finished {
            item: item.to_string(),
        });
        self.changed.notify_one();
    }
}

impl Playout {
    /// Everything, once there is this much of it.
    pub(super) async fn when(&self, count: usize) -> Vec<Sound> {
        soon(async {
            loop {
                let changed = self.changed.notified();
                let heard = self.heard.lock().unwrap().clone();
                if heard.len() >= count {
                    return heard;
                }
                changed.await;
            }
        })
        .await
    }
}

pub(super) struct Session {
    pub(super) handle: ModelHandle,
    pub(super) events: mpsc::Receiver<LinkEvent>,
    pub(super) tasks: JoinSet<()>,
    pub(super) playout: Arc<Playout>,
}

pub(super) fn settings(config: &Config) -> SessionSettings {
    let endpoint = Endpoint::new(config).unwrap();
    SessionSettings {
        instructions: "You are Ann.".to_owned(),
        ..SessionSettings::new(config, endpoint)
    }
}

impl Session {
    pub(super) fn start(model: &FakeModel) -> Self {
        Self::start_with(settings(&model.config()), Timings::default())
    }

    pub(super) fn start_with(settings: SessionSettings, timings: Timings) -> Self {
        let mut tasks = JoinSet::new();
        let playout = Arc::new(Playout::default());
        let out: Arc<dyn AudioOut> = playout.clone();
        let (handle, events) = start_with(&mut tasks, settings, out, timings);
        Self {
            handle,
            events,
            tasks,
            playout,
        }
    }

    /// A session whose link is up, and the other end of its connection.
    pub(super) async fn up(model: &FakeModel) -> (Self, Peer) {
        let mut session = Self::start(model);
        let (peer, _) = model.accept_configured().await;
        assert!(matches!(session.next().await, LinkEvent::Up { .. }));
        (session, peer)
    }

    pub(super) async fn next(&mut self) -> LinkEvent {
        soon(self.events.recv()).await.expect("the link goes on")
    }

    pub(super) fn no_event_yet(&mut self) -> bool {
        self.events.try_recv().is_err()
    }

    /// The next fact of the model.
    pub(super) async fn next_fact(&mut self) -> Event {
        match self.next().await {
            LinkEvent::Event(event) => event,
            other => panic!("a fact was expected, not {other:?}"),
        }
    }

    /// The last words of the link, which must be the next ones, and then nothing.
    pub(super) async fn exhausted(mut self) -> (String, crate::model::Blame) {
        let LinkEvent::Exhausted { reason, blame } = self.next().await else {
            panic!("the link has to give up");
        };
        assert_eq!(soon(self.events.recv()).await, None);
        soon(self.tasks.join_next()).await.unwrap().unwrap();
        (reason, blame)
    }
}
