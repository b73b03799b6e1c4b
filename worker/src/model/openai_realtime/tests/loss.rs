use dialog::model::NewItem;
use tokio_tungstenite::tungstenite::Message;

use super::*;
use crate::model::link::Timings;

async fn down(session: &mut Session) -> DownReason {
    loop {
        match session.next().await {
            LinkEvent::Down { reason } => return reason,
            LinkEvent::Event(_) => {}
            other => panic!("the loss has to be told, not {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_connection_lost_in_mid_sentence_comes_back_and_is_replayed_before_kept_audio() {
    let model = FakeModel::start().await;
    let (mut session, mut peer) = Session::up(&model).await;
    peer.send(&audio_delta("i", &[7; 240])).await;
    assert!(matches!(
        session.next_fact().await,
        Event::AudioReceived { .. }
    ));
    drop(peer);
    assert_eq!(down(&mut session).await, DownReason::Network);
    let heard = session.playout.when(2).await;
    assert_eq!(
        heard[1],
        fake::Sound::Finished {
            item: "i".to_owned()
        }
    );

    // Said and ordered while the link is down: audio is kept, an order is stale.
    session
        .handle
        .order(Order::Cancel { response: None })
        .unwrap();
    session.handle.uplink().append(frame(1));
    session.handle.uplink().append(frame(2));
    let (mut peer, update) = model.accept_configured().await;
    let detection = &update["session"]["audio"]["input"]["turn_detection"];
    assert_eq!(detection["create_response"], false);
    assert_eq!(update["session"]["instructions"], "You are Ann.");
    assert!(matches!(session.next().await, LinkEvent::Up { .. }));

    let item = NewItem::UserText("Hello".to_owned());
    session.handle.order(Order::Item(item)).unwrap();
    assert_eq!(peer.next().await["type"], "conversation.item.create");
    let tag = dialog::model::Tag::new("again");
    session
        .handle
        .order(Order::Create {
            tag,
            instructions: None,
        })
        .unwrap();
    session
        .handle
        .order(Order::TurnControl {
            creates_responses: true,
        })
        .unwrap();
    assert_eq!(appended(&peer.next().await), [1, 2]);
    assert_eq!(peer.next().await["type"], "response.create");
    let control = peer.next().await;
    let detection = &control["session"]["audio"]["input"]["turn_detection"];
    assert_eq!(detection["create_response"], true);
    session.handle.uplink().append(frame(3));
    assert_eq!(appended(&peer.next().await), [3]);
}

#[tokio::test]
async fn kept_audio_goes_out_even_if_nothing_is_replayed() {
    let model = FakeModel::start().await;
    let timings = Timings {
        replay: Duration::from_millis(20),
        ..Timings::default()
    };
    let mut session = Session::start_with(fake::settings(&model.config()), timings);
    let (peer, _) = model.accept_configured().await;
    assert!(matches!(session.next().await, LinkEvent::Up { .. }));
    drop(peer);
    down(&mut session).await;
    session.handle.uplink().append(frame(5));
    let (mut peer, _) = model.accept_configured().await;
    assert_eq!(appended(&peer.next().await), [5]);
}

#[tokio::test]
async fn every_close_code_is_survived() {
    let model = FakeModel::start().await;
    for code in [1000, 1001, 1008, 1011, 1012, 1013] {
        let (mut session, peer) = Session::up(&model).await;
        peer.close(code).await;
        assert_eq!(down(&mut session).await, DownReason::Closed, "{code}");
        let (_peer, _) = model.accept_configured().await;
        assert!(
            matches!(session.next().await, LinkEvent::Up { .. }),
            "{code}"
        );
    }
}

#[tokio::test]
async fn an_expired_session_is_replaced_at_once() {
    let model = FakeModel::start().await;
    let (mut session, mut peer) = Session::up(&model).await;
    peer.send(&json!({"type": "error", "error": {"code": "session_expired"}}))
        .await;
    assert_eq!(down(&mut session).await, DownReason::Expired);
    let (_peer, _) = model.accept_configured().await;
    assert!(matches!(session.next().await, LinkEvent::Up { .. }));
}

#[tokio::test]
async fn a_connection_on_which_nothing_arrives_is_dead() {
    let model = FakeModel::start().await;
    let timings = Timings {
        ping: Duration::from_millis(50),
        silence: Duration::from_millis(200),
        ..Timings::default()
    };
    let mut session = Session::start_with(fake::settings(&model.config()), timings);
    let (peer, _) = model.accept_configured().await;
    assert!(matches!(session.next().await, LinkEvent::Up { .. }));
    // Open, but nobody reads or answers.
    let _stalled = peer.into_stream();
    assert_eq!(down(&mut session).await, DownReason::Stalled);
}

#[tokio::test]
async fn an_idle_connection_that_answers_pings_lives() {
    let model = FakeModel::start().await;
    let timings = Timings {
        ping: Duration::from_millis(20),
        silence: Duration::from_secs(5),
        ..Timings::default()
    };
    let mut session = Session::start_with(fake::settings(&model.config()), timings);
    let (mut peer, _) = model.accept_configured().await;
    assert!(matches!(session.next().await, LinkEvent::Up { .. }));
    let mut pings = 0;
    while pings < 5 {
        pings += u32::from(peer.next_is_ping().await);
    }
    assert!(session.no_event_yet());
}

#[tokio::test]
async fn a_message_beyond_the_limit_costs_the_connection_not_the_session() {
    let model = FakeModel::start().await;
    let (mut session, mut peer) = Session::up(&model).await;
    peer.send_raw(Message::text("x".repeat(3 * 1024 * 1024)))
        .await;
    assert_eq!(down(&mut session).await, DownReason::Protocol);
    let (_peer, _) = model.accept_configured().await;
    assert!(matches!(session.next().await, LinkEvent::Up { .. }));
}

#[tokio::test]
async fn bytes_that_are_no_web_socket_cost_the_connection_not_the_session() {
    use tokio::io::AsyncWriteExt;
    let model = FakeModel::start().await;
    let (mut session, peer) = Session::up(&model).await;
    let mut stream = peer.into_stream();
    stream.write_all(&[0xff; 64]).await.unwrap();
    assert_eq!(down(&mut session).await, DownReason::Protocol);
    let (_peer, _) = model.accept_configured().await;
    assert!(matches!(session.next().await, LinkEvent::Up { .. }));
}

#[tokio::test]
async fn orders_meant_for_the_lost_connection_never_reach_the_next_one() {
    let model = FakeModel::start().await;
    let (mut session, mut peer) = Session::up(&model).await;
    // The driver listens to nothing: one place is left for the loss, none for the way up.
    for number in 1..EVENTS {
        peer.send(&fake::speech_started(&number.to_string())).await;
    }
    drop(peer);
    let (mut peer, _) = model.accept_configured().await;
    let stale = || session.handle.order(Order::Cancel { response: None });
    fake::soon(async {
        while stale().is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    down(&mut session).await;
    assert!(matches!(session.next().await, LinkEvent::Up { .. }));
    let item = ItemId::new("i");
    session.handle.order(Order::Delete { item }).unwrap();
    assert_eq!(peer.next().await["type"], "conversation.item.delete");
}

#[tokio::test]
async fn what_was_said_of_a_turn_that_is_no_item_is_said_again() {
    let model = FakeModel::start().await;
    let (mut session, mut peer) = Session::up(&model).await;
    session.handle.uplink().append(frame(1));
    assert_eq!(appended(&peer.next().await), [1]);
    peer.send(&fake::speech_started("lost")).await;
    assert!(matches!(
        session.next_fact().await,
        Event::SpeechStarted { .. }
    ));
    session.handle.uplink().append(frame(2));
    assert_eq!(appended(&peer.next().await), [2]);
    drop(peer);
    down(&mut session).await;
    session.handle.uplink().append(frame(3));
    let (mut peer, _) = model.accept_configured().await;
    assert!(matches!(session.next().await, LinkEvent::Up { .. }));
    session
        .handle
        .order(Order::TurnControl {
            creates_responses: true,
        })
        .unwrap();
    assert_eq!(appended(&peer.next().await), [1, 2, 3]);
}
