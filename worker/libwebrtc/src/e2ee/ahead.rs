//! Thread: derives the chains of keys. A step takes tens of milliseconds, and a packet waits for nobody: what
//! comes before its key is known is lost.
//!
//! A chain is asked for once per key, whoever sends what; the queue holds [`QUEUE`] keys. A key beyond that is
//! turned away and asks again with its next packet.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::Ordering,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use super::keys::{Key, KeyStore, claim};

const QUEUE: usize = 64;

type Order = (Arc<KeyStore>, Arc<Key>);

/// Has the chain of a key derived as far as the store's window goes.
pub(crate) fn derive(store: &Arc<KeyStore>, key: Arc<Key>) {
    if !claim(&key) {
        return;
    }
    let order = (store.clone(), key.clone());
    let queue = queue();
    if queue.is_none_or(|queue| queue.try_send(order).is_err()) {
        key.is_awaited.store(false, Ordering::Relaxed);
    }
}

fn queue() -> Option<&'static SyncSender<Order>> {
    static QUEUE_OF_THREAD: OnceLock<Option<SyncSender<Order>>> = OnceLock::new();
    let start = || {
        let (sender, receiver) = sync_channel(QUEUE);
        let thread = thread::Builder::new().name("libwebrtc-keys".to_owned());
        thread
            .spawn(move || work(&receiver))
            .inspect_err(|error| tracing::error!(%error, "no thread for keys: none will ratchet"))
            .ok()?;
        Some(sender)
    };
    QUEUE_OF_THREAD.get_or_init(start).as_ref()
}

fn work(orders: &Receiver<Order>) {
    while let Ok((store, key)) = orders.recv() {
        let mut step = key;
        for _ in 0..store.rules.window {
            // Nobody has a use for it any more.
            if Arc::strong_count(&store) == 1 {
                break;
            }
            let Some(next) = step.ratcheted(&store.rules) else {
                break;
            };
            step = next.clone();
        }
    }
}
