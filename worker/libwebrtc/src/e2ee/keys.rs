//! Core: keys by participant and index, and the chain that each of them begins.
//!
//! Owns which key counts at which index, and how often it failed. Locks here are leaves and are never held
//! while a key is derived: that takes tens of milliseconds.

use std::{
    collections::HashMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use parking_lot::Mutex;
use zeroize::Zeroizing;

use super::cipher::{Cipher, KEY, Kdf, Refused, derive};

/// Bytes of a secret that was derived from another one.
const RATCHETED: usize = 32;
/// Longest chain that is tried, and most indices: the index is one byte.
const MOST: usize = 255;
const DEFAULT_INDICES: usize = 16;

/// What is the same for all keys of a store.
pub(crate) struct Rules {
    /// One key for everybody.
    pub(crate) is_shared: bool,
    pub(crate) kdf: Kdf,
    pub(crate) salt: Vec<u8>,
    /// Steps of the chain that are tried when a key does not open; 0–255.
    pub(crate) window: usize,
    /// Failures in a row after which a key is no longer tried; `None` = it always is.
    pub(crate) tolerance: Option<u32>,
    /// 1–255.
    pub(crate) indices: usize,
}

impl Rules {
    /// Keys that do not ratchet by themselves, and are always tried.
    pub(crate) fn new(is_shared: bool, kdf: Kdf, salt: Vec<u8>) -> Self {
        Self {
            is_shared,
            kdf,
            salt,
            window: 0,
            tolerance: None,
            indices: DEFAULT_INDICES,
        }
    }

    /// Takes the numbers as upstream has them: a negative tolerance is none, a ring of no size the usual one.
    pub(crate) fn limits(mut self, window: i32, tolerance: i32, indices: i32) -> Self {
        self.window = usize::try_from(window).unwrap_or(0).min(MOST);
        self.tolerance = u32::try_from(tolerance).ok();
        self.indices = match usize::try_from(indices) {
            Ok(0) | Err(_) => DEFAULT_INDICES,
            Ok(indices) => indices.min(MOST),
        };
        self
    }
}

/// A secret, the key it gives, and the next secret of its chain.
pub(crate) struct Key {
    secret: Zeroizing<Vec<u8>>,
    pub(crate) cipher: Cipher,
    next: OnceLock<Option<Arc<Self>>>,
    /// Somebody was asked to derive what follows.
    pub(crate) is_awaited: AtomicBool,
}

impl Key {
    /// Slow, see [`Kdf`].
    ///
    /// # Errors
    /// When the secret is empty.
    pub(crate) fn new(rules: &Rules, secret: Vec<u8>) -> Result<Arc<Self>, Refused> {
        let secret = Zeroizing::new(secret);
        let key = derive::<KEY>(rules.kdf, &secret, &rules.salt)?;
        Ok(Arc::new(Self {
            cipher: Cipher::new(&key)?,
            secret,
            next: OnceLock::new(),
            is_awaited: AtomicBool::new(false),
        }))
    }

    pub(crate) fn secret(&self) -> Vec<u8> {
        self.secret.to_vec()
    }

    /// The next of the chain, when it was derived already.
    pub(crate) fn next(&self) -> Option<&Arc<Self>> {
        self.next.get()?.as_ref()
    }

    /// The next of the chain. Slow the first time.
    pub(crate) fn ratcheted(&self, rules: &Rules) -> Option<&Arc<Self>> {
        let ratchet = || {
            let secret = derive::<RATCHETED>(rules.kdf, &self.secret, &rules.salt).ok()?;
            Self::new(rules, secret.to_vec()).ok()
        };
        self.next.get_or_init(ratchet).as_ref()
    }
}

/// What there is at an index.
pub(crate) enum Found {
    Key(Arc<Key>),
    Missing,
    /// It failed too often.
    Spent,
}

/// The keys of one participant by their index.
#[derive(Default)]
pub(crate) struct Ring(Mutex<Slots>);

#[derive(Clone, Default)]
struct Slots {
    slots: Vec<Slot>,
    /// Where a key was set last.
    current: usize,
}

#[derive(Clone, Default)]
struct Slot {
    key: Option<Arc<Key>>,
    /// In a row.
    failures: u32,
}

impl Slots {
    /// Index −1 stands for where a key was set last.
    fn place(&self, index: i32) -> usize {
        usize::try_from(index).unwrap_or(self.current)
    }

    /// The slot where this very key lies: another one may have taken its place meanwhile.
    fn of(&mut self, index: u8, key: &Arc<Key>) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(usize::from(index))?;
        let is_same = slot.key.as_ref().is_some_and(|now| Arc::ptr_eq(now, key));
        is_same.then_some(slot)
    }
}

impl Ring {
    fn of_size(size: usize) -> Self {
        Self(Mutex::new(Slots {
            slots: vec![Slot::default(); size],
            current: 0,
        }))
    }

    fn copy(&self) -> Self {
        Self(Mutex::new(self.0.lock().clone()))
    }

    /// The key to open with.
    pub(crate) fn find(&self, index: u8, rules: &Rules) -> Found {
        let slots = self.0.lock();
        let slot = slots.slots.get(usize::from(index));
        let Some((slot, key)) = slot.and_then(|slot| Some((slot, slot.key.clone()?))) else {
            return Found::Missing;
        };
        match rules.tolerance {
            Some(most) if slot.failures > most => Found::Spent,
            _ => Found::Key(key),
        }
    }

    /// The key, whether it is spent or not: what others could not be opened with is good to seal with.
    pub(crate) fn get(&self, index: i32) -> Option<Arc<Key>> {
        let slots = self.0.lock();
        slots.slots.get(slots.place(index))?.key.clone()
    }

    fn set(&self, index: i32, key: Arc<Key>) {
        let mut slots = self.0.lock();
        let size = slots.slots.len().max(1);
        let place = slots.place(index) % size;
        slots.current = place;
        if let Some(slot) = slots.slots.get_mut(place) {
            *slot = Slot {
                key: Some(key),
                failures: 0,
            };
        }
    }

    /// Something opened: with the key that lies there, or one further down its chain, which is the one from now
    /// on.
    pub(crate) fn opened(&self, index: u8, tried: &Arc<Key>, with: Arc<Key>) {
        let mut slots = self.0.lock();
        if let Some(slot) = slots.of(index, tried) {
            *slot = Slot {
                key: Some(with),
                failures: 0,
            };
        }
    }

    /// Something did not open. True when that is to be told.
    pub(crate) fn failed(&self, index: u8, tried: &Arc<Key>, rules: &Rules) -> bool {
        let Some(most) = rules.tolerance else {
            return true;
        };
        let mut slots = self.0.lock();
        let Some(slot) = slots.of(index, tried) else {
            return false;
        };
        slot.failures = slot.failures.saturating_add(1);
        slot.failures > most
    }
}

/// All keys of an application.
pub(crate) struct KeyStore {
    pub(crate) rules: Rules,
    /// Everybody's keys.
    shared: Ring,
    rings: Mutex<HashMap<String, Arc<Ring>>>,
    /// Marks what the server puts between the frames of a participant.
    trailer: Mutex<Vec<u8>>,
}

impl KeyStore {
    pub(crate) fn new(rules: Rules) -> Self {
        Self {
            shared: Ring::of_size(rules.indices),
            rules,
            rings: Mutex::default(),
            trailer: Mutex::default(),
        }
    }

    /// A participant's keys; with a shared key a copy of everybody's, because each ratchets on their own.
    pub(crate) fn ring(&self, participant: &str) -> Arc<Ring> {
        let mut rings = self.rings.lock();
        if let Some(ring) = rings.get(participant) {
            return ring.clone();
        }
        let ring = Arc::new(match self.rules.is_shared {
            true => self.shared.copy(),
            false => Ring::of_size(self.rules.indices),
        });
        rings.insert(participant.to_owned(), ring.clone());
        ring
    }

    /// False when keys are not shared, or there is nothing to derive one from.
    pub(crate) fn set_shared(&self, index: i32, secret: Vec<u8>) -> bool {
        if !self.rules.is_shared {
            return false;
        }
        let Ok(key) = Key::new(&self.rules, secret) else {
            return false;
        };
        self.share(index, &key);
        true
    }

    fn share(&self, index: i32, key: &Arc<Key>) {
        // Nobody gets a copy from before meanwhile.
        let rings = self.rings.lock();
        self.shared.set(index, key.clone());
        rings.values().for_each(|ring| ring.set(index, key.clone()));
    }

    pub(crate) fn shared(&self, index: i32) -> Option<Vec<u8>> {
        self.shared.get(index).map(|key| key.secret())
    }

    /// Everybody's next key; answers its secret.
    pub(crate) fn ratchet_shared(&self, index: i32) -> Option<Vec<u8>> {
        let next = self.shared.get(index)?.ratcheted(&self.rules)?.clone();
        self.share(index, &next);
        Some(next.secret())
    }

    /// False when there is nothing to derive a key from.
    pub(crate) fn set(&self, participant: &str, index: i32, secret: Vec<u8>) -> bool {
        let Ok(key) = Key::new(&self.rules, secret) else {
            return false;
        };
        self.ring(participant).set(index, key);
        true
    }

    pub(crate) fn get(&self, participant: &str, index: i32) -> Option<Vec<u8>> {
        let ring = self.rings.lock().get(participant).cloned()?;
        ring.get(index).map(|key| key.secret())
    }

    /// A participant's next key; answers its secret.
    pub(crate) fn ratchet(&self, participant: &str, index: i32) -> Option<Vec<u8>> {
        let ring = self.rings.lock().get(participant).cloned()?;
        let next = ring.get(index)?.ratcheted(&self.rules)?.clone();
        let secret = next.secret();
        ring.set(index, next);
        Some(secret)
    }

    pub(crate) fn set_trailer(&self, trailer: Vec<u8>) {
        *self.trailer.lock() = trailer;
    }

    /// Lets somebody look at the server's trailer.
    pub(crate) fn with_trailer<R>(&self, look: impl FnOnce(&[u8]) -> R) -> R {
        look(&self.trailer.lock())
    }
}

/// True once: who gets it sees to it that the chain of this key is derived.
pub(crate) fn claim(key: &Key) -> bool {
    !key.is_awaited.swap(true, Ordering::Relaxed)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::e2ee) fn store(is_shared: bool, window: i32, tolerance: i32) -> Arc<KeyStore> {
        let rules = Rules::new(is_shared, Kdf::Hkdf, b"salt".to_vec());
        Arc::new(KeyStore::new(rules.limits(window, tolerance, 4)))
    }

    fn secret_of(found: Found) -> Option<Vec<u8>> {
        match found {
            Found::Key(key) => Some(key.secret()),
            Found::Missing | Found::Spent => None,
        }
    }

    #[test]
    fn a_shared_key_is_everybodys_and_each_may_move_on_alone() {
        let store = store(true, 4, -1);
        let early = store.ring("early");
        assert!(matches!(early.find(0, &store.rules), Found::Missing));
        assert!(store.set_shared(0, b"one".to_vec()));
        let late = store.ring("late");
        for ring in [&early, &late] {
            assert_eq!(secret_of(ring.find(0, &store.rules)).unwrap(), b"one");
        }
        let ratcheted = store.ratchet("late", 0).unwrap();
        assert_eq!(store.get("late", 0), Some(ratcheted.clone()));
        assert_eq!(store.get("early", 0).unwrap(), b"one");
        assert_eq!(store.shared(0).unwrap(), b"one");
        // Everybody's step is the same step.
        assert_eq!(store.ratchet_shared(0), Some(ratcheted.clone()));
        assert_eq!(store.get("early", 0), Some(ratcheted));
    }

    #[test]
    fn own_keys_are_nobody_elses() {
        let store = store(false, 4, -1);
        assert!(!store.set_shared(0, b"all".to_vec()));
        assert!(store.set("a", 1, b"one".to_vec()));
        assert_eq!(store.get("a", 1).unwrap(), b"one");
        assert_eq!(
            store.get("a", -1).unwrap(),
            b"one",
            "where one was set last"
        );
        assert_eq!(store.get("a", 0), None);
        assert_eq!(store.get("b", 1), None);
        assert_eq!(store.ratchet("b", 1), None);
        assert!(!store.set("a", 1, Vec::new()), "nothing to derive from");
    }

    #[test]
    fn indices_wrap_when_set_and_are_missing_beyond_the_ring() {
        let store = store(false, 0, -1);
        assert!(store.set("a", 5, b"one".to_vec()));
        let ring = store.ring("a");
        assert_eq!(secret_of(ring.find(1, &store.rules)).unwrap(), b"one");
        assert!(matches!(ring.find(5, &store.rules), Found::Missing));
        assert!(matches!(ring.find(255, &store.rules), Found::Missing));
        assert_eq!(store.get("a", i32::MAX), None);
    }

    #[test]
    fn a_key_is_spent_after_more_failures_in_a_row_than_are_borne() {
        let store = store(false, 0, 1);
        assert!(store.set("a", 0, b"one".to_vec()));
        let ring = store.ring("a");
        let key = ring.get(0).unwrap();
        assert!(!ring.failed(0, &key, &store.rules));
        ring.opened(0, &key, key.clone());
        assert!(!ring.failed(0, &key, &store.rules), "not in a row");
        assert!(ring.failed(0, &key, &store.rules));
        assert!(matches!(ring.find(0, &store.rules), Found::Spent));
        assert!(store.set("a", 0, b"two".to_vec()));
        assert!(matches!(ring.find(0, &store.rules), Found::Key(_)));
        // What the old key did says nothing of the new one.
        assert!(!ring.failed(0, &key, &store.rules));
        ring.opened(0, &key, key.clone());
        assert_eq!(store.get("a", 0).unwrap(), b"two");
    }

    #[test]
    fn numbers_out_of_range_are_those_of_upstream() {
        let rules = |window, tolerance, indices| {
            Rules::new(false, Kdf::Hkdf, Vec::new()).limits(window, tolerance, indices)
        };
        let odd = rules(-1, -1, 0);
        assert_eq!((odd.window, odd.tolerance, odd.indices), (0, None, 16));
        let large = rules(i32::MAX, 10, i32::MAX);
        assert_eq!(
            (large.window, large.tolerance, large.indices),
            (255, Some(10), 255)
        );
    }
}
