//! Hermetic: the door over a real socket, before a LiveKit server that is a few lines.

use std::time::SystemTime;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{admin, config::Secret};

struct Door {
    address: SocketAddr,
    settings: Settings,
    stop: CancellationToken,
    server: JoinSet<()>,
}

impl Drop for Door {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Answers every API call as a server without any room does.
async fn empty_server() -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 4096];
            let _ = stream.read(&mut head).await;
            let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/protobuf\r\n\
                          content-length: 0\r\nconnection: close\r\n\r\n";
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (url, tasks)
}

async fn door() -> Door {
    let (url, server) = empty_server().await;
    door_to(url, server)
}

fn door_to(url: String, server: JoinSet<()>) -> Door {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut settings = Settings::default();
    settings.livekit.url = url;
    settings.livekit.api_key = Secret::new("devkey");
    settings.livekit.api_secret = Secret::new("secret");
    let listener = admin::Listener::bind("127.0.0.1:0").unwrap();
    let address = listener.address;
    let stop = CancellationToken::new();
    admin::start(
        vec![(listener, router(Console::new(&settings)))],
        stop.clone(),
    )
    .unwrap();
    Door {
        address,
        settings,
        stop,
        server,
    }
}

impl Door {
    fn key(&self, lifetime: i64) -> String {
        let tokens = Tokens::new(&self.settings.livekit);
        let day = Duration::from_secs(86_400);
        let now = SystemTime::now() - day;
        let life = Duration::from_secs((86_400 + lifetime) as u64);
        tokens
            .key("kitchen", now, life)
            .unwrap()
            .expose()
            .to_owned()
    }

    async fn ask(&self, head: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let length = body.len();
        let request = format!(
            "{head} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        let _ = stream.write_all(request.as_bytes()).await;
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        let status = answer
            .split(' ')
            .nth(1)
            .and_then(|s| s.parse().ok())
            .unwrap_or(0);
        (status, answer)
    }

    async fn join(&self, body: &Value) -> (u16, Value) {
        let (status, answer) = self.ask("POST /api/join", &body.to_string()).await;
        let body = answer.split("\r\n\r\n").nth(1).unwrap_or_default();
        (status, serde_json::from_str(body).unwrap_or_default())
    }
}

#[tokio::test]
async fn a_good_key_is_exchanged_for_a_room_token() {
    let door = door().await;
    let (status, answer) = door
        .join(&json!({ "key": door.key(60), "name": " Ann \n" }))
        .await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["room"], "kitchen");
    assert_eq!(answer["url"], door.settings.livekit.url.as_str());
    assert!(answer["identity"].as_str().unwrap().starts_with("guest-"));
    let verifier = livekit_token_check(answer["token"].as_str().unwrap());
    assert_eq!(verifier, ("kitchen".to_owned(), "Ann".to_owned()));
}

/// Reads room and name of a token without judging it; `tokens` has the tests for that.
fn livekit_token_check(token: &str) -> (String, String) {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let claims = URL_SAFE_NO_PAD
        .decode(token.split('.').nth(1).unwrap())
        .unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&claims["video"]["room"]), text(&claims["name"]))
}

#[tokio::test]
async fn no_key_a_wrong_one_and_an_old_one_are_401() {
    let door = door().await;
    for key in ["", "nonsense", &door.key(-60)] {
        let (status, answer) = door.join(&json!({ "key": key })).await;
        assert_eq!(status, 401, "{answer}");
        assert!(
            answer["error"]
                .as_str()
                .is_some_and(|error| error.contains("link"))
        );
        assert!(answer.get("token").is_none());
    }
}

#[tokio::test]
async fn what_is_no_join_is_refused_without_work() {
    let door = door().await;
    let (status, _) = door.ask("POST /api/join", "[").await;
    assert_eq!(status, 400);
    let (status, _) = door
        .ask(
            "POST /api/join",
            &format!("{{\"key\":\"{}\"}}", "x".repeat(9000)),
        )
        .await;
    assert_eq!(status, 413);
    let (status, _) = door.ask("GET /api/join", "").await;
    assert_eq!(status, 405);
}

#[tokio::test]
async fn too_many_requests_are_stopped() {
    let door = door().await;
    let mut last = 0;
    for _ in 0..21 {
        last = door.join(&json!({ "key": "guess" })).await.0;
    }
    assert_eq!(last, 429);
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_said() {
    let mut door = door().await;
    door.server.shutdown().await;
    let (status, answer) = door.join(&json!({ "key": door.key(60) })).await;
    assert_eq!(status, 502);
    assert_eq!(answer["error"], "the LiveKit server does not answer");
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let door = door().await;
    for head in ["GET /", "GET /nowhere", "POST /api/join"] {
        let (_, answer) = door.ask(head, "{}").await;
        assert!(answer.contains(
            "content-security-policy: default-src 'self'; connect-src 'self' ws://127.0.0.1:"
        ));
        assert!(answer.contains("frame-ancestors 'none'"));
        assert!(answer.contains("x-content-type-options: nosniff"));
        assert!(answer.contains("referrer-policy: no-referrer"));
        assert!(!answer.contains("unsafe-inline"));
    }
}

#[test]
fn browsers_get_a_web_socket_address() {
    assert_eq!(browser_url("https://host/x"), "wss://host/x");
    assert_eq!(browser_url("http://host"), "ws://host");
    assert_eq!(browser_url("wss://host"), "wss://host");
    let policy = content_policy("wss://host:7443");
    assert!(
        policy.contains("connect-src 'self' wss://host:7443 https://host:7443;"),
        "{policy}"
    );
}
