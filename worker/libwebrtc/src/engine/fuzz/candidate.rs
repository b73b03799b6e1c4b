//! Candidate strings of the peer, into a connection that looks for a path.

use std::{
    sync::{Arc, Weak},
    time::Instant,
};

use super::super::{connection::Connection, pair::Pair, status::Status};
use crate::{ice_candidate::IceCandidate, rtp_transceiver::RtpTransceiverDirection};

/// What a candidate line is made of, right and wrong.
const WORDS: [&str; 28] = [
    "candidate:1",
    "candidate:",
    "1",
    "0",
    "256",
    "-1",
    "4294967296",
    "99999999999999999999999",
    "udp",
    "UDP",
    "tcp",
    "2130706431",
    "10.0.0.7",
    "::1",
    "fe80::1%eth0",
    "255.255.255.255",
    "name.local",
    "9",
    "65536",
    "typ",
    "host",
    "srflx",
    "relay",
    "raddr",
    "rport",
    "generation",
    "ufrag",
    "\u{fdfd}",
];

fn line(input: &[u8]) -> String {
    if input.starts_with(b"candidate:") || input.starts_with(b"a=") {
        return String::from_utf8_lossy(input).into_owned();
    }
    let mut script = super::Script(input);
    // The first words in their place, and any of them replaced.
    let mut words = vec![
        "candidate:1",
        "1",
        "udp",
        "2130706431",
        "10.0.0.7",
        "5000",
        "typ",
        "host",
    ];
    while !script.is_over() && words.len() < 512 {
        let at = script.below(words.len() + 1);
        let word = *script.pick(&WORDS);
        match words.get_mut(at) {
            Some(old) => *old = word,
            None => words.push(word),
        }
    }
    words.join(" ")
}

#[test]
fn a_candidate_is_taken_or_refused() {
    let mut pair = Pair::new();
    pair.caller
        .add_audio(None, RtpTransceiverDirection::RecvOnly);
    let offer = pair.caller.connection.create_offer(false).unwrap();
    bolero::check!().for_each(|input: &[u8]| {
        let Ok(candidate) = IceCandidate::parse("0", 0, &line(input)) else {
            return;
        };
        let now = Instant::now();
        let mut connection = Connection::new(now, Weak::new(), Arc::new(Status::default()));
        assert!(connection.add_remote_candidate(&candidate).is_err());
        connection.add_local(([10, 0, 0, 1], 1_001).into());
        connection.set_remote(offer.clone()).unwrap();
        // A refusal is as good as an acceptance.
        let _ = connection.add_remote_candidate(&candidate);
        connection.advance(now);
    });
}
