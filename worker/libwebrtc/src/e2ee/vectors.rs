//! What a browser's Web Crypto makes of the same inputs, with the parameters of LiveKit's client.

use std::sync::Arc;

use super::{
    cipher::{Cipher, Kdf, derive},
    frame::{self, Sealed},
    keys::{Key, KeyStore, Rules},
    message,
};

const SALT: &[u8] = b"LKFrameEncryptionKey";
const PASSPHRASE: &[u8] = b"correct horse";
const KEY: &str = "834e90983b671b2fa23af805580e4b43";
const RATCHETED_SECRET: &str = "834e90983b671b2fa23af805580e4b438d4d35ac9e6d8b14005c77f674fbde62";
const FRAME: [u8; 10] = [0x78, 1, 2, 3, 4, 5, 6, 7, 8, 9];
const IV: [u8; 12] = [
    0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab,
];
/// The frame under the key of the passphrase, and under the next of its chain; index 3.
const SEALED: &str =
    "78dd3d24c73ad0db2a12024861b5b2f46b9d72c113f9e07f1c90a0a1a2a3a4a5a6a7a8a9aaab0c03";
const SEALED_RATCHETED: &str =
    "78013ec9d9b13bf567e891a9eeca2ae229b3360ec838cc228769a0a1a2a3a4a5a6a7a8a9aaab0c03";
/// "hello" under the key of the passphrase.
const MESSAGE: &str = "b45a4baf50127a2c3b1273258cc52b11ffdd698ede";

fn bytes(hex: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(byte).collect()
}

fn store() -> Arc<KeyStore> {
    let rules = Rules::new(true, Kdf::Pbkdf2, SALT.to_vec()).limits(1, -1, 16);
    let store = Arc::new(KeyStore::new(rules));
    assert!(store.set_shared(3, PASSPHRASE.to_vec()));
    store
}

#[test]
fn keys_are_derived_as_in_a_browser() {
    let key = derive::<16>(Kdf::Pbkdf2, PASSPHRASE, SALT).unwrap();
    assert_eq!(key[..], bytes(KEY));
    let next = store().ratchet_shared(3);
    assert_eq!(next.unwrap(), bytes(RATCHETED_SECRET));
    let secret: Vec<u8> = (0..32).collect();
    let key = derive::<16>(Kdf::Hkdf, &secret, SALT).unwrap();
    assert_eq!(key[..], bytes("6d0dd7b3d6f4efde47ab9a9e15abde76"));
    let next = derive::<32>(Kdf::Hkdf, &secret, SALT).unwrap();
    let expected = "6d0dd7b3d6f4efde47ab9a9e15abde7635c45a13bddf5da15eed01f40178d328";
    assert_eq!(next[..], bytes(expected));
}

#[test]
fn frames_are_sealed_and_opened_as_in_a_browser() {
    let rules = Rules::new(true, Kdf::Pbkdf2, SALT.to_vec());
    let key = Key::new(&rules, PASSPHRASE.to_vec()).unwrap();
    let next = key.ratcheted(&rules).unwrap();
    for (key, wire) in [(&key, SEALED), (next, SEALED_RATCHETED)] {
        let (mut sealed, mut opened) = (Vec::new(), Vec::new());
        frame::seal(&key.cipher, 3, IV, &FRAME, &mut sealed).unwrap();
        assert_eq!(sealed, bytes(wire));
        let parts = Sealed::read(&sealed).unwrap();
        parts.open(&key.cipher, &mut opened).unwrap();
        assert_eq!((parts.index, &opened[..]), (3, &FRAME[..]));
    }
}

#[test]
fn messages_are_sealed_and_opened_as_in_a_browser() {
    let store = store();
    let sealed = message::seal(&store, "us", 3, IV, b"hello");
    assert_eq!(sealed.unwrap(), bytes(MESSAGE));
    let opened = message::open(&store, "them", 3, &IV, &bytes(MESSAGE));
    assert_eq!(opened.unwrap(), b"hello");
}

/// The cipher itself, by the standard's own words: an empty message under a key of zeros (NIST GCM test case 1).
#[test]
fn the_cipher_is_the_one_of_the_standard() {
    let mut out = Vec::new();
    let cipher = Cipher::new(&[0; 16]).unwrap();
    cipher.seal([0; 12], &[], &[], &mut out).unwrap();
    assert_eq!(out, bytes("58e2fccefa7e3061367f1d57a4e7455a"));
}
