//! Two connections talk: what one does is seen at the other. Harness: [`super::pair`].

use std::{net::SocketAddr, sync::Arc, time::Duration};

use str0m_netem::{Input, NetemConfig};

use super::pair::{Datagram, End, Pair, SECOND, frequency, negotiated};
use crate::{
    audio::rtp::AudioPacket,
    data_channel::{DataChannelInit, DataChannelState},
    media_stream_track::{MediaStreamTrack, RtcTrackState},
    peer_connection::{PeerConnectionState, SignalingState},
    rtp_transceiver::RtpTransceiverDirection,
    session_description::{SdpType, SessionDescription},
    stats::RtcStats,
};

mod channels;
mod heal;

#[test]
fn a_tone_reaches_the_other_end_packet_by_packet() {
    let mut pair = Pair::new();
    let section = pair
        .caller
        .add_audio(Some("TR_mic"), RtpTransceiverDirection::SendOnly);
    pair.connect();
    let packets = pair.speak(&section, SECOND, 440.0);
    assert_eq!(packets.len(), 50);
    assert!((frequency(&packets) - 440.0).abs() < 5.0);
    let contiguous = |pair: &[AudioPacket]| {
        pair[1].sequence == pair[0].sequence + 1
            && pair[1].timestamp == pair[0].timestamp.wrapping_add(960)
    };
    assert!(packets.windows(2).all(contiguous));
    assert!(packets[0].marker && packets[1..].iter().all(|packet| !packet.marker));
    assert!(packets.iter().all(|packet| packet.audio_level == Some(-20)));
    assert_eq!(
        pair.caller.states,
        [
            PeerConnectionState::Connecting,
            PeerConnectionState::Connected
        ]
    );
}

#[test]
fn lost_packet_comes_as_the_copy_in_the_packet_behind_it() {
    let mut pair = Pair::lossy(0.1);
    let section = pair
        .caller
        .add_audio(Some("TR_mic"), RtpTransceiverDirection::SendOnly);
    let offer = pair.caller.connection.create_offer(false).unwrap();
    pair.caller.connection.set_local(offer.clone()).unwrap();
    pair.callee.connection.set_remote(offer).unwrap();
    let answer = pair.callee.connection.create_answer().unwrap();
    pair.callee.connection.set_local(answer.clone()).unwrap();
    // The other end prefers redundant coding, as a server does for a track published with it.
    assert!(answer.to_string().contains("SAVPF 63 111"));
    pair.caller.connection.set_remote(answer).unwrap();
    pair.caller.flush(pair.now);
    pair.callee.flush(pair.now);
    pair.run_until(10 * SECOND, Pair::connected);
    let packets = pair.speak(&section, 20 * SECOND, 440.0);
    let copies = packets.iter().filter(|packet| packet.audio_level.is_none());
    assert!(copies.count() > 50, "a copy carries no level");
    // One in ten is lost, one in a hundred together with its copy.
    assert!((970..=1_000).contains(&packets.len()), "{}", packets.len());
    let report = pair.callee.connection.all_stats();
    let received = report.iter().find_map(|entry| match entry {
        RtcStats::InboundRtp(stats) => Some(&stats.received),
        _ => None,
    });
    let lost = received.unwrap().packets_lost;
    assert!((80..=120).contains(&lost), "{lost} lost on the way");
    let in_order = |pair: &[AudioPacket]| {
        let apart = pair[1].sequence - pair[0].sequence;
        pair[1].timestamp == pair[0].timestamp.wrapping_add(960 * apart as u32)
    };
    assert!(
        packets.windows(2).all(in_order),
        "each once, copies before their carrier"
    );
    assert!((frequency(&packets) - 440.0).abs() < 5.0);
}

#[test]
fn redundant_coding_is_offered_and_not_sent_to_those_who_do_not_prefer_it() {
    let mut pair = Pair::new();
    let section = pair
        .caller
        .add_audio(Some("TR_mic"), RtpTransceiverDirection::SendOnly);
    let offer = pair.caller.connection.create_offer(false).unwrap();
    assert!(offer.to_string().contains("red/48000/2"));
    pair.exchange(offer);
    pair.run_until(10 * SECOND, Pair::connected);
    let packets = pair.speak(&section, SECOND, 440.0);
    assert_eq!(packets.len(), 50);
    let mid = section.str0m_mid().unwrap();
    let mut api = pair.caller.connection.rtc.direct_api();
    assert!(!api.set_red_send(mid, false), "it was off already");
}

#[test]
fn the_receiver_learns_the_stream_and_track_ids_of_the_offer() {
    let mut pair = Pair::new();
    pair.caller
        .add_audio(Some("TR_mic"), RtpTransceiverDirection::SendOnly);
    pair.connect();
    let track = &pair.callee.tracks[0];
    assert_eq!(track.remote_stream_ids(), ["S"]);
    assert_eq!(track.remote_track().id(), "TR_mic");
    assert!(track.mid().is_some());
}

#[test]
fn an_offer_that_was_never_sent_leaves_no_trace() {
    let mut pair = Pair::new();
    let section = pair
        .caller
        .add_audio(None, RtpTransceiverDirection::RecvOnly);
    pair.caller
        .add_channel("_reliable", DataChannelInit::default());
    let dropped = pair.caller.connection.create_offer(false).unwrap();
    assert!(section.mid().is_none());
    assert!(dropped.to_string().contains("m=application"));
    pair.connect();
    pair.run_until(5 * SECOND, |pair| pair.callee.channels.len() == 1);
    assert!(section.mid().is_some());
}

#[test]
fn a_section_added_in_mid_call_carries_sound() {
    let mut pair = Pair::new();
    pair.caller
        .add_audio(None, RtpTransceiverDirection::RecvOnly);
    pair.connect();
    let section = pair
        .caller
        .add_audio(Some("TR_late"), RtpTransceiverDirection::SendOnly);
    pair.negotiate(false);
    let packets = pair.speak(&section, SECOND / 2, 600.0);
    assert_eq!(packets.len(), 25);
    assert!((frequency(&packets) - 600.0).abs() < 10.0);
}

#[test]
fn an_offer_without_changes_is_an_offer_and_disturbs_nothing() {
    let mut pair = Pair::new();
    let section = pair
        .caller
        .add_audio(Some("TR_mic"), RtpTransceiverDirection::SendOnly);
    pair.connect();
    let heard_before = pair.callee.tracks.len();
    pair.negotiate(false);
    assert_eq!(
        pair.callee.tracks.len(),
        heard_before,
        "no track was announced twice"
    );
    assert_eq!(pair.speak(&section, SECOND / 5, 440.0).len(), 10);
    assert_eq!(pair.caller.states.len(), 2, "the state did not move");
}

#[test]
fn an_ice_restart_keeps_sound_and_state() {
    let mut pair = Pair::new();
    let section = pair
        .caller
        .add_audio(Some("TR_mic"), RtpTransceiverDirection::SendOnly);
    pair.connect();
    let ufrag = |end: &End| {
        let text = end.connection.current_local().unwrap().to_string();
        super::sdp_text::ice_ufrag(&text).unwrap().to_owned()
    };
    let before = ufrag(&pair.caller);
    pair.negotiate(true);
    assert_ne!(ufrag(&pair.caller), before);
    pair.run(2 * SECOND);
    assert_eq!(pair.speak(&section, SECOND, 440.0).len(), 50);
    pair.run(20 * SECOND);
    assert!(pair.connected());
    assert_eq!(pair.caller.states.len(), 2, "a healthy restart is not seen");
}

#[test]
fn a_vanished_peer_is_disconnected_after_five_seconds_and_failed_after_fifteen() {
    let mut pair = Pair::new();
    pair.caller
        .add_audio(None, RtpTransceiverDirection::RecvOnly);
    pair.connect();
    pair.run(10 * SECOND);
    assert!(pair.connected(), "an idle connection stays");
    pair.cut = true;
    let cut = pair.now;
    pair.run_until(20 * SECOND, |pair| {
        pair.caller.state() == PeerConnectionState::Disconnected
    });
    // Packets were last heard up to one check interval (3 s) before the cut.
    let after = pair.now - cut;
    assert!((2 * SECOND..=6 * SECOND).contains(&after), "{after:?}");
    pair.run_until(20 * SECOND, |pair| {
        pair.caller.state() == PeerConnectionState::Failed
    });
    let after = pair.now - cut;
    assert!((11 * SECOND..=16 * SECOND).contains(&after), "{after:?}");
}

#[test]
fn a_path_that_comes_back_in_time_connects_again() {
    let mut pair = Pair::new();
    let section = pair
        .caller
        .add_audio(Some("TR_mic"), RtpTransceiverDirection::SendOnly);
    pair.connect();
    pair.cut = true;
    pair.run_until(20 * SECOND, |pair| {
        pair.caller.state() == PeerConnectionState::Disconnected
    });
    pair.cut = false;
    pair.negotiate(true);
    pair.run_until(10 * SECOND, Pair::connected);
    assert_eq!(pair.speak(&section, SECOND / 5, 440.0).len(), 10);
}

#[test]
fn a_peer_with_another_certificate_is_a_failure() {
    let mut pair = Pair::new();
    pair.caller
        .add_audio(None, RtpTransceiverDirection::RecvOnly);
    pair.connect();
    let offer = pair.caller.connection.create_offer(true).unwrap();
    pair.caller.connection.set_local(offer.clone()).unwrap();
    let mut moved = End::new(pair.now, 1_003, NetemConfig::new());
    moved.connection.set_remote(offer).unwrap();
    let answer = moved.connection.create_answer().unwrap();
    pair.caller.connection.set_remote(answer).unwrap();
    pair.caller.flush(pair.now);
    assert_eq!(pair.caller.state(), PeerConnectionState::Failed);
}

#[test]
fn the_answer_in_force_takes_an_outstanding_offer_back() {
    let mut pair = Pair::new();
    pair.caller
        .add_audio(None, RtpTransceiverDirection::RecvOnly);
    pair.connect();
    let added = pair
        .caller
        .add_audio(Some("TR_new"), RtpTransceiverDirection::SendOnly);
    let offer = pair.caller.connection.create_offer(false).unwrap();
    pair.caller.connection.set_local(offer).unwrap();
    assert!(added.mid().is_some());
    assert!(
        pair.caller.connection.create_offer(false).is_err(),
        "one offer at a time"
    );
    let in_force = pair.caller.connection.current_remote().unwrap();
    pair.caller.connection.set_remote(in_force).unwrap();
    assert_eq!(*pair.caller.status.signaling.get(), SignalingState::Stable);
    assert!(added.mid().is_none());
    pair.negotiate(true);
    assert_eq!(pair.speak(&added, SECOND / 5, 440.0).len(), 10);
}

#[test]
fn an_edited_offer_is_accepted() {
    let mut pair = Pair::new();
    pair.caller
        .add_audio(None, RtpTransceiverDirection::RecvOnly);
    let offer = pair.caller.connection.create_offer(false).unwrap();
    let text = offer
        .to_string()
        .replace("useinbandfec=1", "useinbandfec=1;stereo=1");
    assert_ne!(text, offer.to_string());
    pair.exchange(SessionDescription::parse(&text, SdpType::Offer).unwrap());
    pair.run_until(5 * SECOND, Pair::connected);
    assert_eq!(
        pair.caller.connection.current_local().unwrap().to_string(),
        text
    );
}

#[test]
fn a_reused_section_is_a_new_track_and_the_old_tap_hears_nothing_of_it() {
    let mut pair = Pair::new();
    let section = pair
        .caller
        .add_audio(Some("TR_one"), RtpTransceiverDirection::SendOnly);
    pair.connect();
    let MediaStreamTrack::Audio(first) = pair.callee.tracks[0].remote_track() else {
        panic!()
    };
    let mut tap = crate::ext::tap_remote(&first, 16).unwrap();
    section.remove_track().unwrap();
    pair.negotiate(false);
    assert_eq!(first.state(), RtcTrackState::Ended);
    assert!(tap.try_recv().is_none());
    assert_ne!(pair.callee.tracks[0].remote_track().id(), "TR_one");
}

#[test]
fn a_removed_track_stops_and_says_so() {
    let mut pair = Pair::new();
    let section = pair
        .caller
        .add_audio(Some("TR_mic"), RtpTransceiverDirection::SendRecv);
    pair.connect();
    section.remove_track().unwrap();
    pair.negotiate(false);
    assert!(section.local_track().is_none());
    assert_eq!(
        section.current_direction(),
        Some(RtpTransceiverDirection::RecvOnly)
    );
    assert!(pair.callee.tracks[0].remote_stream_ids().is_empty());
}

#[test]
fn a_closed_connection_is_noticed_by_the_peer() {
    let mut pair = Pair::new();
    let channel = pair.caller.add_channel("n", negotiated(100));
    pair.connect();
    pair.run_until(5 * SECOND, |_| channel.state() == DataChannelState::Open);
    pair.caller.connection.close(pair.now);
    for transmit in pair.caller.connection.out.transmits.drain(..) {
        let datagram = Datagram(Arc::new(transmit));
        pair.caller
            .network
            .handle_input(Input::Packet(pair.now, datagram));
    }
    pair.run_until(2 * SECOND, |pair| {
        pair.callee.state() == PeerConnectionState::Failed
    });
    assert_eq!(channel.state(), DataChannelState::Closed);
}

#[test]
fn two_percent_loss_loses_about_two_percent_of_the_packets() {
    let mut pair = Pair::lossy(0.02);
    let section = pair
        .caller
        .add_audio(Some("TR_mic"), RtpTransceiverDirection::SendOnly);
    pair.connect();
    let packets = pair.speak(&section, 20 * SECOND, 440.0);
    assert!(
        (960..=995).contains(&packets.len()),
        "{} of 1000",
        packets.len()
    );
    let gaps = packets
        .windows(2)
        .filter(|pair| pair[1].sequence > pair[0].sequence + 1)
        .count();
    assert!(gaps > 3, "losses show as gaps in the sequence");
}

#[test]
fn late_packets_reach_the_tap_in_order_of_arrival() {
    let network = NetemConfig::new()
        .latency(Duration::from_millis(30))
        .reorder_gap(5)
        .seed(3);
    let mut pair = Pair::over(network);
    let section = pair
        .caller
        .add_audio(Some("TR_mic"), RtpTransceiverDirection::SendOnly);
    pair.connect();
    let packets = pair.speak(&section, 4 * SECOND, 440.0);
    assert_eq!(
        packets.len(),
        200,
        "nothing is held back or dropped for being late"
    );
    assert!(
        packets
            .windows(2)
            .any(|pair| pair[1].sequence < pair[0].sequence)
    );
    assert!(
        packets
            .windows(2)
            .all(|pair| pair[1].arrival >= pair[0].arrival)
    );
}

#[test]
fn strangers_are_ignored() {
    let mut pair = Pair::new();
    pair.caller
        .add_audio(None, RtpTransceiverDirection::RecvOnly);
    pair.connect();
    let stranger = SocketAddr::from(([192, 0, 2, 9], 9));
    for datagram in [&[0u8; 40][..], &[0x80; 60], &[22; 100], &[0xff; 3], &[]] {
        pair.caller
            .connection
            .on_datagram(pair.now, stranger, pair.caller.address, datagram);
        pair.caller.flush(pair.now);
    }
    pair.run(SECOND);
    assert!(pair.connected());
}

#[test]
fn a_connection_stands_after_a_few_round_trips() {
    let mut pair = Pair::over(NetemConfig::new().latency(Duration::from_millis(5)).seed(7));
    pair.caller
        .add_audio(None, RtpTransceiverDirection::RecvOnly);
    let offer = pair.caller.connection.create_offer(false).unwrap();
    let callee = &mut pair.callee.connection;
    callee.set_remote(offer.clone()).unwrap();
    let answer = callee.create_answer().unwrap();
    callee.set_local(answer.clone()).unwrap();
    pair.callee.flush(pair.now);
    // The answer travels too; meanwhile the callee's checks meet a caller that knows nobody.
    pair.run(Duration::from_millis(50));
    pair.caller.connection.set_local(offer).unwrap();
    pair.caller.connection.set_remote(answer).unwrap();
    pair.caller.flush(pair.now);
    // A handshake message that is dropped on the way comes again only after a second.
    pair.run_until(Duration::from_millis(150), Pair::connected);
}
