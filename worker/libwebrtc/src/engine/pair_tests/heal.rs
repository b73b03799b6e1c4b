//! A path that is lost and comes back, a peer that comes from elsewhere, and what is said of it.

use std::{net::SocketAddr, sync::Arc};

use str0m_netem::{Netem, NetemConfig};

use crate::{
    engine::{
        pair::{Pair, SECOND},
        transceivers::TransceiverShared,
    },
    ext::StateReason,
    peer_connection::PeerConnectionState,
    rtp_transceiver::RtpTransceiverDirection,
};

/// A pair with a section in which the caller can speak.
fn talking() -> (Pair, Arc<TransceiverShared>) {
    let mut pair = Pair::new();
    let section = pair
        .caller
        .add_audio(Some("TR_mic"), RtpTransceiverDirection::SendOnly);
    pair.connect();
    pair.run(5 * SECOND);
    (pair, section)
}

#[test]
fn a_path_cut_for_a_while_heals_by_itself_within_a_second() {
    for seconds in [1, 5, 7, 10, 13] {
        let (mut pair, section) = talking();
        pair.cut = true;
        pair.run(seconds * SECOND);
        pair.cut = false;
        pair.run(SECOND);
        assert!(pair.connected(), "after {seconds} s");
        let heard = pair.speak(&section, SECOND / 5, 440.0);
        assert_eq!(heard.len(), 10, "after {seconds} s");
    }
}

#[test]
fn only_one_end_has_to_look_for_the_path() {
    // A server that answers checks and begins none, as one in lite mode.
    let (mut pair, section) = talking();
    pair.cut = true;
    pair.run(10 * SECOND);
    pair.cut = false;
    pair.callee.network = Netem::new(NetemConfig::new());
    pair.run(SECOND);
    assert_eq!(pair.speak(&section, SECOND / 5, 440.0).len(), 10);
}

#[test]
fn a_peer_behind_a_nat_that_forgot_it_is_heard_again_within_two_seconds() {
    let (mut pair, section) = talking();
    pair.caller.seen_as = SocketAddr::from(([10, 0, 0, 9], 4_711));
    pair.run(2 * SECOND);
    assert_eq!(pair.speak(&section, SECOND / 5, 440.0).len(), 10);
    assert!(pair.connected());
    assert_eq!(pair.callee.states.len(), 2, "nobody was disconnected");
}

#[test]
fn every_state_says_why_it_was_entered() {
    let (mut pair, _) = talking();
    assert_eq!(pair.caller.connection.why, Some(StateReason::Heard));
    pair.cut = true;
    let is = |state| move |pair: &Pair| pair.caller.state() == state;
    pair.run_until(10 * SECOND, is(PeerConnectionState::Disconnected));
    let why = pair.caller.connection.why;
    let silent = [Some(StateReason::Silent), Some(StateReason::PathLost)];
    assert!(silent.contains(&why), "{why:?}");
    pair.run_until(20 * SECOND, is(PeerConnectionState::Failed));
    assert_eq!(pair.caller.connection.why, Some(StateReason::Silent));

    let (mut pair, _) = talking();
    pair.callee.connection.close(pair.now);
    pair.callee.flush(pair.now);
    pair.run_until(SECOND / 2, is(PeerConnectionState::Disconnected));
    assert_eq!(pair.caller.connection.why, Some(StateReason::PeerClosed));
    pair.run_until(2 * SECOND, is(PeerConnectionState::Failed));
    assert_eq!(pair.caller.connection.why, Some(StateReason::PeerClosed));

    let mut alone = Pair::new();
    alone
        .caller
        .add_audio(None, RtpTransceiverDirection::RecvOnly);
    alone.cut = true;
    alone.negotiate(false);
    alone.run_until(20 * SECOND, is(PeerConnectionState::Failed));
    assert_eq!(alone.caller.connection.why, Some(StateReason::Unreachable));
}
