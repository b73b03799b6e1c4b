//! A way to the server on which WebSocket connections can be told something between the server's own messages, as if the server had
//! said it. Everything else is forwarded as it is.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
    task::JoinSet,
};

/// Longest head of a request or an answer.
const HEAD: usize = 16 * 1024;
/// First byte of a final binary frame (RFC 6455 section 5.2).
const BINARY: u8 = 0x82;
/// Messages that wait for a connection; more is a mistake of the test.
const QUEUE: usize = 4_096;
/// Messages of the server that wait for the client; when full, the server waits.
const FRAMES: usize = 64;

/// The way; it ends when dropped.
pub struct FrameWire {
    address: SocketAddr,
    connections: Connections,
    _forwarding: JoinSet<()>,
}

/// Those that can be told something, in the order in which they were opened.
#[derive(Clone, Default)]
struct Connections(Arc<Mutex<Vec<mpsc::Sender<Vec<u8>>>>>);

impl Connections {
    fn lock(&self) -> MutexGuard<'_, Vec<mpsc::Sender<Vec<u8>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FrameWire {
    /// From a free port to that address. WebSocket connections whose path begins like this can be told something.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn to(target: SocketAddr, path: &'static str) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let connections = Connections::default();
        let mut forwarding = JoinSet::new();
        forwarding.spawn(accept(listener, target, path, connections.clone()));
        Ok(Self {
            address,
            connections,
            _forwarding: forwarding,
        })
    }

    /// Where to connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections opened so far that can be told something.
    pub fn opened(&self) -> usize {
        self.connections.lock().len()
    }

    /// Tells a connection, counted from 0 in the order of their opening, this binary message.
    ///
    /// # Panics
    /// When there is no such connection, or it has ended.
    pub fn tell(&self, connection: usize, message: Vec<u8>) {
        let told = self.connections.lock()[connection].try_send(message);
        told.expect("the connection is open and takes it");
    }

    /// Messages told to that connection that it has not been sent yet.
    ///
    /// # Panics
    /// When there is no such connection.
    pub fn waiting(&self, connection: usize) -> usize {
        let queue = &self.connections.lock()[connection];
        queue.max_capacity() - queue.capacity()
    }
}

async fn accept(
    listener: TcpListener,
    target: SocketAddr,
    path: &'static str,
    connections: Connections,
) {
    let mut forwarding = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let connections = connections.clone();
        // A connection that breaks is the test's to notice.
        forwarding.spawn(async move { drop(forward(stream, target, path, connections).await) });
        while forwarding.try_join_next().is_some() {}
    }
}

async fn forward(
    client: TcpStream,
    target: SocketAddr,
    path: &str,
    connections: Connections,
) -> io::Result<()> {
    let server = TcpStream::connect(target).await?;
    let (mut from_client, to_client) = client.into_split();
    let (from_server, mut to_server) = server.into_split();
    let request = read_head(&mut from_client).await?;
    to_server.write_all(&request).await?;
    let upwards = async { tokio::io::copy(&mut from_client, &mut to_server).await };
    let downwards = async {
        match can_be_told(&request, path) {
            true => downwards(from_server, to_client, connections).await,
            false => copy(from_server, to_client).await,
        }
    };
    tokio::select! {
        ended = upwards => ended.map(drop),
        ended = downwards => ended,
    }
}

fn can_be_told(request: &[u8], path: &str) -> bool {
    let request = String::from_utf8_lossy(request).to_ascii_lowercase();
    request.starts_with(&format!("get {path}")) && request.contains("upgrade: websocket")
}

async fn copy(mut server: OwnedReadHalf, mut client: OwnedWriteHalf) -> io::Result<()> {
    tokio::io::copy(&mut server, &mut client).await.map(drop)
}

async fn downwards(
    mut server: OwnedReadHalf,
    mut client: OwnedWriteHalf,
    connections: Connections,
) -> io::Result<()> {
    client.write_all(&read_head(&mut server).await?).await?;
    client.write_all(&read_frame(&mut server).await?).await?;
    let (telling, mut told) = mpsc::channel(QUEUE);
    connections.lock().push(telling);
    // A frame is read by a task of its own: half of one must not be forgotten when something is told.
    let (reading, mut frames) = mpsc::channel(FRAMES);
    let mut reader = JoinSet::new();
    reader.spawn(async move {
        while let Ok(frame) = read_frame(&mut server).await {
            if reading.send(frame).await.is_err() {
                return;
            }
        }
    });
    loop {
        tokio::select! {
            Some(message) = told.recv() => client.write_all(&frame(&message)).await?,
            from_server = frames.recv() => match from_server {
                Some(frame) => client.write_all(&frame).await?,
                None => return Ok(()),
            },
        }
    }
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
