//! Core: seals or opens the frames of one track, and says when that begins or ceases to work.

use std::sync::Arc;

use super::{
    frame::{self, Sealed},
    keys::{Found, Key, KeyStore, Ring},
    nonces::Nonces,
};
use crate::native::frame_cryptor::EncryptionState;

/// Guards one direction of one track.
pub(crate) struct Guard {
    store: Arc<KeyStore>,
    ring: Arc<Ring>,
    nonces: Nonces,
    /// The last frame that passed; kept for its memory.
    frame: Vec<u8>,
    state: EncryptionState,
    /// The last frame did not open.
    is_failing: bool,
}

/// What became of a frame.
#[derive(Default)]
pub(crate) struct Verdict {
    /// It may go on, as [`Guard::frame`] has it.
    pub(crate) passes: bool,
    /// What is to be told, in order.
    pub(crate) news: [Option<EncryptionState>; 2],
    /// The chain of this key is needed to go on: somebody has to derive it, outside of the packet's way.
    pub(crate) derive: Option<Arc<Key>>,
}

impl Guard {
    pub(crate) fn new(store: Arc<KeyStore>, participant: &str) -> Self {
        Self {
            ring: store.ring(participant),
            store,
            nonces: Nonces::new(),
            frame: Vec::new(),
            state: EncryptionState::New,
            is_failing: false,
        }
    }

    /// The frame that passed.
    pub(crate) fn frame(&self) -> &[u8] {
        &self.frame
    }

    /// Hands the frame that passed over, for another buffer.
    pub(crate) fn swap_frame(&mut self, with: &mut Vec<u8>) {
        std::mem::swap(&mut self.frame, with);
    }

    /// Lets nothing pass: the cipher that was asked for is not there.
    pub(crate) fn refuse(&mut self) -> Verdict {
        self.dropped(EncryptionState::InternalError)
    }

    /// `None` when nothing new is to be told.
    fn enter(&mut self, state: EncryptionState) -> Option<EncryptionState> {
        let is_new = std::mem::replace(&mut self.state, state) != state;
        is_new.then_some(state)
    }

    fn passes(&mut self) -> Verdict {
        Verdict {
            passes: true,
            news: [self.enter(EncryptionState::Ok), None],
            derive: None,
        }
    }

    fn dropped(&mut self, why: EncryptionState) -> Verdict {
        Verdict {
            news: [self.enter(why), None],
            ..Verdict::default()
        }
    }

    /// Seals a frame with the key at an index.
    pub(crate) fn seal(&mut self, index: i32, frame: &[u8]) -> Verdict {
        let key = self.ring.get(index);
        let (Ok(index), Some(key)) = (u8::try_from(index), key) else {
            return self.dropped(EncryptionState::MissingKey);
        };
        let iv = self.nonces.next();
        match frame::seal(&key.cipher, index, iv, frame, &mut self.frame) {
            Ok(()) => self.passes(),
            Err(_) => self.dropped(EncryptionState::EncryptionFailed),
        }
    }

    /// Opens a frame.
    pub(crate) fn open(&mut self, frame: &[u8]) -> Verdict {
        let Some(sealed) = Sealed::read(frame) else {
            return self.not_sealed(frame);
        };
        let key = match self.ring.find(sealed.index, &self.store.rules) {
            Found::Key(key) => key,
            Found::Missing if self.is_servers(frame) => return self.servers(),
            Found::Missing => return self.dropped(EncryptionState::MissingKey),
            Found::Spent => return Verdict::default(),
        };
        if sealed.open(&key.cipher, &mut self.frame).is_ok() {
            if std::mem::take(&mut self.is_failing) {
                self.ring.opened(sealed.index, &key, key.clone());
            }
            return self.passes();
        }
        match self.is_servers(frame) {
            true => self.servers(),
            false => self.ratchet(&sealed, &key),
        }
    }

    /// The sender may be some steps ahead.
    fn ratchet(&mut self, sealed: &Sealed<'_>, key: &Arc<Key>) -> Verdict {
        let mut step = key;
        for _ in 0..self.store.rules.window {
            let Some(next) = step.next() else {
                return Verdict {
                    derive: Some(key.clone()),
                    ..Verdict::default()
                };
            };
            if sealed.open(&next.cipher, &mut self.frame).is_ok() {
                self.ring.opened(sealed.index, key, next.clone());
                self.is_failing = false;
                let ratcheted = self.enter(EncryptionState::KeyRatcheted);
                return Verdict {
                    passes: true,
                    news: [ratcheted, self.enter(EncryptionState::Ok)],
                    derive: None,
                };
            }
            step = next;
        }
        self.is_failing = true;
        match self.ring.failed(sealed.index, key, &self.store.rules) {
            true => self.dropped(EncryptionState::DecryptionFailed),
            false => Verdict::default(),
        }
    }

    /// Anybody can make such frames, so they say nothing about a key.
    fn not_sealed(&mut self, frame: &[u8]) -> Verdict {
        match self.is_servers(frame) {
            true => self.servers(),
            false => self.dropped(EncryptionState::DecryptionFailed),
        }
    }

    /// Keeps the frame when it is silence of the server's own.
    fn is_servers(&mut self, frame: &[u8]) -> bool {
        let Self {
            store, frame: kept, ..
        } = self;
        store.with_trailer(|trailer| {
            let silence = frame::server_silence(frame, trailer);
            if let Some(silence) = silence {
                kept.clear();
                kept.extend_from_slice(silence);
            }
            silence.is_some()
        })
    }

    /// Says nothing about keys.
    fn servers(&self) -> Verdict {
        Verdict {
            passes: true,
            ..Verdict::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::keys::tests::store, *};

    const FRAME: &[u8] = &[0x78, 1, 2, 3, 4, 5];

    fn news(verdict: &Verdict) -> Vec<EncryptionState> {
        verdict.news.iter().flatten().copied().collect()
    }

    /// A sender of its own store with this key, and what it sends.
    fn sealed(secret: &[u8], ratchets: usize, index: i32) -> Vec<u8> {
        let theirs = store(true, 0, -1);
        assert!(theirs.set_shared(index, secret.to_vec()));
        for _ in 0..ratchets {
            theirs.ratchet_shared(index).unwrap();
        }
        let mut guard = Guard::new(theirs, "them");
        let verdict = guard.seal(index, FRAME);
        assert!(verdict.passes);
        assert_eq!(news(&verdict), [EncryptionState::Ok]);
        guard.frame().to_vec()
    }

    fn listener(window: i32, tolerance: i32) -> (Arc<KeyStore>, Guard) {
        let ours = store(true, window, tolerance);
        assert!(ours.set_shared(0, b"right".to_vec()));
        let guard = Guard::new(ours.clone(), "them");
        (ours, guard)
    }

    #[test]
    fn the_right_key_opens_and_says_so_once() {
        let (_, mut guard) = listener(0, -1);
        let first = guard.open(&sealed(b"right", 0, 0));
        assert!(first.passes);
        assert_eq!(news(&first), [EncryptionState::Ok]);
        assert_eq!(guard.frame(), FRAME);
        let second = guard.open(&sealed(b"right", 0, 0));
        assert!(second.passes && news(&second).is_empty());
    }

    #[test]
    fn a_wrong_key_is_told_once_and_a_right_one_afterwards() {
        let (ours, mut guard) = listener(0, -1);
        let wire = sealed(b"other", 0, 0);
        let first = guard.open(&wire);
        assert!(!first.passes);
        assert_eq!(news(&first), [EncryptionState::DecryptionFailed]);
        let second = guard.open(&wire);
        assert!(!second.passes && news(&second).is_empty());
        assert!(ours.set_shared(0, b"other".to_vec()));
        let third = guard.open(&wire);
        assert!(third.passes);
        assert_eq!(news(&third), [EncryptionState::Ok]);
    }

    #[test]
    fn failures_are_borne_as_often_as_was_said_and_then_the_key_is_not_tried() {
        let (ours, mut guard) = listener(0, 2);
        let (right, wrong) = (sealed(b"right", 0, 0), sealed(b"other", 0, 0));
        for _ in 0..2 {
            let verdict = guard.open(&wrong);
            assert!(!verdict.passes && news(&verdict).is_empty());
        }
        assert_eq!(
            news(&guard.open(&wrong)),
            [EncryptionState::DecryptionFailed]
        );
        assert!(!guard.open(&right).passes, "given up");
        assert!(ours.set_shared(0, b"right".to_vec()));
        assert!(guard.open(&right).passes, "set anew");
    }

    #[test]
    fn a_missing_key_and_what_is_no_sealed_frame_are_told() {
        let (_, mut guard) = listener(0, -1);
        let missing = guard.open(&sealed(b"right", 0, 3));
        assert_eq!(news(&missing), [EncryptionState::MissingKey]);
        let plain = guard.open(&[0x78; 60]);
        assert!(!plain.passes);
        assert_eq!(news(&plain), [EncryptionState::DecryptionFailed]);
        for index in [-1, 2, 256] {
            let verdict = guard.seal(index, FRAME);
            assert!(!verdict.passes, "{index}");
        }
    }

    #[test]
    fn a_sender_some_steps_ahead_is_followed_once_the_chain_is_known() {
        let (ours, mut guard) = listener(3, -1);
        let wire = sealed(b"right", 2, 0);
        let first = guard.open(&wire);
        assert!(!first.passes && news(&first).is_empty());
        let mut step = first.derive.expect("the chain is asked for");
        for _ in 0..3 {
            step = step.ratcheted(&ours.rules).unwrap().clone();
        }
        let second = guard.open(&wire);
        assert!(second.passes);
        let told = [EncryptionState::KeyRatcheted, EncryptionState::Ok];
        assert_eq!(news(&second), told);
        assert_eq!(guard.frame(), FRAME);
        // The step is taken: what was sealed before it does not open any more.
        assert!(!guard.open(&sealed(b"right", 0, 0)).passes);
        assert!(guard.open(&wire).passes);
    }

    #[test]
    fn a_sender_beyond_the_window_is_a_wrong_key() {
        let (ours, mut guard) = listener(2, -1);
        let wire = sealed(b"right", 3, 0);
        let mut step = guard.open(&wire).derive.unwrap();
        for _ in 0..2 {
            step = step.ratcheted(&ours.rules).unwrap().clone();
        }
        assert_eq!(
            news(&guard.open(&wire)),
            [EncryptionState::DecryptionFailed]
        );
    }

    #[test]
    fn the_servers_silence_passes_without_a_key_and_says_nothing() {
        let (ours, mut guard) = listener(0, -1);
        ours.set_trailer(b"server".to_vec());
        let silence = [0xf8, 0xff, 0xfe, 0, 0];
        let verdict = guard.open(&[&silence[..], b"server"].concat());
        assert!(verdict.passes && news(&verdict).is_empty());
        assert_eq!(guard.frame(), silence);
        assert!(!guard.open(&[&[0x78; 60][..], b"server"].concat()).passes);
    }
}
