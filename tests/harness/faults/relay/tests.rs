use super::*;
use crate::{
    eventually::{eventually, expect},
    faults::impairment::Loss,
};

const PATIENCE: Duration = Duration::from_secs(5);

/// An echo that says from where it was asked.
struct Server {
    socket: UdpSocket,
}

impl Server {
    fn start() -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket }
    }

    fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    /// Answers one datagram; tells where it came from.
    fn answer(&self) -> SocketAddr {
        let mut buffer = [0; 64];
        let (length, from) = self.socket.recv_from(&mut buffer).unwrap();
        self.socket.send_to(&buffer[..length], from).unwrap();
        from
    }
}

fn client(server: SocketAddr) -> UdpSocket {
    let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.connect((RELAY_ADDRESS, server.port())).unwrap();
    client
}

fn receive(client: &UdpSocket) -> Vec<u8> {
    let mut buffer = [0; 64];
    let length = client.recv(&mut buffer).unwrap();
    buffer[..length].to_vec()
}

#[test]
fn datagrams_pass_both_ways_and_each_client_has_a_port_of_its_own() {
    let server = Server::start();
    let relay = UdpRelay::start(server.address(), Impairment::default()).unwrap();
    let (ann, bob) = (client(server.address()), client(server.address()));
    ann.send(b"ann").unwrap();
    let anns = server.answer();
    bob.send(b"bob").unwrap();
    assert_ne!(server.answer(), anns);
    assert_eq!(receive(&ann), b"ann");
    assert_eq!(receive(&bob), b"bob");
    assert_eq!(relay.counts().flows, 2);
    assert_eq!(relay.counts().from_server.delivered, 2);
}

#[test]
fn a_rebind_changes_the_port_the_server_sees_and_the_client_notices_nothing() {
    let server = Server::start();
    let relay = UdpRelay::start(server.address(), Impairment::default()).unwrap();
    let ann = client(server.address());
    ann.send(b"1").unwrap();
    let before = server.answer();
    assert_eq!(receive(&ann), b"1");
    relay.rebind().unwrap();
    ann.send(b"2").unwrap();
    assert_ne!(server.answer(), before);
    assert_eq!(receive(&ann), b"2");
    server.socket.send_to(b"lost", before).unwrap();
    ann.send(b"3").unwrap();
    server.answer();
    assert_eq!(receive(&ann), b"3");
}

#[tokio::test]
async fn a_cut_for_one_process_holds_for_its_sockets_and_ends_with_the_heal() {
    let server = Server::start();
    let relay = UdpRelay::start(server.address(), Impairment::default()).unwrap();
    let ann = client(server.address());
    relay.of_process(1).cut();
    ann.send(b"1").unwrap();
    server.answer();
    assert_eq!(receive(&ann), b"1", "somebody else is cut");
    relay.of_process(std::process::id()).cut();
    ann.send(b"2").unwrap();
    eventually("the datagram is swallowed", PATIENCE, || {
        let counts = relay.counts();
        expect(counts.to_server.cut == 1, format!("{counts:?}"))
    })
    .await;
    relay.heal();
    ann.send(b"3").unwrap();
    server.answer();
    assert_eq!(receive(&ann), b"3");
}

#[tokio::test]
async fn conditions_hold_for_one_direction_and_can_change() {
    let server = Server::start();
    let lossy = Conditions {
        loss: Loss::Random(1.0),
        ..Conditions::default()
    };
    let impairment = Impairment {
        from_server: lossy,
        ..Impairment::default()
    };
    let relay = UdpRelay::start(server.address(), impairment).unwrap();
    let ann = client(server.address());
    ann.send(b"1").unwrap();
    server.answer();
    eventually("the answer is lost", PATIENCE, || {
        let counts = relay.counts();
        expect(counts.from_server.lost == 1, format!("{counts:?}"))
    })
    .await;
    let delay = Duration::from_millis(30);
    let slow = Conditions {
        delay,
        ..Conditions::default()
    };
    relay.set(Impairment::both(slow, 7));
    let sent = Instant::now();
    ann.send(b"2").unwrap();
    server.answer();
    assert_eq!(receive(&ann), b"2");
    assert!(sent.elapsed() >= 2 * delay);
}
