//! A STUN or TURN server: where it is, and the call to it.

use std::{io, net::SocketAddr, time::Instant};

use rustls::pki_types::ServerName;

use super::{
    Hands, Trust, Tunnel,
    allocation::Credentials,
    ice_urls::{IceUrl, Over},
    relay::Relay,
    resolver,
};

/// Where a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Unknown,
    /// Its name is being looked up.
    Asked,
    At(SocketAddr),
    /// Nobody knows its name.
    Nowhere,
}

/// A STUN or TURN server of the configuration.
pub(super) struct Server {
    /// As the configuration names it.
    pub(super) text: String,
    pub(super) url: IceUrl,
    pub(super) credentials: Credentials,
    pub(super) place: Place,
    /// Called already since relays were wanted.
    pub(super) is_used: bool,
    /// Sockets of ours that did not get through to it since.
    pub(super) tried: usize,
}

impl Server {
    /// It may be used again, and its name be known by now.
    pub(super) fn begin_anew(&mut self) {
        self.is_used = false;
        self.tried = 0;
        if self.place == Place::Nowhere {
            self.place = Place::Unknown;
        }
    }

    /// Begins to find out where it is, unless that is known. False when that has to wait.
    pub(super) fn look_up(&mut self, hands: &Hands<'_>) -> bool {
        if self.place != Place::Unknown {
            return true;
        }
        let (link, host, port) = (hands.link.clone(), self.url.host.clone(), self.url.port);
        let is_asked = resolver::look_up(self.url.host.clone(), port, move |found| {
            if let Some(link) = link.upgrade() {
                link.on_resolved(&host, port, found);
            }
        });
        if is_asked {
            self.place = Place::Asked;
        }
        is_asked
    }

    /// Lets itself be called again when this is the relay on it, which gave no address to a socket of
    /// ours that is not the last one.
    pub(super) fn turn_to_next_socket(&mut self, relay: &Relay, hands: &Hands<'_>) -> bool {
        let Place::At(address) = self.place else {
            return false;
        };
        let is_its = relay.text() == self.text && relay.socket().is_some();
        let mut sockets = hands.towards(address);
        if !is_its || relay.relayed().is_some() || sockets.nth(self.tried + 1).is_none() {
            return false;
        }
        self.tried += 1;
        self.is_used = false;
        true
    }

    /// Calls a TURN server that is there.
    pub(super) fn dial(
        &self,
        now: Instant,
        over: Over,
        address: SocketAddr,
        trust: &Trust,
        place: usize,
        hands: &Hands<'_>,
    ) -> io::Result<Relay> {
        let (text, credentials) = (self.text.clone(), self.credentials.clone());
        if over == Over::Udp {
            let local = hands.towards(address).nth(self.tried);
            let local = local.ok_or(io::ErrorKind::AddrNotAvailable)?;
            return Ok(Relay::over_socket(now, text, local, address, &credentials));
        }
        let tls = match over {
            Over::Tls => {
                let name = ServerName::try_from(self.url.host.clone());
                Some((trust.client()?, name.map_err(io::Error::other)?))
            }
            _ => None,
        };
        let mut tunnel = Tunnel::dial(address, tls)?;
        hands.shard.register_tunnel(hands.id, place, &mut tunnel)?;
        Ok(Relay::over_tunnel(text, tunnel, over, address, credentials))
    }
}
