//! One relay: the way to it, and the allocation on it.

use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use super::{
    Arrivals, Hands,
    allocation::{Allocation, Credentials, Progress},
    ice_urls::Over,
    tunnel::Tunnel,
};

/// Reads of a tunnel before others get their turn.
const READ_BURST: usize = 16;

/// How its server is reached.
enum Way {
    /// From this socket of ours.
    Socket(SocketAddr),
    Tunnel(Box<Tunnel>),
}

/// What happened.
pub(super) enum Outcome {
    Nothing,
    /// The system did not take what was to be sent; it is asked again.
    Unsent,
    Ready {
        address: SocketAddr,
        local: SocketAddr,
    },
    Over,
}

/// See the module.
pub(super) struct Relay {
    text: String,
    over: Over,
    server: SocketAddr,
    credentials: Credentials,
    way: Way,
    /// None until the tunnel stands.
    allocation: Option<Allocation>,
    relayed: Option<SocketAddr>,
    spare_since: Option<Instant>,
}

impl Relay {
    pub(super) fn over_socket(
        now: Instant,
        text: String,
        local: SocketAddr,
        server: SocketAddr,
        credentials: &Credentials,
    ) -> Self {
        let allocation = Allocation::over_datagrams(now, local, server, credentials);
        Self {
            text,
            over: Over::Udp,
            server,
            credentials: credentials.clone(),
            way: Way::Socket(local),
            allocation: Some(allocation),
            relayed: None,
            spare_since: None,
        }
    }

    pub(super) fn over_tunnel(
        text: String,
        tunnel: Tunnel,
        over: Over,
        server: SocketAddr,
        credentials: Credentials,
    ) -> Self {
        Self {
            text,
            over,
            server,
            credentials,
            way: Way::Tunnel(Box::new(tunnel)),
            allocation: None,
            relayed: None,
            spare_since: None,
        }
    }

    /// Its server, as the configuration names it.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn is_to(&self, server: SocketAddr, over: Over) -> bool {
        self.server == server && self.over == over
    }

    /// Whether it was asked in this name.
    pub(super) fn is_asked_as(&self, credentials: &Credentials) -> bool {
        self.credentials == *credentials
    }

    /// Our address on it.
    pub(super) fn relayed(&self) -> Option<SocketAddr> {
        self.relayed
    }

    /// The socket it is reached from; none for a tunnel.
    pub(super) fn socket(&self) -> Option<SocketAddr> {
        match &self.way {
            Way::Socket(address) => Some(*address),
            Way::Tunnel(_) => None,
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let spare = self.spare_since.map(|since| since + super::SPARE);
        let allocation = self.allocation.as_ref().map(Allocation::deadline);
        spare.into_iter().chain(allocation).min()
    }

    /// How long nobody needed it.
    pub(super) fn is_spare_for(&mut self, now: Instant, is_needed: bool) -> Duration {
        if is_needed {
            self.spare_since = None;
            return Duration::ZERO;
        }
        let since = *self.spare_since.get_or_insert(now);
        now.saturating_duration_since(since)
    }

    pub(super) fn on_time(&mut self, now: Instant, hands: &Hands<'_>) -> Outcome {
        let Self {
            allocation: Some(allocation),
            way,
            server,
            ..
        } = self
        else {
            return Outcome::Nothing;
        };
        if allocation.deadline() > now {
            return Outcome::Nothing;
        }
        let mut is_carried = true;
        let send = |bytes: &[u8]| is_carried &= carry(way, *server, hands, bytes);
        match allocation.poll(now, send) {
            Progress::Waiting if !is_carried => Outcome::Unsent,
            Progress::Waiting => Outcome::Nothing,
            Progress::Ready(address) => {
                self.relayed = Some(address);
                tracing::debug!(over = ?self.over, "a relay is ready");
                Outcome::Ready {
                    address,
                    local: self.local().unwrap_or(address),
                }
            }
            Progress::Over => Outcome::Over,
        }
    }

    fn local(&self) -> Option<SocketAddr> {
        match &self.way {
            Way::Socket(address) => Some(*address),
            Way::Tunnel(tunnel) => tunnel.local(),
        }
    }

    /// False when it is not from this relay.
    pub(super) fn on_datagram(
        &mut self,
        now: Instant,
        local: SocketAddr,
        source: SocketAddr,
        datagram: &[u8],
        arrivals: &mut Arrivals,
    ) -> bool {
        let is_ours = source == self.server && self.socket() == Some(local);
        let Self {
            allocation: Some(allocation),
            relayed,
            ..
        } = self
        else {
            return false;
        };
        is_ours && allocation.on_message(now, datagram, arrivals.on(*relayed))
    }

    /// True when there may be more.
    ///
    /// # Errors
    /// When the way to it is gone.
    pub(super) fn on_tunnel(&mut self, now: Instant, arrivals: &mut Arrivals) -> io::Result<bool> {
        let Way::Tunnel(tunnel) = &mut self.way else {
            return Ok(false);
        };
        if let Some(local) = tunnel.settle()? {
            let allocation = Allocation::over_stream(now, local, self.server, &self.credentials);
            self.allocation = Some(allocation);
        }
        if tunnel.local().is_none() {
            return Ok(false);
        }
        let mut bytes = Vec::new();
        for _ in 0..READ_BURST {
            let Way::Tunnel(tunnel) = &mut self.way else {
                return Ok(false);
            };
            bytes.clear();
            let more = tunnel.receive(&mut bytes)?;
            if let Some(allocation) = &mut self.allocation {
                let read = allocation.on_stream(now, &bytes, arrivals.on(self.relayed));
                read.map_err(|_| io::ErrorKind::InvalidData)?;
            }
            if !more {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// False when the packet was dropped.
    pub(super) fn send(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        packet: &[u8],
        hands: &Hands<'_>,
    ) -> bool {
        let Self {
            allocation: Some(allocation),
            way,
            server,
            ..
        } = self
        else {
            return false;
        };
        let mut is_carried = true;
        let accepted = allocation.send(now, peer, packet, &mut |bytes: &[u8]| {
            is_carried &= carry(way, *server, hands, bytes);
        });
        accepted && is_carried
    }

    /// Gives the address back.
    pub(super) fn close(&mut self, now: Instant, hands: &Hands<'_>) {
        let Self {
            allocation, way, ..
        } = self;
        if let Some(allocation) = allocation {
            let server = self.server;
            allocation.close(now, |bytes| _ = carry(way, server, hands, bytes));
        }
    }
}

fn carry(way: &mut Way, server: SocketAddr, hands: &Hands<'_>, bytes: &[u8]) -> bool {
    match way {
        Way::Socket(local) => hands.send(*local, server, bytes),
        Way::Tunnel(tunnel) => tunnel.send(bytes),
    }
}
