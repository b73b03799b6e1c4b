use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use tokio_tungstenite::tungstenite::Message;

use super::*;

/// Valid events to be spoiled. None of them ends a connection as it stands.
const SEEDS: &[&str] = &[
    include_str!("../wire/fixtures/audio_delta.json"),
    include_str!("../wire/fixtures/error.json"),
    include_str!("../wire/fixtures/response_done.json"),
    include_str!("../wire/fixtures/response_failed.json"),
    include_str!("../wire/fixtures/session_created.json"),
    r#"{"type":"conversation.item.input_audio_transcription.delta","item_id":"u","delta":"x"}"#,
    r#"{"type":"response.output_item.done","response_id":"r","item":{"type":"function_call"}}"#,
];

const WHOLE: &[&str] = &[
    "",
    "null",
    "[]",
    "0",
    "\"type\"",
    "{\"type\":\"\"}",
    "{\"type\":null}",
    "{\"type\":\"response.output_audio.delta\",\"response_id\":\"\",\"item_id\":\"\",\"delta\":\"\"}",
    "{\"type\":\"response.output_audio.delta\",\"response_id\":\"r\",\"item_id\":\"i\",\"delta\":\"=\"}",
    "{\"type\":\"error\",\"error\":[]}",
    "{\"type\":\"error\",\"type\":\"error\",\"error\":{}}",
    "{\"type\":\"response.done\",\"response\":{\"id\":\"r\",\"usage\":{\"input_token_details\":{\"text_tokens\":-1}}}}",
    "{\"type\":\"response.done\",\"response\":{\"id\":\"r\",\"usage\":{\"input_token_details\":{\"text_tokens\":1e999}}}}",
    "\u{0}\u{fffd}\u{202e}",
];

fn spoiled(dice: &mut StdRng) -> Message {
    let seed = (*SEEDS.choose(dice).unwrap()).to_owned();
    let at = dice.random_range(0..seed.len());
    match dice.random_range(0..7) {
        0 => Message::text(&seed[..at]),
        1 => Message::text((*WHOLE.choose(dice).unwrap()).to_owned()),
        2 => {
            let mut bytes = seed.into_bytes();
            for _ in 0..dice.random_range(1..8) {
                let at = dice.random_range(0..bytes.len());
                bytes[at] = dice.random_range(b' '..b'~');
            }
            Message::text(String::from_utf8(bytes).unwrap())
        }
        3 => Message::text("[".repeat(dice.random_range(1..20_000))),
        4 => Message::binary(seed.into_bytes()),
        5 => Message::text(seed.replace("\":\"", "\":{\"x\":[1,null]},\"y\":\"")),
        _ => Message::text(seed.replace(['"', ':'], "'")),
    }
}

#[tokio::test]
async fn two_thousand_malformed_messages_change_nothing() {
    let model = FakeModel::start().await;
    let (mut session, mut peer) = Session::up(&model).await;
    let mut dice = StdRng::seed_from_u64(3);
    let flood = async {
        for _ in 0..2_000 {
            peer.send_raw(spoiled(&mut dice)).await;
        }
        peer.send(&fake::speech_started("still-here")).await;
    };
    let survive = async {
        loop {
            match session.next_fact().await {
                Event::SpeechStarted { item } if item.as_str() == "still-here" => return,
                _ => {}
            }
        }
    };
    fake::soon(async { tokio::join!(flood, survive) }).await;
    session.handle.uplink().append(frame(9));
    assert_eq!(appended(&peer.next().await), [9]);
    peer.send(&audio_delta("after", &[4; 240])).await;
    loop {
        if let Event::AudioReceived { item, duration, .. } = session.next_fact().await
            && item.as_str() == "after"
        {
            assert_eq!(duration, Duration::from_millis(10));
            break;
        }
    }
}

#[tokio::test]
async fn events_of_the_future_and_binary_messages_are_skipped() {
    let model = FakeModel::start().await;
    let (mut session, mut peer) = Session::up(&model).await;
    peer.send(&json!({"type": "response.hologram.delta", "delta": {"x": 1}}))
        .await;
    peer.send_raw(Message::binary(vec![1, 2, 3])).await;
    peer.send(
        &json!({"type": "response.output_text.delta", "response_id": "r", "item_id": "i",
        "delta": "only text"}),
    )
    .await;
    peer.send(&fake::speech_started("u")).await;
    assert!(matches!(
        session.next_fact().await,
        Event::SpeechStarted { .. }
    ));
}

#[tokio::test]
async fn garbage_before_the_session_begins_is_skipped_too() {
    let model = FakeModel::start().await;
    let mut session = Session::start(&model);
    let mut peer = model.accept().await;
    peer.send_raw(Message::text("{")).await;
    peer.send_raw(Message::binary(vec![0])).await;
    peer.send(&json!({"type": "conversation.created"})).await;
    peer.send(&fake::created()).await;
    assert_eq!(peer.next().await["type"], "session.update");
    peer.send(&json!({"type": "rate_limits.updated"})).await;
    peer.send_raw(Message::text("nonsense")).await;
    peer.send(&fake::updated()).await;
    assert!(matches!(session.next().await, LinkEvent::Up { .. }));
}
