//! A service on loopback that answers every request alike, and remembers them.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::request::read;

#[derive(Clone)]
enum Manner {
    Answers(String),
    Breaks,
    Endless,
    Silent,
}

pub(crate) struct Service {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl Service {
    pub(crate) async fn answering(status: &str, kind: &str, body: &str) -> Self {
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\
             Connection: close\r\n\r\n{body}"
        );
        Self::start(Manner::Answers(answer)).await
    }

    /// It reads a request and hangs up.
    pub(crate) async fn breaking() -> Self {
        Self::start(Manner::Breaks).await
    }

    pub(crate) async fn endless() -> Self {
        Self::start(Manner::Endless).await
    }

    pub(crate) async fn silent() -> Self {
        Self::start(Manner::Silent).await
    }

    async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .expect("a free port");
        let address = listener.local_addr().expect("an address");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = JoinSet::new();
        let record = Arc::clone(&requests);
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                open.spawn(serve(stream, manner.clone(), Arc::clone(&record)));
            }
        });
        Self {
            address,
            requests,
            _tasks: tasks,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("unbroken").clone()
    }
}

async fn serve(mut stream: TcpStream, manner: Manner, requests: Arc<Mutex<Vec<String>>>) {
    let request = read(&mut stream).await;
    requests.lock().expect("unbroken").push(request);
    match manner {
        Manner::Answers(answer) => {
            let _ = stream.write_all(answer.as_bytes()).await;
        }
        Manner::Breaks => {}
        Manner::Endless => {
            let head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n";
            let _ = stream.write_all(head).await;
            let piece = [b'a'; 16 * 1024];
            while stream.write_all(&piece).await.is_ok() {}
        }
        Manner::Silent => std::future::pending().await,
    }
}
