//! A link's calls over TCP (RFC 6544), where UDP does not pass: dialled, read, and let go of.

use std::{net::SocketAddr, time::Instant};

use str0m::net::Protocol;

use super::{DATAGRAM, Link, READ_BURST, State};
use crate::engine::{connection::Connection, shard::STREAMS, stream::Stream};

impl Link {
    /// Calls over TCP, unless a call is under way or all places are taken.
    pub(super) fn call(
        &self,
        now: Instant,
        remote: SocketAddr,
        connection: &mut Connection,
        streams: &mut [Option<Stream>; STREAMS],
    ) {
        for place in streams.iter_mut() {
            let Some(called) = place.as_ref().filter(|stream| stream.remote == remote) else {
                continue;
            };
            let Some(local) = called.local() else {
                return;
            };
            // Nobody calls while a path works: this one is dead and does not know it.
            connection.remove_tcp(local);
            *place = None;
        }
        let Some(number) = streams.iter().position(Option::is_none) else {
            return;
        };
        let dialled = Stream::dial(remote).and_then(|mut stream| {
            self.shard.register_stream(self.id, number, &mut stream)?;
            Ok(stream)
        });
        match dialled {
            Ok(stream) => streams[number] = Some(stream),
            Err(error) => {
                tracing::debug!(%error, "no call over TCP");
                connection.fallback.call_lost(now, remote);
            }
        }
    }

    /// Something happened on a TCP connection. True when there may be more.
    pub(crate) fn on_stream(&self, number: usize, buffer: &mut [u8; DATAGRAM]) -> bool {
        let mut state = self.state.lock();
        let more = self.read_stream(&mut state, number, buffer);
        self.unlock(state);
        more
    }

    fn read_stream(&self, state: &mut State, number: usize, buffer: &mut [u8; DATAGRAM]) -> bool {
        let Some(stream) = &mut state.streams[number] else {
            return false;
        };
        match stream.settle() {
            Ok(None) => {}
            Ok(Some(local)) => drop(self.drive(state, |connection, _| connection.add_tcp(local))),
            Err(_) => return self.lose(state, number),
        }
        for _ in 0..READ_BURST {
            let Some(stream) = &mut state.streams[number] else {
                return false;
            };
            let (Some(local), remote) = (stream.local(), stream.remote) else {
                return false;
            };
            let packet = match stream.receive(buffer) {
                Ok(Some(length)) => &buffer[..length],
                Ok(None) => return false,
                Err(_) => return self.lose(state, number),
            };
            // A connection that broke has no streams any more.
            let _ = self.drive(state, |connection, now| {
                connection.on_packet(now, Protocol::Tcp, remote, local, packet);
            });
        }
        true
    }

    /// A TCP connection is gone; there is nothing more to read.
    fn lose(&self, state: &mut State, number: usize) -> bool {
        if let Some(gone) = state.streams[number].take() {
            let (local, remote) = (gone.local(), gone.remote);
            let _ = self.drive(state, |connection, now| {
                connection.lose_tcp(now, local, remote);
            });
        }
        false
    }
}
