//! What is not proven is refused, counted and without effect: packets that were tampered with, peers with another
//! certificate than announced, strangers who come first. Harness: [`super::pair`].

use std::{net::SocketAddr, time::Duration};

use super::pair::{End, Pair, SECOND};
use crate::{
    peer_connection::PeerConnectionState,
    rtp_transceiver::RtpTransceiverDirection::{RecvOnly, SendOnly},
    session_description::{SdpType, SessionDescription},
};

fn speaking() -> (Pair, std::sync::Arc<super::transceivers::TransceiverShared>) {
    let mut pair = Pair::new();
    let section = pair.caller.add_audio(Some("TR_mic"), SendOnly);
    pair.connect();
    (pair, section)
}

fn is_media(datagram: &[u8]) -> bool {
    matches!(datagram, [128..=191, kind, ..] if !(192..=223).contains(kind))
}

/// Datagrams with media that the caller sent while speaking; the callee got them, too.
fn overheard(pair: &mut Pair, section: &super::transceivers::TransceiverShared) -> Vec<Vec<u8>> {
    pair.caller.record();
    pair.speak(section, SECOND, 440.0);
    let mut sent = pair.caller.recorded();
    sent.retain(|datagram| is_media(datagram));
    assert_eq!(sent.len(), 50);
    sent
}

fn arrives(pair: &mut Pair, datagram: &[u8]) {
    let (from, to) = (pair.caller.address, pair.callee.address);
    pair.callee
        .connection
        .on_datagram(pair.now, from, to, datagram);
    pair.callee.flush(pair.now);
}

#[test]
fn tampered_packets_are_counted_and_nobody_hears_them() {
    let (mut pair, section) = speaking();
    let mut sent = overheard(&mut pair, &section);
    let heard = pair.callee.tracks[0].remote_track();
    let crate::media_stream_track::MediaStreamTrack::Audio(track) = heard else {
        panic!()
    };
    let mut tap = crate::ext::tap_remote(&track, 64).unwrap();
    let before = crate::ext::refused().packets;
    assert_eq!(pair.callee.connection.stats.refused_packets, 0);
    for (number, datagram) in sent.iter_mut().enumerate() {
        // Ahead of the replay window, and one bit of the payload is another.
        let sequence = u16::from_be_bytes([datagram[2], datagram[3]]).wrapping_add(200);
        datagram[2..4].copy_from_slice(&sequence.to_be_bytes());
        let at = datagram.len() - 1 - number % 20;
        datagram[at] ^= 1;
        arrives(&mut pair, datagram);
    }
    assert_eq!(pair.callee.connection.stats.refused_packets, 50);
    assert!(crate::ext::refused().packets >= before + 50);
    assert!(tap.try_recv().is_none(), "a tampered packet was delivered");
    assert_eq!(pair.speak(&section, SECOND / 5, 440.0).len(), 10);
}

#[test]
fn a_report_that_was_tampered_with_is_counted() {
    let (mut pair, section) = speaking();
    pair.caller.record();
    pair.speak(&section, 6 * SECOND, 440.0);
    let sent = pair.caller.recorded();
    let is_report = |datagram: &&Vec<u8>| matches!(datagram[..], [128..=191, 192..=223, ..]);
    let mut report = sent
        .iter()
        .find(is_report)
        .expect("reports are sent")
        .clone();
    let length = report.len();
    report[length - 5] ^= 1;
    arrives(&mut pair, &report);
    assert_eq!(pair.callee.connection.stats.refused_packets, 1);
}

#[test]
fn repeated_packets_are_heard_once_and_are_no_forgery() {
    let (mut pair, section) = speaking();
    let sent = overheard(&mut pair, &section);
    let heard = pair.callee.tracks[0].remote_track();
    let crate::media_stream_track::MediaStreamTrack::Audio(track) = heard else {
        panic!()
    };
    let mut tap = crate::ext::tap_remote(&track, 64).unwrap();
    for datagram in &sent {
        arrives(&mut pair, datagram);
    }
    assert!(tap.try_recv().is_none());
    assert_eq!(pair.callee.connection.stats.refused_packets, 0);
}

#[test]
fn an_honest_call_refuses_nothing() {
    let (mut pair, section) = speaking();
    pair.speak(&section, 6 * SECOND, 440.0);
    for end in [&pair.caller, &pair.callee] {
        assert_eq!(end.connection.stats.refused_packets, 0);
    }
}

#[test]
fn one_forged_packet_of_an_unknown_source_silences_nobody() {
    let (mut pair, section) = speaking();
    let mut forged = overheard(&mut pair, &section).swap_remove(0);
    forged[8..12].copy_from_slice(&[1, 2, 3, 4]);
    // Once reports have told that it is known, a source does not name its section any more.
    pair.run(6 * SECOND);
    arrives(&mut pair, &forged);
    assert_eq!(pair.speak(&section, SECOND / 5, 440.0).len(), 10);
}

#[test]
fn a_flood_of_forged_packets_leaves_the_call_as_it_was() {
    let (mut pair, section) = speaking();
    let mut forged = overheard(&mut pair, &section).swap_remove(0);
    let refused_before = pair.callee.connection.stats.refused_packets;
    for number in 0..10_000_u32 {
        // Every source and every number, as an attacker would try them.
        forged[2..4].copy_from_slice(&(number as u16).to_be_bytes());
        if number % 2 == 0 {
            forged[8..12].copy_from_slice(&number.wrapping_mul(2_654_435_761).to_be_bytes());
        }
        arrives(&mut pair, &forged);
    }
    assert!(pair.callee.connection.stats.refused_packets > refused_before);
    assert!(pair.connected());
    assert_eq!(pair.speak(&section, SECOND / 5, 440.0).len(), 10);
}

/// The caller takes an answer with another certificate than the callee has.
fn with_another_fingerprint(pair: &mut Pair) {
    let offer = pair.caller.connection.create_offer(false).unwrap();
    pair.caller.connection.set_local(offer.clone()).unwrap();
    pair.callee.connection.set_remote(offer).unwrap();
    let answer = pair.callee.connection.create_answer().unwrap();
    pair.callee.connection.set_local(answer.clone()).unwrap();
    let text = answer.to_string();
    let line = text
        .lines()
        .find(|line| line.starts_with("a=fingerprint:"))
        .unwrap();
    let (hash, digits) = line.split_once(' ').unwrap();
    let wrong = digits.replace('A', "B").replace('1', "2").replace('7', "8");
    assert_ne!(wrong, digits);
    let text = text.replace(line, &format!("{hash} {wrong}"));
    let answer = SessionDescription::parse(&text, SdpType::Answer).unwrap();
    pair.caller.connection.set_remote(answer).unwrap();
    pair.caller.flush(pair.now);
    pair.callee.flush(pair.now);
}

#[test]
fn a_peer_whose_certificate_was_not_announced_is_never_connected_and_counted() {
    let mut pair = Pair::new();
    let section = pair.caller.add_audio(Some("TR_mic"), SendOnly);
    let before = crate::ext::refused().peers;
    with_another_fingerprint(&mut pair);
    pair.run_until(10 * SECOND, |pair| {
        pair.caller.state() == PeerConnectionState::Failed
    });
    assert!(!pair.caller.states.contains(&PeerConnectionState::Connected));
    assert!(crate::ext::refused().peers > before);
    let mid = section.str0m_mid().unwrap();
    let packet = super::sender::Outgoing {
        time: 0,
        marker: true,
        level: -20,
        payload: &[0xf8, 0xff, 0xfe],
    };
    assert!(
        pair.caller
            .connection
            .write_audio(pair.now, mid, &packet)
            .is_none(),
        "nothing is sent to it"
    );
}

/// A handshake message of somebody else, from an address of their own, before the peer's own comes.
#[test]
fn a_stranger_who_greets_first_does_not_get_the_call() {
    let mut other = Pair::new();
    other.caller.add_audio(None, RecvOnly);
    other.caller.record();
    other.callee.record();
    other.connect();
    let mut greetings = other.caller.recorded();
    greetings.extend(other.callee.recorded());
    greetings.retain(|datagram| datagram.first() == Some(&22));
    assert!(!greetings.is_empty());

    let mut pair = Pair::new();
    let section = pair.caller.add_audio(Some("TR_mic"), SendOnly);
    pair.negotiate(false);
    let stranger = SocketAddr::from(([192, 0, 2, 9], 4_000));
    while !pair.connected() {
        for greeting in &greetings {
            for end in [&mut pair.caller, &mut pair.callee] {
                let to = end.address;
                end.connection.on_datagram(pair.now, stranger, to, greeting);
                end.flush(pair.now);
            }
        }
        pair.run(Duration::from_millis(5));
        assert!(!failed(&pair.caller) && !failed(&pair.callee));
    }
    assert_eq!(pair.speak(&section, SECOND / 5, 440.0).len(), 10);
}

fn failed(end: &End) -> bool {
    end.state() == PeerConnectionState::Failed
}
