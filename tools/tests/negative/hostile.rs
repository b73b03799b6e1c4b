//! A service on loopback that means harm: it answers without end, drips, or points elsewhere.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

/// What it answers to whoever connects.
#[derive(Clone, Default)]
pub(crate) struct Answer {
    /// Comes first.
    pub(crate) head: Vec<u8>,
    /// Follows so often.
    pub(crate) piece: Vec<u8>,
    pub(crate) times: u64,
    /// Before each piece.
    pub(crate) pause: Duration,
}

impl Answer {
    /// A whole answer.
    pub(crate) fn whole(status: &str, headers: &str, body: &[u8]) -> Self {
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        Self {
            head: [head.as_bytes(), body].concat(),
            ..Self::default()
        }
    }
}

pub(crate) struct Hostile {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    sent: Arc<AtomicU64>,
    _tasks: JoinSet<()>,
}

impl Hostile {
    pub(crate) async fn start(answer: Answer) -> Self {
        Self::at((Ipv4Addr::LOCALHOST, 0).into(), answer, None).await
    }

    /// At this address, and behind TLS when there is something to prove itself with.
    pub(crate) async fn at(address: SocketAddr, answer: Answer, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind(address).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (connections, sent) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicU64::new(0)));
        let (count, bytes) = (Arc::clone(&connections), Arc::clone(&sent));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let (answer, bytes, tls) = (answer.clone(), Arc::clone(&bytes), tls.clone());
                open.spawn(async move {
                    match tls {
                        None => serve(stream, answer, &bytes).await,
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => serve(stream, answer, &bytes).await,
                            Err(_) => None,
                        },
                    }
                });
            }
        });
        Self {
            address,
            connections,
            sent,
            _tasks: tasks,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Bytes that whoever asked, or the system on their behalf, has taken.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }
}

/// Ends early when whoever asked hangs up.
async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: Answer,
    sent: &AtomicU64,
) -> Option<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        if stream.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
    }
    stream.write_all(&answer.head).await.ok()?;
    stream.flush().await.ok()?;
    for _ in 0..answer.times {
        if !answer.pause.is_zero() {
            tokio::time::sleep(answer.pause).await;
        }
        stream.write_all(&answer.piece).await.ok()?;
        stream.flush().await.ok()?;
        sent.fetch_add(answer.piece.len() as u64, Ordering::SeqCst);
    }
    stream.shutdown().await.ok()?;
    // Hanging up on what was not read would take the answer away from who has not read it yet.
    while stream.read(&mut [0; 1_024]).await.ok()? > 0 {}
    Some(())
}

/// A certificate for this name that nobody has signed but itself, and what proves it.
pub(crate) fn certificate(name: &str) -> (Vec<u8>, TlsAcceptor) {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate");
    let der = made.cert.der().to_vec();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(der.clone())], key)
        .expect("it fits together");
    (der, TlsAcceptor::from(Arc::new(config)))
}
