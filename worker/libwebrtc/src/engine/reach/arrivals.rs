//! Core: packets that came over relays, as one reading of a socket brings them, in one piece of memory.

use std::{net::SocketAddr, ops::Range};

/// What came over relays in one reading.
#[derive(Default)]
pub(crate) struct Arrivals {
    bytes: Vec<u8>,
    packets: Vec<Arrival>,
}

#[derive(Clone)]
struct Arrival {
    peer: SocketAddr,
    relayed: SocketAddr,
    at: Range<usize>,
}

impl Arrivals {
    fn push(&mut self, peer: SocketAddr, relayed: SocketAddr, packet: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend(packet);
        let at = start..self.bytes.len();
        self.packets.push(Arrival { peer, relayed, at });
    }

    /// Takes what comes to this address; nothing before there is one.
    pub(super) fn on(&mut self, relayed: Option<SocketAddr>) -> impl FnMut(SocketAddr, &[u8]) {
        move |peer, packet| {
            if let Some(relayed) = relayed {
                self.push(peer, relayed, packet);
            }
        }
    }

    /// Peer, address on the relay, and the packet.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (SocketAddr, SocketAddr, &[u8])> {
        self.packets
            .iter()
            .map(|packet| (packet.peer, packet.relayed, &self.bytes[packet.at.clone()]))
    }

    /// Keeps the room for the next reading.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.packets.clear();
    }
}
