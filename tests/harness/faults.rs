//! Faults between the parts of a test: a wire for TCP connections that can be cut, here; one on
//! which messages are put into the server's mouth, in [`frames`]; and a relay for datagrams that
//! impairs them, in [`relay`]; what it does is decided in [`impairment`].

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

pub mod frames;
pub mod impairment;
pub mod relay;

/// A forwarding listener; dropping it cuts everything for good.
pub struct Wire {
    address: SocketAddr,
    state: Arc<watch::Sender<State>>,
    _forwarding: JoinSet<()>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct State {
    /// Counts cuts: a connection of an earlier count ends.
    cuts: u64,
    /// New connections are closed at once.
    is_down: bool,
}

impl Wire {
    /// Forwards from a free port to that address.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn to(target: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(watch::Sender::new(State::default()));
        let mut forwarding = JoinSet::new();
        forwarding.spawn(accept(listener, target, state.clone()));
        Ok(Self {
            address,
            state,
            _forwarding: forwarding,
        })
    }

    /// Where to connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends every connection; new ones are forwarded.
    pub fn cut(&self) {
        self.state.send_modify(|state| state.cuts += 1);
    }

    /// Ends every connection, and every new one until [`Self::restore`].
    pub fn take_down(&self) {
        self.state.send_modify(|state| {
            state.cuts += 1;
            state.is_down = true;
        });
    }

    /// Forwards again.
    pub fn restore(&self) {
        self.state.send_modify(|state| state.is_down = false);
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, state: Arc<watch::Sender<State>>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                connections.spawn(forward(stream, target, state.subscribe()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn forward(mut near: TcpStream, target: SocketAddr, mut state: watch::Receiver<State>) {
    let before = *state.borrow_and_update();
    if before.is_down {
        return;
    }
    let Ok(mut far) = TcpStream::connect(target).await else {
        return;
    };
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    tokio::select! {
        _ = copy_bidirectional(&mut near, &mut far) => {}
        _ = state.wait_for(|now| now.cuts != before.cuts) => {}
    }
}
