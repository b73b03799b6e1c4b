//! Task: a LiveKit server as far as workers see it, for hermetic tests.
//!
//! Accepts workers on a free port of loopback and hands each connection to the test, which says
//! what the server does next. It has no room, no media and no opinion.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use livekit_protocol::{self as proto, server_message, worker_message};
use prost::Message as _;
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{ErrorResponse, Request, Response},
    },
};

/// The wire words that tests compare with.
pub(crate) mod livekit_wire {
    pub(crate) use livekit_protocol::JobStatus;
}

/// How long a test waits for something that must happen.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a worker said, reduced to what tests look at.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum FromWorker {
    Availability {
        job: String,
        available: bool,
        terminate: bool,
        identity: String,
    },
    Job {
        job: String,
        status: proto::JobStatus,
        error: String,
    },
    Other,
    Register {
        agent_name: String,
    },
    Worker {
        full: bool,
        load: f32,
        jobs: u32,
    },
}

/// The listening half.
pub(crate) struct MockServer {
    listener: TcpListener,
    pub(crate) url: String,
}

impl MockServer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback has a free port");
        let url = format!("ws://{}", listener.local_addr().expect("it listens"));
        Self { listener, url }
    }

    /// The next worker, before its first message.
    pub(crate) async fn connected(&self) -> Connection {
        let (stream, _) = within(self.listener.accept())
            .await
            .expect("a worker connects");
        #[expect(clippy::result_large_err, reason = "the library wants it this way")]
        let check = |request: &Request, response: Response| {
            assert_eq!(request.uri().path(), "/agent");
            let bearer = request
                .headers()
                .get("authorization")
                .and_then(|h| h.to_str().ok());
            assert!(
                bearer.is_some_and(|h| h.starts_with("Bearer ey")),
                "no token was brought"
            );
            Ok(response)
        };
        Connection(
            within(accept_hdr_async(stream, check))
                .await
                .expect("a handshake"),
        )
    }

    /// The next worker, registered, with its first status read.
    pub(crate) async fn registered(&self) -> Connection {
        let mut connection = self.connected().await;
        let first = connection.read().await;
        assert!(matches!(first, FromWorker::Register { .. }), "{first:?}");
        connection.send(registered("AW_mock")).await;
        let status = connection.read().await;
        assert!(matches!(status, FromWorker::Worker { .. }), "{status:?}");
        connection
    }

    /// Refuses the next worker with this HTTP status.
    pub(crate) async fn refuse(&self, status: u16) {
        let (stream, _) = within(self.listener.accept())
            .await
            .expect("a worker connects");
        #[expect(clippy::result_large_err, reason = "the library wants it this way")]
        let refuse = |_: &Request, _: Response| {
            let mut response = ErrorResponse::new(None);
            *response.status_mut() = status.try_into().expect("a status code");
            Err(response)
        };
        let refused = within(accept_hdr_async(stream, refuse)).await;
        assert!(refused.is_err());
    }
}

/// One worker's connection, seen from the server.
pub(crate) struct Connection(WebSocketStream<TcpStream>);

impl Connection {
    pub(crate) async fn send(&mut self, frame: Vec<u8>) {
        within(self.0.send(Message::Binary(frame.into())))
            .await
            .expect("the worker is there");
    }

    pub(crate) async fn send_text(&mut self, text: &str) {
        within(self.0.send(Message::Text(text.into())))
            .await
            .expect("the worker is there");
    }

    pub(crate) async fn ping(&mut self) {
        within(self.0.send(Message::Ping(b"hey".as_slice().into())))
            .await
            .expect("it is there");
        loop {
            let frame = within(self.0.next())
                .await
                .expect("an answer")
                .expect("an answer");
            if matches!(frame, Message::Pong(_)) {
                return;
            }
        }
    }

    /// The next message.
    pub(crate) async fn read(&mut self) -> FromWorker {
        loop {
            let frame = within(self.0.next())
                .await
                .expect("a message")
                .expect("a message");
            if let Message::Binary(bytes) = frame {
                return from_worker(&bytes);
            }
        }
    }

    /// The next message that is no worker status.
    pub(crate) async fn read_news(&mut self) -> FromWorker {
        loop {
            match self.read().await {
                FromWorker::Worker { .. } => {}
                news => return news,
            }
        }
    }

    /// Reads until a worker status looks like this.
    pub(crate) async fn until_status(&mut self, full: bool) -> FromWorker {
        loop {
            let message = self.read().await;
            if matches!(message, FromWorker::Worker { full: f, .. } if f == full) {
                return message;
            }
        }
    }

    /// Waits until the worker has hung up.
    pub(crate) async fn closed(&mut self) {
        while let Some(Ok(_)) = within(self.0.next()).await {}
    }
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("it happens in time")
}

fn from_worker(bytes: &[u8]) -> FromWorker {
    let message = proto::WorkerMessage::decode(bytes).expect("the worker speaks the protocol");
    match message.message.expect("the worker says something") {
        worker_message::Message::Availability(answer) => FromWorker::Availability {
            job: answer.job_id,
            available: answer.available,
            terminate: answer.terminate,
            identity: answer.participant_identity,
        },
        worker_message::Message::Register(register) => FromWorker::Register {
            agent_name: register.agent_name,
        },
        worker_message::Message::UpdateJob(update) => FromWorker::Job {
            status: update.status(),
            job: update.job_id,
            error: update.error,
        },
        worker_message::Message::UpdateWorker(update) => FromWorker::Worker {
            full: update.status() == proto::WorkerStatus::WsFull,
            load: update.load,
            jobs: update.job_count,
        },
        _ => FromWorker::Other,
    }
}

fn job(id: &str, room: &str, agent_name: &str, metadata: &str) -> proto::Job {
    proto::Job {
        id: id.to_owned(),
        room: Some(proto::Room {
            name: room.to_owned(),
            ..Default::default()
        }),
        agent_name: agent_name.to_owned(),
        metadata: metadata.to_owned(),
        ..Default::default()
    }
}

fn encode(message: server_message::Message) -> Vec<u8> {
    proto::ServerMessage {
        message: Some(message),
    }
    .encode_to_vec()
}

pub(crate) fn registered(worker_id: &str) -> Vec<u8> {
    encode(server_message::Message::Register(
        proto::RegisterWorkerResponse {
            worker_id: worker_id.to_owned(),
            server_info: Some(proto::ServerInfo {
                version: "1.13.5".to_owned(),
                ..Default::default()
            }),
            ..Default::default()
        },
    ))
}

pub(crate) fn offer(id: &str, room: &str, agent_name: &str) -> Vec<u8> {
    encode(server_message::Message::Availability(
        proto::AvailabilityRequest {
            job: Some(job(id, room, agent_name, "")),
            resuming: false,
        },
    ))
}

pub(crate) fn assignment(id: &str, room: &str, agent_name: &str, metadata: &str) -> Vec<u8> {
    encode(server_message::Message::Assignment(proto::JobAssignment {
        job: Some(job(id, room, agent_name, metadata)),
        url: None,
        token: "room-token".to_owned(),
    }))
}

pub(crate) fn termination(id: &str) -> Vec<u8> {
    encode(server_message::Message::Termination(
        proto::JobTermination {
            job_id: id.to_owned(),
        },
    ))
}
