//! Adapter: an address on a TURN server (RFC 8656), over datagrams or over a byte stream. No socket:
//! what is to be sent to the server comes out, what it sent goes in.

use std::{
    fmt,
    net::SocketAddr,
    time::{Duration, Instant},
};

use turn_client_proto::{
    api::{
        DelayedMessageOrChannelSend, Transmit, TransmitBuild, TurnClientApi, TurnConfig, TurnEvent,
        TurnPollRet, TurnRecvRet,
    },
    prelude::DelayedTransmitBuild,
    stun,
    tcp::TurnClientTcp,
    types::{TransportType, TurnCredentials},
    udp::TurnClientUdp,
};

use super::framing::{Framing, Nonsense};
use crate::engine::link::DATAGRAM;

/// Peers a relay is opened to. A server has a few addresses; more would be a request to scan a network.
const PEERS: usize = 16;
/// Repetitions of a request over UDP: 250 ms, 500 ms, 1 s, 2 s, then two more seconds.
const RETRANSMITS: u32 = 4;
/// How long a server may take to give an address. The requests of the library end sooner; it does not
/// always say so, as after a refusal that bears no signature.
const LIMIT: Duration = Duration::from_secs(10);
/// Rounds of "ask what is to be done, and do it". More would be a loop.
const ROUNDS: usize = 16;

/// Who we are to the server.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) username: String,
    pub(super) password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

/// What became of the wish for an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Nothing new.
    Waiting,
    /// The address is ours.
    Ready(SocketAddr),
    /// There is no address, or no more.
    Over,
}

/// Both clients of the library do the same. How a stream is cut is ours: the library neither pads
/// channel data nor expects it padded (RFC 8656 section 12.5), and servers do both.
enum Client {
    Datagrams(TurnClientUdp),
    Stream(TurnClientTcp, Framing),
}

/// Calls the same method on either.
macro_rules! either {
    ($client:expr, $inner:ident => $call:expr) => {
        match $client {
            Client::Datagrams($inner) => $call,
            Client::Stream($inner, _) => $call,
        }
    };
}

/// A peer for which a channel was asked.
struct Opened {
    peer: SocketAddr,
    /// The last packet for it, until the server lets packets pass.
    held: Option<Vec<u8>>,
}

/// One allocation, or the wish for one.
pub(super) struct Allocation {
    client: Client,
    local: SocketAddr,
    server: SocketAddr,
    /// The library's clock counts from here.
    epoch: Instant,
    peers: Vec<Opened>,
    deadline: Instant,
    relayed: Option<SocketAddr>,
}

impl Allocation {
    /// Over datagrams between `local` and `server`.
    pub(super) fn over_datagrams(
        now: Instant,
        local: SocketAddr,
        server: SocketAddr,
        credentials: &Credentials,
    ) -> Self {
        let client = TurnClientUdp::allocate(local, server, config(credentials));
        Self::new(now, local, server, Client::Datagrams(client))
    }

    /// Over a byte stream between `local` and `server`.
    pub(super) fn over_stream(
        now: Instant,
        local: SocketAddr,
        server: SocketAddr,
        credentials: &Credentials,
    ) -> Self {
        let client = TurnClientTcp::allocate(local, server, config(credentials));
        Self::new(
            now,
            local,
            server,
            Client::Stream(client, Framing::default()),
        )
    }

    fn new(now: Instant, local: SocketAddr, server: SocketAddr, client: Client) -> Self {
        Self {
            client,
            local,
            server,
            epoch: now,
            peers: Vec::new(),
            deadline: now,
            relayed: None,
        }
    }

    fn time(&self, now: Instant) -> stun::Instant {
        let since = now.saturating_duration_since(self.epoch);
        stun::Instant::from_nanos(since.as_nanos() as i64)
    }

    fn transport(&self) -> TransportType {
        match self.client {
            Client::Datagrams(_) => TransportType::Udp,
            Client::Stream(..) => TransportType::Tcp,
        }
    }

    /// When [`poll`](Self::poll) is due.
    pub(super) fn deadline(&self) -> Instant {
        match self.relayed {
            Some(_) => self.deadline,
            None => self.deadline.min(self.epoch + LIMIT),
        }
    }

    /// Does what is due; what is to be sent to the server goes to `send`.
    pub(super) fn poll(&mut self, now: Instant, mut send: impl FnMut(&[u8])) -> Progress {
        if self.relayed.is_none() && now >= self.epoch + LIMIT {
            return Progress::Over;
        }
        let mut progress = Progress::Waiting;
        let time = self.time(now);
        for _ in 0..ROUNDS {
            while let Some(event) = either!(&mut self.client, client => client.poll_event()) {
                progress = self.on_event(now, event, progress, &mut send);
            }
            while let Some(transmit) =
                either!(&mut self.client, client => client.poll_transmit(time))
            {
                send(transmit.data.as_ref());
            }
            match either!(&mut self.client, client => client.poll(time)) {
                TurnPollRet::WaitUntil(until) if until > time => {
                    let wait = until.saturating_duration_since(time);
                    self.deadline = now + wait.max(Duration::from_millis(1));
                    return progress;
                }
                TurnPollRet::Closed => return Progress::Over,
                // TCP towards peers is never asked for.
                _ => {}
            }
        }
        self.deadline = now + Duration::from_millis(10);
        progress
    }

    fn on_event(
        &mut self,
        now: Instant,
        event: TurnEvent,
        progress: Progress,
        send: &mut impl FnMut(&[u8]),
    ) -> Progress {
        match event {
            TurnEvent::AllocationCreated(TransportType::Udp, relayed) => {
                self.relayed = Some(relayed);
                Progress::Ready(relayed)
            }
            TurnEvent::AllocationCreateFailed(_) => Progress::Over,
            TurnEvent::ChannelCreated(_, peer) => {
                let opened = self.peers.iter_mut().find(|opened| opened.peer == peer);
                if let Some(held) = opened.and_then(|opened| opened.held.take()) {
                    self.send(now, peer, &held, send);
                }
                progress
            }
            TurnEvent::ChannelCreateFailed(_, peer) => {
                // Not `retain`: a peer that is refused is not asked for again.
                let opened = self.peers.iter_mut().find(|opened| opened.peer == peer);
                if let Some(opened) = opened {
                    opened.held = None;
                }
                tracing::debug!("the relay refuses a peer");
                progress
            }
            _ => progress,
        }
    }

    /// Bytes of the stream from the server. What peers sent goes to `deliver`.
    ///
    /// # Errors
    /// When it is no stream of TURN.
    pub(super) fn on_stream(
        &mut self,
        now: Instant,
        bytes: &[u8],
        mut deliver: impl FnMut(SocketAddr, &[u8]),
    ) -> Result<(), Nonsense> {
        let Client::Stream(_, framing) = &mut self.client else {
            return Err(Nonsense);
        };
        let mut framing = std::mem::take(framing);
        let read = framing.read(bytes, |message| {
            self.on_message(now, message, &mut deliver);
        });
        if let Client::Stream(_, place) = &mut self.client {
            *place = framing;
        }
        read
    }

    /// A message from the server. What peers sent goes to `deliver`. False when it is not for us.
    pub(super) fn on_message(
        &mut self,
        now: Instant,
        bytes: &[u8],
        mut deliver: impl FnMut(SocketAddr, &[u8]),
    ) -> bool {
        let time = self.time(now);
        let transmit = Transmit::new(bytes, self.transport(), self.server, self.local);
        let taken = match either!(&mut self.client, client => client.recv(transmit, time)) {
            TurnRecvRet::Ignored(_) => false,
            TurnRecvRet::PeerData(data) => {
                deliver(data.peer, data.data());
                true
            }
            _ => true,
        };
        while let Some(data) = either!(&mut self.client, client => client.poll_recv(time)) {
            deliver(data.peer, data.data());
        }
        // Whatever came may have changed what is due.
        if taken {
            self.deadline = self.deadline.min(now);
        }
        taken
    }

    /// Sends to a peer, or holds the packet until the server lets packets pass. False when it was
    /// dropped.
    pub(super) fn send(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        packet: &[u8],
        send: &mut impl FnMut(&[u8]),
    ) -> bool {
        let mut buffer = [0; DATAGRAM + 64];
        let time = self.time(now);
        let built = either!(&mut self.client, client => {
            client.send_to(TransportType::Udp, peer, packet, time)
        });
        match built {
            Ok(Some(built)) => write(built, &mut buffer).is_some_and(|length| {
                let padded = match self.client {
                    Client::Datagrams(_) => length,
                    Client::Stream(..) => length.next_multiple_of(4),
                };
                send(&buffer[..padded]);
                true
            }),
            Ok(None) => false,
            Err(_) => self.open(now, peer, packet),
        }
    }

    fn open(&mut self, now: Instant, peer: SocketAddr, packet: &[u8]) -> bool {
        if self.relayed.is_none() {
            return false;
        }
        if let Some(opened) = self.peers.iter_mut().find(|opened| opened.peer == peer) {
            // The newest: a check that waited is worth less than one that was just made.
            if let Some(held) = &mut opened.held {
                packet.clone_into(held);
            }
            return opened.held.is_some();
        }
        if self.peers.len() == PEERS {
            return false;
        }
        let time = self.time(now);
        let asked = either!(&mut self.client, client => {
            client.bind_channel(TransportType::Udp, peer, time)
        });
        let held = asked.is_ok().then(|| packet.to_vec());
        let is_held = held.is_some();
        self.peers.push(Opened { peer, held });
        self.deadline = now;
        is_held
    }

    /// Gives the address back; what is to be sent goes to `send`. Nobody waits for an answer.
    pub(super) fn close(&mut self, now: Instant, mut send: impl FnMut(&[u8])) {
        let time = self.time(now);
        if either!(&mut self.client, client => client.delete(time)).is_err() {
            return;
        }
        // Requests keep a distance of 50 ms; this one is the last.
        let later = time + Duration::from_millis(50);
        while let Some(transmit) = either!(&mut self.client, client => client.poll_transmit(later))
        {
            send(transmit.data.as_ref());
        }
    }
}

fn config(credentials: &Credentials) -> TurnConfig {
    let Credentials { username, password } = credentials;
    let mut config = TurnConfig::new(TurnCredentials::new(username, password));
    config.set_request_retransmits(
        Duration::from_millis(250),
        Duration::from_secs(2),
        RETRANSMITS,
        Duration::from_secs(2),
    );
    config
}

/// Its length; `None` when it does not fit.
fn write(
    built: TransmitBuild<DelayedMessageOrChannelSend<&[u8]>>,
    buffer: &mut [u8],
) -> Option<usize> {
    let length = built.data.len();
    let room = buffer.get_mut(..length)?;
    built.data.write_into(room);
    Some(length)
}

#[cfg(test)]
mod tests {
    use turn_client_proto::stun::types::{
        attribute::{ErrorCode, Nonce, Realm},
        message::{Message, MessageWriteVec},
        prelude::{MessageWrite, MessageWriteExt},
    };

    use super::*;

    /// A server's answer to this request; unsigned, as it knows no key for who asks.
    fn refusal(request: &[u8], code: u16) -> Vec<u8> {
        let request = Message::from_bytes(request).unwrap();
        let mut refusal = Message::builder_error(&request, MessageWriteVec::new());
        let code = ErrorCode::new(code, "refused").unwrap();
        refusal.add_attribute(&code).unwrap();
        refusal
            .add_attribute(&Realm::new("relay").unwrap())
            .unwrap();
        refusal.add_attribute(&Nonce::new("once").unwrap()).unwrap();
        refusal.finish()
    }

    #[test]
    fn a_server_that_knows_us_no_more_is_given_up_within_the_limit() {
        let start = Instant::now();
        let credentials = Credentials {
            username: "who expired".to_owned(),
            password: "long ago".to_owned(),
        };
        let local = SocketAddr::from(([10, 0, 0, 7], 5_000));
        let server = SocketAddr::from(([192, 0, 2, 1], 3_478));
        let mut allocation = Allocation::over_datagrams(start, local, server, &credentials);
        let (mut now, mut asked) = (start, 0);
        loop {
            let mut requests: Vec<Vec<u8>> = Vec::new();
            if allocation.poll(now, |request| requests.push(request.to_vec())) == Progress::Over {
                break;
            }
            for request in requests {
                asked += 1;
                let code = if asked == 1 { 401 } else { 400 };
                allocation.on_message(now, &refusal(&request, code), |_, _| ());
            }
            now = allocation.deadline();
            assert!(now <= start + LIMIT, "nothing is due any more");
        }
        assert!(asked > 1, "it was asked with credentials, too");
    }
}
