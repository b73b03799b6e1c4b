//! Adapter: local addresses and the sockets bound to them.
//!
//! One socket per connection and address, never shared: a server in single-port mode tells its
//! clients apart by their address, so two connections on one port could not be told apart.

use std::{
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::atomic::{AtomicU16, Ordering},
};

use mio::net::UdpSocket;
use rand::Rng;

use super::{link::Socket, shard::SOCKETS};
use crate::ext::Settings;

/// A socket on each usable address.
///
/// # Errors
/// When there is no usable address, or none of them gives a socket.
pub(crate) fn sockets(settings: &Settings) -> io::Result<Vec<Socket>> {
    let mut refused = io::Error::new(io::ErrorKind::AddrNotAvailable, "no usable local address");
    let mut sockets = Vec::new();
    for address in addresses(settings)? {
        match open(address, settings) {
            Ok(socket) => sockets.push(socket),
            Err(error) => refused = error,
        }
    }
    if sockets.is_empty() {
        Err(refused)
    } else {
        Ok(sockets)
    }
}

/// A socket on this address.
///
/// # Errors
/// When this machine does not have the address, or no port is free.
pub(crate) fn open(address: IpAddr, settings: &Settings) -> io::Result<Socket> {
    let udp = bind(address, settings)?;
    let address = udp.local_addr()?;
    Ok(Socket {
        udp,
        address,
        is_stale: false,
    })
}

/// Whether this machine has the address. When that cannot be found out it has.
pub(crate) fn has(address: IpAddr) -> bool {
    let Ok(interfaces) = if_addrs::get_if_addrs() else {
        return true;
    };
    interfaces.iter().any(|interface| interface.ip() == address)
}

/// The usable addresses of this machine now: IPv4 first; at most [`SOCKETS`].
///
/// # Errors
/// When the system does not tell.
pub(crate) fn addresses(settings: &Settings) -> io::Result<Vec<IpAddr>> {
    let wanted = |interface: &if_addrs::Interface| {
        let named = settings.interfaces.is_empty() || settings.interfaces.contains(&interface.name);
        named && usable(interface.ip(), settings.include_loopback)
    };
    let interfaces = if_addrs::get_if_addrs()?;
    let mut found: Vec<IpAddr> = interfaces
        .iter()
        .filter(|interface| wanted(interface))
        .map(|i| i.ip())
        .collect();
    found.sort_by_key(IpAddr::is_ipv6);
    found.dedup();
    found.truncate(SOCKETS);
    Ok(found)
}

fn usable(address: IpAddr, include_loopback: bool) -> bool {
    if address.is_unspecified() || address.is_multicast() {
        return false;
    }
    if address.is_loopback() {
        return include_loopback;
    }
    match address {
        IpAddr::V4(address) => !address.is_link_local(),
        // Link-local addresses mean nothing without their interface, which a candidate cannot name.
        IpAddr::V6(address) => !is_link_local(address),
    }
}

fn is_link_local(address: Ipv6Addr) -> bool {
    address.segments()[0] & 0xffc0 == 0xfe80
}

fn bind(address: IpAddr, settings: &Settings) -> io::Result<UdpSocket> {
    let Some(range) = &settings.udp_ports else {
        return UdpSocket::bind(SocketAddr::new(address, 0));
    };
    let count = u32::from(range.end().saturating_sub(*range.start())) + 1;
    let first = next_offset();
    let mut refused = io::Error::new(io::ErrorKind::AddrInUse, "all ports of the range are taken");
    for step in 0..count {
        let port = u32::from(*range.start()) + (u32::from(first) + step) % count;
        match UdpSocket::bind(SocketAddr::new(address, port as u16)) {
            Ok(socket) => return Ok(socket),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

/// Where to start in the range: each time further on, so that a port just freed rests a while and
/// late datagrams of its last connection meet nobody.
fn next_offset() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let step = rand::rng().random_range(1..4);
    NEXT.fetch_add(step, Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_used_only_when_asked_for() {
        let loopback = "127.0.0.1".parse().unwrap();
        assert!(usable(loopback, true) && !usable(loopback, false));
        for never in ["fe80::1", "0.0.0.0", "169.254.1.1", "224.0.0.1"] {
            assert!(!usable(never.parse().unwrap(), true), "{never}");
        }
        assert!(usable("10.0.0.7".parse().unwrap(), false));
    }

    #[test]
    fn ports_stay_within_the_range_and_an_exhausted_range_is_an_error() {
        let free = UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let settings = Settings {
            include_loopback: true,
            udp_ports: Some(port..=port),
            interfaces: vec!["lo".to_owned()],
            ..Settings::default()
        };
        let address = "127.0.0.1".parse().unwrap();
        let bound = bind(address, &settings).unwrap();
        assert_eq!(bound.local_addr().unwrap().port(), port);
        assert!(bind(address, &settings).is_err());
    }
}
