//! Thread(s): the timers of all playouts of the process, each playout with its own phase.
//!
//! Owns the list of deadlines; a playout belongs to one lane, that is one thread, for life. Deadlines are absolute, so lateness never adds up; a member that has
//! nothing to do has no deadline, and without deadlines the thread sleeps. Does not know audio: what
//! happens at a deadline is the member's business.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};

use crate::telemetry::event;

/// Wake-ups later than this count as late: one more frame time and a packet is late at the far end.
const LATE: Duration = Duration::from_millis(5);

/// Something with deadlines.
pub(crate) trait Timed: Send + Sync {
    /// Called at or after its deadline; returns the next one, or `None` to sleep until scheduled.
    fn on_deadline(&self, now: Instant) -> Option<Instant>;
}

/// Processors that one lane serves. Encoding is the heavy part: a voice takes 0.7 % of a core, and a
/// full house of 25 sessions per core keeps a lane for four cores busy for half of its time.
const PROCESSORS_PER_LANE: usize = 4;

/// The media threads of the process; they end with the last handle.
#[derive(Clone)]
pub struct MediaClock {
    lanes: Arc<[Lane]>,
    next: Arc<AtomicUsize>,
}

impl MediaClock {
    /// Starts the threads: one for every four processors. One clock per process is enough.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start() -> std::io::Result<Self> {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let lanes: Result<Vec<_>, _> = (0..processors.div_ceil(PROCESSORS_PER_LANE))
            .map(|_| Lane::start())
            .collect();
        Ok(Self {
            lanes: lanes?.into(),
            next: Arc::default(),
        })
    }

    /// Wake-ups so far that came more than 5 ms after their deadline.
    pub fn late_ticks(&self) -> u64 {
        let late = |lane: &Lane| lane.handle.shared.late.load(Ordering::Relaxed);
        self.lanes.iter().map(late).sum()
    }

    /// The lane of a new member; they take turns.
    pub(crate) fn lane(&self) -> Lane {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        self.lanes[turn % self.lanes.len()].clone()
    }
}

/// One media thread.
#[derive(Clone)]
pub(crate) struct Lane {
    handle: Arc<Handle>,
}

impl Lane {
    fn start() -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let theirs = shared.clone();
        thread::Builder::new()
            .name("media-clock".into())
            .spawn(move || theirs.run())?;
        Ok(Self {
            handle: Arc::new(Handle { shared }),
        })
    }

    /// Calls `member` at `deadline`. A member schedules itself once and then lives on the deadlines
    /// it returns; so there is at most one entry per member.
    pub(crate) fn schedule(&self, deadline: Instant, member: Arc<dyn Timed>) {
        let shared = &self.handle.shared;
        let mut table = shared.table.lock();
        table.push(deadline, member);
        drop(table);
        shared.changed.notify_one();
    }
}

impl fmt::Debug for MediaClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MediaClock")
    }
}

struct Handle {
    shared: Arc<Shared>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.table.lock().is_closed = true;
        self.shared.changed.notify_one();
    }
}

#[derive(Default)]
struct Shared {
    table: Mutex<Table>,
    changed: Condvar,
    late: AtomicU64,
}

impl Shared {
    fn run(&self) {
        while let Some((deadline, member)) = self.next() {
            let now = Instant::now();
            if now.saturating_duration_since(deadline) > LATE {
                self.late.fetch_add(1, Ordering::Relaxed);
                event::LateTicks { ticks: 1 }.emit();
            }
            // One session's bug must not silence all others: its member is forgotten.
            let next = catch_unwind(AssertUnwindSafe(|| member.on_deadline(now)));
            if let Ok(Some(deadline)) = next {
                self.table.lock().push(deadline, member);
            }
        }
    }

    /// Sleeps until a deadline is reached; `None` = nobody can schedule any more.
    fn next(&self) -> Option<(Instant, Arc<dyn Timed>)> {
        let mut table = self.table.lock();
        loop {
            match table.first() {
                Some(deadline) if deadline <= Instant::now() => return table.pop(),
                Some(deadline) => {
                    self.changed.wait_until(&mut table, deadline);
                }
                None if table.is_closed => return None,
                None => self.changed.wait(&mut table),
            }
        }
    }
}

/// Deadlines, the next one first; those of equal time in the order they were made.
#[derive(Default)]
struct Table {
    // Bounded by the number of playouts: each has at most one deadline.
    heap: BinaryHeap<Reverse<Entry>>,
    count: u64,
    is_closed: bool,
}

impl Table {
    fn push(&mut self, deadline: Instant, member: Arc<dyn Timed>) {
        self.count += 1;
        self.heap.push(Reverse(Entry {
            order: (deadline, self.count),
            member,
        }));
    }

    fn first(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse(entry)| entry.order.0)
    }

    fn pop(&mut self) -> Option<(Instant, Arc<dyn Timed>)> {
        self.heap
            .pop()
            .map(|Reverse(entry)| (entry.order.0, entry.member))
    }
}

struct Entry {
    order: (Instant, u64),
    member: Arc<dyn Timed>,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.order.cmp(&other.order)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    struct Member {
        name: u32,
        period: Duration,
        left: Mutex<u32>,
        next: Mutex<Instant>,
        called: mpsc::SyncSender<u32>,
    }

    impl Timed for Member {
        fn on_deadline(&self, now: Instant) -> Option<Instant> {
            let mut next = self.next.lock();
            assert!(now >= *next, "called before its deadline");
            self.called.try_send(self.name).unwrap();
            *next += self.period;
            let mut left = self.left.lock();
            *left -= 1;
            (*left > 0).then_some(*next)
        }
    }

    #[test]
    fn members_are_called_in_the_order_of_their_deadlines() {
        let clock = Lane::start().unwrap();
        let (called, calls) = mpsc::sync_channel(16);
        let start = Instant::now() + Duration::from_millis(20);
        for (name, offset, period) in [(1, 4, 10), (2, 0, 10), (3, 8, 100)] {
            let first = start + Duration::from_millis(offset);
            let member = Member {
                name,
                period: Duration::from_millis(period),
                left: Mutex::new(if name == 3 { 1 } else { 2 }),
                next: Mutex::new(first),
                called: called.clone(),
            };
            clock.schedule(first, Arc::new(member));
        }
        let order: Vec<_> = (0..5)
            .map(|_| calls.recv_timeout(PATIENCE).unwrap())
            .collect();
        assert_eq!(order, [2, 1, 3, 2, 1]);
    }

    struct Faulty;

    impl Timed for Faulty {
        fn on_deadline(&self, _now: Instant) -> Option<Instant> {
            panic!("on purpose");
        }
    }

    #[test]
    fn panic_of_one_member_leaves_the_others_ticking() {
        let clock = Lane::start().unwrap();
        let (called, calls) = mpsc::sync_channel(16);
        let now = Instant::now();
        let period = Duration::from_millis(1);
        let (left, next) = (Mutex::new(1), Mutex::new(now));
        clock.schedule(now, Arc::new(Faulty));
        clock.schedule(
            now,
            Arc::new(Member {
                name: 7,
                period,
                left,
                next,
                called,
            }),
        );
        assert_eq!(calls.recv_timeout(PATIENCE), Ok(7));
    }

    #[test]
    fn thread_ends_with_the_last_handle() {
        let clock = MediaClock::start().unwrap();
        let shared = Arc::downgrade(&clock.lane().handle.shared);
        drop(clock);
        let deadline = Instant::now() + PATIENCE;
        while shared.strong_count() > 0 {
            assert!(
                Instant::now() < deadline,
                "the thread still holds its table"
            );
            thread::yield_now();
        }
    }
}
