use dialog::model::NewItem;

use super::*;
use crate::model::link::Timings;

/// A session, its connection, and a spare that was opened beside it.
async fn with_spare(model: &FakeModel) -> (Session, fake::Peer, fake::Peer) {
    with_spare_and(model, Timings::default()).await
}

async fn with_spare_and(model: &FakeModel, timings: Timings) -> (Session, fake::Peer, fake::Peer) {
    let mut session = Session::start_with(fake::settings(&model.config()), timings);
    let (peer, _) = model.accept_configured().await;
    assert!(matches!(session.next().await, LinkEvent::Up { .. }));
    session.handle.prepare();
    let (spare, update) = model.accept_configured().await;
    let detection = &update["session"]["audio"]["input"]["turn_detection"];
    assert_eq!(detection["create_response"], false);
    assert_eq!(session.next().await, LinkEvent::Spare);
    (session, peer, spare)
}

fn item(words: &str) -> Order {
    Order::Item(NewItem::UserText(words.to_owned()))
}

#[tokio::test]
async fn the_spare_takes_over_and_no_frame_is_lost_or_doubled() {
    let model = FakeModel::start().await;
    let (mut session, mut old, mut fresh) = with_spare(&model).await;
    session.handle.uplink().append(frame(1));
    assert_eq!(appended(&old.next().await), [1], "the old one serves");

    for order in [
        Order::Rotate,
        item("What was said."),
        Order::TurnControl {
            creates_responses: true,
        },
    ] {
        session.handle.order(order).unwrap();
    }
    session.handle.uplink().append(frame(2));
    assert!(matches!(session.next().await, LinkEvent::Rotated { .. }));
    assert_eq!(fresh.next().await["type"], "conversation.item.create");
    // The frame that was said meanwhile comes once, after what happened and before what follows.
    let mut frames = Vec::new();
    let mut control = false;
    while frames.len() < 2 || !control {
        let message = fresh.next().await;
        if message["type"] == "session.update" {
            control = true;
            session.handle.uplink().append(frame(3));
        } else {
            frames.extend(appended(&message));
        }
    }
    assert_eq!(frames, [2, 3]);
}

#[tokio::test]
async fn what_the_old_connection_says_after_the_move_is_not_told() {
    let model = FakeModel::start().await;
    let (mut session, mut old, mut fresh) = with_spare(&model).await;
    session.handle.order(Order::Rotate).unwrap();
    assert!(matches!(session.next().await, LinkEvent::Rotated { .. }));
    old.send_if_open(&fake::speech_started("old")).await;
    fresh.send(&fake::speech_started("fresh")).await;
    let Event::SpeechStarted { item } = session.next_fact().await else {
        panic!("the fresh one is heard");
    };
    assert_eq!(item.as_str(), "fresh");
}

#[tokio::test]
async fn a_spare_that_dies_while_it_waits_is_replaced_before_anybody_needs_it() {
    let model = FakeModel::start().await;
    let timings = Timings {
        spare: Duration::from_millis(20),
        ..Timings::default()
    };
    let (mut session, _old, first) = with_spare_and(&model, timings).await;
    drop(first);
    let (mut second, _) = model.accept_configured().await;
    assert_eq!(session.next().await, LinkEvent::Spare);
    session.handle.order(Order::Rotate).unwrap();
    assert!(matches!(session.next().await, LinkEvent::Rotated { .. }));
    session.handle.order(item("What was said.")).unwrap();
    assert_eq!(second.next().await["type"], "conversation.item.create");
}

#[tokio::test]
async fn a_spare_that_has_waited_for_long_makes_room_for_a_fresh_one() {
    let model = FakeModel::start().await;
    let timings = Timings {
        spare_lasts: Duration::ZERO,
        ..Timings::default()
    };
    let mut session = Session::start_with(fake::settings(&model.config()), timings);
    let (_old, _) = model.accept_configured().await;
    assert!(matches!(session.next().await, LinkEvent::Up { .. }));
    session.handle.prepare();
    let mut spares = Vec::new();
    for _ in 0..3 {
        spares.push(model.accept_configured().await);
        assert_eq!(session.next().await, LinkEvent::Spare);
    }
}

#[tokio::test]
async fn a_spare_that_answers_no_ping_is_replaced() {
    let model = FakeModel::start().await;
    let timings = Timings {
        ping: Duration::from_millis(20),
        spare: Duration::from_millis(20),
        ..Timings::default()
    };
    // Its socket stays open, and nobody reads it.
    let (mut session, _old, _first) = with_spare_and(&model, timings).await;
    let _second = model.accept_configured().await;
    assert_eq!(session.next().await, LinkEvent::Spare);
}

#[tokio::test]
async fn a_move_whose_spare_has_just_died_is_a_loss_and_the_link_comes_back() {
    let model = FakeModel::start().await;
    let timings = Timings {
        spare: Duration::from_millis(200),
        ..Timings::default()
    };
    let (mut session, _old, spare) = with_spare_and(&model, timings).await;
    drop(spare);
    // Another cannot be had.
    model.refuse(503, "{}").await;
    session.handle.order(Order::Rotate).unwrap();
    assert!(matches!(session.next().await, LinkEvent::Down { .. }));
    let (_peer, _) = model.accept_configured().await;
    assert!(matches!(session.next().await, LinkEvent::Up { .. }));
}

#[tokio::test]
async fn a_spare_that_cannot_be_had_disturbs_nobody_and_is_tried_again() {
    let model = FakeModel::start().await;
    let timings = Timings {
        spare: Duration::from_millis(20),
        ..Timings::default()
    };
    let mut session = Session::start_with(fake::settings(&model.config()), timings);
    let (mut old, _) = model.accept_configured().await;
    assert!(matches!(session.next().await, LinkEvent::Up { .. }));
    session.handle.prepare();
    model.refuse(503, "{}").await;
    session.handle.uplink().append(frame(1));
    assert_eq!(appended(&old.next().await), [1]);
    let (_spare, _) = model.accept_configured().await;
    assert!(matches!(session.next().await, LinkEvent::Spare));
}

#[tokio::test]
async fn a_spare_takes_over_at_once_when_its_connection_is_lost() {
    let model = FakeModel::start().await;
    let (mut session, old, mut fresh) = with_spare(&model).await;
    drop(old);
    assert!(matches!(session.next().await, LinkEvent::Down { .. }));
    assert!(matches!(session.next().await, LinkEvent::Up { .. }));
    session.handle.order(item("What was said.")).unwrap();
    assert_eq!(fresh.next().await["type"], "conversation.item.create");
}

#[tokio::test]
async fn a_connection_that_the_provider_ends_soon_hands_over_in_mid_speech() {
    let model = FakeModel::start().await;
    let timings = Timings {
        longest: Duration::ZERO,
        ..Timings::default()
    };
    let mut session = Session::start_with(fake::settings(&model.config()), timings);
    let (mut old, _) = model.accept_configured().await;
    assert!(matches!(session.next().await, LinkEvent::Up { .. }));
    old.send(&fake::speech_started("turn")).await;
    assert!(matches!(
        session.next_fact().await,
        Event::SpeechStarted { .. }
    ));
    session.handle.uplink().append(frame(1));
    assert_eq!(
        appended(&old.next().await),
        [1],
        "it serves until there is a spare"
    );

    session.handle.prepare();
    let (mut fresh, _) = model.accept_configured().await;
    assert!(matches!(session.next().await, LinkEvent::Spare));
    let expired = LinkEvent::Down {
        reason: DownReason::Expired,
    };
    assert_eq!(session.next().await, expired);
    assert!(matches!(session.next().await, LinkEvent::Up { .. }));
    session.handle.uplink().append(frame(2));
    session
        .handle
        .order(Order::TurnControl {
            creates_responses: true,
        })
        .unwrap();
    // What was said of the turn is said again.
    assert_eq!(appended(&fresh.next().await), [1, 2]);
}
