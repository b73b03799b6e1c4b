//! Task: a service on loopback that tools ask: tells hours, takes bookings, remembers every request.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// A running service; dropping it ends it.
pub struct ToolService {
    address: SocketAddr,
    requests: Requests,
    _tasks: JoinSet<()>,
}

type Requests = Arc<Mutex<Vec<Request>>>;

/// What it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Method and path, for example `GET /hours/monday`.
    pub line: String,
    /// Names in lower case, with their values.
    pub headers: Vec<(String, String)>,
    /// As it came.
    pub body: String,
}

impl Request {
    /// The value of a header, whose name is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(one, _)| one == name);
        found.map(|(_, value)| value.as_str())
    }
}

impl ToolService {
    /// Starts it on a free port.
    ///
    /// # Panics
    /// When there is none.
    pub async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a free port");
        let address = listener.local_addr().expect("an address");
        let requests = Requests::default();
        let mut tasks = JoinSet::new();
        let record = Arc::clone(&requests);
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let record = Arc::clone(&record);
                // Whoever hangs up in the middle was not served.
                open.spawn(async move { serve(stream, &record).await.ok() });
            }
        });
        Self {
            address,
            requests,
            _tasks: tasks,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Everything it was asked so far.
    pub fn requests(&self) -> Vec<Request> {
        let requests = self.requests.lock();
        requests.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn serve(mut stream: TcpStream, requests: &Requests) -> io::Result<()> {
    let request = read(&mut stream).await?;
    let body = match request.line.split_once(' ') {
        Some(("GET", path)) if path.starts_with("/hours/") => r#"{"opens": "08:30"}"#,
        Some(("POST", "/bookings")) => r#"{"booked": true}"#,
        _ => "",
    };
    let status = if body.is_empty() {
        "404 Not Found"
    } else {
        "200 OK"
    };
    requests
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(request);
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    );
    stream.write_all(answer.as_bytes()).await
}

/// Head, and as much body as it announces.
async fn read(stream: &mut TcpStream) -> io::Result<Request> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let mut lines = head.lines();
            let line = lines.next().unwrap_or_default();
            let line = line.strip_suffix(" HTTP/1.1").unwrap_or(line).to_owned();
            let header = |line: &str| {
                let (name, value) = line.split_once(": ")?;
                Some((name.to_ascii_lowercase(), value.to_owned()))
            };
            let request = Request {
                line,
                headers: lines.filter_map(header).collect(),
                body: body.to_owned(),
            };
            let announced = request.header("content-length");
            let length = announced.and_then(|text| text.parse().ok()).unwrap_or(0);
            if request.body.len() >= length {
                return Ok(request);
            }
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
    }
}
