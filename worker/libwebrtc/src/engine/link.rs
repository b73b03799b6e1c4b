//! A connection with its sockets: the lock, and what happens around each use of it.
//!
//! Whoever has something to do with a connection locks it and drives it: the I/O thread when a
//! datagram or a deadline comes, the caller's own thread when it sends. So a captured frame is on
//! the wire when the call returns, and no thread is woken for it. Under the lock nothing waits.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Weak},
    time::Instant,
};

use mio::net::UdpSocket;
use parking_lot::{Mutex, MutexGuard};
use str0m::net::{Protocol, Transmit};

use super::{
    connection::Connection,
    events::{Event, Listener},
    gather,
    reach::{Arrivals, Hands, Reach, Trust},
    reason::StateReason,
    shard::{SOCKETS, STREAMS, Shard},
    status::{self, Status},
    stream::Stream,
};
use crate::{
    RtcError,
    peer_connection::{IceConnectionState, PeerConnectionState, SignalingState},
    peer_connection_factory::IceTransportsType,
};

mod beyond;
mod calls;

/// Datagrams read from one socket before others get their turn.
const READ_BURST: usize = 64;
/// Larger than any datagram of WebRTC; longer ones are cut and fail to decrypt.
pub(crate) const DATAGRAM: usize = 2_048;

/// One socket and the address it is bound to.
pub(crate) struct Socket {
    pub(crate) udp: UdpSocket,
    pub(crate) address: SocketAddr,
    /// This machine does not have its address any more.
    pub(crate) is_stale: bool,
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
    /// Calls over TCP, and what came of them; empty places are free.
    streams: [Option<Stream>; STREAMS],
    /// What it has beyond its own addresses.
    reach: Reach,
    /// Room for what comes over relays.
    arrivals: Arrivals,
    /// When the I/O thread will look at the connection.
    alarm: Option<Instant>,
}

impl State {
    fn hang_up(&mut self) {
        self.sockets.clear();
        self.streams = [const { None }; STREAMS];
        self.reach.drop_all();
    }

    /// When the I/O thread is to look at it.
    fn deadline(&self) -> Option<Instant> {
        let deadline = self.connection.as_ref()?.deadline();
        let reach = self.reach.deadline();
        Some(reach.map_or(deadline, |reach| reach.min(deadline)))
    }
}

/// An error when the packet was dropped.
fn send(
    now: Instant,
    transmit: &Transmit,
    streams: &mut [Option<Stream>],
    reach: &mut Reach,
    hands: &Hands<'_>,
) -> io::Result<()> {
    if transmit.proto == Protocol::Tcp {
        let of_path = |stream: &&mut Stream| {
            stream.local() == Some(transmit.source) && stream.remote == transmit.destination
        };
        let stream = streams.iter_mut().flatten().find(of_path);
        let sent = stream.is_some_and(|stream| stream.send(&transmit.contents));
        return sent
            .then_some(())
            .ok_or_else(|| io::ErrorKind::WouldBlock.into());
    }
    let of_address = |socket: &&Socket| socket.address == transmit.source;
    if let Some(socket) = hands.sockets.iter().find(of_address) {
        let sent = socket.udp.send_to(&transmit.contents, transmit.destination);
        return sent.map(drop);
    }
    let (relayed, peer) = (transmit.source, transmit.destination);
    let relayed = reach.send(now, relayed, peer, &transmit.contents, hands);
    relayed.unwrap_or_else(|| Err(io::ErrorKind::AddrNotAvailable.into()))
}

impl Link {
    /// With `is_hidden` the sockets lead to relays only.
    pub(crate) fn open(
        id: u64,
        shard: Arc<Shard>,
        sockets: Vec<Socket>,
        trust: Arc<Trust>,
        is_hidden: bool,
    ) -> Arc<Self> {
        let status = Arc::new(Status::default());
        let link = Arc::new_cyclic(|link: &Weak<Self>| {
            let mut connection = Connection::new(Instant::now(), link.clone(), status.clone());
            if !is_hidden {
                sockets
                    .iter()
                    .for_each(|socket| connection.add_local(socket.address));
            }
            let state = State {
                connection: Some(Box::new(connection)),
                sockets,
                streams: [const { None }; STREAMS],
                reach: Reach::new(trust),
                arrivals: Arrivals::default(),
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
        self.unlock(state);
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
        if let Some(address) = connection.path.take_doubt()
            && !gather::has(address.ip())
        {
            connection.address_gone(now);
        }
        self.reach_out(now, state);
        self.flush(now, state);
        result.map_err(|_| self.contain(state))
    }

    /// A panic below ends this connection and no other.
    fn contain(&self, state: &mut State) -> RtcError {
        tracing::error!("the connection panicked and has failed");
        let wreck = state.connection.take();
        state.hang_up();
        // Dropping what panicked may panic again.
        if catch_unwind(AssertUnwindSafe(|| drop(wreck))).is_err() {
            tracing::error!("the connection panicked while it was dropped");
        }
        if self.status.connection.replace(PeerConnectionState::Failed) {
            status::entered(PeerConnectionState::Failed, StateReason::Panic);
            self.post(Event::ConnectionState(PeerConnectionState::Failed));
        }
        RtcError::internal("the connection has failed")
    }

    /// Takes up the addresses this machine has now and lets go of those it has no more. To be
    /// called before a restart of ICE, whose descriptions tell the peer.
    pub(crate) fn regather(
        &self,
        addresses: &[IpAddr],
        open: impl Fn(IpAddr) -> io::Result<Socket>,
    ) {
        let mut guard = self.state.lock();
        let State {
            connection: Some(connection),
            sockets,
            reach,
            ..
        } = &mut *guard
        else {
            return;
        };
        let is_offered = reach.policy() == IceTransportsType::All;
        let mut free: Vec<usize> = Vec::new();
        for (place, socket) in sockets.iter_mut().enumerate() {
            socket.is_stale = !addresses.contains(&socket.address.ip());
            if socket.is_stale {
                connection.remove_local(socket.address);
                reach.forget_socket(socket.address);
                free.push(place);
            }
        }
        for address in addresses {
            let known = sockets.iter().find(|s| s.address.ip() == *address);
            if let Some(socket) = known {
                if is_offered {
                    // It may have been away.
                    connection.add_local(socket.address);
                }
                continue;
            }
            let place = free.last().copied().unwrap_or(sockets.len());
            if place >= SOCKETS {
                continue;
            }
            let opened = open(*address).and_then(|mut socket| {
                self.shard.register_socket(self.id, place, &mut socket)?;
                Ok(socket)
            });
            match opened {
                Ok(socket) => {
                    if is_offered {
                        connection.add_local(socket.address);
                    }
                    free.pop();
                    match sockets.get_mut(place) {
                        Some(old) => *old = socket,
                        None => sockets.push(socket),
                    }
                }
                Err(error) => tracing::debug!(%error, "a new address is not usable"),
            }
        }
        // What was changed is drained, as after every change.
        let _ = self.drive(&mut guard, |_, _| ());
        self.unlock(guard);
    }

    fn flush(&self, now: Instant, state: &mut State) {
        let State {
            connection: Some(connection),
            sockets,
            streams,
            reach,
            ..
        } = state
        else {
            return;
        };
        let hands = self.hands(&connection.link, sockets);
        for transmit in connection.out.transmits.drain(..) {
            if let Err(error) = send(now, &transmit, streams, reach, &hands) {
                connection.stats.on_unsent(&transmit.contents);
                // A full buffer says nothing about the address.
                if error.kind() != io::ErrorKind::WouldBlock {
                    connection.path.doubt(now);
                }
            }
        }
        // Whom we call over TCP learns our address.
        let calls = std::mem::take(&mut connection.out.calls);
        if reach.policy() == IceTransportsType::All {
            calls
                .into_iter()
                .for_each(|remote| self.call(now, remote, connection, streams));
        }
        let mut overrun = false;
        for event in connection.out.events.drain(..) {
            let lossy = matches!(&event, Event::Message(channel, ..) if channel.is_lossy());
            overrun |= !self.listener.post(event) && !lossy;
        }
        if overrun && connection.broken.is_none() {
            tracing::warn!("the application does not read its messages: the connection fails");
            connection.break_off(StateReason::Overrun);
        }
    }

    pub(crate) fn post(&self, event: Event) {
        // Only messages are ever refused, and those come from the connection.
        let _ = self.listener.post(event);
    }

    /// Lets go of the lock, and sets the alarm after that: it has a lock of its own.
    fn unlock(&self, mut state: MutexGuard<'_, State>) {
        let alarm = self.new_alarm(&mut state);
        drop(state);
        if let Some(alarm) = alarm {
            self.shard.set_alarm(self.id, alarm);
        }
    }

    /// What is lent to those who talk to STUN and TURN servers.
    fn hands<'a>(&'a self, link: &'a Weak<Self>, sockets: &'a [Socket]) -> Hands<'a> {
        Hands {
            id: self.id,
            link,
            shard: &self.shard,
            sockets,
        }
    }

    /// The alarm to set when it must ring earlier than the one set.
    fn new_alarm(&self, state: &mut State) -> Option<Instant> {
        let deadline = state.deadline()?;
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
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
            // An ICMP message about an earlier datagram; it says nothing about the next one.
            Err(_) => return true,
        };
        let datagram = &buffer[..length];
        if !state.reach.is_idle()
            && let Some(alive) = self.read_relayed(&mut state, local, source, datagram)
        {
            self.unlock(state);
            return alive;
        }
        let read = |connection: &mut Connection, now| {
            connection.on_datagram(now, source, local, datagram);
        };
        let alive = self.drive(&mut state, read).is_ok();
        self.unlock(state);
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
        if state.deadline()? <= now {
            // A broken connection has no next alarm; everybody was told already.
            let _ = self.drive(&mut state, Connection::on_time);
        }
        self.new_alarm(&mut state)
    }

    /// Where its sockets are bound.
    #[cfg(test)]
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        let state = self.state.lock();
        state.sockets.iter().map(|socket| socket.address).collect()
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
            self.give_back(&mut state);
            let gone = state.connection.take();
            state.hang_up();
            drop(state);
            drop(gone);
            transceivers.unwrap_or_default()
        };
        self.shard.remove(self.id);
        if self.status.connection.replace(PeerConnectionState::Closed) {
            status::entered(PeerConnectionState::Closed, StateReason::Closed);
        }
        self.status.ice.replace(IceConnectionState::Closed);
        self.status.signaling.replace(SignalingState::Closed);
        // Not under the lock: sources call into connections while they hold their own.
        transceivers
            .iter()
            .for_each(|transceiver| transceiver.close());
        self.post(Event::Forget);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::ext::Settings;

    fn open(id: u64, shard: &Arc<Shard>) -> Arc<Link> {
        let socket = gather::open(Ipv4Addr::LOCALHOST.into(), &Settings::default());
        let mut sockets = vec![socket.unwrap()];
        shard.register(id, &mut sockets).unwrap();
        Link::open(
            id,
            shard.clone(),
            sockets,
            Arc::new(Trust::new(None)),
            false,
        )
    }

    #[test]
    fn a_panic_fails_its_connection_and_no_other() {
        let shard = Shard::start(0).unwrap();
        let (unlucky, neighbour) = (open(1, &shard), open(2, &shard));
        let panicked = unlucky.with(|_, _| panic!("a rehearsed bug"));
        assert!(panicked.is_err());
        assert_eq!(
            *unlucky.status.connection.get(),
            PeerConnectionState::Failed
        );
        assert!(unlucky.with(|_, _| ()).is_err(), "it stays failed");
        unlucky.close();
        assert_eq!(
            *unlucky.status.connection.get(),
            PeerConnectionState::Closed
        );

        let lives = neighbour.with(|connection, _| connection.refuse_if_broken());
        assert!(lives.is_ok_and(|lives| lives.is_ok()));
        assert_eq!(*neighbour.status.connection.get(), PeerConnectionState::New);
    }
}
