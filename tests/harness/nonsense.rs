//! A way to the server on which the agent socket is told nonsense: whole WebSocket frames between the server's own,
//! with bytes in them that are no message of the protocol. Everything else is forwarded as it is.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::JoinSet,
};

/// Longest head of a request or an answer.
const HEAD: usize = 16 * 1024;
/// First byte of a final binary frame (RFC 6455 section 5.2).
const BINARY: u8 = 0x82;

/// The way; it ends when dropped.
pub struct NonsenseWire {
    address: SocketAddr,
    told: Arc<AtomicUsize>,
    _forwarding: JoinSet<()>,
}

impl NonsenseWire {
    /// From a free port to that address. Every agent socket is told these after its first message.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn to(target: SocketAddr, nonsense: Vec<Vec<u8>>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let told = Arc::new(AtomicUsize::new(0));
        let mut forwarding = JoinSet::new();
        let telling = Telling {
            nonsense: nonsense.into(),
            told: told.clone(),
        };
        forwarding.spawn(accept(listener, target, telling));
        Ok(Self {
            address,
            told,
            _forwarding: forwarding,
        })
    }

    /// Where to connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Frames of nonsense told so far.
    pub fn told(&self) -> usize {
        self.told.load(Ordering::Relaxed)
    }
}

/// That many payloads that no protobuf decoder takes: a wire type that does not exist, or a length
/// beyond the end, and anything after it.
pub fn payloads(seed: u64, count: usize) -> Vec<Vec<u8>> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut payload = |_| {
        let mut bytes = match rng.random_range(0..3) {
            0 => vec![0x0f],
            1 => vec![0x0a, 0xff, 0xff, 0x7f],
            _ => vec![0x16, 0xff],
        };
        let length = rng.random_range(0..200);
        bytes.extend((0..length).map(|_| rng.random::<u8>()));
        bytes
    };
    (0..count).map(&mut payload).collect()
}

#[derive(Clone)]
struct Telling {
    nonsense: Arc<[Vec<u8>]>,
    told: Arc<AtomicUsize>,
}

async fn accept(listener: TcpListener, target: SocketAddr, telling: Telling) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let telling = telling.clone();
        // A connection that breaks is the test's to notice.
        connections.spawn(async move { drop(forward(stream, target, telling).await) });
        while connections.try_join_next().is_some() {}
    }
}

async fn forward(client: TcpStream, target: SocketAddr, telling: Telling) -> io::Result<()> {
    let server = TcpStream::connect(target).await?;
    let (mut from_client, to_client) = client.into_split();
    let (from_server, mut to_server) = server.into_split();
    let head = read_head(&mut from_client).await?;
    to_server.write_all(&head).await?;
    let upwards = async { tokio::io::copy(&mut from_client, &mut to_server).await };
    let is_agent = head.starts_with(b"GET /agent");
    let downwards = downwards(from_server, to_client, is_agent.then_some(telling));
    tokio::select! {
        ended = upwards => ended.map(drop),
        ended = downwards => ended,
    }
}

async fn downwards(
    mut server: OwnedReadHalf,
    mut client: OwnedWriteHalf,
    telling: Option<Telling>,
) -> io::Result<()> {
    if let Some(telling) = telling {
        client.write_all(&read_head(&mut server).await?).await?;
        client.write_all(&read_frame(&mut server).await?).await?;
        for payload in &*telling.nonsense {
            client.write_all(&frame(payload)).await?;
            telling.told.fetch_add(1, Ordering::Relaxed);
        }
    }
    tokio::io::copy(&mut server, &mut client).await.map(drop)
}

/// Up to and with the empty line.
async fn read_head(stream: &mut OwnedReadHalf) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < HEAD {
        head.push(stream.read_u8().await?);
    }
    Ok(head)
}

/// One whole frame of a server: not masked.
async fn read_frame(stream: &mut OwnedReadHalf) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; 2];
    stream.read_exact(&mut frame).await?;
    let long = match frame[1] & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    frame.resize(2 + long, 0);
    stream.read_exact(&mut frame[2..]).await?;
    let length = match long {
        0 => usize::from(frame[1] & 0x7f),
        _ => frame[2..]
            .iter()
            .fold(0, |sum, byte| (sum << 8) | usize::from(*byte)),
    };
    let head = frame.len();
    frame.resize(head + length, 0);
    stream.read_exact(&mut frame[head..]).await?;
    Ok(frame)
}

fn frame(payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![BINARY];
    match u8::try_from(payload.len()) {
        Ok(length @ 0..126) => frame.push(length),
        _ => {
            frame.push(126);
            frame.extend((payload.len() as u16).to_be_bytes());
        }
    }
    frame.extend(payload);
    frame
}
