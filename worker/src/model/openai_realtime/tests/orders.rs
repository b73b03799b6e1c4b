use super::*;

#[tokio::test]
async fn every_frame_is_one_append_while_the_socket_keeps_up() {
    let model = FakeModel::start().await;
    let (session, mut peer) = Session::up(&model).await;
    for sample in 1..=5 {
        session.handle.uplink().append(frame(sample));
        assert_eq!(appended(&peer.next().await), [sample]);
    }
}

// One thread: nothing of the link runs between the lines that do not wait.
#[tokio::test]
async fn orders_go_before_audio_and_waiting_frames_merge() {
    let model = FakeModel::start().await;
    let (session, mut peer) = Session::up(&model).await;
    for sample in 1..=3 {
        session.handle.uplink().append(frame(sample));
    }
    session
        .handle
        .order(Order::Cancel { response: None })
        .unwrap();
    session
        .handle
        .order(Order::Delete {
            item: ItemId::new("i"),
        })
        .unwrap();
    assert_eq!(peer.next().await["type"], "response.cancel");
    assert_eq!(peer.next().await["type"], "conversation.item.delete");
    assert_eq!(appended(&peer.next().await), [1, 2, 3]);
}

#[tokio::test]
async fn a_full_queue_of_orders_is_told() {
    let model = FakeModel::start().await;
    let (session, _peer) = Session::up(&model).await;
    let order = || session.handle.order(Order::Cancel { response: None });
    for _ in 0..ORDERS {
        order().unwrap();
    }
    assert_eq!(order(), Err(Full));
}

#[tokio::test]
async fn an_order_that_is_too_long_is_dropped_and_the_next_one_is_not() {
    let model = FakeModel::start().await;
    let (session, mut peer) = Session::up(&model).await;
    let text = "x".repeat(3 * 1024 * 1024);
    session
        .handle
        .order(Order::Item(dialog::model::NewItem::UserText(text)))
        .unwrap();
    session
        .handle
        .order(Order::Cancel { response: None })
        .unwrap();
    assert_eq!(peer.next().await["type"], "response.cancel");
}

#[tokio::test]
async fn samples_reach_the_playout_and_facts_the_driver() {
    let model = FakeModel::start().await;
    let (mut session, mut peer) = Session::up(&model).await;
    peer.send(&audio_delta("i", &[7; 240])).await;
    peer.send(&json!({"type": "response.output_audio.done", "response_id": "r", "item_id": "i"}))
        .await;
    let heard = session.playout.when(2).await;
    assert_eq!(
        heard,
        [
            fake::Sound::Audio {
                item: "i".to_owned(),
                samples: vec![7; 240]
            },
            fake::Sound::Finished {
                item: "i".to_owned()
            },
        ]
    );
    let Event::AudioReceived { duration, .. } = session.next_fact().await else {
        panic!("audio was received");
    };
    assert_eq!(duration, Duration::from_millis(10));
    assert!(matches!(session.next_fact().await, Event::AudioDone { .. }));
}

#[tokio::test]
async fn a_driver_that_does_not_listen_holds_up_no_sample() {
    let model = FakeModel::start().await;
    let (mut session, mut peer) = Session::up(&model).await;
    // Twice as many facts as the driver's queue holds, in front of the last samples.
    let count = 2 * EVENTS;
    for number in 0..count {
        peer.send(&audio_delta(&format!("i{number}"), &[1])).await;
    }
    let sounds = 2 * count - 1;
    assert_eq!(session.playout.when(sounds).await.len(), sounds);
    // And nothing was lost: every item was received, and finished by the next one.
    for number in 0..count {
        let fact = session.next_fact().await;
        let Event::AudioReceived { item, .. } = fact else {
            panic!("audio of item {number}, not {fact:?}");
        };
        assert_eq!(item.as_str(), format!("i{number}"));
        if number + 1 < count {
            assert!(matches!(session.next_fact().await, Event::AudioDone { .. }));
        }
    }
}

#[tokio::test]
async fn a_socket_that_is_behind_loses_the_oldest_audio_and_holds_up_no_order() {
    let model = FakeModel::start().await;
    let (session, mut peer) = Session::up(&model).await;
    let uplink = session.handle.uplink();
    // Nobody reads: the buffers of both sockets fill, then the lane does.
    let mut last = 0;
    fake::soon(async {
        while uplink.dropped() < 3 {
            last += 1;
            uplink.append(Pcm::from(vec![last; 24_000]));
            tokio::task::yield_now().await;
        }
    })
    .await;
    session
        .handle
        .order(Order::Cancel { response: None })
        .unwrap();
    let mut read = Vec::new();
    let mut order_at = None;
    while read.last() != Some(&last) {
        let message = peer.next().await;
        if message["type"] == "response.cancel" {
            order_at = Some(read.len());
        } else {
            read.push(appended(&message)[0]);
        }
    }
    assert!(read.is_sorted(), "in order");
    assert_eq!(
        read.len() as u64,
        last as u64 - uplink.dropped(),
        "nothing lost in silence"
    );
    assert_eq!(
        order_at,
        Some(read.len() - 1),
        "before the audio that waited"
    );
}
