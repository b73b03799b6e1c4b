//! Core: what became of every packet of one run, and the figures of it.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::stream::Given;

/// A wait for a gap is never longer than this, and a virtual clock is exact.
const LONGEST_WAIT: Duration = Duration::from_millis(60);

/// Between a packet at the socket and a task that hears of it there is a thread and a scheduler.
const ALLOWANCE: Duration = Duration::from_millis(5);

/// What became of one packet.
#[derive(Clone, Copy, Debug, Default)]
struct Fate {
    /// When the engine handed it out first.
    given: Option<Duration>,
    is_copy: bool,
    /// Somebody speaks in it.
    is_speech: bool,
    /// It was rebuilt from the FEC of the packet behind it.
    is_rebuilt: bool,
    /// When it was heard.
    heard: Option<Duration>,
    /// When something else took its place on the time line.
    replaced: Option<Duration>,
}

/// All packets of one run.
pub(crate) struct Tally {
    fates: Vec<Fate>,
    /// Time made up, in ticks: concealment and silence in place of sound.
    pub(crate) made_up: u64,
    /// All time written, in ticks.
    pub(crate) written: u64,
    /// Both when the last packet was heard: what follows is the end and no repair.
    settled: (u64, u64),
    /// Delay of each packet heard.
    delays: Vec<Duration>,
    /// What the machine may add.
    allowance: Duration,
}

impl Tally {
    pub(crate) fn new(count: u64, stream: &[Given], speech: &[Bytes]) -> Self {
        let fate = |number: u64| Fate {
            is_speech: is_speech(&speech[number as usize % speech.len()]),
            ..Fate::default()
        };
        let mut fates: Vec<_> = (0..count).map(fate).collect();
        for given in stream {
            let fate = &mut fates[given.number as usize];
            if fate.given.is_none() {
                (fate.given, fate.is_copy) = (Some(given.at), given.is_copy);
            }
        }
        Self {
            fates,
            made_up: 0,
            written: 0,
            settled: (0, 0),
            delays: Vec::new(),
            allowance: Duration::ZERO,
        }
    }

    /// This packet was heard. The same packet a second time is a fault, shown as one lost.
    pub(crate) fn heard(&mut self, number: u64, at: Duration, delay: Duration) -> bool {
        let fate = &mut self.fates[number as usize];
        let is_first = fate.heard.is_none();
        fate.heard = Some(at);
        self.settled = (self.made_up, self.written);
        self.delays.push(delay);
        is_first
    }

    /// The packet before this one was rebuilt.
    pub(crate) fn rebuilt_before(&mut self, number: u64) {
        if let Some(fate) = self.fates.get_mut(number.wrapping_sub(1) as usize) {
            fate.is_rebuilt = fate.heard.is_none();
        }
    }

    /// From `at` on something else stands in the place of packet `number`.
    pub(crate) fn replaced(&mut self, number: u64, at: Duration) {
        if let Some(fate) = self.fates.get_mut(number as usize) {
            fate.replaced.get_or_insert(at);
        }
    }

    /// On a real machine: what it delays by itself is no fault of a receiver.
    pub(crate) fn measured(mut self) -> Self {
        self.allowance = ALLOWANCE;
        self
    }

    /// Delays as a loudspeaker sees them: from when the packet would be heard if all of them took as
    /// long as the fastest, and nothing held them back.
    pub(crate) fn delays_from(&mut self, sent: &dyn Fn(u64) -> Option<Duration>) {
        let fates = || (0_u64..).zip(&self.fates);
        let transit = |(number, fate): (u64, &Fate)| fate.given?.checked_sub(sent(number)?);
        let best = fates().filter_map(transit).min().unwrap_or_default();
        let delay =
            |(number, fate): (u64, &Fate)| Some(fate.heard?.saturating_sub(sent(number)? + best));
        self.delays = fates().filter_map(delay).collect();
    }

    /// The figures.
    pub(crate) fn row(mut self, receiver: Receiver, name: &str, twice: u64) -> Row {
        let sent = self.fates.len() as f64;
        let is = |test: &dyn Fn(&Fate) -> bool| self.fates.iter().filter(|f| test(f)).count();
        let by_fec = is(&|fate| fate.is_rebuilt && fate.heard.is_none());
        let by_copy = is(&|fate| fate.is_copy && fate.heard.is_some());
        let concealed = is(&|fate| fate.heard.is_none() && !fate.is_rebuilt);
        let words = is(&|fate| fate.heard.is_none() && !fate.is_rebuilt && fate.is_speech);
        let late = is(&|fate| fate.heard.is_none() && fate.given.is_some());
        let lost_in_time = is(&|fate| {
            fate.heard.is_none()
                && fate.given.is_some_and(|given| {
                    fate.replaced
                        .is_none_or(|replaced| given + self.allowance < replaced)
                })
        });
        self.delays.sort_unstable();
        let share = |count: usize| 100.0 * count as f64 / sent;
        Row {
            receiver,
            name: name.to_owned(),
            delays: [50, 95, 99].map(|p| percentile(&self.delays, p)),
            longest_allowed: LONGEST_WAIT + 10 * self.allowance,
            longest: self.delays.last().copied().unwrap_or_default(),
            concealed: share(concealed),
            words: share(words),
            rebuilt: [share(by_copy), share(by_fec)],
            late: share(late - lost_in_time),
            lost_in_time: lost_in_time as u64 + twice,
            made_up: 100.0 * self.settled.0 as f64 / self.settled.1.max(1) as f64,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Receiver {
    /// From packets to the model.
    Arrival,
    /// A paced stream.
    Paced,
}

/// The figures of one run. Shares in percent.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) receiver: Receiver,
    pub(crate) name: String,
    /// p50, p95, p99.
    delays: [Duration; 3],
    longest: Duration,
    longest_allowed: Duration,
    concealed: f64,
    /// Of those, in which somebody spoke.
    words: f64,
    /// By RED, and by FEC.
    rebuilt: [f64; 2],
    late: f64,
    lost_in_time: u64,
    made_up: f64,
}

impl Row {
    /// Nothing was lost that was there, and nothing waited longer than it may.
    pub(crate) fn is_good(&self) -> bool {
        let waits = self.receiver == Receiver::Arrival && self.longest > self.longest_allowed;
        self.lost_in_time == 0 && !waits
    }

    pub(crate) fn json(&self) -> Value {
        let [p50, p95, p99] = self.delays.map(milliseconds);
        json!({
            "receiver": match self.receiver {
                Receiver::Arrival => "arrival",
                Receiver::Paced => "paced",
            },
            "network": self.name,
            "added_delay_ms": { "p50": p50, "p95": p95, "p99": p99, "max": milliseconds(self.longest) },
            "rebuilt_by_red_percent": hundredths(self.rebuilt[0]),
            "rebuilt_by_fec_percent": hundredths(self.rebuilt[1]),
            "concealed_percent": hundredths(self.concealed),
            "concealed_speech_percent": hundredths(self.words),
            "late_percent": hundredths(self.late),
            "lost_in_time": self.lost_in_time,
            "made_up_percent": hundredths(self.made_up),
        })
    }

    /// A line of a Markdown table.
    fn line(&self) -> String {
        let [p50, p95, p99] = self.delays.map(milliseconds);
        format!(
            "| {} | {p50:.0} | {p95:.0} | {p99:.0} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} | {} | {:.1} |\n",
            self.name,
            self.rebuilt[0],
            self.rebuilt[1],
            self.concealed,
            self.words,
            self.late,
            self.lost_in_time,
            self.made_up,
        )
    }
}

/// The rows of one receiver as a Markdown table.
pub(crate) fn table(rows: &[Row], receiver: Receiver) -> String {
    let rows = rows.iter().filter(|row| row.receiver == receiver);
    rows.fold(HEAD.to_owned(), |table, row| table + &row.line())
}

const HEAD: &str = "\
| network | added delay p50 ms | p95 | p99 | rebuilt by RED % | by FEC % | concealed % | of it speech % | came too late % | lost although in time | time made up % |
|---|---|---|---|---|---|---|---|---|---|---|
";

/// The first voice-activity flag of a SILK packet (RFC 6716, 4.2.3).
fn is_speech(payload: &[u8]) -> bool {
    payload.get(1).is_some_and(|header| header & 0x80 != 0)
}

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let index = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(index).copied().unwrap_or_default()
}

pub(crate) fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10_000.0).round() / 10.0
}

fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
