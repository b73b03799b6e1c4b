//! Thread: calls the application. Connections put what happened into one queue; this thread takes
//! it out in order and calls the callbacks, with no lock of the engine held.
//!
//! The queue is unbounded in its type and bounded by its users: state changes are few per
//! negotiation, and a connection with [`BACKLOG`] bytes of messages waiting may not add one.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use parking_lot::{Condvar, Mutex};

use super::{
    callbacks::PeerCallbacks, channels::ChannelShared, cryptor::Cryptor,
    transceivers::TransceiverShared,
};
use crate::{
    data_channel::{DataChannel, DataChannelState},
    ice_candidate::IceCandidate,
    native::frame_cryptor::EncryptionState,
    peer_connection::{
        IceCandidateError, IceConnectionState, IceGatheringState, PeerConnectionState,
        SignalingState, TrackEvent,
    },
    rtp_transceiver::RtpTransceiver,
};

/// Bytes of messages of one connection that may wait for the application, usually a few: an
/// application that is this far behind does not read at all.
const BACKLOG: usize = 16 * 1024 * 1024;
/// What a message counts besides its content, so that empty ones are bounded too.
const ENVELOPE: usize = 256;

/// What happened on a connection.
pub(crate) enum Event {
    ConnectionState(PeerConnectionState),
    IceState(IceConnectionState),
    GatheringState(IceGatheringState),
    SignalingState(SignalingState),
    NegotiationNeeded,
    Candidate(IceCandidate),
    CandidateError(IceCandidateError),
    Track(Arc<TransceiverShared>),
    DataChannel(Arc<ChannelShared>),
    ChannelState(Arc<ChannelShared>, DataChannelState),
    Message(Arc<ChannelShared>, Vec<u8>, bool),
    /// A message callback was set: hand over what waits.
    Unpark(Arc<ChannelShared>),
    /// Bytes that left a channel's buffer.
    Buffered(Arc<ChannelShared>, u64),
    /// End-to-end encryption of a track begins or ceases to work.
    Encryption(Arc<Cryptor>, EncryptionState),
    /// The connection is closed: let go of the callbacks.
    Forget,
}

/// Where a connection puts its events; the callbacks they are for.
#[derive(Default)]
pub(crate) struct Listener {
    pub(crate) callbacks: PeerCallbacks,
    backlog: Backlog,
}

/// What waits for the application in messages of one connection, in bytes.
#[derive(Default)]
struct Backlog(AtomicUsize);

impl Backlog {
    /// False when there is no room for it.
    fn take_in(&self, message: &[u8]) -> bool {
        // Only the connection adds, under its lock: nobody else can fill what is free here.
        let is_full = self.0.load(Ordering::Relaxed) >= BACKLOG;
        if !is_full {
            self.0
                .fetch_add(message.len() + ENVELOPE, Ordering::Relaxed);
        }
        !is_full
    }

    fn hand_over(&self, message: &[u8]) {
        self.0
            .fetch_sub(message.len() + ENVELOPE, Ordering::Relaxed);
    }
}

impl Listener {
    /// False when the application is too far behind to take a message.
    #[must_use]
    pub(crate) fn post(self: &Arc<Self>, event: Event) -> bool {
        if let Event::Message(_, data, _) = &event
            && !self.backlog.take_in(data)
        {
            return false;
        }
        queue().push(self.clone(), event);
        true
    }

    fn dispatch(&self, event: Event) {
        let callbacks = &self.callbacks;
        match event {
            Event::ConnectionState(state) => callbacks.connection_state.call(|f| f(state)),
            Event::IceState(state) => callbacks.ice_state.call(|f| f(state)),
            Event::GatheringState(state) => callbacks.gathering_state.call(|f| f(state)),
            Event::SignalingState(state) => callbacks.signaling_state.call(|f| f(state)),
            Event::NegotiationNeeded => callbacks.negotiation_needed.call(|f| f(0)),
            Event::Candidate(candidate) => callbacks.candidate.call(|f| f(candidate)),
            Event::CandidateError(error) => callbacks.candidate_error.call(|f| f(error)),
            Event::Track(transceiver) => callbacks.track.call(|f| f(track_event(transceiver))),
            Event::DataChannel(inner) => {
                callbacks.data_channel.call(|f| f(DataChannel { inner }));
            }
            Event::ChannelState(channel, state) => channel.callbacks().state.call(|f| f(state)),
            Event::Message(channel, data, binary) => {
                self.backlog.hand_over(&data);
                channel.deliver(data, binary);
            }
            Event::Unpark(channel) => channel.unpark(),
            Event::Buffered(channel, bytes) => channel.callbacks().buffered.call(|f| f(bytes)),
            Event::Encryption(cryptor, state) => cryptor.tell(state),
            Event::Forget => callbacks.clear(),
        }
    }
}

fn track_event(inner: Arc<TransceiverShared>) -> TrackEvent {
    let transceiver = RtpTransceiver { inner };
    let receiver = transceiver.receiver();
    TrackEvent {
        streams: receiver.streams(),
        track: transceiver.inner.remote_track(),
        receiver,
        transceiver,
    }
}

struct Queue {
    events: Mutex<VecDeque<(Arc<Listener>, Event)>>,
    filled: Condvar,
}

impl Queue {
    fn push(&self, listener: Arc<Listener>, event: Event) {
        let mut events = self.events.lock();
        events.push_back((listener, event));
        drop(events);
        self.filled.notify_one();
    }

    fn pop(&self) -> (Arc<Listener>, Event) {
        let mut events = self.events.lock();
        loop {
            if let Some(event) = events.pop_front() {
                return event;
            }
            self.filled.wait(&mut events);
        }
    }
}

fn queue() -> &'static Queue {
    static QUEUE: OnceLock<Queue> = OnceLock::new();
    QUEUE.get_or_init(|| {
        let run = || {
            loop {
                let (listener, event) = queue().pop();
                // A panic in a callback is the application's; the others go on.
                if catch_unwind(AssertUnwindSafe(|| listener.dispatch(event))).is_err() {
                    tracing::error!("a callback panicked");
                }
            }
        };
        let thread = thread::Builder::new().name("libwebrtc-events".to_owned());
        if let Err(error) = thread.spawn(run) {
            tracing::error!(%error, "no thread for callbacks: none will be called");
        }
        Queue {
            events: Mutex::default(),
            filled: Condvar::new(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(backlog: &Backlog, message: &[u8]) -> usize {
        std::iter::repeat_with(|| backlog.take_in(message))
            .take_while(|taken| *taken)
            .count()
    }

    #[test]
    fn large_messages_and_empty_ones_are_bounded_alike() {
        let large = vec![0; 64 * 1024];
        let backlog = Backlog::default();
        assert_eq!(taken(&backlog, &large), 256);
        backlog.hand_over(&large);
        assert_eq!(taken(&backlog, &large), 1, "room again");
        assert_eq!(taken(&Backlog::default(), &[]), BACKLOG / ENVELOPE);
    }
}
