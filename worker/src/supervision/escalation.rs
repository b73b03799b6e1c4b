//! Adapter: a person is asked to join: what the room shows of it, and who is told.
//!
//! Who is told hears of it also when the session is over meanwhile: the requests belong to the worker.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::{config::Secret, redaction, webhook::Webhook};

/// The `[escalation]` table.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Address that is told, as the JSON body of a POST, when an agent asks for a person. Default: none.
    #[schemars(extend("format" = "http-url"))]
    pub webhook: Option<String>,
    /// Sent along as `Authorization: Bearer …`, so that the receiver knows us. Default: nothing.
    pub webhook_token: Secret,
}

/// Requests under way at once. When there are more the next one is dropped and said so in the log: a
/// receiver this slow tells nobody anything.
const MOST_UNDER_WAY: usize = 256;
/// After these it is told again; a person may be waiting for help.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];
/// How long requests under way may take when the worker ends, which somebody may be waiting for.
const LAST_REQUESTS: Duration = Duration::from_secs(3);

/// Who is told when an agent asks for a person; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Escalations {
    webhook: Option<Webhook>,
    /// Requests of all sessions of the worker.
    under_way: TaskTracker,
}

/// One wish for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Escalation {
    /// Why, redacted.
    pub reason: String,
    /// Milliseconds since 1970.
    pub at_ms: u64,
}

impl Escalation {
    /// Now, for this reason in the model's words.
    pub fn now(reason: &str) -> Self {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            reason: redaction::text(reason),
            at_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// The value of the attribute `agent.escalation`.
    pub fn attribute(&self) -> String {
        json!({"reason": self.reason, "at_ms": self.at_ms}).to_string()
    }
}

impl Escalations {
    /// As configured.
    pub fn new(config: &Config) -> Self {
        let address = config.webhook.as_deref();
        Self {
            webhook: address.map(|address| Webhook::new(address, &config.webhook_token)),
            under_way: TaskTracker::new(),
        }
    }

    /// Tells the receiver, if there is one, and does not wait. That it failed is said in the log; people in
    /// the room see the attribute all the same.
    pub fn tell(&self, room: &str, session: &str, escalation: &Escalation) {
        let Some(webhook) = self.webhook.clone() else {
            return;
        };
        if self.under_way.len() >= MOST_UNDER_WAY {
            tracing::error!("too many escalations at once; nobody was told of one");
            return;
        }
        let body = json!({
            "event": "escalation",
            "room": room,
            "session": session,
            "reason": escalation.reason,
            "at_ms": escalation.at_ms,
        });
        let body = body.to_string().into_bytes();
        let telling = async move {
            for pause in PAUSES {
                match webhook.post(body.clone()).await {
                    Ok(()) => return,
                    Err(error) => tracing::warn!(%error, "an escalation is told again"),
                }
                sleep(pause).await;
            }
            if let Err(error) = webhook.post(body).await {
                tracing::error!(%error, "nobody was told of an escalation");
            }
        };
        self.under_way.spawn(telling.in_current_span());
    }

    /// Waits for the requests that are under way when the worker ends, but not for long.
    pub async fn finish(&self) {
        self.under_way.close();
        if timeout(LAST_REQUESTS, self.under_way.wait()).await.is_err() {
            let left = self.under_way.len();
            tracing::error!(
                left,
                "the worker ends while somebody is told of an escalation"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
        task::JoinSet,
    };

    use super::*;

    async fn receiver() -> (TcpListener, Escalations) {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let escalations = Escalations::new(&Config {
            webhook: Some(format!("http://{address}/")),
            ..Config::default()
        });
        (listener, escalations)
    }

    /// A session that asks for a person and is over at once.
    async fn short_session(escalations: &Escalations) {
        let mut tasks = JoinSet::new();
        let escalations = escalations.clone();
        tasks.spawn(async move {
            escalations.tell("kitchen", "job", &Escalation::now("They want a person."));
        });
        tasks.join_next().await.unwrap().unwrap();
        tasks.shutdown().await;
    }

    async fn request(socket: &mut TcpStream) -> String {
        let mut request = String::new();
        while !request.contains('}') {
            let mut piece = [0; 4096];
            let read = socket.read(&mut piece).await.unwrap();
            assert!(read > 0, "the whole request comes");
            request.push_str(std::str::from_utf8(&piece[..read]).unwrap());
        }
        request
    }

    #[tokio::test]
    async fn who_is_to_be_told_hears_of_it_when_the_session_is_over_already() {
        let (listener, escalations) = receiver().await;
        short_session(&escalations).await;
        let taking = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            let request = request(&mut socket).await;
            let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
            socket.write_all(answer).await.unwrap();
            (request, socket)
        };
        let ((request, _socket), ()) = tokio::join!(taking, escalations.finish());
        assert!(request.contains("They want a person."), "{request}");
        assert!(escalations.under_way.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn the_worker_ends_although_the_receiver_never_answers() {
        let (_listener, escalations) = receiver().await;
        short_session(&escalations).await;
        let began = tokio::time::Instant::now();
        escalations.finish().await;
        let waited = began.elapsed();
        assert!(waited >= LAST_REQUESTS, "{waited:?}");
        assert!(
            waited <= LAST_REQUESTS + Duration::from_millis(2),
            "{waited:?}"
        );
    }
}
