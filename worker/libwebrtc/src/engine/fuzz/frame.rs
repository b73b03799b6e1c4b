//! Sealed frames and messages of a peer who has the key and of one who has not: opened or dropped, and never
//! anything else than what was sealed.

use std::collections::HashSet;

use super::{Script, damage, opus};
use crate::e2ee::{
    cipher::Kdf,
    guard::Guard,
    keys::{KeyStore, Rules},
    message,
};

const TRAILER: &[u8] = b"server's";

fn store(secret: &[u8], tolerance: i32) -> std::sync::Arc<KeyStore> {
    let rules = Rules::new(true, Kdf::Hkdf, b"salt".to_vec()).limits(2, tolerance, 4);
    let store = std::sync::Arc::new(KeyStore::new(rules));
    assert!(store.set_shared(0, secret.to_vec()));
    store.set_trailer(TRAILER.to_vec());
    store
}

/// Frames of a peer with the right key, of one a step ahead, of one with another key, and the server's own.
fn frames(plain: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    for (secret, steps) in [("right", 0), ("right", 1), ("other", 0)] {
        let store = store(secret.as_bytes(), -1);
        (0..steps).for_each(|_| drop(store.ratchet_shared(0)));
        let mut guard = Guard::new(store, "peer");
        for packet in plain {
            assert!(guard.seal(0, packet).passes);
            frames.push(guard.frame().to_vec());
        }
    }
    frames.push([&[0xf8, 0xff, 0xfe, 0, 0, 0], TRAILER].concat());
    frames
}

#[test]
fn a_sealed_frame_is_opened_or_dropped() {
    let plain = opus::packets();
    let real = frames(&plain);
    let sealed: HashSet<&[u8]> = plain.iter().map(Vec::as_slice).collect();
    bolero::check!().for_each(|input: &[u8]| {
        let mut script = Script(input);
        let store = store(b"right", i32::from(script.byte()) % 16 - 1);
        let mut guard = Guard::new(store.clone(), "peer");
        while !script.is_over() {
            let frame = match script.below(4) {
                0 => script.bytes(64).to_vec(),
                1 => script.pick(&real).clone(),
                _ => damage(&real, &mut script),
            };
            let verdict = guard.open(&frame);
            if let Some(key) = verdict.derive {
                key.ratcheted(&store.rules)
                    .and_then(|next| next.ratcheted(&store.rules));
            }
            if verdict.passes {
                let opened = guard.frame();
                let silence = opened.starts_with(&[0xf8, 0xff, 0xfe]);
                assert!(silence || sealed.contains(opened), "{opened:?}");
                assert!(opened.len() <= frame.len());
            }
            let iv = script.bytes(12);
            let opened = message::open(&store, "peer", script.byte().into(), iv, &frame);
            assert!(opened.is_err());
        }
    });
}
