//! Threads: names of servers into addresses. The system's resolver waits, so nobody else may.

use std::{
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

/// Names looked up at once; a name beyond is not looked up, and its server not used.
const AT_ONCE: usize = 8;
static RUNNING: AtomicUsize = AtomicUsize::new(0);

/// The address, when `host` is one already.
pub(super) fn literal(host: &str, port: u16) -> Option<SocketAddr> {
    let address: IpAddr = host.parse().ok()?;
    Some(SocketAddr::new(address, port))
}

/// Looks the name up; `done` is called on another thread, with nothing when there is no answer. An
/// IPv4 address is preferred: relays of rooms have one.
pub(super) fn look_up(
    host: String,
    port: u16,
    done: impl FnOnce(Option<SocketAddr>) + Send + 'static,
) {
    if RUNNING.fetch_add(1, Ordering::Relaxed) >= AT_ONCE {
        RUNNING.fetch_sub(1, Ordering::Relaxed);
        tracing::warn!("too many names of relays are being looked up: one is passed over");
        return;
    }
    let work = move || {
        let found = (host.as_str(), port).to_socket_addrs();
        let found: Vec<SocketAddr> = found.map(Iterator::collect).unwrap_or_default();
        let preferred = found.iter().find(|address| address.is_ipv4());
        done(preferred.or_else(|| found.first()).copied());
        RUNNING.fetch_sub(1, Ordering::Relaxed);
    };
    let name = "libwebrtc-names".to_owned();
    if thread::Builder::new().name(name).spawn(work).is_err() {
        RUNNING.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn addresses_need_no_look_up_and_names_get_one() {
        assert_eq!(
            literal("192.0.2.1", 3_478),
            Some(SocketAddr::from(([192, 0, 2, 1], 3_478)))
        );
        assert_eq!(literal("relay.example.com", 3_478), None);
        let (tell, told) = mpsc::channel();
        look_up("localhost".to_owned(), 443, move |found| {
            tell.send(found).unwrap();
        });
        let found = told.recv().unwrap().expect("every machine has this name");
        assert!(found.ip().is_loopback() && found.port() == 443);
    }
}
