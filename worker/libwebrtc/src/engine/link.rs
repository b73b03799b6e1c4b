//! A connection with its sockets: the lock, and what happens around each use of it.
//!
//! Whoever has something to do with a connection locks it and drives it: the I/O thread when a
//! datagram or a deadline comes, the caller's own thread when it sends. So a captured frame is on
//! the wire when the call returns, and no thread is woken for it. Under the lock nothing waits.

use std::{
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Weak},
    time::Instant,
};

use mio::net::UdpSocket;
use parking_lot::Mutex;

use super::{
    connection::Connection,
    events::{Event, Listener},
    shard::Shard,
    status::Status,
};
use crate::{
    RtcError,
    peer_connection::{IceConnectionState, PeerConnectionState, SignalingState},
};

/// Datagrams read from one socket before others get their turn.
const READ_BURST: usize = 64;
/// Larger than any datagram of WebRTC; longer ones are cut and fail to decrypt.
pub(crate) const DATAGRAM: usize = 2_048;

/// One socket and the address it is bound to.
pub(crate) struct Socket {
    pub(crate) udp: UdpSocket,
    pub(crate) address: SocketAddr,
}

/// One connection, shared by its handles and its I/O thread.
pub(crate) struct Link {
    pub(crate) id: u64,
    pub(crate) listener: Arc<Listener>,
    pub(crate) status: Arc<Status>,
    shard: Arc<Shard>,
    state: Mutex<State>,
}

struct State {
    /// `None` after the end.
    connection: Option<Box<Connection>>,
    sockets: Vec<Socket>,
    /// When the I/O thread will look at the connection.
    alarm: Option<Instant>,
}

impl Link {
    pub(crate) fn open(id: u64, shard: Arc<Shard>, sockets: Vec<Socket>) -> Arc<Self> {
        let status = Arc::new(Status::default());
        let link = Arc::new_cyclic(|link: &Weak<Self>| {
            let mut connection = Connection::new(Instant::now(), link.clone(), status.clone());
            sockets
                .iter()
                .for_each(|socket| connection.add_local(socket.address));
            let state = State {
                connection: Some(Box::new(connection)),
                sockets,
                alarm: None,
            };
            Self {
                id,
                listener: Arc::default(),
                status,
                shard,
                state: Mutex::new(state),
            }
        });
        link.shard.add(&link);
        link
    }

    /// Does something with the connection and everything that follows from it: drains it, sends
    /// what is to be sent, tells what is to be told.
    ///
    /// # Errors
    /// When the connection is closed, or breaks now.
    pub(crate) fn with<R>(
        &self,
        act: impl FnOnce(&mut Connection, Instant) -> R,
    ) -> Result<R, RtcError> {
        let mut state = self.state.lock();
        let result = self.drive(&mut state, act);
        let alarm = self.new_alarm(&mut state);
        drop(state);
        if let Some(alarm) = alarm {
            self.shard.set_alarm(self.id, alarm);
        }
        result
    }

    fn drive<R>(
        &self,
        state: &mut State,
        act: impl FnOnce(&mut Connection, Instant) -> R,
    ) -> Result<R, RtcError> {
        let Some(connection) = state.connection.as_deref_mut() else {
            return Err(RtcError::invalid_state("the connection is closed"));
        };
        let now = Instant::now();
        let work = AssertUnwindSafe(|| {
            let result = act(connection, now);
            connection.advance(now);
            result
        });
        let result = catch_unwind(work);
        self.flush(connection, &state.sockets);
        result.map_err(|_| self.contain(state))
    }

    /// A panic below ends this connection and no other.
    fn contain(&self, state: &mut State) -> RtcError {
        tracing::error!("the connection panicked and has failed");
        let wreck = state.connection.take();
        state.sockets.clear();
        // Dropping what panicked may panic again.
        if catch_unwind(AssertUnwindSafe(|| drop(wreck))).is_err() {
            tracing::error!("the connection panicked while it was dropped");
        }
        if self.status.connection.replace(PeerConnectionState::Failed) {
            self.post(Event::ConnectionState(PeerConnectionState::Failed));
        }
        RtcError::internal("the connection has failed")
    }

    fn flush(&self, connection: &mut Connection, sockets: &[Socket]) {
        let mut unsent = 0;
        for transmit in connection.out.transmits.drain(..) {
            let from = sockets
                .iter()
                .find(|socket| socket.address == transmit.source);
            let sent = from.is_some_and(|socket| {
                socket
                    .udp
                    .send_to(&transmit.contents, transmit.destination)
                    .is_ok()
            });
            if !sent {
                unsent += 1;
            }
        }
        connection.stats.unsent += unsent;
        let mut overrun = false;
        for event in connection.out.events.drain(..) {
            let lossy = matches!(&event, Event::Message(channel, ..) if channel.is_lossy());
            overrun |= !self.listener.post(event) && !lossy;
        }
        if overrun {
            tracing::warn!("the application does not read its messages: the connection fails");
            connection.fail();
        }
    }

    pub(crate) fn post(&self, event: Event) {
        // Only messages are ever refused, and those come from the connection.
        let _ = self.listener.post(event);
    }

    /// The alarm to set when it must ring earlier than the one set.
    fn new_alarm(&self, state: &mut State) -> Option<Instant> {
        let deadline = state.connection.as_ref()?.deadline();
        let earlier = state.alarm.is_none_or(|alarm| deadline < alarm);
        earlier.then(|| *state.alarm.insert(deadline))
    }

    // --- called by the I/O thread

    /// Reads what came. True when there may be more.
    pub(crate) fn on_readable(&self, socket: usize, buffer: &mut [u8; DATAGRAM]) -> bool {
        for _ in 0..READ_BURST {
            if !self.read_one(socket, buffer) {
                return false;
            }
        }
        true
    }

    fn read_one(&self, socket: usize, buffer: &mut [u8; DATAGRAM]) -> bool {
        let mut state = self.state.lock();
        let Some(socket) = state.sockets.get(socket) else {
            return false;
        };
        let local = socket.address;
        let (length, source) = match socket.udp.recv_from(buffer) {
            Ok(datagram) => datagram,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return false,
            // An ICMP message about an earlier datagram; it says nothing about the next one.
            Err(_) => return true,
        };
        let datagram = &buffer[..length];
        let read = |connection: &mut Connection, now| {
            connection.on_datagram(now, source, local, datagram);
        };
        let alive = self.drive(&mut state, read).is_ok();
        let alarm = self.new_alarm(&mut state);
        drop(state);
        if let Some(alarm) = alarm {
            self.shard.set_alarm(self.id, alarm);
        }
        alive
    }

    /// The alarm rang; answers with the next one.
    pub(crate) fn on_alarm(&self, now: Instant) -> Option<Instant> {
        let mut state = self.state.lock();
        // Rings of alarms that were replaced by earlier ones find nothing due.
        if state.alarm.is_some_and(|alarm| alarm > now) {
            return None;
        }
        state.alarm = None;
        let due = state.connection.as_ref()?.deadline() <= now;
        if due {
            // A broken connection has no next alarm; everybody was told already.
            let _ = self.drive(&mut state, Connection::on_time);
        }
        self.new_alarm(&mut state)
    }

    // --- the end

    /// Says goodbye, frees the sockets, and lets go of the callbacks.
    pub(crate) fn close(&self) {
        let transceivers = {
            let mut state = self.state.lock();
            let transceivers = state
                .connection
                .as_ref()
                .map(|connection| connection.all_transceivers());
            // An error means that there is nothing to say goodbye to.
            let _ = self.drive(&mut state, Connection::close);
            let gone = state.connection.take();
            state.sockets.clear();
            drop(state);
            drop(gone);
            transceivers.unwrap_or_default()
        };
        self.shard.remove(self.id);
        self.status.connection.replace(PeerConnectionState::Closed);
        self.status.ice.replace(IceConnectionState::Closed);
        self.status.signaling.replace(SignalingState::Closed);
        // Not under the lock: sources call into connections while they hold their own.
        transceivers
            .iter()
            .for_each(|transceiver| transceiver.close());
        self.post(Event::Forget);
    }
}
