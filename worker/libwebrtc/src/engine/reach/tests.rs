//! What is asked of STUN and TURN servers, and when again, in virtual time. The sockets are real.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket},
    thread,
};

use parking_lot::Mutex;

use super::*;
use crate::{engine::gather, ext::Settings};

/// Longer than any relay is waited for.
const LIMIT: Duration = Duration::from_secs(11);

/// A `Reach` that is told of one server, and everything it works with.
struct Table {
    reach: Reach,
    now: Instant,
    shard: Arc<Shard>,
    sockets: Vec<Socket>,
    url: String,
}

impl Table {
    fn new(url: String) -> Self {
        let mut table = Self {
            reach: Reach::new(Arc::new(Trust::new(None))),
            now: Instant::now(),
            shard: Shard::start(0).unwrap(),
            sockets: vec![socket(Ipv4Addr::LOCALHOST.into())],
            url,
        };
        table.configure("somebody");
        table
    }

    fn configure(&mut self, username: &str) {
        let server = IceServer {
            urls: vec![self.url.clone()],
            username: username.to_owned(),
            password: String::new(),
        };
        self.reach.configure(IceTransportsType::All, &[server]);
    }

    fn on_time(&mut self) {
        let hands = Hands {
            id: 1,
            link: &Weak::new(),
            shard: &self.shard,
            sockets: &self.sockets,
        };
        self.reach.on_time(self.now, InUse::NoPath, &hands);
    }

    /// Does what is due until it is so.
    #[track_caller]
    fn run_until(&mut self, is_so: impl Fn(&Reach) -> bool) {
        let end = self.now + LIMIT;
        while !is_so(&self.reach) {
            self.now = self
                .reach
                .deadline()
                .expect("something is due")
                .max(self.now);
            assert!(self.now < end, "not within {LIMIT:?}");
            self.on_time();
        }
    }

    fn want_relays(&mut self) {
        self.reach.want_relays();
        self.on_time();
    }
}

fn socket(address: IpAddr) -> Socket {
    gather::open(address, &Settings::default()).unwrap()
}

/// A server that hears and does not answer.
fn mute() -> (UdpSocket, String) {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_nonblocking(true).unwrap();
    let url = format!("turn:{}?transport=udp", server.local_addr().unwrap());
    (server, url)
}

fn asked_from(reach: &Reach) -> Option<SocketAddr> {
    reach.relays.iter().flatten().find_map(Relay::socket)
}

fn is_asked(reach: &Reach) -> bool {
    reach.relays.iter().flatten().count() == 1
}

#[test]
fn a_relay_that_gave_nothing_yet_is_asked_anew_under_a_new_name() {
    let (_server, url) = mute();
    let mut table = Table::new(url);
    table.want_relays();
    let is_asked_as = |reach: &Reach, username: &str| {
        let credentials = Credentials {
            username: username.to_owned(),
            password: String::new(),
        };
        let mut relays = reach.relays.iter().flatten();
        relays.any(|relay| relay.is_asked_as(&credentials))
    };
    assert!(is_asked_as(&table.reach, "somebody"));
    table.configure("somebody");
    assert!(is_asked(&table.reach), "nothing has changed");
    table.configure("somebody else");
    assert!(!is_asked(&table.reach));
    table.on_time();
    assert!(is_asked_as(&table.reach, "somebody else"));
}

#[test]
fn a_relay_that_ended_is_called_again_when_a_path_is_lost() {
    let (_server, url) = mute();
    let mut table = Table::new(url);
    table.want_relays();
    assert!(is_asked(&table.reach));
    table.run_until(|reach| !is_asked(reach));
    table.on_time();
    assert!(!is_asked(&table.reach), "once for each wish");
    table.want_relays();
    assert!(is_asked(&table.reach));
}

/// The name of every machine, which is looked up like any other.
const NAME: &str = "turn:localhost:3478?transport=tcp";

fn place(reach: &Reach) -> Place {
    reach.servers[0].place
}

/// Lets seconds pass until the name is being looked up: other tests look up names, too.
fn run_until_looked_up(table: &mut Table) {
    while place(&table.reach) != Place::Asked {
        assert_eq!(table.reach.deadline(), Some(table.now + LATER));
        table.now += LATER;
        table.on_time();
        thread::yield_now();
    }
}

#[test]
fn a_name_that_nobody_knew_is_looked_up_again_in_the_next_search() {
    let mut table = Table::new(NAME.to_owned());
    table.want_relays();
    run_until_looked_up(&mut table);
    table.reach.on_resolved("localhost", 3_478, None);
    table.on_time();
    assert_eq!(place(&table.reach), Place::Nowhere);
    assert_eq!(table.reach.deadline(), None);
    table.reach.search();
    table.want_relays();
    run_until_looked_up(&mut table);
}

#[test]
fn a_name_beyond_the_limit_is_looked_up_when_others_are_done() {
    let gate = Arc::new(Mutex::new(()));
    let shut = gate.lock();
    let mut held = 0;
    while held < resolver::AT_ONCE {
        let gate = gate.clone();
        let wait = move |_| drop(gate.lock());
        held += usize::from(resolver::look_up("localhost".to_owned(), 443, wait));
    }
    let mut table = Table::new(NAME.to_owned());
    table.want_relays();
    assert_eq!(place(&table.reach), Place::Unknown);
    table.now += LATER;
    table.on_time();
    assert_eq!(place(&table.reach), Place::Unknown, "it waits");
    drop(shut);
    run_until_looked_up(&mut table);
}

#[test]
fn a_relay_that_does_not_answer_is_asked_from_each_socket() {
    let (_server, url) = mute();
    let mut table = Table::new(url);
    table.sockets = [[127, 0, 0, 5], [127, 0, 0, 6]]
        .map(|ip| socket(ip.into()))
        .into();
    let [first, second] = [0, 1].map(|number| table.sockets[number].address);
    table.want_relays();
    assert_eq!(asked_from(&table.reach), Some(first));
    table.run_until(|reach| asked_from(reach) != Some(first));
    assert_eq!(asked_from(&table.reach), Some(second));
    table.run_until(|reach| !is_asked(reach));
    table.want_relays();
    assert_eq!(asked_from(&table.reach), Some(first));
    table.sockets[0].is_stale = true;
    table.run_until(|reach| !is_asked(reach));
    table.want_relays();
    assert_eq!(asked_from(&table.reach), Some(second));
}

#[test]
fn a_socket_that_cannot_send_leaves_the_relay_to_the_next_one() {
    let (_server, url) = mute();
    let mut table = Table::new(url);
    let mut useless = socket(Ipv6Addr::LOCALHOST.into());
    useless.address = SocketAddr::from(([127, 0, 0, 5], 5_000));
    table.sockets.insert(0, useless);
    let second = table.sockets[1].address;
    table.want_relays();
    assert_eq!(asked_from(&table.reach), Some(second));
}
