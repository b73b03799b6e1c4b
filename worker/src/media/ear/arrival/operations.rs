//! Any packets in any order at any time: no packet waits longer than the longest wait, none is heard
//! twice, the time line keeps up with real time, memory stays bounded, and an honest stream is heard
//! afterwards.

use std::collections::HashSet;

use bolero::TypeGenerator;

use super::*;

/// The longest wait behind a gap.
const LONGEST: Duration = Duration::from_millis(60);

/// One thing that happens to a track.
#[derive(Clone, Debug, TypeGenerator)]
enum Operation {
    /// A packet this many places from the one that is due.
    Packet { place: i8, is_quiet: bool },
    /// A packet of another stream.
    Foreign { sequence: u32, timestamp: u32 },
    /// The sender's clock moves without a packet.
    Skip { ticks: u16 },
    /// Time passes and deadlines are served.
    Pass { millis: u8 },
    /// Time passes and nobody serves a deadline.
    Stall { millis: u8 },
}

struct World {
    arrival: Arrival,
    start: Instant,
    now: Instant,
    /// What the next packet in order would be.
    due: (u64, u32),
    /// Time without anybody to serve deadlines.
    stalled: Duration,
    /// Ticks written.
    written: u64,
    /// Decoded since the last reset.
    decoded: HashSet<u64>,
}

impl World {
    fn new() -> Self {
        let start = Instant::now();
        Self {
            arrival: Arrival::new(start),
            start,
            now: start,
            due: (70_000, 5_000),
            stalled: Duration::ZERO,
            written: 0,
            decoded: HashSet::new(),
        }
    }

    fn apply(&mut self, operation: &Operation) {
        match *operation {
            Operation::Packet { place, is_quiet } => {
                let place = i64::from(place / 8);
                let sequence = self.due.0.saturating_add_signed(place);
                let timestamp = self.due.1.wrapping_add((place * 960) as u32);
                self.put(sequence, timestamp, is_quiet);
                if place == 0 {
                    self.due = (self.due.0 + 1, self.due.1.wrapping_add(960));
                }
            }
            Operation::Foreign {
                sequence,
                timestamp,
            } => {
                self.due = (u64::from(sequence) + 1, timestamp.wrapping_add(960));
                self.put(u64::from(sequence), timestamp, false);
            }
            Operation::Skip { ticks } => self.due.1 = self.due.1.wrapping_add(u32::from(ticks)),
            Operation::Pass { millis } => self.pass(Duration::from_millis(u64::from(millis))),
            Operation::Stall { millis } => {
                let stall = Duration::from_millis(u64::from(millis));
                self.now += stall;
                self.stalled = stall;
                self.pass(Duration::ZERO);
                self.stalled = Duration::ZERO;
            }
        }
    }

    fn put(&mut self, sequence: u64, timestamp: u32, is_quiet: bool) {
        self.arrival.on_packet(Packet {
            sequence,
            timestamp,
            arrival: self.now,
            audio_level: None,
            ticks: 960,
            has_fec: !is_quiet,
            payload: Bytes::from_static(if is_quiet { &[1] } else { &[1; 60] }),
        });
        self.drain();
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.arrival.deadline(self.now).filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.arrival.on_timeout(self.now);
            self.drain();
            let next = self.arrival.deadline(self.now);
            assert!(
                next.is_none_or(|next| next > self.now),
                "a served deadline lies ahead"
            );
        }
        self.now = end;
    }

    fn drain(&mut self) {
        while let Some(action) = self.arrival.poll_action() {
            match action {
                Action::Reset => self.decoded.clear(),
                Action::Decode(packet) => {
                    let waited = self.now - packet.arrival;
                    assert!(waited <= LONGEST + self.stalled, "waited {waited:?}");
                    assert!(self.decoded.insert(packet.sequence), "heard twice");
                    self.written += u64::from(packet.ticks);
                }
                Action::Conceal { ticks }
                | Action::Silence { ticks }
                | Action::Rebuild { ticks, .. } => self.written += u64::from(ticks),
            }
        }
        assert!(self.arrival.stored.len() < MAX_STORED);
        assert!(self.arrival.holes.len() <= MAX_HOLES);
    }
}

#[test]
fn a_time_line_is_kept_whatever_comes_operations() {
    let operations = bolero::produce::<Vec<Operation>>().with().len(0_usize..128);
    bolero::check!()
        .with_generator(operations)
        .for_each(|operations: &Vec<Operation>| {
            let mut world = World::new();
            for operation in operations {
                world.apply(operation);
            }
            // An honest stream that goes on where chance left off.
            let (sequence, timestamp) = world.due;
            for n in 0..300_u64 {
                world.put(sequence + n, timestamp.wrapping_add(n as u32 * 960), false);
                world.pass(Duration::from_millis(20));
            }
            let heard = (sequence + 150..sequence + 300).filter(|n| world.decoded.contains(n));
            assert!(heard.count() >= 145, "an honest stream is heard");
            // After a long pause the time line has caught up.
            world.pass(Duration::from_secs(30));
            let real = ticks(world.now - world.start);
            let behind = real.saturating_sub(world.written);
            let step = ticks(silence::REST_STEP + silence::STEP);
            assert!(behind <= step, "{behind} ticks behind");
        });
}
