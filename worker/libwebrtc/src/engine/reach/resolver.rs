//! Threads: names of servers into addresses. The system's resolver waits, so nobody else may.

use std::{
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

/// Names looked up at once; a name beyond has to wait.
pub(super) const AT_ONCE: usize = 8;
static RUNNING: AtomicUsize = AtomicUsize::new(0);

/// The address, when `host` is one already.
pub(super) fn literal(host: &str, port: u16) -> Option<SocketAddr> {
    let address: IpAddr = host.parse().ok()?;
    Some(SocketAddr::new(address, port))
}

/// Looks the name up; `done` is called on another thread, with nothing when there is no answer. An
/// IPv4 address is preferred: relays of rooms have one. False when it cannot be looked up now.
pub(super) fn look_up(
    host: String,
    port: u16,
    done: impl FnOnce(Option<SocketAddr>) + Send + 'static,
) -> bool {
    if RUNNING.fetch_add(1, Ordering::Relaxed) >= AT_ONCE {
        RUNNING.fetch_sub(1, Ordering::Relaxed);
        tracing::debug!("too many names of relays are being looked up: one has to wait");
        return false;
    }
    let work = move || {
        let found = (host.as_str(), port).to_socket_addrs();
        let found: Vec<SocketAddr> = found.map(Iterator::collect).unwrap_or_default();
        let preferred = found.iter().find(|address| address.is_ipv4());
        done(preferred.or_else(|| found.first()).copied());
        RUNNING.fetch_sub(1, Ordering::Relaxed);
    };
    let name = "libwebrtc-names".to_owned();
    let is_begun = thread::Builder::new().name(name).spawn(work).is_ok();
    if !is_begun {
        RUNNING.fetch_sub(1, Ordering::Relaxed);
    }
    is_begun
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Waits for its turn: other tests look up names, too.
    fn look_up_soon(found: &mpsc::Sender<Option<SocketAddr>>) {
        loop {
            let found = found.clone();
            let tell = move |answer| found.send(answer).unwrap();
            if look_up("localhost".to_owned(), 443, tell) {
                return;
            }
            thread::yield_now();
        }
    }

    #[test]
    fn addresses_need_no_look_up_and_names_get_one() {
        assert_eq!(
            literal("192.0.2.1", 3_478),
            Some(SocketAddr::from(([192, 0, 2, 1], 3_478)))
        );
        assert_eq!(literal("relay.example.com", 3_478), None);
        let (tell, told) = mpsc::channel();
        look_up_soon(&tell);
        let found = told.recv().unwrap().expect("every machine has this name");
        assert!(found.ip().is_loopback() && found.port() == 443);
    }
}
