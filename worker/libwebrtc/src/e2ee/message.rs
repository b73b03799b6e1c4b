//! Core: messages, each sealed as a whole; vector and index travel beside it.

use std::sync::Arc;

use thiserror::Error;

use super::{
    cipher::{Cipher, IV, TAG},
    keys::{Found, Key, KeyStore},
};

/// Why a message was neither sealed nor opened.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(crate) enum MessageError {
    /// None at that index, or for that participant.
    #[error("there is no key for it")]
    MissingKey,
    /// The key failed so often that it is not tried any more.
    #[error("its key failed too often")]
    Spent,
    /// Sealed with another key, or changed.
    #[error("it does not open with this key")]
    WrongKey,
    /// Too short, or its vector is of another length.
    #[error("it is no sealed message")]
    Malformed,
    /// Another cipher was asked for.
    #[error("that cipher is not built")]
    NoCipher,
    /// The cipher did not take it.
    #[error("it cannot be sealed")]
    Unsealed,
}

/// # Errors
/// When there is no key, or the cipher does not take the message.
pub(crate) fn seal(
    store: &KeyStore,
    participant: &str,
    index: u32,
    iv: [u8; IV],
    message: &[u8],
) -> Result<Vec<u8>, MessageError> {
    let index = u8::try_from(index).map_err(|_| MessageError::MissingKey)?;
    let key = store.ring(participant).get(i32::from(index));
    let key = key.ok_or(MessageError::MissingKey)?;
    let mut out = Vec::with_capacity(message.len() + TAG);
    let sealed = key.cipher.seal(iv, &[], message, &mut out);
    sealed.map_err(|_| MessageError::Unsealed)?;
    Ok(out)
}

/// Opens a message. Unlike a frame it does not come again, so the chain of its key is derived here and now
/// when it is needed, once: up to twice the window in derivations.
///
/// # Errors
/// When there is no key for it, or none fits.
pub(crate) fn open(
    store: &KeyStore,
    participant: &str,
    index: u32,
    iv: &[u8],
    sealed: &[u8],
) -> Result<Vec<u8>, MessageError> {
    let index = u8::try_from(index).map_err(|_| MessageError::MissingKey)?;
    let iv = iv.try_into().map_err(|_| MessageError::Malformed)?;
    let (ciphertext, tag) = sealed
        .split_last_chunk::<TAG>()
        .ok_or(MessageError::Malformed)?;
    let ring = store.ring(participant);
    let key = match ring.find(index, &store.rules) {
        Found::Key(key) => key,
        Found::Missing => return Err(MessageError::MissingKey),
        Found::Spent => return Err(MessageError::Spent),
    };
    let mut out = Vec::new();
    let mut opens = |cipher: &Cipher| cipher.open(iv, &[], ciphertext, tag, &mut out).is_ok();
    let fits = chain(store, &key).find(|key| opens(&key.cipher));
    match fits {
        Some(fits) => {
            ring.opened(index, &key, fits);
            Ok(out)
        }
        None => {
            ring.failed(index, &key, &store.rules);
            Err(MessageError::WrongKey)
        }
    }
}

/// A key and those that follow it, as far as the window goes.
fn chain(store: &KeyStore, key: &Arc<Key>) -> impl Iterator<Item = Arc<Key>> {
    let next = |key: &Arc<Key>| key.ratcheted(&store.rules).cloned();
    std::iter::successors(Some(key.clone()), next).take(store.rules.window + 1)
}

#[cfg(test)]
mod tests {
    use super::{super::keys::tests::store, *};

    fn with_key(secret: &[u8], window: i32, tolerance: i32) -> Arc<KeyStore> {
        let store = store(true, window, tolerance);
        assert!(store.set_shared(1, secret.to_vec()));
        store
    }

    #[test]
    fn a_message_opens_with_its_key_and_with_no_other() {
        let (ours, others) = (with_key(b"right", 0, -1), with_key(b"other", 0, -1));
        for message in [&b""[..], b"hello", &[7; 15_000]] {
            let sealed = seal(&ours, "us", 1, [1; IV], message).unwrap();
            let opened = open(&ours, "us", 1, &[1; IV], &sealed);
            assert_eq!(opened.as_deref(), Ok(message));
            let wrong = open(&others, "us", 1, &[1; IV], &sealed);
            assert_eq!(wrong, Err(MessageError::WrongKey));
            let no_key = open(&ours, "us", 2, &[1; IV], &sealed);
            assert_eq!(no_key, Err(MessageError::MissingKey));
            let short = open(&ours, "us", 1, &[1; 11], &sealed);
            assert_eq!(short, Err(MessageError::Malformed));
        }
        let scrap = open(&ours, "us", 1, &[1; IV], &[0; TAG - 1]);
        assert_eq!(scrap, Err(MessageError::Malformed));
        for index in [0, 256, u32::MAX] {
            let none = seal(&ours, "us", index, [1; IV], b"hello");
            assert_eq!(none, Err(MessageError::MissingKey));
        }
    }

    #[test]
    fn a_sender_some_steps_ahead_is_followed_at_once() {
        let (ours, theirs) = (with_key(b"right", 2, -1), with_key(b"right", 0, -1));
        theirs.ratchet_shared(1).unwrap();
        let next = theirs.ratchet_shared(1);
        let sealed = seal(&theirs, "them", 1, [1; IV], b"hello").unwrap();
        assert_eq!(open(&ours, "them", 1, &[1; IV], &sealed).unwrap(), b"hello");
        assert_eq!(ours.get("them", 1), next);
    }

    #[test]
    fn a_key_that_failed_too_often_is_given_up() {
        let (ours, theirs) = (with_key(b"right", 0, 0), with_key(b"other", 0, -1));
        let sealed = seal(&theirs, "them", 1, [1; IV], b"hello").unwrap();
        let tries = [(); 2].map(|()| open(&ours, "them", 1, &[1; IV], &sealed));
        let expected = [Err(MessageError::WrongKey), Err(MessageError::Spent)];
        assert_eq!(tries, expected);
    }
}
