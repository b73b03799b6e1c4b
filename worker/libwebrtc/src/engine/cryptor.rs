//! The guard of one track at the place where its packets pass: what was encoded is sealed before it is numbered
//! and sent, what came is opened before taps and jitter buffer see it.
//!
//! Owns the guard behind a leaf lock, and whom to tell. The application is told on the event thread.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI32, Ordering},
};

use parking_lot::Mutex;

use super::{
    callbacks::Slot,
    events::{Event, Listener},
};
use crate::{
    e2ee::{
        ahead,
        guard::{Guard, Verdict},
        keys::KeyStore,
    },
    native::frame_cryptor::{EncryptionState, OnStateChange},
};

/// Seals or opens the packets of one track.
pub(crate) struct Cryptor {
    participant: String,
    store: Arc<KeyStore>,
    /// False when a cipher was asked for that there is not: then nothing passes.
    has_cipher: bool,
    enabled: AtomicBool,
    key_index: AtomicI32,
    guard: Mutex<Guard>,
    listener: Arc<Listener>,
    on_state: Slot<OnStateChange>,
    /// What happened before anybody wanted to know.
    untold: Mutex<Option<EncryptionState>>,
}

impl Cryptor {
    pub(crate) fn new(participant: String, store: Arc<KeyStore>, has_cipher: bool) -> Arc<Self> {
        Arc::new(Self {
            guard: Mutex::new(Guard::new(store.clone(), &participant)),
            participant,
            store,
            has_cipher,
            enabled: AtomicBool::new(false),
            key_index: AtomicI32::new(0),
            listener: Arc::default(),
            on_state: Slot::default(),
            untold: Mutex::default(),
        })
    }

    pub(crate) fn participant(&self) -> &str {
        &self.participant
    }

    pub(crate) fn enabled(&self) -> bool {
        self.enabled.load(Ordering::Relaxed)
    }

    pub(crate) fn set_enabled(&self, enabled: bool) {
        self.enabled.store(enabled, Ordering::Relaxed);
    }

    pub(crate) fn key_index(&self) -> i32 {
        self.key_index.load(Ordering::Relaxed)
    }

    pub(crate) fn set_key_index(&self, index: i32) {
        self.key_index.store(index, Ordering::Relaxed);
    }

    pub(crate) fn on_state(self: &Arc<Self>, callback: Option<OnStateChange>) {
        let is_wanted = callback.is_some();
        self.on_state.set(callback);
        let news = self.untold.lock().take_if(|_| is_wanted);
        if let Some(state) = news {
            self.post(state);
        }
    }

    /// What is to be sent instead of this packet: it itself while this is off. `None` = nothing.
    pub(crate) fn seal<'a>(
        self: &Arc<Self>,
        packet: &'a [u8],
        sealed: &'a mut Vec<u8>,
    ) -> Option<&'a [u8]> {
        if !self.enabled() {
            return Some(packet);
        }
        let mut guard = self.guard.lock();
        let verdict = self.judge(&mut guard, |guard| guard.seal(self.key_index(), packet));
        let passes = verdict.passes;
        if passes {
            guard.swap_frame(sealed);
        }
        drop(guard);
        self.follow(verdict);
        passes.then_some(&sealed[..])
    }

    /// Opens a packet in its place; its length afterwards. `None` = it is not to be used.
    pub(crate) fn open(self: &Arc<Self>, packet: &mut Arc<[u8]>) -> Option<usize> {
        if !self.enabled() || packet.is_empty() {
            return Some(packet.len());
        }
        let mut guard = self.guard.lock();
        let verdict = self.judge(&mut guard, |guard| guard.open(packet));
        let length = verdict.passes.then(|| replace(packet, guard.frame()));
        drop(guard);
        self.follow(verdict);
        length
    }

    fn judge(&self, guard: &mut Guard, judge: impl FnOnce(&mut Guard) -> Verdict) -> Verdict {
        match self.has_cipher {
            true => judge(guard),
            false => guard.refuse(),
        }
    }

    fn follow(self: &Arc<Self>, verdict: Verdict) {
        if let Some(key) = verdict.derive {
            ahead::derive(&self.store, key);
        }
        let news = verdict.news.into_iter().flatten();
        news.for_each(|state| self.post(state));
    }

    fn post(self: &Arc<Self>, state: EncryptionState) {
        // Only messages can be refused.
        let _ = self.listener.post(Event::Encryption(self.clone(), state));
    }

    /// On the event thread.
    pub(super) fn tell(&self, state: EncryptionState) {
        let mut untold = self.untold.lock();
        if !self.on_state.is_set() {
            *untold = Some(state);
            return;
        }
        drop(untold);
        self.on_state
            .call(|callback| callback(self.participant.clone(), state));
    }
}

/// Puts `with`, which is never longer, where a packet was; answers its length.
fn replace(packet: &mut Arc<[u8]>, with: &[u8]) -> usize {
    let place = Arc::get_mut(packet).and_then(|packet| packet.get_mut(..with.len()));
    match place {
        Some(place) => place.copy_from_slice(with),
        None => *packet = with.into(),
    }
    with.len()
}
