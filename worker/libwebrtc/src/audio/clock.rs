//! Thread: a 10 ms tick without drift, for buffered sources and open paced streams.
//!
//! Owns nothing but weak references: a member that is dropped, or says it is done, is forgotten. The
//! thread exists only while there are members, so a process without them has no tick at all. Not
//! used by the zero-queue path, whose callers pace themselves.

use std::{
    sync::{Arc, OnceLock, Weak, mpsc},
    thread,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// Time between two ticks.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// Missed ticks are made up for up to this many at once; beyond it the time line moves on.
const MAX_CATCH_UP: u32 = 5;

/// Something that wants to be called every 10 ms.
pub(crate) trait Ticked: Send + Sync {
    /// One tick; `due` is its place on the time line. False = no more ticks wanted.
    fn tick(&self, due: Instant) -> bool;
}

/// Calls `member` every 10 ms until it is dropped or says stop.
pub(crate) fn attach(member: &Arc<dyn Ticked>) {
    let clock = clock();
    let mut newcomers = clock.newcomers.lock();
    newcomers.list.push(Arc::downgrade(member));
    if !newcomers.has_thread {
        newcomers.has_thread = start_thread();
    } else {
        // Full means that a wake-up is under way already.
        let _ = clock.wake.try_send(());
    }
}

struct Clock {
    newcomers: Mutex<Newcomers>,
    wake: mpsc::SyncSender<()>,
    woken: Mutex<mpsc::Receiver<()>>,
}

struct Newcomers {
    list: Vec<Weak<dyn Ticked>>,
    has_thread: bool,
}

fn clock() -> &'static Clock {
    static CLOCK: OnceLock<Clock> = OnceLock::new();
    CLOCK.get_or_init(|| {
        // One slot: further wake-ups say nothing new.
        let (wake, woken) = mpsc::sync_channel(1);
        let newcomers = Newcomers {
            list: Vec::new(),
            has_thread: false,
        };
        Clock {
            newcomers: Mutex::new(newcomers),
            wake,
            woken: Mutex::new(woken),
        }
    })
}

fn start_thread() -> bool {
    let started = thread::Builder::new().name("audio-clock".into()).spawn(run);
    if let Err(error) = &started {
        tracing::error!(%error, "no thread for the audio clock");
    }
    started.is_ok()
}

fn run() {
    let clock = clock();
    let woken = clock.woken.lock();
    let mut members = Vec::new();
    let mut due = Instant::now();
    loop {
        if !admit(clock, &mut members) {
            return;
        }
        members.retain(|member: &Weak<dyn Ticked>| {
            member.upgrade().is_some_and(|member| member.tick(due))
        });
        due = next_due(due, Instant::now());
        wait_until(due, &woken);
    }
}

/// Takes newcomers in. False when nobody is left: the thread ends and the next newcomer starts one.
fn admit(clock: &Clock, members: &mut Vec<Weak<dyn Ticked>>) -> bool {
    let mut newcomers = clock.newcomers.lock();
    members.append(&mut newcomers.list);
    newcomers.has_thread = !members.is_empty();
    newcomers.has_thread
}

fn wait_until(due: Instant, woken: &mpsc::Receiver<()>) {
    while let Some(left) = due
        .checked_duration_since(Instant::now())
        .filter(|d| !d.is_zero())
    {
        if woken.recv_timeout(left).is_err() {
            return;
        }
    }
}

/// The tick after `due`, or a later one when too many were missed.
fn next_due(due: Instant, now: Instant) -> Instant {
    let next = due + TICK;
    let behind = now.saturating_duration_since(next);
    if behind <= TICK * MAX_CATCH_UP {
        return next;
    }
    let missed = u32::try_from(behind.as_millis() / TICK.as_millis()).unwrap_or(u32::MAX);
    next + TICK * missed
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counter {
        left: Mutex<u32>,
        done: mpsc::SyncSender<Instant>,
    }

    impl Ticked for Counter {
        fn tick(&self, due: Instant) -> bool {
            let mut left = self.left.lock();
            *left -= 1;
            let _ = self.done.try_send(due);
            *left > 0
        }
    }

    fn counter(ticks: u32) -> (Arc<dyn Ticked>, mpsc::Receiver<Instant>) {
        let (done, ticked) = mpsc::sync_channel(64);
        (
            Arc::new(Counter {
                left: Mutex::new(ticks),
                done,
            }),
            ticked,
        )
    }

    #[test]
    fn member_is_ticked_on_a_grid_until_it_says_stop() {
        let (member, ticked) = counter(3);
        attach(&member);
        let dues: Vec<_> = (0..3)
            .map(|_| ticked.recv_timeout(Duration::from_secs(5)).unwrap())
            .collect();
        assert!(
            dues.windows(2)
                .all(|pair| (pair[1] - pair[0]).as_millis() % 10 == 0)
        );
        let (again, ticked) = counter(1);
        attach(&again);
        ticked.recv_timeout(Duration::from_secs(5)).unwrap();
    }

    #[test]
    fn missed_ticks_are_made_up_but_never_in_a_long_burst() {
        let start = Instant::now();
        assert_eq!(
            next_due(start, start + Duration::from_millis(35)),
            start + TICK
        );
        let late = next_due(start, start + Duration::from_millis(1_004));
        assert_eq!(late, start + Duration::from_millis(1_000));
    }
}
