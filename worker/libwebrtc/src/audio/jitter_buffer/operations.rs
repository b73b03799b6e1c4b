//! Any packets in any order at any time: the loudspeaker gets its 10 ms every 10 ms, memory stays
//! bounded, and an honest stream is heard afterwards.

use bolero::TypeGenerator;

use super::{tests::length, *};

/// One thing that happens to a track.
#[derive(Clone, Debug, TypeGenerator)]
enum Operation {
    /// A packet this many places from the one that is due; its content is one of a few kinds.
    Packet { place: i8, kind: u8 },
    /// A packet of another stream.
    Foreign { sequence: u32, timestamp: u32 },
    /// The sender's clock moves without a packet.
    Skip { ticks: u16 },
    /// The loudspeaker takes this many times 10 ms.
    Play { frames: u8 },
    /// The loudspeaker is late, or a burst is early: time passes for nobody.
    Stall { millis: u8 },
}

struct World {
    buffer: JitterBuffer,
    start: Instant,
    millis: u64,
    /// What the next packet in order would be.
    due: (u64, u32),
    ahead: u32,
    played: Vec<u64>,
}

impl World {
    fn new() -> Self {
        Self {
            buffer: JitterBuffer::new(),
            start: Instant::now(),
            millis: 0,
            due: (70_000, 5_000),
            ahead: 0,
            played: Vec::new(),
        }
    }

    fn apply(&mut self, operation: &Operation) {
        match *operation {
            Operation::Packet { place, kind } => {
                let (sequence, timestamp) = self.due;
                let place = i64::from(place / 8);
                let sequence = sequence.saturating_add_signed(place);
                let timestamp = timestamp.wrapping_add((place * 960) as u32);
                self.put(sequence, timestamp, payload(kind));
                if place == 0 {
                    self.due = (self.due.0 + 1, self.due.1.wrapping_add(960));
                }
            }
            Operation::Foreign {
                sequence,
                timestamp,
            } => {
                self.due = (u64::from(sequence) + 1, timestamp.wrapping_add(960));
                self.put(u64::from(sequence), timestamp, payload(0));
            }
            Operation::Skip { ticks } => self.due.1 = self.due.1.wrapping_add(u32::from(ticks)),
            Operation::Play { frames } => (0..frames).for_each(|_| self.play()),
            Operation::Stall { millis } => self.millis += u64::from(millis),
        }
    }

    fn put(&mut self, sequence: u64, timestamp: u32, payload: Bytes) {
        self.buffer.insert(AudioPacket {
            sequence,
            timestamp,
            arrival: self.start + Duration::from_millis(self.millis),
            marker: false,
            audio_level: None,
            payload,
        });
        assert!(self.buffer.packets.len() <= MAX_PACKETS);
    }

    /// Exactly 10 ms, after a bounded number of questions.
    fn play(&mut self) {
        let wanted = if self.buffer.sheds() { 2 } else { 1 } * FRAME_TICKS;
        let mut questions = 0;
        while self.ahead < wanted {
            let play = self
                .buffer
                .next(self.start + Duration::from_millis(self.millis));
            self.ahead += length(&play);
            if let Play::Packet(packet) = play {
                self.played.push(packet.sequence);
            }
            questions += 1;
            assert!(questions <= 2 * MAX_PACKETS, "no progress");
        }
        self.ahead -= wanted;
        assert!(self.ahead <= 120 * MILLI, "more than a packet is ahead");
        self.millis += 10;
    }
}

/// Speech with and without FEC, silence, packets of other lengths, and none at all.
fn payload(kind: u8) -> Bytes {
    const KINDS: [&[u8]; 8] = [
        &[0x48, 0xc0, 1, 2],
        &[0x48, 0x80, 1, 2],
        &[0x48],
        &[0x58, 0xa0, 1, 2],
        &[0xd8, 1, 2, 3, 4],
        &[0xe0, 1, 2, 3, 4],
        &[0xff, 0x3f],
        &[],
    ];
    Bytes::from_static(KINDS[usize::from(kind) % KINDS.len()])
}

#[test]
fn a_loudspeaker_is_served_whatever_comes_operations() {
    let operations = bolero::produce::<Vec<Operation>>().with().len(0_usize..128);
    bolero::check!()
        .with_generator(operations)
        .for_each(|operations: &Vec<Operation>| {
            let mut world = World::new();
            for operation in operations {
                world.apply(operation);
            }
            // An honest stream that goes on where chance left off. Up to 2.5 s are behind by now, and
            // playing a quarter faster makes up for that in 12 s.
            let (sequence, timestamp) = world.due;
            world.played.clear();
            for n in 0..600_u64 {
                let timestamp = timestamp.wrapping_add(n as u32 * 960);
                world.put(sequence + n, timestamp, payload(0));
                world.play();
                world.play();
            }
            let heard = world.played.iter().filter(|n| **n >= sequence + 400);
            assert!(heard.count() >= 170, "an honest stream is heard");
        });
}
