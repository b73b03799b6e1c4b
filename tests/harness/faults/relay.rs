//! Thread: a UDP relay between participants and the media port of a LiveKit server.
//!
//! It listens where the server says it is (see [`crate::livekit_server::LivekitServer::relayed`])
//! and forwards each participant's datagrams from a socket of its own, as a NAT does. What happens
//! on the way is decided by [`Lane`]s. Plain threads and blocking sockets, so that a busy test
//! runtime delays nothing. It looks into no datagram.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::impairment::{Conditions, Counts, Impairment, Lane};

mod owner;

/// Where a relay listens; the server behind it is on 127.0.0.1, at the same port.
pub const RELAY_ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// How often a thread that waits for a datagram looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(100);
/// Larger than any datagram of WebRTC.
const DATAGRAM: usize = 2_048;

/// A running relay; dropping it ends it, and every datagram is lost from then on.
pub struct UdpRelay {
    inner: Arc<Inner>,
}

/// Some of the participants of a relay: all, or those of one process, now and in future.
pub struct Flows<'a> {
    relay: &'a UdpRelay,
    process: Option<u32>,
}

/// What became of all datagrams so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RelayCounts {
    /// From the participants to the server.
    pub to_server: Counts,
    /// From the server to the participants.
    pub from_server: Counts,
    /// Participants' sockets seen.
    pub flows: u64,
    /// New sockets towards the server that stand for an old flow.
    pub rebinds: u64,
}

struct Inner {
    near: UdpSocket,
    server: SocketAddr,
    table: Mutex<Table>,
    /// Something earlier than before is due.
    changed: Condvar,
    is_over: AtomicBool,
}

struct Table {
    everybody: Way,
    /// What differs for some processes.
    processes: HashMap<u32, Way>,
    flows: BTreeMap<SocketAddr, Flow>,
    rebinds: u64,
}

#[derive(Clone, Default)]
struct Way {
    impairment: Impairment,
    is_cut: bool,
}

/// One socket of one participant.
struct Flow {
    /// The process whose socket it is, if that could be found out.
    process: Option<u32>,
    far: Arc<UdpSocket>,
    up: Lane<Vec<u8>>,
    down: Lane<Vec<u8>>,
}

impl UdpRelay {
    /// Forwards from [`RELAY_ADDRESS`], same port, to a server's media port on loopback.
    ///
    /// # Errors
    /// When the port is taken.
    pub fn start(server: SocketAddr, impairment: Impairment) -> io::Result<Self> {
        let near = UdpSocket::bind((RELAY_ADDRESS, server.port()))?;
        near.set_read_timeout(Some(LOOK))?;
        let everybody = Way {
            impairment,
            is_cut: false,
        };
        let inner = Arc::new(Inner {
            near,
            server,
            table: Mutex::new(Table {
                everybody,
                processes: HashMap::new(),
                flows: BTreeMap::new(),
                rebinds: 0,
            }),
            changed: Condvar::new(),
            is_over: AtomicBool::new(false),
        });
        let (reader, pacer) = (inner.clone(), inner.clone());
        thread::Builder::new()
            .name("relay-near".to_owned())
            .spawn(move || reader.read_near())?;
        thread::Builder::new()
            .name("relay-pace".to_owned())
            .spawn(move || pacer.pace())?;
        Ok(Self { inner })
    }

    /// All participants, now and in future.
    pub fn everybody(&self) -> Flows<'_> {
        Flows {
            relay: self,
            process: None,
        }
    }

    /// Those whose sockets belong to this process, now and in future.
    pub fn of_process(&self, id: u32) -> Flows<'_> {
        Flows {
            relay: self,
            process: Some(id),
        }
    }

    /// Other conditions for everybody.
    pub fn set(&self, impairment: Impairment) {
        self.everybody().set(impairment);
    }

    /// Nothing passes until [`Self::heal`].
    pub fn cut(&self) {
        self.everybody().cut();
    }

    /// Everything passes again.
    pub fn heal(&self) {
        self.everybody().heal();
    }

    /// Everybody comes from another port, as after a NAT lost its memory.
    ///
    /// # Errors
    /// When there are no free ports.
    pub fn rebind(&self) -> io::Result<()> {
        self.everybody().rebind()
    }

    /// What became of all datagrams so far.
    pub fn counts(&self) -> RelayCounts {
        let table = self.inner.lock();
        let mut counts = RelayCounts {
            flows: table.flows.len() as u64,
            rebinds: table.rebinds,
            ..RelayCounts::default()
        };
        for flow in table.flows.values() {
            counts.to_server += flow.up.counts();
            counts.from_server += flow.down.counts();
        }
        counts
    }
}

impl Drop for UdpRelay {
    fn drop(&mut self) {
        self.inner.is_over.store(true, Ordering::Release);
        self.inner.changed.notify_all();
    }
}

impl Flows<'_> {
    /// Other conditions.
    pub fn set(&self, impairment: Impairment) {
        self.change(|way| way.impairment = impairment.clone());
    }

    /// Nothing passes until [`Self::heal`].
    pub fn cut(&self) {
        self.change(|way| way.is_cut = true);
    }

    /// Everything passes again.
    pub fn heal(&self) {
        self.change(|way| way.is_cut = false);
    }

    /// They come from other ports; what the server sends to the old ones is lost.
    ///
    /// # Errors
    /// When there are no free ports.
    pub fn rebind(&self) -> io::Result<()> {
        let inner = &self.relay.inner;
        let mut table = inner.lock();
        let mut rebinds = 0;
        for (near, flow) in &mut table.flows {
            if self.process.is_none() || self.process == flow.process {
                flow.far = inner.open_far(*near)?;
                rebinds += 1;
            }
        }
        table.rebinds += rebinds;
        Ok(())
    }

    fn change(&self, change: impl Fn(&mut Way)) {
        let mut table = self.relay.inner.lock();
        match self.process {
            Some(id) => {
                let everybody = table.everybody.clone();
                change(table.processes.entry(id).or_insert(everybody));
            }
            None => {
                change(&mut table.everybody);
                table.processes.values_mut().for_each(change);
            }
        }
        table.apply();
    }
}

impl Table {
    fn way(&self, process: Option<u32>) -> &Way {
        let special = process.and_then(|id| self.processes.get(&id));
        special.unwrap_or(&self.everybody)
    }

    fn apply(&mut self) {
        let mut flows = std::mem::take(&mut self.flows);
        for flow in flows.values_mut() {
            flow.follow(self.way(flow.process));
        }
        self.flows = flows;
    }

    fn next_due(&self) -> Option<Instant> {
        let lanes = self.flows.values().flat_map(|flow| [&flow.up, &flow.down]);
        lanes.filter_map(Lane::next_due).min()
    }
}

impl Flow {
    fn new(process: Option<u32>, far: Arc<UdpSocket>, number: u64, way: &Way) -> Self {
        let seed = way.impairment.seed.wrapping_add(number.wrapping_mul(2));
        let mut flow = Self {
            process,
            far,
            up: Lane::new(Conditions::default(), seed),
            down: Lane::new(Conditions::default(), seed.wrapping_add(1)),
        };
        flow.follow(way);
        flow
    }

    fn follow(&mut self, way: &Way) {
        self.up.set(way.impairment.to_server.clone());
        self.down.set(way.impairment.from_server.clone());
        self.up.set_cut(way.is_cut);
        self.down.set_cut(way.is_cut);
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// Datagrams of participants.
    fn read_near(self: Arc<Self>) {
        let mut buffer = [0; DATAGRAM];
        while !self.is_over() {
            let Ok((length, near)) = self.near.recv_from(&mut buffer) else {
                continue;
            };
            let is_known = self.lock().flows.contains_key(&near);
            if !is_known && self.admit(near).is_err() {
                continue;
            }
            let mut table = self.lock();
            if let Some(flow) = table.flows.get_mut(&near) {
                flow.up.offer(Instant::now(), buffer[..length].to_vec());
            }
            self.deliver(&mut table);
        }
    }

    /// A participant's socket that was not seen before.
    fn admit(self: &Arc<Self>, near: SocketAddr) -> io::Result<()> {
        let far = self.open_far(near)?;
        let process = owner::of(near.port());
        let mut table = self.lock();
        let number = table.flows.len() as u64;
        let flow = Flow::new(process, far, number, table.way(process));
        table.flows.insert(near, flow);
        Ok(())
    }

    /// A new socket towards the server, with a thread that reads it until another one stands in
    /// its place.
    fn open_far(self: &Arc<Self>, near: SocketAddr) -> io::Result<Arc<UdpSocket>> {
        let far = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        far.connect(self.server)?;
        far.set_read_timeout(Some(LOOK))?;
        let far = Arc::new(far);
        let (inner, socket) = (self.clone(), far.clone());
        thread::Builder::new()
            .name("relay-far".to_owned())
            .spawn(move || inner.read_far(near, &socket))?;
        Ok(far)
    }

    /// Datagrams of the server for one participant.
    fn read_far(&self, near: SocketAddr, far: &Arc<UdpSocket>) {
        let mut buffer = [0; DATAGRAM];
        let mut was_known = false;
        while !self.is_over() {
            let received = far.recv(&mut buffer);
            let mut table = self.lock();
            let current = table.flows.get_mut(&near);
            match current.filter(|flow| Arc::ptr_eq(&flow.far, far)) {
                Some(flow) => {
                    was_known = true;
                    if let Ok(length) = received {
                        flow.down.offer(Instant::now(), buffer[..length].to_vec());
                        self.deliver(&mut table);
                    }
                }
                // Replaced by another socket; before that, not yet put into the table.
                None if was_known => return,
                None => {}
            }
        }
    }

    /// Hands on what waits for its time.
    fn pace(&self) {
        let mut table = self.lock();
        while !self.is_over() {
            let wait = match table.next_due() {
                Some(due) => due.saturating_duration_since(Instant::now()).min(LOOK),
                None => LOOK,
            };
            let waited = self.changed.wait_timeout(table, wait);
            table = waited.unwrap_or_else(PoisonError::into_inner).0;
            self.deliver_quietly(&mut table);
        }
    }

    fn deliver(&self, table: &mut Table) {
        self.deliver_quietly(table);
        if table.next_due().is_some() {
            self.changed.notify_one();
        }
    }

    /// Sends everything that is due. A datagram that cannot be sent is lost, as on any network.
    fn deliver_quietly(&self, table: &mut Table) {
        let now = Instant::now();
        for (near, flow) in &mut table.flows {
            while let Some(datagram) = flow.up.pop_due(now) {
                let _ = flow.far.send(&datagram);
            }
            while let Some(datagram) = flow.down.pop_due(now) {
                let _ = self.near.send_to(&datagram, near);
            }
        }
    }
}

#[cfg(test)]
mod tests;
