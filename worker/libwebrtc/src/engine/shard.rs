//! Thread: waits for the sockets and alarms of its share of the connections, and hands each to the
//! connection it belongs to. One wake-up serves every socket that is ready and every alarm that is
//! due, a bounded turn each. It owns no state of a connection and calls no callback.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, VecDeque},
    io,
    sync::{Arc, Weak},
    thread,
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Registry, Token, Waker};
use parking_lot::{Mutex, RwLock};

use super::{
    facts::FACTS,
    link::{DATAGRAM, Link, Socket},
    reach::Tunnel,
    stream::Stream,
};

/// Token of the waker; connections count from 0.
const WAKER: Token = Token(usize::MAX);
/// Sockets a connection may have: local addresses worth offering.
pub(crate) const SOCKETS: usize = 8;
/// TCP connections a connection may have besides.
pub(crate) const STREAMS: usize = 4;
/// Relays that are called at once, in the order of the configuration.
pub(crate) const RELAYS: usize = 3;
/// Tokens of one connection.
const SLOTS: usize = SOCKETS + STREAMS + RELAYS;
/// Events taken from the system at once.
const EVENTS: usize = 256;
/// An alarm that is not needed is as good as none.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// The thread is not woken for an alarm that it will see this much late by itself: timers of WebRTC
/// are tens of milliseconds apart, and the system's own wait is no finer.
const TOLERANCE: Duration = Duration::from_millis(1);
/// Alarms that are served later than this count as late: as long as what counts for the media clock,
/// and what the thread allows itself.
const LATE: Duration = Duration::from_millis(6);

type Alarm = Reverse<(Instant, u64)>;

/// One I/O thread, as everybody else sees it.
pub(crate) struct Shard {
    registry: Registry,
    waker: Waker,
    links: RwLock<HashMap<u64, Weak<Link>>>,
    inbox: Mutex<Inbox>,
}

/// What the thread is to look at before it sleeps again.
#[derive(Default)]
struct Inbox {
    /// Set since the last round. Bounded by the connections: each sets an alarm that is earlier than
    /// its last one only.
    alarms: Vec<Alarm>,
    /// When the thread will look by itself; `None` = it is awake, and will before it sleeps.
    looks_at: Option<Instant>,
}

impl Shard {
    /// Starts the thread.
    pub(crate) fn start(number: usize) -> io::Result<Arc<Self>> {
        let poll = Poll::new()?;
        let shard = Arc::new(Self {
            registry: poll.registry().try_clone()?,
            waker: Waker::new(poll.registry(), WAKER)?,
            links: RwLock::default(),
            inbox: Mutex::default(),
        });
        let shared = shard.clone();
        thread::Builder::new()
            .name(format!("libwebrtc-io-{number}"))
            .spawn(move || Driver::new(poll, shared).run())?;
        Ok(shard)
    }

    /// Waits for the sockets of connection `id`.
    pub(crate) fn register(&self, id: u64, sockets: &mut [Socket]) -> io::Result<()> {
        for (number, socket) in sockets.iter_mut().enumerate() {
            self.register_socket(id, number, socket)?;
        }
        Ok(())
    }

    /// Waits for socket `number` of connection `id`.
    pub(crate) fn register_socket(
        &self,
        id: u64,
        number: usize,
        socket: &mut Socket,
    ) -> io::Result<()> {
        let token = Token(id as usize * SLOTS + number);
        self.registry
            .register(&mut socket.udp, token, Interest::READABLE)
    }

    /// Waits for TCP connection `number` of connection `id`.
    pub(crate) fn register_stream(
        &self,
        id: u64,
        number: usize,
        stream: &mut Stream,
    ) -> io::Result<()> {
        let token = Token(id as usize * SLOTS + SOCKETS + number);
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.registry.register(&mut stream.tcp, token, interest)
    }

    /// Waits for the byte stream to relay `number` of connection `id`.
    pub(crate) fn register_tunnel(
        &self,
        id: u64,
        number: usize,
        tunnel: &mut Tunnel,
    ) -> io::Result<()> {
        let token = Token(id as usize * SLOTS + SOCKETS + STREAMS + number);
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.registry.register(&mut tunnel.tcp, token, interest)
    }

    pub(crate) fn add(&self, link: &Arc<Link>) {
        self.links.write().insert(link.id, Arc::downgrade(link));
    }

    pub(crate) fn remove(&self, id: u64) {
        self.links.write().remove(&id);
    }

    /// Rings for connection `id` at `alarm`. Wakes the thread only if it would be late by itself.
    pub(crate) fn set_alarm(&self, id: u64, alarm: Instant) {
        let mut inbox = self.inbox.lock();
        inbox.alarms.push(Reverse((alarm, id)));
        let is_late = inbox.looks_at.is_some_and(|at| at > alarm + TOLERANCE);
        if !is_late {
            return;
        }
        // Once: who sets the next alarm need not wake it again.
        inbox.looks_at = None;
        drop(inbox);
        if let Err(error) = self.waker.wake() {
            tracing::error!(%error, "an I/O thread cannot be woken");
        }
    }

    fn link(&self, id: u64) -> Option<Arc<Link>> {
        self.links.read().get(&id)?.upgrade()
    }
}

/// What the thread owns.
struct Driver {
    poll: Poll,
    shard: Arc<Shard>,
    alarms: BinaryHeap<Alarm>,
    /// Sockets with more to read than one turn allows. At most one entry per socket.
    unread: VecDeque<Token>,
    buffer: Box<[u8; DATAGRAM]>,
}

impl Driver {
    fn new(poll: Poll, shard: Arc<Shard>) -> Self {
        Self {
            poll,
            shard,
            alarms: BinaryHeap::new(),
            unread: VecDeque::new(),
            buffer: Box::new([0; DATAGRAM]),
        }
    }

    fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS);
        loop {
            let patience = self.settle_down();
            let polled = self.poll.poll(&mut events, Some(patience));
            self.shard.inbox.lock().looks_at = None;
            if let Err(error) = polled {
                if error.kind() != io::ErrorKind::Interrupted {
                    tracing::error!(%error, "an I/O thread cannot wait");
                }
                continue;
            }
            let before = std::mem::take(&mut self.unread);
            for token in before {
                self.read(token);
            }
            for event in &events {
                if event.token() != WAKER && !self.unread.contains(&event.token()) {
                    self.read(event.token());
                }
            }
            let now = Instant::now();
            self.alarms.extend(self.shard.inbox.lock().alarms.drain(..));
            self.ring(now);
        }
    }

    /// How long to wait; who sets an earlier alarm from now on wakes us.
    fn settle_down(&mut self) -> Duration {
        let now = Instant::now();
        let mut inbox = self.shard.inbox.lock();
        self.alarms.extend(inbox.alarms.drain(..));
        let next = self.alarms.peek().map(|Reverse((alarm, _))| *alarm);
        let patience = match next {
            _ if !self.unread.is_empty() => Duration::ZERO,
            None => LONGEST_WAIT,
            Some(alarm) => alarm.saturating_duration_since(now),
        };
        inbox.looks_at = Some(now + patience);
        patience
    }

    fn read(&mut self, token: Token) {
        let (id, slot) = ((token.0 / SLOTS) as u64, token.0 % SLOTS);
        let Some(link) = self.shard.link(id) else {
            return;
        };
        let more = if slot < SOCKETS {
            link.on_readable(slot, &mut self.buffer)
        } else if slot < SOCKETS + STREAMS {
            link.on_stream(slot - SOCKETS, &mut self.buffer)
        } else {
            link.on_tunnel(slot - SOCKETS - STREAMS)
        };
        if more {
            self.unread.push_back(token);
        }
    }

    fn ring(&mut self, now: Instant) {
        while let Some(Reverse((alarm, id))) = self.alarms.peek().copied() {
            if alarm > now {
                break;
            }
            self.alarms.pop();
            let Some(link) = self.shard.link(id) else {
                continue;
            };
            if now - alarm > LATE {
                FACTS.late_wakeups.add(1);
            }
            if let Some(next) = link.on_alarm(now) {
                self.alarms.push(Reverse((next, id)));
            }
        }
    }
}
