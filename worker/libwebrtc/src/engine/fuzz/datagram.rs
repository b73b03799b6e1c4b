//! Datagrams that nobody vouched for, from the peer's own address and from elsewhere, into a connection that
//! stands: STUN, DTLS, SRTP and SRTCP, real ones damaged. Afterwards the peer is still heard.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use str0m::crypto::CryptoProvider;

use super::{
    super::{
        crypto,
        pair::{Pair, negotiated},
    },
    Script, damage,
};
use crate::{
    data_channel::DataChannelState, peer_connection::PeerConnectionState,
    rtp_transceiver::RtpTransceiverDirection,
};

/// Datagrams of one story; the rest of the script is not read.
const MOST: usize = 256;

/// A pair that speaks and writes, and what its caller sent meanwhile.
pub(super) fn talking(crypto: Arc<CryptoProvider>) -> (Pair, Vec<Vec<u8>>) {
    let mut pair = Pair::with_crypto(crypto);
    let section = pair
        .caller
        .add_audio(Some("TR_mic"), RtpTransceiverDirection::SendRecv);
    let channel = pair.caller.add_channel("n", negotiated(100));
    pair.callee.add_channel("n", negotiated(100));
    pair.caller.record();
    pair.connect();
    pair.run_until(Duration::from_secs(10), |_| {
        channel.state() == DataChannelState::Open
    });
    assert!(
        pair.caller
            .connection
            .send_message(&channel, b"hello", true)
    );
    assert_eq!(
        pair.speak(&section, Duration::from_millis(100), 440.0)
            .len(),
        5
    );
    pair.run(Duration::from_secs(6));
    let sent = pair.caller.recorded();
    (pair, sent)
}

/// Each kind as likely as any other: checks are many, handshake messages few.
pub(super) fn by_kind(sent: &[Vec<u8>]) -> Vec<Vec<Vec<u8>>> {
    let of = |kinds: std::ops::RangeInclusive<u8>| {
        let wanted =
            |datagram: &&Vec<u8>| datagram.first().is_some_and(|first| kinds.contains(first));
        sent.iter().filter(wanted).cloned().collect::<Vec<_>>()
    };
    let rtcp = |datagram: &&Vec<u8>| matches!(datagram.get(1), Some(192..=223));
    let srtp = of(128..=191);
    let (control, media): (Vec<_>, Vec<_>) = srtp.into_iter().partition(|datagram| rtcp(&datagram));
    let kinds = vec![of(0..=3), of(20..=63), media, control];
    assert!(kinds.iter().all(|kind| !kind.is_empty()));
    kinds
}

#[test]
fn unproven_datagrams_change_nothing() {
    bolero::check!().for_each(|input: &[u8]| {
        let (mut pair, sent) = talking(crypto::provider());
        let kinds = by_kind(&sent);
        let mut script = Script(input);
        for _ in 0..MOST {
            if script.is_over() {
                break;
            }
            let datagram = next(&kinds, &mut script);
            let source = match script.below(8) {
                0 => SocketAddr::from(([192, 0, 2, 9], script.word())),
                _ => pair.caller.address,
            };
            let to = pair.callee.address;
            pair.callee
                .connection
                .on_datagram(pair.now, source, to, &datagram);
            pair.callee.flush(pair.now);
            if script.below(4) == 0 {
                pair.step();
            }
        }
        pair.run(Duration::from_millis(100));
        still_works(&mut pair);
    });
}

fn next(kinds: &[Vec<Vec<u8>>], script: &mut Script<'_>) -> Vec<u8> {
    let kind = script.below(kinds.len() + 1);
    match kinds.get(kind) {
        Some(real) => damage(real, script),
        None => {
            let length = script.below(1_500);
            script.bytes(length).to_vec()
        }
    }
}

#[track_caller]
fn still_works(pair: &mut Pair) {
    assert!(pair.connected(), "the connection ended");
    let section = pair.caller.connection.all_transceivers()[0].clone();
    let heard = pair.speak(&section, Duration::from_millis(100), 440.0);
    assert_eq!(heard.len(), 5, "the peer is not heard any more");
}

/// In mid-handshake nothing is proven yet, and whoever can send from the peer's address can break it; but
/// every connection ends up standing or failed.
#[test]
fn datagrams_in_mid_handshake_end_in_a_call_or_a_failure() {
    let (_, sent) = talking(crypto::provider());
    let kinds = by_kind(&sent);
    bolero::check!().for_each(|input: &[u8]| {
        let mut pair = Pair::new();
        pair.caller
            .add_audio(Some("TR_mic"), RtpTransceiverDirection::SendRecv);
        pair.negotiate(false);
        let mut script = Script(input);
        for _ in 0..MOST {
            if script.is_over() {
                break;
            }
            let datagram = next(&kinds, &mut script);
            let ends = match script.below(2) {
                0 => (&mut pair.callee, pair.caller.address),
                _ => (&mut pair.caller, pair.callee.address),
            };
            let (end, source) = ends;
            let to = end.address;
            end.connection.on_datagram(pair.now, source, to, &datagram);
            end.flush(pair.now);
            if script.below(2) == 0 {
                pair.step();
            }
        }
        let settled = [PeerConnectionState::Connected, PeerConnectionState::Failed];
        pair.run_until(Duration::from_secs(60), |pair| {
            settled.contains(&pair.caller.state()) && settled.contains(&pair.callee.state())
        });
    });
}
