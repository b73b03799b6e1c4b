//! Slots for the application's callbacks. They are called on the event thread only, with no lock
//! held, so a callback may replace itself or call back into the connection.

use parking_lot::Mutex;

use crate::{data_channel as dc, peer_connection as pc};

/// One replaceable callback.
pub(crate) struct Slot<F>(Mutex<State<F>>);

struct State<F> {
    callback: Option<F>,
    /// Counts replacements, so that a call in progress does not put an old callback back.
    generation: u64,
}

impl<F> Slot<F> {
    /// Replaces the callback. A call in progress ends with the old one.
    pub(crate) fn set(&self, callback: Option<F>) {
        let mut state = self.0.lock();
        state.generation += 1;
        let old = std::mem::replace(&mut state.callback, callback);
        drop(state);
        // What a callback owns may run code of its own when dropped: never under our lock.
        drop(old);
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.lock().callback.is_some()
    }

    /// Calls the callback, if there is one, with no lock held.
    pub(crate) fn call(&self, call: impl FnOnce(&mut F)) {
        let mut state = self.0.lock();
        let generation = state.generation;
        let Some(mut callback) = state.callback.take() else {
            return;
        };
        drop(state);
        call(&mut callback);
        let mut state = self.0.lock();
        if state.generation == generation {
            state.callback = Some(callback);
        }
    }
}

impl<F> Default for Slot<F> {
    fn default() -> Self {
        Self(Mutex::new(State {
            callback: None,
            generation: 0,
        }))
    }
}

/// The callbacks of a connection.
#[derive(Default)]
pub(crate) struct PeerCallbacks {
    pub(crate) connection_state: Slot<pc::OnConnectionChange>,
    pub(crate) data_channel: Slot<pc::OnDataChannel>,
    pub(crate) candidate: Slot<pc::OnIceCandidate>,
    pub(crate) candidate_error: Slot<pc::OnIceCandidateError>,
    pub(crate) ice_state: Slot<pc::OnIceConnectionChange>,
    pub(crate) gathering_state: Slot<pc::OnIceGatheringChange>,
    pub(crate) negotiation_needed: Slot<pc::OnNegotiationNeeded>,
    pub(crate) signaling_state: Slot<pc::OnSignalingChange>,
    pub(crate) track: Slot<pc::OnTrack>,
}

impl PeerCallbacks {
    /// Lets go of everything the callbacks own.
    pub(crate) fn clear(&self) {
        self.connection_state.set(None);
        self.data_channel.set(None);
        self.candidate.set(None);
        self.candidate_error.set(None);
        self.ice_state.set(None);
        self.gathering_state.set(None);
        self.negotiation_needed.set(None);
        self.signaling_state.set(None);
        self.track.set(None);
    }
}

/// The callbacks of a data channel.
#[derive(Default)]
pub(crate) struct ChannelCallbacks {
    pub(crate) state: Slot<dc::OnStateChange>,
    pub(crate) message: Slot<dc::OnMessage>,
    pub(crate) buffered: Slot<dc::OnBufferedAmountChange>,
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_callback_may_replace_itself() {
        let slot = Arc::new(Slot::<Box<dyn FnMut() + Send>>::default());
        let inner = slot.clone();
        slot.set(Some(Box::new(move || inner.set(None))));
        slot.call(|callback| callback());
        assert!(!slot.is_set());
    }
}
