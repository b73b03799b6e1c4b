//! Two connections over real sockets: which addresses they use, and what becomes of a lost one.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Weak},
    thread,
    time::{Duration, Instant},
};

use super::{
    gather,
    link::{Link, Socket},
    reach::{Trust, binding},
    shard::Shard,
    transceivers::TransceiverShared,
};
use crate::{
    MediaType,
    ext::Settings,
    peer_connection::PeerConnectionState,
    peer_connection_factory::{IceServer, RtcConfiguration},
    rtp_transceiver::{RtpTransceiverDirection, RtpTransceiverInit},
};

/// Long enough for a busy machine.
const LIMIT: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(1);
/// How a request for an address on a relay begins (RFC 8656, 18).
const ALLOCATE: [u8; 2] = [0, 3];

fn socket(address: IpAddr) -> io::Result<Socket> {
    gather::open(address, &Settings::default())
}

fn open(id: u64, shard: &Arc<Shard>, address: &str) -> Arc<Link> {
    let mut sockets = vec![socket(address.parse().unwrap()).unwrap()];
    shard.register(id, &mut sockets).unwrap();
    Link::open(
        id,
        shard.clone(),
        sockets,
        Arc::new(Trust::new(None)),
        false,
    )
}

struct Two {
    caller: Arc<Link>,
    callee: Arc<Link>,
}

impl Two {
    /// Connected, the caller on this address and the callee on the other.
    fn on(caller: &str, callee: &str) -> Self {
        let shard = Shard::start(0).unwrap();
        let two = Self {
            caller: open(1, &shard, caller),
            callee: open(2, &shard, callee),
        };
        let init = RtpTransceiverInit {
            direction: RtpTransceiverDirection::RecvOnly,
            stream_ids: Vec::new(),
            send_encodings: Vec::new(),
        };
        let section = TransceiverShared::new(MediaType::Audio, init, Weak::new());
        let added = two.caller.with(|caller, _| caller.add_transceiver(section));
        added.unwrap();
        two.negotiate(false);
        two.wait_for("connected", Self::are_connected);
        two
    }

    fn negotiate(&self, restart: bool) {
        let offer = self.caller.with(|caller, _| {
            let offer = caller.create_offer(restart)?;
            caller.set_local(offer.clone()).map(|()| offer)
        });
        let offer = offer.unwrap().unwrap();
        let answer = self.callee.with(|callee, _| {
            callee.set_remote(offer)?;
            let answer = callee.create_answer()?;
            callee.set_local(answer.clone()).map(|()| answer)
        });
        let answer = answer.unwrap().unwrap();
        let answered = self.caller.with(|caller, _| caller.set_remote(answer));
        answered.unwrap().unwrap();
    }

    #[track_caller]
    fn wait_for(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + LIMIT;
        while !is_so(self) {
            assert!(Instant::now() < deadline, "not within {LIMIT:?}: {what}");
            thread::park_timeout(LOOK);
        }
    }

    fn are_connected(&self) -> bool {
        let states = [&self.caller, &self.callee].map(|link| *link.status.connection.get());
        states == [PeerConnectionState::Connected; 2]
    }
}

#[test]
fn two_connections_meet_over_ipv6() {
    let two = Two::on("::1", "::1");
    let heard = two.callee.with(|callee, _| callee.path.peer());
    let caller = two.caller.addresses();
    assert_eq!(heard.unwrap(), caller.first().copied());
}

#[test]
fn an_address_that_changes_is_followed_with_the_next_restart() {
    let two = Two::on("127.0.0.5", "127.0.0.1");
    let new = IpAddr::from([127, 0, 0, 6]);
    two.caller.regather(&[new], socket);
    let addresses = two.caller.addresses();
    assert_eq!(addresses.len(), 1);
    assert_eq!(addresses[0].ip(), new);
    two.negotiate(true);
    two.wait_for("heard from the new address", |two| {
        let heard = two.callee.with(|callee, _| callee.path.peer());
        heard.unwrap() == Some(addresses[0])
    });
    two.wait_for("connected again", Two::are_connected);
}

#[test]
fn a_connection_whose_address_is_gone_fails_without_waiting() {
    // No interface has this one, although the system lets it be used.
    let two = Two::on("127.0.0.5", "127.0.0.1");
    let doubted = two.caller.with(|caller, now| caller.path.doubt(now));
    doubted.unwrap();
    let failed = *two.caller.status.connection.get();
    assert_eq!(failed, PeerConnectionState::Failed);
}

#[test]
fn a_connection_whose_address_is_still_there_stays() {
    let two = Two::on("127.0.0.1", "127.0.0.1");
    let doubted = two.caller.with(|caller, now| caller.path.doubt(now));
    doubted.unwrap();
    assert!(two.are_connected());
}

#[test]
fn what_a_stun_server_sees_becomes_a_candidate() {
    let shard = Shard::start(0).unwrap();
    let link = open(1, &shard, "127.0.0.1");
    let server = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut configuration = RtcConfiguration::default();
    configuration.ice_servers.push(IceServer {
        urls: vec![format!("stun:{}", server.local_addr().unwrap())],
        username: String::new(),
        password: String::new(),
    });
    link.configure(&configuration).unwrap();
    let mut request = [0; 512];
    server.set_read_timeout(Some(LIMIT)).unwrap();
    let (length, asker) = server.recv_from(&mut request).unwrap();
    assert_eq!(link.addresses(), [asker]);
    let seen = SocketAddr::from(([203, 0, 113, 9], 40_000));
    let answer = binding::answer(&request[..length], seen);
    server.send_to(&answer, asker).unwrap();
    let start = Instant::now();
    loop {
        let known = link.with(|connection, _| {
            let local = connection.local_candidates.iter();
            local.map(|candidate| candidate.addr()).collect::<Vec<_>>()
        });
        if known.unwrap().contains(&seen) {
            return;
        }
        assert!(start.elapsed() < LIMIT, "the answer is not taken up");
        thread::park_timeout(LOOK);
    }
}

#[test]
fn a_relay_is_asked_from_an_address_that_is_still_there() {
    let shard = Shard::start(0).unwrap();
    let link = open(1, &shard, "127.0.0.5");
    let addresses = [5, 6].map(|last| IpAddr::from([127, 0, 0, last]));
    link.regather(&addresses, socket);
    link.regather(&addresses[1..], socket);
    let server = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(LIMIT)).unwrap();
    let mut configuration = RtcConfiguration::default();
    configuration.ice_servers.push(IceServer {
        urls: vec![format!("turn:{}", server.local_addr().unwrap())],
        username: "somebody".to_owned(),
        password: "known".to_owned(),
    });
    link.configure(&configuration).unwrap();
    let wanted = link.with(|connection, _| connection.out.wants.relays = true);
    wanted.unwrap();
    let mut request = [0; 512];
    loop {
        let (_, asker) = server.recv_from(&mut request).unwrap();
        assert_eq!(asker.ip(), addresses[1]);
        if request.starts_with(&ALLOCATE) {
            return;
        }
    }
}
