//! Writes the corpus: real inputs of our own making, a few of each kind. To be run by name when a target changes:
//! `cargo test -p libwebrtc --lib -- --ignored the_corpus_is_written`.

use std::{fs, path::PathBuf};

use super::{
    super::crypto,
    datagram::{by_kind, talking},
    description, opus,
};

fn write(target: &str, name: &str, bytes: &[u8]) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("src/engine/fuzz/__fuzz__")
        .join(format!("engine__fuzz__{}", target.replace("::", "__")))
        .join("corpus");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(name), bytes).unwrap();
}

#[test]
#[ignore = "writes files"]
fn the_corpus_is_written() {
    let names = ["full", "receive-only", "data-only"];
    for (name, offer) in names.iter().zip(description::offers()) {
        for target in ["an_offer_is", "an_offer_after_an_honest_one_is"] {
            let target = format!("description::{target}_accepted_or_refused");
            write(&target, name, offer.as_bytes());
        }
    }
    let answer = description::answer();
    let target = "description::an_answer_is_accepted_or_refused";
    write(target, "full", answer.as_bytes());
    for (name, line) in [
        (
            "host",
            "candidate:1 1 udp 2130706431 10.0.0.7 5000 typ host",
        ),
        (
            "reflexive",
            "candidate:2 1 UDP 1 203.0.113.7 5000 typ srflx raddr 10.0.0.7 rport 5000 generation 0",
        ),
        (
            "ipv6",
            "candidate:3 1 udp 7 2001:db8::7 5000 typ relay raddr :: rport 0",
        ),
        (
            "tcp",
            "candidate:4 1 tcp 7 10.0.0.7 9 typ host tcptype active",
        ),
        ("name", "candidate:5 1 udp 7 a.local 5000 typ host"),
    ] {
        let target = "candidate::a_candidate_is_taken_or_refused";
        write(target, name, line.as_bytes());
    }
    datagrams();
    packets();
}

/// One real datagram of each kind and length, whole.
fn datagrams() {
    let (_, sent) = talking(crypto::provider());
    for (kind, name) in by_kind(&sent).iter().zip(["stun", "dtls", "rtp", "rtcp"]) {
        let mut kind = kind.clone();
        kind.sort_by_key(Vec::len);
        kind.dedup_by_key(|datagram| datagram.len());
        for datagram in kind.iter().rev().take(4) {
            let mut script = vec![4];
            script.extend((datagram.len() as u16).to_be_bytes());
            script.extend(datagram);
            // From the peer's address, and then a step.
            script.extend([1, 0]);
            let name = format!("{name}-{}", datagram.len());
            write(
                "datagram::unproven_datagrams_change_nothing",
                &name,
                &script,
            );
        }
    }
}

fn packets() {
    for (number, packet) in opus::packets().iter().enumerate().step_by(5) {
        let mut script = vec![(number % 5) as u8, 0];
        script.extend((packet.len() as u16).to_be_bytes());
        script.extend(packet);
        script.extend([0, 0]);
        let target = "opus::a_packet_is_decoded_or_refused";
        write(target, &format!("packet-{number}"), &script);
    }
}
