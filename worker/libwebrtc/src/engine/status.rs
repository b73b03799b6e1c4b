//! The states of a connection, readable by anybody at any time without a lock.

use std::sync::atomic::{AtomicU8, Ordering};

use crate::peer_connection::{
    IceConnectionState, IceGatheringState, PeerConnectionState, SignalingState,
};

/// One state in one byte.
pub(crate) struct Cell<T: 'static> {
    value: AtomicU8,
    states: &'static [T],
}

impl<T: Copy + PartialEq> Cell<T> {
    /// Starts with the first of `states`.
    const fn new(states: &'static [T]) -> Self {
        Self {
            value: AtomicU8::new(0),
            states,
        }
    }

    pub(crate) fn get(&self) -> &T {
        &self.states[usize::from(self.value.load(Ordering::Acquire))]
    }

    /// False when that was the state already. Closed is final.
    pub(crate) fn replace(&self, state: T) -> bool {
        let Some(at) = self.states.iter().position(|known| *known == state) else {
            return false;
        };
        let last = (self.states.len() - 1) as u8;
        let change = |value: u8| (value != at as u8 && value != last).then_some(at as u8);
        self.value
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, change)
            .is_ok()
    }
}

/// All states of one connection.
pub(crate) struct Status {
    pub(crate) connection: Cell<PeerConnectionState>,
    pub(crate) ice: Cell<IceConnectionState>,
    pub(crate) gathering: Cell<IceGatheringState>,
    pub(crate) signaling: Cell<SignalingState>,
}

impl Default for Status {
    fn default() -> Self {
        Self {
            connection: Cell::new(&[
                PeerConnectionState::New,
                PeerConnectionState::Connecting,
                PeerConnectionState::Connected,
                PeerConnectionState::Disconnected,
                PeerConnectionState::Failed,
                PeerConnectionState::Closed,
            ]),
            ice: Cell::new(&[
                IceConnectionState::New,
                IceConnectionState::Checking,
                IceConnectionState::Connected,
                IceConnectionState::Completed,
                IceConnectionState::Failed,
                IceConnectionState::Disconnected,
                IceConnectionState::Closed,
            ]),
            gathering: Cell::new(&[
                IceGatheringState::New,
                IceGatheringState::Gathering,
                IceGatheringState::Complete,
            ]),
            signaling: Cell::new(&[
                SignalingState::Stable,
                SignalingState::HaveLocalOffer,
                SignalingState::HaveRemoteOffer,
                SignalingState::Closed,
            ]),
        }
    }
}
