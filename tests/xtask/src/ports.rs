//! Free ports, preferring the usual ones.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};

use crate::run::Failure;

/// `wanted`, or the next port above it that nobody holds, for TCP and UDP both.
pub(crate) fn free(wanted: u16) -> Result<u16, Failure> {
    (wanted..wanted.saturating_add(200))
        .find(|port| is_free(*port))
        .ok_or_else(|| Failure::new(format!("no free port from {wanted} on")))
}

/// Several different ones.
pub(crate) fn free_all<const N: usize>(wanted: [u16; N]) -> Result<[u16; N], Failure> {
    let mut taken = [0; N];
    for (index, want) in wanted.into_iter().enumerate() {
        let mut port = free(want)?;
        while taken[..index].contains(&port) {
            port = free(port + 1)?;
        }
        taken[index] = port;
    }
    Ok(taken)
}

/// Several different ones, whichever the system gives: for tests that run beside others.
pub(crate) fn any<const N: usize>() -> Result<[u16; N], Failure> {
    let mut held = Vec::new();
    let mut ports = [0; N];
    for port in &mut ports {
        // Holding each until all are chosen keeps them different.
        let tcp = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        *port = tcp.local_addr()?.port();
        held.push((UdpSocket::bind((Ipv4Addr::UNSPECIFIED, *port))?, tcp));
    }
    Ok(ports)
}

fn is_free(port: u16) -> bool {
    // LiveKit's TCP port listens on all addresses, so it must be free on all of them.
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
        && UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
}
