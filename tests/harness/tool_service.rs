//! Task: a service on loopback that tools ask: tells hours, takes bookings, remembers every request.

use std::{
    collections::{HashMap, HashSet},
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rand::{Rng, SeedableRng, rngs::StdRng};
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
        Self::with(None).await
    }

    /// The same, and some requests go wrong: 2 of 100 take three seconds, 2 end without an answer (one of
    /// them after it was heard), 1 is answered with 503.
    ///
    /// # Panics
    /// When there is no free port.
    pub async fn faulty(seed: u64) -> Self {
        let faults = StdRng::seed_from_u64(seed);
        Self::with(Some(Arc::new(Mutex::new(faults)))).await
    }

    /// Wishes, told by their bodies, that were sent under more than one `Idempotency-Key`.
    pub fn doubled(&self) -> usize {
        let mut keys: HashMap<String, HashSet<String>> = HashMap::new();
        for request in self.requests() {
            let key = request.header("idempotency-key").unwrap_or_default();
            let of_body = keys.entry(request.body.clone()).or_default();
            of_body.insert(key.to_owned());
        }
        keys.values().filter(|keys| keys.len() > 1).count()
    }

    async fn with(faults: Option<Arc<Mutex<StdRng>>>) -> Self {
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
                let fault = faults.as_ref().map_or(Fault::None, |rng| Fault::draw(rng));
                // Whoever hangs up in the middle was not served.
                open.spawn(async move { serve(stream, &record, fault).await.ok() });
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

/// What goes wrong with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    Slow,
    /// Nobody hears it.
    Lost,
    /// It is heard, and not answered.
    Unanswered,
    Broken,
}

impl Fault {
    fn draw(rng: &Mutex<StdRng>) -> Self {
        let mut rng = rng.lock().unwrap_or_else(PoisonError::into_inner);
        match rng.random_range(0..100) {
            0 | 1 => Self::Slow,
            2 => Self::Lost,
            3 => Self::Unanswered,
            4 => Self::Broken,
            _ => Self::None,
        }
    }
}

async fn serve(mut stream: TcpStream, requests: &Requests, fault: Fault) -> io::Result<()> {
    let request = read(&mut stream).await?;
    match fault {
        Fault::Slow => tokio::time::sleep(Duration::from_secs(3)).await,
        Fault::Lost => return Ok(()),
        Fault::Broken => {
            let answer = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            return stream.write_all(answer.as_bytes()).await;
        }
        Fault::None | Fault::Unanswered => {}
    }
    let body = match request.line.split_once(' ') {
        Some(("GET", path)) if path.starts_with("/hours/") => r#"{"opens": "08:30"}"#,
        Some(("POST", "/bookings")) => r#"{"booked": true}"#,
        Some(("POST", "/escalations")) => "{}",
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
    if fault == Fault::Unanswered {
        return Ok(());
    }
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
