//! Data channels between two connections.

use std::sync::Weak;

use crate::{
    data_channel::{DataChannelInit, DataChannelState},
    engine::{
        channels::ChannelShared,
        pair::{Pair, SECOND, negotiated},
    },
    peer_connection::SignalingState,
    rtp_transceiver::RtpTransceiverDirection,
};

#[test]
fn negotiated_and_in_band_channels_carry_messages_both_ways() {
    let mut pair = Pair::new();
    let ours: Vec<_> = (100..103)
        .map(|id| pair.caller.add_channel("n", negotiated(id)))
        .collect();
    let theirs: Vec<_> = (100..103)
        .map(|id| pair.callee.add_channel("n", negotiated(id)))
        .collect();
    let in_band = pair.caller.add_channel("_data", DataChannelInit::default());
    pair.connect();
    pair.run_until(5 * SECOND, |pair| {
        let all = ours.iter().chain(&theirs).chain([&in_band]);
        all.into_iter()
            .all(|channel| channel.state() == DataChannelState::Open)
            && pair.callee.channels.len() == 1
    });
    assert_eq!(
        ours.iter().map(|channel| channel.id()).collect::<Vec<_>>(),
        [100, 101, 102]
    );
    assert_eq!(pair.callee.channels[0].label(), "_data");
    assert!(pair.callee.channels[0].id() >= 0);
    assert!(pair.caller.connection.send_message(&ours[1], b"ping", true));
    assert!(
        pair.callee
            .connection
            .send_message(&pair.callee.channels[0].clone(), b"pong", true)
    );
    pair.run(SECOND);
    assert_eq!(pair.callee.messages, [b"ping"]);
    assert_eq!(pair.caller.messages, [b"pong"]);
}

#[test]
fn every_byte_sent_is_reported_once_as_having_left_the_buffer() {
    let mut pair = Pair::lossy(0.02);
    let channel = pair.caller.add_channel("n", negotiated(100));
    pair.callee.add_channel("n", negotiated(100));
    pair.connect();
    pair.run_until(5 * SECOND, |_| channel.state() == DataChannelState::Open);
    pair.run(SECOND);
    for _ in 0..40 {
        assert!(
            pair.caller
                .connection
                .send_message(&channel, &[1; 15_000], true)
        );
    }
    pair.caller.flush(pair.now);
    assert!(channel.buffered_amount() > 0, "600 kB do not leave at once");
    pair.run_until(60 * SECOND, |pair| pair.callee.messages.len() == 40);
    pair.run(2 * SECOND);
    assert_eq!(pair.caller.buffered, 600_000);
    assert_eq!(channel.buffered_amount(), 0);
}

#[test]
fn a_channel_closed_before_the_offer_is_answered_never_existed() {
    let mut pair = Pair::new();
    let dropped = pair.caller.add_channel("early", negotiated(100));
    let offer = pair.caller.connection.create_offer(false).unwrap();
    pair.caller.connection.close_channel(&dropped);
    let late = pair
        .caller
        .add_channel("_reliable", DataChannelInit::default());
    pair.exchange(offer);
    pair.run_until(5 * SECOND, |_| late.state() == DataChannelState::Open);
    pair.run(SECOND);
    assert_eq!(dropped.state(), DataChannelState::Closed);
    assert_eq!(pair.callee.channels.len(), 1);
    assert_eq!(pair.callee.channels[0].label(), "_reliable");
}

#[test]
fn a_closed_connection_takes_no_channel() {
    let mut pair = Pair::new();
    pair.caller.add_channel("n", negotiated(2));
    pair.callee.add_channel("n", negotiated(2));
    pair.connect();
    let now = pair.now;
    pair.caller.connection.close(now);
    let late = ChannelShared::new("n".into(), negotiated(2), Weak::new());
    assert!(pair.caller.connection.add_channel(late).is_err());
}

#[test]
fn a_negotiated_id_can_be_used_again_after_its_channel_closed() {
    let mut pair = Pair::new();
    let first = pair.caller.add_channel("n", negotiated(100));
    let peer = pair.callee.add_channel("n", negotiated(100));
    pair.connect();
    pair.run_until(5 * SECOND, |_| peer.state() == DataChannelState::Open);
    let twice = ChannelShared::new("n".into(), negotiated(100), Weak::new());
    assert!(pair.caller.connection.add_channel(twice).is_err());
    pair.caller.connection.close_channel(&first);
    let second = pair.caller.add_channel("n", negotiated(100));
    pair.caller.flush(pair.now);
    pair.run_until(10 * SECOND, |_| second.state() == DataChannelState::Open);
    assert_eq!(first.state(), DataChannelState::Closed);
}

#[test]
fn a_data_only_connection_can_repeat_its_offer() {
    let mut pair = Pair::new();
    pair.caller.add_channel("n", negotiated(100));
    pair.connect();
    let offer = pair.caller.connection.create_offer(false).unwrap();
    assert!(offer.to_string().contains("m=application"));
    pair.caller.connection.set_local(offer).unwrap();
    assert_eq!(
        *pair.caller.status.signaling.get(),
        SignalingState::HaveLocalOffer
    );
}

#[test]
fn ten_percent_loss_connects_and_carries_messages() {
    let mut pair = Pair::lossy(0.1);
    let section = pair
        .caller
        .add_audio(Some("TR_mic"), RtpTransceiverDirection::SendOnly);
    let channel = pair.caller.add_channel("n", negotiated(100));
    pair.callee.add_channel("n", negotiated(100));
    pair.connect();
    pair.run_until(20 * SECOND, |_| channel.state() == DataChannelState::Open);
    pair.run(SECOND);
    for number in 0..50u8 {
        assert!(
            pair.caller
                .connection
                .send_message(&channel, &[number; 900], true)
        );
    }
    pair.run_until(60 * SECOND, |pair| pair.callee.messages.len() == 50);
    assert!(
        pair.callee
            .messages
            .iter()
            .enumerate()
            .all(|(n, message)| message[0] == n as u8)
    );
    let packets = pair.speak(&section, 10 * SECOND, 440.0);
    assert!(
        (410..=480).contains(&packets.len()),
        "{} of 500",
        packets.len()
    );
}

#[test]
fn a_negotiated_channel_waits_while_its_id_belongs_to_another_one() {
    let mut pair = Pair::new();
    let in_band = pair.caller.add_channel("_data", DataChannelInit::default());
    pair.connect();
    pair.run_until(5 * SECOND, |_| in_band.state() == DataChannelState::Open);
    let late = pair.caller.add_channel("n", negotiated(in_band.id()));
    let last = pair.caller.add_channel("n", negotiated(1_023));
    pair.run(SECOND);
    assert_eq!(late.state(), DataChannelState::Connecting);
    assert_eq!(last.state(), DataChannelState::Connecting);
    pair.caller.connection.close_channel(&in_band);
    pair.caller.flush(pair.now);
    pair.run_until(10 * SECOND, |_| late.state() == DataChannelState::Open);
}

#[test]
fn an_id_str0m_chose_a_moment_ago_is_not_given_away_again() {
    let mut pair = Pair::new();
    pair.caller.add_channel("_data", DataChannelInit::default());
    pair.negotiate(false);
    for id in 0..4 {
        pair.caller.add_channel("n", negotiated(id));
        pair.caller.flush(pair.now);
        pair.step();
    }
    pair.run_until(10 * SECOND, Pair::connected);
}
