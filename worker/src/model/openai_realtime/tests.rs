//! Driver tests: a link against a WebSocket server on a loopback socket, through real channels.
//! Real time: a paused clock would run ahead of the sockets. Every wait has a condition and a
//! deadline.

mod fake;
mod garbage;
mod loss;
mod orders;
mod refusal;
mod rotation;

use std::time::Duration;

use serde_json::{Value, json};

use self::fake::{FakeModel, Session};
use crate::model::*;

const GIVEN: Duration = Duration::from_millis(400);

fn frame(sample: i16) -> Pcm {
    Pcm::from(vec![sample; 480])
}

/// The first sample of each 20 ms in an append.
fn appended(message: &Value) -> Vec<i16> {
    use base64::{Engine, prelude::BASE64_STANDARD};
    assert_eq!(message["type"], "input_audio_buffer.append", "{message}");
    let bytes = BASE64_STANDARD
        .decode(message["audio"].as_str().unwrap())
        .unwrap();
    bytes
        .chunks(960)
        .map(|frame| i16::from_le_bytes([frame[0], frame[1]]))
        .collect()
}

fn audio_delta(item: &str, samples: &[i16]) -> Value {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let bytes: Vec<u8> = samples
        .iter()
        .flat_map(|sample| sample.to_le_bytes())
        .collect();
    json!({
        "type": "response.output_audio.delta",
        "response_id": "r",
        "item_id": item,
        "delta": BASE64_STANDARD.encode(bytes),
    })
}

#[tokio::test]
async fn the_session_is_configured_before_the_link_is_up() {
    let model = FakeModel::start().await;
    let mut session = Session::start(&model);
    let mut peer = model.accept().await;
    assert_eq!(peer.header("authorization"), Some("Bearer sk-test"));
    assert_eq!(peer.header("openai-beta"), None);
    assert_eq!(peer.query(), "model=gpt-realtime-2.1");
    peer.send(&fake::created()).await;
    let update = peer.next().await;
    assert_eq!(update["type"], "session.update");
    assert_eq!(update["event_id"], "configure");
    assert_eq!(
        update["session"]["audio"]["input"]["turn_detection"]["create_response"],
        true
    );
    assert!(
        session.no_event_yet(),
        "up before the settings were in force"
    );
    peer.send(&fake::updated()).await;
    let LinkEvent::Up {
        capabilities,
        model,
    } = session.next().await
    else {
        panic!("the link has to come up");
    };
    assert_eq!(model, "simulated-realtime");
    assert!(capabilities.detects_turns && capabilities.cancels && capabilities.truncates);
}

#[tokio::test]
async fn audio_waits_until_the_session_is_configured() {
    let model = FakeModel::start().await;
    let mut session = Session::start(&model);
    session.handle.uplink().append(frame(1));
    let mut peer = model.accept().await;
    session.handle.uplink().append(frame(2));
    peer.send(&fake::created()).await;
    assert_eq!(peer.next().await["type"], "session.update");
    session.handle.uplink().append(frame(3));
    // Whatever the link had sent by now would arrive before the answer to a ping.
    peer.expect_nothing_but_pong().await;
    peer.send(&fake::updated()).await;
    assert!(matches!(session.next().await, LinkEvent::Up { .. }));
    assert_eq!(appended(&peer.next().await), [1, 2, 3]);
}

#[tokio::test]
async fn the_link_ends_when_the_driver_is_gone_and_says_goodbye() {
    let model = FakeModel::start().await;
    let (session, mut peer) = Session::up(&model).await;
    let Session {
        handle,
        mut tasks,
        events,
        ..
    } = session;
    drop(handle);
    assert!(peer.is_closed_politely().await);
    fake::soon(tasks.join_next()).await.unwrap().unwrap();
    drop(events);
}

#[tokio::test]
async fn the_link_ends_when_nobody_listens_any_more() {
    let model = FakeModel::start().await;
    let (session, _peer) = Session::up(&model).await;
    let Session {
        handle,
        mut tasks,
        events,
        ..
    } = session;
    drop(events);
    fake::soon(tasks.join_next()).await.unwrap().unwrap();
    assert_eq!(handle.order(Order::Cancel { response: None }), Err(Full));
}

#[tokio::test]
async fn a_probe_says_whether_the_model_takes_our_key() {
    let model = FakeModel::start().await;
    let config = model.config();
    let (probed, ()) = tokio::join!(probe(&config), async {
        let mut peer = model.accept().await;
        peer.send(&fake::created()).await;
        assert!(peer.is_closed_politely().await);
    });
    probed.unwrap();
    let (probed, ()) = tokio::join!(probe(&config), model.refuse(401, ""));
    let error = probed.unwrap_err();
    assert_eq!(
        (error.reason(), error.blame()),
        ("invalid_api_key", Blame::Config)
    );
    assert_eq!(error.retry(), Retry::Never);
    let (probed, ()) = tokio::join!(probe(&config), model.refuse(503, ""));
    assert_eq!(probed.unwrap_err().retry(), Retry::Backoff);
}

#[tokio::test]
async fn neither_key_nor_instructions_show_in_debug_output() {
    let model = FakeModel::start().await;
    let mut settings = fake::settings(&model.config());
    settings.instructions = "the secret recipe".to_owned();
    let shown = format!("{settings:?}");
    assert!(
        !shown.contains("sk-test") && !shown.contains("recipe"),
        "{shown}"
    );
}
