//! What a connection has beyond its own addresses: how others see them (STUN), and addresses on
//! relays (TURN). Owned by the [`Link`], under its lock; it sends through the sockets of the link.
//!
//! A relay costs the server a port and every packet a detour, so an address on one is asked for only
//! while no path works, or when nothing else may be used. One that no path needs is given back.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use super::{
    fallback::RelayWish,
    link::{Link, Socket},
    shard::{RELAYS, Shard},
};
use crate::peer_connection_factory::{IceServer, IceTransportsType};

mod allocation;
mod arrivals;
pub(super) mod binding;
mod framing;
mod ice_urls;
mod relay;
mod resolver;
mod server;
#[cfg(test)]
mod tests;
mod tls;
mod tunnel;

use allocation::Credentials;
use binding::Binding;
use ice_urls::{IceUrl, Over, Service};
use relay::{Outcome, Relay};
use server::{Place, Server};

pub(crate) use arrivals::Arrivals;
pub(crate) use tls::Trust;
pub(super) use tunnel::Tunnel;

/// Servers taken from a configuration; a server names two or three.
const SERVERS: usize = 8;
/// Servers that are asked how they see us. One is enough; a second one may be the one that lives.
const ASKED: usize = 2;
/// How long an address on a relay is kept that no path uses.
const SPARE: Duration = Duration::from_secs(10);

/// When a name is looked up that had to wait.
const LATER: Duration = Duration::from_secs(1);

/// What the connection is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// Others see this socket of ours at that address.
    Seen {
        address: SocketAddr,
        base: SocketAddr,
    },
    /// We have an address on a relay.
    Relayed {
        address: SocketAddr,
        local: SocketAddr,
    },
    /// We have it no more.
    Gone(SocketAddr),
    /// A server was of no use.
    Failed(String),
}

/// What it works with, all of it the link's.
pub(crate) struct Hands<'a> {
    pub(crate) id: u64,
    pub(crate) link: &'a Weak<Link>,
    pub(crate) shard: &'a Shard,
    pub(crate) sockets: &'a [Socket],
}

impl Hands<'_> {
    /// Sends from the socket with this address; what the system does not take is lost, as on the way.
    fn send(&self, local: SocketAddr, remote: SocketAddr, datagram: &[u8]) -> bool {
        let socket = self.sockets.iter().find(|socket| socket.address == local);
        socket.is_some_and(|socket| socket.udp.send_to(datagram, remote).is_ok())
    }

    /// The sockets that can talk to it.
    fn towards(&self, server: SocketAddr) -> impl Iterator<Item = SocketAddr> {
        let present = self.sockets.iter().filter(|socket| !socket.is_stale);
        let addresses = present.map(|socket| socket.address);
        addresses.filter(move |address| address.is_ipv4() == server.is_ipv4())
    }
}

/// See the module.
pub(crate) struct Reach {
    policy: IceTransportsType,
    trust: Arc<Trust>,
    servers: Vec<Server>,
    bindings: Vec<Binding>,
    relays: [Option<Relay>; RELAYS],
    /// Relays are wanted; servers whose name is not known yet come later.
    wants_relays: bool,
    wants_addresses: bool,
    /// A name had to wait until then; nor is another one looked up before.
    looks_up_at: Option<Instant>,
    news: Vec<News>,
}

impl Reach {
    pub(crate) fn new(trust: Arc<Trust>) -> Self {
        Self {
            policy: IceTransportsType::All,
            trust,
            servers: Vec::new(),
            bindings: Vec::new(),
            relays: [const { None }; RELAYS],
            wants_relays: false,
            wants_addresses: false,
            looks_up_at: None,
            news: Vec::new(),
        }
    }

    pub(crate) fn policy(&self) -> IceTransportsType {
        self.policy
    }

    /// Takes over what a configuration says. Relays that stand stay.
    pub(crate) fn configure(&mut self, policy: IceTransportsType, servers: &[IceServer]) {
        self.policy = policy;
        let before = std::mem::take(&mut self.servers);
        let is_new = |server: &Server| !before.iter().any(|known| known.url == server.url);
        let urls = servers
            .iter()
            .flat_map(|server| server.urls.iter().map(move |url| (server, url)));
        for (server, text) in urls {
            if self.servers.len() == SERVERS {
                tracing::debug!("more STUN and TURN servers than are used");
                break;
            }
            match IceUrl::parse(text) {
                Ok(url) => {
                    let known = before.iter().find(|known| known.url == url);
                    let place = resolver::literal(&url.host, url.port).map(Place::At);
                    let credentials = Credentials {
                        username: server.username.clone(),
                        password: server.password.clone(),
                    };
                    let as_before = known.filter(|known| known.credentials == credentials);
                    self.servers.push(Server {
                        text: text.clone(),
                        place: place
                            .or_else(|| known.map(|known| known.place))
                            .unwrap_or(Place::Unknown),
                        is_used: as_before.is_some_and(|known| known.is_used),
                        tried: 0,
                        url,
                        credentials,
                    });
                }
                Err(why) => {
                    tracing::warn!(why, "a STUN or TURN server cannot be used");
                    self.news.push(News::Failed(text.clone()));
                }
            }
        }
        self.drop_outdated();
        // A search may be under way: the first description is made before the servers are known.
        let may_ask = self.policy == IceTransportsType::All;
        self.wants_addresses |= may_ask && self.servers.iter().any(is_new);
    }

    /// A relay that has given no address yet may be refusing who we were: who we are now asks anew.
    fn drop_outdated(&mut self) {
        for place in &mut self.relays {
            let dropped = place.take_if(|relay| {
                let mut servers = self.servers.iter();
                let server = servers.find(|server| server.text == relay.text());
                let is_as_now = server.is_none_or(|server| relay.is_asked_as(&server.credentials));
                relay.relayed().is_none() && !is_as_now
            });
            self.wants_relays |= dropped.is_some();
        }
    }

    /// When the connection is to ask for relays.
    pub(crate) fn relay_wish(&self) -> RelayWish {
        let is_relay = |server: &Server| matches!(server.url.service, Service::Turn(_));
        match self.policy {
            _ if !self.servers.iter().any(is_relay) => RelayWish::Never,
            IceTransportsType::All => RelayWish::WhenNothingElse,
            _ => RelayWish::AtOnce,
        }
    }

    /// There is nothing to do, and nothing may come.
    pub(crate) fn is_idle(&self) -> bool {
        self.bindings.is_empty()
            && self.news.is_empty()
            && !self.wants_addresses
            && !self.wants_relays
            && self.looks_up_at.is_none()
            && self.relays.iter().all(Option::is_none)
    }

    /// When [`on_time`](Self::on_time) is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let bindings = self.bindings.iter().map(Binding::deadline);
        let relays = self.relays.iter().flatten().filter_map(Relay::deadline);
        bindings.chain(relays).chain(self.looks_up_at).min()
    }

    // --- what the connection wants

    /// A search for a path begins: how do others see us?
    pub(crate) fn search(&mut self) {
        self.begin_anew();
        self.wants_addresses = self.policy == IceTransportsType::All && !self.servers.is_empty();
    }

    /// No path works (any more): relays.
    pub(crate) fn want_relays(&mut self) {
        self.begin_anew();
        self.wants_relays = true;
    }

    /// Each server may be used again.
    fn begin_anew(&mut self) {
        self.servers.iter_mut().for_each(Server::begin_anew);
    }

    /// A name was looked up.
    pub(crate) fn on_resolved(&mut self, host: &str, port: u16, found: Option<SocketAddr>) {
        let news = &mut self.news;
        for server in &mut self.servers {
            if server.url.host != host || server.url.port != port {
                continue;
            }
            server.place = found.map_or(Place::Nowhere, Place::At);
            if found.is_none() {
                tracing::debug!("a STUN or TURN server has no address");
                news.push(News::Failed(server.text.clone()));
            }
        }
    }

    /// Does everything that is due.
    pub(crate) fn on_time(&mut self, now: Instant, in_use: InUse, hands: &Hands<'_>) {
        self.looks_up_at = self.looks_up_at.filter(|at| *at > now);
        if self.wants_addresses {
            self.ask_for_addresses(now, hands);
        }
        if self.wants_relays {
            self.dial_relays(now, hands);
        }
        self.bindings.retain_mut(|binding| {
            let (base, server) = (binding.base, binding.server);
            if let Some(request) = binding.poll(now) {
                hands.send(base, server, request);
            }
            !binding.is_over(now)
        });
        for place in 0..RELAYS {
            let Some(relay) = &mut self.relays[place] else {
                continue;
            };
            match relay.on_time(now, hands) {
                Outcome::Nothing => {}
                Outcome::Ready { address, local } => {
                    self.news.push(News::Relayed { address, local });
                }
                Outcome::Unsent => _ = self.call_otherwise(now, place, hands),
                Outcome::Over => {
                    if !self.call_otherwise(now, place, hands) {
                        self.lose(place);
                    }
                    continue;
                }
            }
            self.spare(now, place, in_use, hands);
        }
    }

    /// Calls a relay that gave nothing from our next socket. False when none is left.
    fn call_otherwise(&mut self, now: Instant, place: usize, hands: &Hands<'_>) -> bool {
        let Some(relay) = &self.relays[place] else {
            return false;
        };
        let mut servers = self.servers.iter_mut();
        let has_next = servers.any(|server| server.turn_to_next_socket(relay, hands));
        if has_next {
            self.relays[place] = None;
            self.dial_relays(now, hands);
        }
        has_next
    }

    /// Gives back what no path needs.
    fn spare(&mut self, now: Instant, place: usize, in_use: InUse, hands: &Hands<'_>) {
        let Some(relay) = &mut self.relays[place] else {
            return;
        };
        let is_needed = match in_use {
            InUse::NoPath => true,
            InUse::Direct => false,
            InUse::Relay(address) => relay.relayed() == Some(address),
        };
        if relay.is_spare_for(now, is_needed) >= SPARE {
            relay.close(now, hands);
            self.lose(place);
        }
    }

    fn lose(&mut self, place: usize) {
        let Some(relay) = self.relays[place].take() else {
            return;
        };
        match relay.relayed() {
            Some(address) => self.news.push(News::Gone(address)),
            None => self.news.push(News::Failed(relay.text().to_owned())),
        }
    }

    /// What the connection is to be told since the last time.
    pub(crate) fn take_news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news)
    }

    fn ask_for_addresses(&mut self, now: Instant, hands: &Hands<'_>) {
        let answers = |server: &Server| {
            matches!(server.url.service, Service::Stun | Service::Turn(Over::Udp))
        };
        let mut is_waiting = false;
        let mut asked: Vec<SocketAddr> = Vec::new();
        for server in self.servers.iter_mut().filter(|s| answers(s)).take(ASKED) {
            if self.looks_up_at.is_none() && !server.look_up(hands) {
                self.looks_up_at = Some(now + LATER);
            }
            match server.place {
                Place::At(address) if !asked.contains(&address) => asked.push(address),
                Place::Asked | Place::Unknown => is_waiting = true,
                _ => {}
            }
        }
        for server in asked {
            let known = |base: SocketAddr| {
                let same = |b: &Binding| b.base == base && b.server == server;
                self.bindings.iter().any(same)
            };
            let from: Vec<SocketAddr> =
                hands.towards(server).filter(|base| !known(*base)).collect();
            let new = from.into_iter().map(|base| Binding::new(now, base, server));
            self.bindings.extend(new);
        }
        self.wants_addresses = is_waiting;
    }

    fn dial_relays(&mut self, now: Instant, hands: &Hands<'_>) {
        let mut is_waiting = false;
        for server in &mut self.servers {
            let Service::Turn(over) = server.url.service else {
                continue;
            };
            if server.is_used {
                continue;
            }
            if self.looks_up_at.is_none() && !server.look_up(hands) {
                self.looks_up_at = Some(now + LATER);
            }
            let address = match server.place {
                Place::At(address) => address,
                Place::Asked | Place::Unknown => {
                    is_waiting = true;
                    continue;
                }
                Place::Nowhere => continue,
            };
            let stands = |relay: &Relay| relay.is_to(address, over);
            if self.relays.iter().flatten().any(stands) {
                continue;
            }
            let Some(place) = self.relays.iter().position(Option::is_none) else {
                break;
            };
            server.is_used = true;
            match server.dial(now, over, address, &self.trust, place, hands) {
                Ok(relay) => self.relays[place] = Some(relay),
                Err(error) => {
                    tracing::debug!(%error, "a relay cannot be called");
                    self.news.push(News::Failed(server.text.clone()));
                }
            }
        }
        self.wants_relays = is_waiting;
    }

    // --- packets

    /// A datagram from one of our servers. False when it is from somebody else.
    pub(crate) fn on_datagram(
        &mut self,
        now: Instant,
        local: SocketAddr,
        source: SocketAddr,
        datagram: &[u8],
        arrivals: &mut Arrivals,
    ) -> bool {
        let answered = self.bindings.iter().position(|binding| {
            binding.server == source && binding.base == local && binding.answer(datagram).is_some()
        });
        if let Some(number) = answered {
            let binding = self.bindings.swap_remove(number);
            let seen = binding.answer(datagram);
            self.news.extend(seen.map(|address| News::Seen {
                address,
                base: local,
            }));
            return true;
        }
        let mut relays = self.relays.iter_mut().flatten();
        relays.any(|relay| relay.on_datagram(now, local, source, datagram, arrivals))
    }

    /// Something happened on the byte stream of a relay. True when there may be more.
    pub(crate) fn on_tunnel(
        &mut self,
        now: Instant,
        place: usize,
        arrivals: &mut Arrivals,
    ) -> bool {
        let Some(relay) = &mut self.relays[place] else {
            return false;
        };
        match relay.on_tunnel(now, arrivals) {
            Ok(more) => more,
            Err(error) => {
                tracing::debug!(%error, "the way to a relay is gone");
                self.lose(place);
                false
            }
        }
    }

    /// Sends through a relay; `None` when the address is on none of ours.
    pub(crate) fn send(
        &mut self,
        now: Instant,
        relayed: SocketAddr,
        peer: SocketAddr,
        packet: &[u8],
        hands: &Hands<'_>,
    ) -> Option<io::Result<()>> {
        let mut relays = self.relays.iter_mut().flatten();
        let relay = relays.find(|relay| relay.relayed() == Some(relayed))?;
        let sent = relay.send(now, peer, packet, hands);
        Some(
            sent.then_some(())
                .ok_or_else(|| io::ErrorKind::WouldBlock.into()),
        )
    }

    // --- the end

    /// This socket is no more, nor what went through it.
    pub(crate) fn forget_socket(&mut self, address: SocketAddr) {
        self.bindings.retain(|binding| binding.base != address);
        for place in 0..RELAYS {
            let through = |relay: &Relay| relay.socket() == Some(address);
            if self.relays[place].as_ref().is_some_and(through) {
                self.lose(place);
            }
        }
    }

    /// Gives everything back.
    pub(crate) fn close(&mut self, now: Instant, hands: &Hands<'_>) {
        for relay in self.relays.iter_mut().flatten() {
            relay.close(now, hands);
        }
        self.drop_all();
    }

    /// Lets go of everything without a word.
    pub(crate) fn drop_all(&mut self) {
        self.relays = [const { None }; RELAYS];
        self.bindings.clear();
        self.wants_addresses = false;
        self.wants_relays = false;
        self.looks_up_at = None;
    }
}

/// What the connection talks over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InUse {
    NoPath,
    /// From an address of our own.
    Direct,
    /// From this address on a relay.
    Relay(SocketAddr),
}
