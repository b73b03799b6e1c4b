use std::net::Ipv4Addr;

use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest, http::HeaderValue},
};

use super::*;

type Socket =
    tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

async fn started(script: Script) -> SimModel {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    SimModel::start(any, script).await.expect("a free port")
}

async fn connect(model: &SimModel, header: &'static str, value: &str) -> Result<Socket, Error> {
    let mut request = format!("{}?model=gpt-realtime-2.1", model.url()).into_client_request()?;
    let value = HeaderValue::from_str(value).expect("a header value");
    request.headers_mut().insert(header, value);
    Ok(connect_async(request).await?.0)
}

async fn connected(model: &SimModel) -> Socket {
    connect(model, "authorization", "Bearer some-key")
        .await
        .expect("accepted")
}

async fn next(socket: &mut Socket) -> Option<Value> {
    match socket.next().await {
        Some(Ok(Message::Text(text))) => Some(serde_json::from_str(&text).expect("JSON")),
        _ => None,
    }
}

async fn next_of(socket: &mut Socket, kind: &str) -> Value {
    loop {
        let event = next(socket).await.expect("the connection lives");
        if event["type"] == kind {
            return event;
        }
    }
}

#[tokio::test]
async fn a_client_is_greeted_with_its_session() {
    let model = started(Script::default()).await;
    let mut socket = connected(&model).await;
    let created = next(&mut socket).await.expect("an event");
    assert_eq!(created["type"], "session.created");
    assert_eq!(created["session"]["model"], "simulated-realtime");
}

#[tokio::test]
async fn a_refused_or_missing_key_gets_401_before_any_socket() {
    let script = Script {
        refused_keys: vec!["stolen".to_owned()],
        ..Script::default()
    };
    let model = started(script).await;
    for (header, value) in [("authorization", "Bearer stolen"), ("x-nothing", "x")] {
        let Err(Error::Http(response)) = connect(&model, header, value).await else {
            panic!("refused");
        };
        assert_eq!(response.status(), 401);
    }
    assert_eq!((model.connections(), model.refusals()), (0, 2));
}

#[tokio::test]
async fn a_browser_authenticates_by_subprotocol() {
    let model = started(Script::default()).await;
    let offer = "realtime, openai-insecure-api-key.some-key";
    let mut socket = connect(&model, "sec-websocket-protocol", offer)
        .await
        .expect("accepted");
    assert_eq!(
        next(&mut socket).await.expect("an event")["type"],
        "session.created"
    );
}

#[tokio::test]
async fn an_armed_drop_cuts_the_link_mid_sentence_once() {
    let script = Script {
        pace: 40.0,
        reply_after: Default::default(),
        ..Script::default()
    };
    let model = started(script).await;
    model.arm(Fault::DropLink(2));
    let mut socket = connected(&model).await;
    socket
        .send(Message::text(
            json!({"type": "response.create"}).to_string(),
        ))
        .await
        .expect("sent");
    while next(&mut socket).await.is_some() {}
    assert_eq!(
        model
            .events(Side::Server, "response.output_audio.delta")
            .len(),
        2
    );
    let mut socket = connected(&model).await;
    socket
        .send(Message::text(
            json!({"type": "response.create"}).to_string(),
        ))
        .await
        .expect("sent");
    let done = next_of(&mut socket, "response.done").await;
    assert_eq!(done["response"]["status"], "completed");
}

#[tokio::test]
async fn what_the_client_said_is_recorded_without_its_audio() {
    let model = started(Script::default()).await;
    let mut socket = connected(&model).await;
    let audio = "A".repeat(6_400);
    let append = json!({"type": "input_audio_buffer.append", "audio": audio});
    socket
        .send(Message::text(append.to_string()))
        .await
        .expect("sent");
    socket.send(Message::text("no json")).await.expect("sent");
    let error = next_of(&mut socket, "error").await;
    assert_eq!(error["error"]["code"], "invalid_event");
    let said = model.sent_by(Side::Client);
    assert_eq!(said[0].event["audio"], "(6400 characters)");
    assert_eq!(said[1].event, "no json");
}

#[tokio::test]
async fn two_thousand_malformed_messages_do_not_end_the_connection() {
    let model = started(Script::default()).await;
    let mut socket = connected(&model).await;
    for message in crate::malformed::messages(12, 2_000) {
        socket.feed(Message::text(message)).await.expect("sent");
    }
    let last = json!({"type": "session.update", "event_id": "last", "session": {}});
    socket
        .send(Message::text(last.to_string()))
        .await
        .expect("sent");
    loop {
        let event = next(&mut socket).await.expect("the connection lives");
        if event["error"]["event_id"] == "last" {
            break;
        }
    }
}
