//! The states of a connection, readable by anybody at any time without a lock; how often
//! connections of this process entered which, and why.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use super::reason::StateReason;
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

const STATES: [PeerConnectionState; 6] = [
    PeerConnectionState::New,
    PeerConnectionState::Connecting,
    PeerConnectionState::Connected,
    PeerConnectionState::Disconnected,
    PeerConnectionState::Failed,
    PeerConnectionState::Closed,
];

static COUNTS: [[AtomicU64; StateReason::ALL.len()]; STATES.len()] =
    [const { [const { AtomicU64::new(0) }; StateReason::ALL.len()] }; STATES.len()];

/// A connection entered a state: says so, and counts it.
pub(crate) fn entered(state: PeerConnectionState, reason: StateReason) {
    let at = |state| STATES.iter().position(|known| *known == state);
    let why = StateReason::ALL.iter().position(|known| *known == reason);
    if let (Some(state), Some(why)) = (at(state), why) {
        COUNTS[state][why].fetch_add(1, Ordering::Relaxed);
    }
    let reason = reason.as_str();
    match state {
        PeerConnectionState::Failed => tracing::warn!(?state, reason, "connection state"),
        PeerConnectionState::Connected | PeerConnectionState::Disconnected => {
            tracing::info!(?state, reason, "connection state");
        }
        _ => tracing::debug!(?state, reason, "connection state"),
    }
}

/// How often connections of this process entered which state for which reason; only what happened.
pub(crate) fn counts() -> Vec<(PeerConnectionState, StateReason, u64)> {
    let of_state = |(state, counts): (&PeerConnectionState, &'static [AtomicU64; 13])| {
        let state = *state;
        let count =
            |(why, count): (&StateReason, &AtomicU64)| (state, *why, count.load(Ordering::Relaxed));
        StateReason::ALL
            .iter()
            .zip(counts)
            .map(count)
            .collect::<Vec<_>>()
    };
    let all = STATES.iter().zip(&COUNTS).flat_map(of_state);
    all.filter(|(_, _, count)| *count > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_is_counted_by_state_and_reason() {
        let (state, reason) = (PeerConnectionState::Closed, StateReason::AddressGone);
        let count = || {
            let mut all = counts().into_iter();
            all.find(|(s, r, _)| (*s, *r) == (state, reason))
                .map_or(0, |(_, _, n)| n)
        };
        let before = count();
        entered(state, reason);
        assert_eq!(count(), before + 1);
    }
}
