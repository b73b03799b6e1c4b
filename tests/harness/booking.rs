//! Task: the booking service of the receptionist example, behind a relay that may keep an answer back.
//!
//! The service is the real program on a file of its own. The relay passes everything on, and counts what
//! was to be booked; what it does with the next answer to that a test decides.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::{
    child::{Child, Scratch},
    eventually::eventually,
    livekit_server::target_dir,
    scrape,
};

/// The agent of the example, as it stands.
pub const AGENT: &str = include_str!("../examples/receptionist/agents/dental-practice.toml");

const TOOLS: &str = include_str!("../examples/receptionist/tools/practice.toml");
/// The address in its tools.
const ADDRESS: &str = "127.0.0.1:8091";
/// A start on a busy machine.
const SOON: Duration = Duration::from_secs(20);

/// A running service and its relay; dropping it ends both.
pub struct Booking {
    service: SocketAddr,
    relay: SocketAddr,
    watch: Watch,
    _child: Child,
    _tasks: JoinSet<()>,
    _file: Scratch,
}

/// What becomes of the answer to a booking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fate {
    /// It arrives.
    #[default]
    Heard,
    /// The connection ends instead.
    Lost,
    /// Nothing comes, and the connection stays.
    Held,
}

/// What the relay shares with the test.
#[derive(Clone, Default)]
struct Watch(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    /// Of the next answer alone.
    next: Fate,
    /// The `Idempotency-Key` of every booking that was asked for.
    keys: Vec<String>,
}

impl Booking {
    /// Starts both on free ports.
    ///
    /// # Panics
    /// When one does not start.
    pub async fn start() -> Self {
        let file = Scratch::new("booking").expect("a scratch directory");
        let database = file.path().join("book.sqlite").display().to_string();
        let program = target_dir().join("debug/booking-service");
        let arguments = [database.as_str(), "--port", "0"];
        let child =
            Child::start("booking-service", &program, arguments, &[]).expect("it was built");
        let line = eventually("the service listens", SOON, || {
            child.lines().expect(&["listening on "])
        })
        .await;
        let port = line.rsplit(' ').next().and_then(|port| port.parse().ok());
        let service = SocketAddr::from((Ipv4Addr::LOCALHOST, port.expect("a port")));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a free port");
        let relay = listener.local_addr().expect("an address");
        let watch = Watch::default();
        let mut tasks = JoinSet::new();
        let seen = watch.clone();
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let seen = seen.clone();
                // Whoever hangs up in the middle is not served to the end.
                open.spawn(async move { pass(client, service, &seen).await.ok() });
            }
        });
        Self {
            service,
            relay,
            watch,
            _child: child,
            _tasks: tasks,
            _file: file,
        }
    }

    /// The tools of the example, asking through the relay.
    pub fn tools(&self) -> String {
        TOOLS.replace(ADDRESS, &self.relay.to_string())
    }

    /// What becomes of the answer to the next booking; those after it are heard.
    pub fn next_answer(&self, fate: Fate) {
        self.watch.lock().next = fate;
    }

    /// The `Idempotency-Key` of every booking that was asked for, in order.
    pub fn keys(&self) -> Vec<String> {
        self.watch.lock().keys.clone()
    }

    /// What stands in the book.
    ///
    /// # Errors
    /// When the service does not answer.
    pub async fn booked(&self) -> Result<Vec<Value>, String> {
        self.list("/appointments", "appointments").await
    }

    /// The first free slots.
    ///
    /// # Errors
    /// As [`Self::booked`].
    pub async fn free(&self) -> Result<Vec<Value>, String> {
        self.list("/slots?day=next", "free").await
    }

    async fn list(&self, path: &str, key: &str) -> Result<Vec<Value>, String> {
        let page = scrape::get(self.service, path).await;
        let body = page.map_err(|error| error.to_string())?.body;
        let mut page: Value = serde_json::from_str(&body).map_err(|_| body.clone())?;
        match page[key].take() {
            Value::Array(list) => Ok(list),
            _ => Err(body),
        }
    }
}

impl Watch {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What becomes of the answer, where this is the begin of a request.
    fn request(&self, bytes: &[u8]) -> Option<Fate> {
        let text = String::from_utf8_lossy(bytes).to_lowercase();
        let (head, _) = text.split_once("\r\n\r\n")?;
        if !head.starts_with("post /appointments") {
            return Some(Fate::Heard);
        }
        let key = head
            .lines()
            .find_map(|line| line.strip_prefix("idempotency-key: "));
        let mut seen = self.lock();
        seen.keys.push(key.unwrap_or_default().to_owned());
        Some(std::mem::take(&mut seen.next))
    }
}

/// Requests and answers of one connection. The head of a tool's request is small and comes in one piece.
async fn pass(mut client: TcpStream, service: SocketAddr, watch: &Watch) -> std::io::Result<()> {
    let mut upstream = TcpStream::connect(service).await?;
    let mut fate = Fate::Heard;
    let (mut asked, mut answered) = (vec![0; 16 << 10], vec![0; 16 << 10]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => match read? {
                0 => return Ok(()),
                length => {
                    let request = &asked[..length];
                    fate = watch.request(request).unwrap_or(fate);
                    upstream.write_all(request).await?;
                }
            },
            read = upstream.read(&mut answered) => match (read?, fate) {
                (0, _) | (_, Fate::Lost) => return Ok(()),
                (_, Fate::Held) => {}
                (length, Fate::Heard) => client.write_all(&answered[..length]).await?,
            },
        }
    }
}
