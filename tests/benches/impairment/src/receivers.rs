//! Core: both receivers under measurement. Packets are fed at the moment they come, deadlines are
//! served when they are due, and the loudspeaker takes 10 ms every 10 ms; whose clock that is does
//! not matter here.

use std::time::{Duration, Instant};

use bytes::Bytes;
use libwebrtc::ext::{self, JitterBuffer, Play};
use room_agent::media::{
    Packet,
    ear::arrival::{Action, Arrival},
};

use crate::{
    stream::{self, FIRST, Given, PACKET, TICKS},
    tally::{Receiver, Row, Tally},
};

/// 10 ms of a loudspeaker.
pub(crate) const FRAME: Duration = Duration::from_millis(10);
const FRAME_TICKS: u32 = 480;

/// The number of the packet with that sequence number, if it is one of those measured.
type Number<'a> = &'a dyn Fn(u64) -> Option<u64>;

/// The arrival path on a virtual clock. A packet's delay is from its arrival at the socket to its
/// delivery.
pub(crate) fn arrival(
    name: &str,
    start: Instant,
    stream: &[Given],
    count: u64,
    speech: &[Bytes],
) -> Row {
    let mut ear = ArrivalRun::new(start);
    for given in stream {
        ear.run_to(start + given.at);
        ear.on_packet(&stream::packet(given, start, speech), start + given.at);
    }
    ear.run_to(start + PACKET * count as u32 + Duration::from_secs(1));
    let number = |sequence: u64| Some(sequence - FIRST);
    let (tally, twice) = ear.into_tally(Tally::new(count, stream, speech), &number);
    tally.row(Receiver::Arrival, name, twice)
}

/// The arrival path and what it did so far.
pub(crate) struct ArrivalRun {
    arrival: Arrival,
    start: Instant,
    now: Instant,
    done: Vec<(Duration, Action)>,
}

impl ArrivalRun {
    pub(crate) fn new(start: Instant) -> Self {
        Self {
            arrival: Arrival::new(start),
            start,
            now: start,
            done: Vec::new(),
        }
    }

    pub(crate) fn deadline(&mut self) -> Option<Instant> {
        self.arrival.deadline(self.now)
    }

    pub(crate) fn on_packet(&mut self, packet: &ext::Packet, now: Instant) {
        self.now = self.now.max(now);
        let (sequence, timestamp) = (packet.sequence, packet.timestamp);
        let packet = Packet::new(sequence, timestamp, packet.arrival, packet.payload.clone());
        if let Some(packet) = packet {
            self.arrival.on_packet(packet);
            self.drain();
        }
    }

    pub(crate) fn on_time(&mut self, now: Instant) {
        self.now = self.now.max(now);
        self.arrival.on_timeout(self.now);
        self.drain();
    }

    /// Serves every deadline before `end` exactly when it is due.
    fn run_to(&mut self, end: Instant) {
        while let Some(due) = self.deadline().filter(|due| *due < end) {
            self.on_time(due);
        }
        self.now = end;
    }

    fn drain(&mut self) {
        while let Some(action) = self.arrival.poll_action() {
            self.done.push((self.now - self.start, action));
        }
    }

    /// What became of the packets, and how many were heard twice.
    pub(crate) fn into_tally(self, mut tally: Tally, number: Number<'_>) -> (Tally, u64) {
        let (mut next, mut twice, mut rebuilt) = (None, 0, false);
        for (at, action) in self.done {
            tally.written += u64::from(length(&action));
            match action {
                Action::Decode(packet) => {
                    let Some(number) = number(packet.sequence) else {
                        continue;
                    };
                    if std::mem::take(&mut rebuilt) {
                        tally.rebuilt_before(number);
                    }
                    // What was left out before it is replaced from now on.
                    (next.unwrap_or(0)..number).for_each(|missing| tally.replaced(missing, at));
                    next = Some(number + 1);
                    let delay = at.saturating_sub(packet.arrival - self.start);
                    twice += u64::from(!tally.heard(number, at, delay));
                }
                Action::Rebuild { .. } => rebuilt = true,
                Action::Conceal { ticks } | Action::Silence { ticks } if next.is_some() => {
                    tally.made_up += u64::from(ticks);
                }
                Action::Conceal { .. } | Action::Silence { .. } | Action::Reset => {}
            }
        }
        (tally, twice)
    }
}

/// How long a packet sounds, in ticks: a real sender makes longer ones when its network is crowded.
fn sounding(packet: &ext::Packet) -> u32 {
    let (sequence, timestamp) = (packet.sequence, packet.timestamp);
    Packet::new(sequence, timestamp, packet.arrival, packet.payload.clone())
        .map_or(TICKS, |packet| packet.ticks)
}

fn length(action: &Action) -> u32 {
    match action {
        Action::Decode(packet) => packet.ticks,
        Action::Conceal { ticks } | Action::Silence { ticks } | Action::Rebuild { ticks, .. } => {
            *ticks
        }
        Action::Reset => 0,
    }
}

/// The paced stream on a virtual clock. A packet's delay is from the moment it would be played on a
/// network without any jitter, the moment it was sent, to the moment it is played.
pub(crate) fn paced(
    name: &str,
    start: Instant,
    stream: &[Given],
    count: u64,
    speech: &[Bytes],
) -> Row {
    let mut paced = PacedRun::new(Tally::new(count, stream, speech));
    let number = |sequence: u64| Some(sequence - FIRST);
    let mut stream = stream.iter().peekable();
    let end = PACKET * count as u32 + Duration::from_secs(1);
    let mut at = Duration::ZERO;
    while at < end {
        while let Some(given) = stream.next_if(|given| given.at <= at) {
            paced.insert(stream::packet(given, start, speech));
        }
        paced.tick(at, start, &number);
        at += FRAME;
    }
    let (mut tally, twice) = paced.into_tally();
    tally.delays_from(&|number| Some(PACKET * number as u32));
    tally.row(Receiver::Paced, name, twice)
}

/// A paced stream and what it did so far.
pub(crate) struct PacedRun {
    buffer: JitterBuffer,
    tally: Tally,
    /// Ticks taken from the buffer and not yet played.
    ahead: u32,
    /// The last packet played: its number, and when it began.
    last: Option<(u64, Duration)>,
    /// The last thing written was rebuilt.
    rebuilt: bool,
    twice: u64,
}

impl PacedRun {
    pub(crate) fn new(tally: Tally) -> Self {
        Self {
            buffer: JitterBuffer::new(),
            tally,
            ahead: 0,
            last: None,
            rebuilt: false,
            twice: 0,
        }
    }

    pub(crate) fn insert(&mut self, packet: ext::Packet) {
        self.buffer.insert(packet);
    }

    /// The loudspeaker takes its 10 ms.
    pub(crate) fn tick(&mut self, at: Duration, start: Instant, number: Number<'_>) {
        let wanted = if self.buffer.sheds() { 2 } else { 1 } * FRAME_TICKS;
        while self.ahead < wanted {
            let begins = at + Duration::from_nanos(u64::from(self.ahead) * 1_000_000 / 48);
            let ticks = match self.buffer.next(start + at) {
                Play::Packet(packet) => {
                    if let Some(number) = number(packet.sequence) {
                        self.played(number, begins, at);
                    }
                    sounding(&packet)
                }
                Play::Rebuild { ticks, .. } => {
                    self.rebuilt = true;
                    ticks
                }
                Play::Conceal { ticks } | Play::Silence { ticks } => {
                    if self.last.is_some() {
                        self.tally.made_up += u64::from(ticks);
                    }
                    ticks
                }
                Play::Reset => 0,
            };
            self.tally.written += u64::from(ticks);
            self.ahead += ticks;
        }
        self.ahead -= wanted;
    }

    fn played(&mut self, number: u64, begins: Duration, at: Duration) {
        if std::mem::take(&mut self.rebuilt) {
            self.tally.rebuilt_before(number);
        }
        let (last, began) = self.last.unwrap_or((number, begins));
        for missing in last + 1..number {
            // Its place on the time line; what stands there is chosen with the frame it begins in.
            let place = (began + PACKET * (missing - last) as u32).min(begins);
            let frames = at
                .saturating_sub(place)
                .as_nanos()
                .div_ceil(FRAME.as_nanos());
            self.tally
                .replaced(missing, at.saturating_sub(FRAME * frames as u32));
        }
        if self.last.is_none() {
            (0..number).for_each(|missing| self.tally.replaced(missing, at));
        }
        self.last = Some((number, begins));
        self.twice += u64::from(!self.tally.heard(number, begins, Duration::ZERO));
    }

    /// What became of the packets, and how many were heard twice.
    pub(crate) fn into_tally(self) -> (Tally, u64) {
        (self.tally, self.twice)
    }
}
