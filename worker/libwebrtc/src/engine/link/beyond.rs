//! What a link has to do with STUN and TURN servers: it lends its sockets to `Reach`, hands what came over
//! relays to the connection, and tells it what was found.

use std::{
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Instant,
};

use super::{Link, State};
use crate::{
    RtcError,
    engine::{
        connection::Connection,
        reach::{Arrivals, News},
    },
    peer_connection_factory::{IceTransportsType, RtcConfiguration},
};

impl Link {
    /// Does what is to be done with STUN and TURN servers, and tells the connection.
    pub(super) fn reach_out(&self, now: Instant, state: &mut State) {
        let State {
            connection: Some(connection),
            sockets,
            reach,
            ..
        } = state
        else {
            return;
        };
        let wants = std::mem::take(&mut connection.out.wants);
        if wants.addresses {
            reach.search();
        }
        if wants.relays {
            reach.want_relays();
        }
        if reach.is_idle() {
            return;
        }
        let hands = self.hands(&connection.link, sockets);
        reach.on_time(now, connection.in_use(), &hands);
        let news = reach.take_news();
        if news.is_empty() {
            return;
        }
        let work = AssertUnwindSafe(|| {
            for news in news {
                match news {
                    News::Seen { address, base } => connection.add_reflexive(address, base),
                    News::Relayed { address, local } => connection.add_relayed(address, local),
                    News::Gone(address) => connection.remove_relayed(address),
                    News::Failed(url) => connection.server_failed(url),
                }
            }
            connection.advance(now);
        });
        if catch_unwind(work).is_err() {
            self.contain(state);
        }
    }

    /// Takes over which servers there are and which candidates may be used.
    ///
    /// # Errors
    /// When the connection is closed.
    pub(crate) fn configure(&self, configuration: &RtcConfiguration) -> Result<(), RtcError> {
        let policy = configuration.ice_transport_type;
        let mut state = self.state.lock();
        let State {
            connection: Some(connection),
            sockets,
            streams,
            reach,
            ..
        } = &mut *state
        else {
            return Err(RtcError::invalid_state("the connection is closed"));
        };
        reach.configure(policy, &configuration.ice_servers);
        connection.fallback.set_relays(reach.relay_wish());
        if policy == IceTransportsType::All {
            sockets
                .iter()
                .for_each(|socket| connection.add_local(socket.address));
        } else {
            connection.limit(policy);
            for stream in streams.iter_mut() {
                let local = stream.take().and_then(|stream| stream.local());
                local
                    .into_iter()
                    .for_each(|local| connection.remove_tcp(local));
            }
        }
        let driven = self.drive(&mut state, |_, _| ());
        self.unlock(state);
        driven
    }

    /// The name of a server was looked up.
    pub(crate) fn on_resolved(&self, host: &str, port: u16, found: Option<SocketAddr>) {
        let mut state = self.state.lock();
        state.reach.on_resolved(host, port, found);
        // A connection that is closed has no use for it.
        let _ = self.drive(&mut state, |_, _| ());
        self.unlock(state);
    }

    /// A datagram of one of our servers; `None` when it is from somebody else.
    pub(super) fn read_relayed(
        &self,
        state: &mut State,
        local: SocketAddr,
        source: SocketAddr,
        datagram: &[u8],
    ) -> Option<bool> {
        let mut arrivals = std::mem::take(&mut state.arrivals);
        let reach = &mut state.reach;
        let now = Instant::now();
        let is_theirs = reach.on_datagram(now, local, source, datagram, &mut arrivals);
        let alive = is_theirs.then(|| self.hand_over(state, &arrivals));
        arrivals.clear();
        state.arrivals = arrivals;
        alive
    }

    /// Something happened on the way to a relay. True when there may be more.
    pub(crate) fn on_tunnel(&self, number: usize) -> bool {
        let mut state = self.state.lock();
        let mut arrivals = std::mem::take(&mut state.arrivals);
        let more = state.reach.on_tunnel(Instant::now(), number, &mut arrivals);
        let alive = self.hand_over(&mut state, &arrivals);
        arrivals.clear();
        state.arrivals = arrivals;
        self.unlock(state);
        more && alive
    }

    /// What came over relays goes to the connection. False when that is no more.
    fn hand_over(&self, state: &mut State, arrivals: &Arrivals) -> bool {
        let read = |connection: &mut Connection, now| {
            for (peer, relayed, packet) in arrivals.iter() {
                connection.on_datagram(now, peer, relayed, packet);
                connection.advance(now);
            }
        };
        self.drive(state, read).is_ok()
    }

    /// Addresses on relays, which would be held for ten minutes.
    pub(super) fn give_back(&self, state: &mut State) {
        let State {
            connection: Some(connection),
            sockets,
            reach,
            ..
        } = state
        else {
            return;
        };
        let hands = self.hands(&connection.link, sockets);
        reach.close(Instant::now(), &hands);
    }
}
