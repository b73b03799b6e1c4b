//! Core: the agent's own voice, coming back through somebody's microphone.
//!
//! Owns what the agent sounded like lately (`Played`) and, for each ear, what that ear heard
//! (`Echo`). Both are kept as prints: power by band, one for each 10 ms. Prints that move alike at
//! some delay are the same sound, whatever a room, a loudspeaker and a codec did to it. It does not
//! decide what that means: that is `ear.rs`.

use std::{
    collections::VecDeque,
    f32::consts::TAU,
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use super::resample::dot;

/// Bands of a print, evenly spaced on a logarithmic scale.
const BANDS: usize = 12;
const LOWEST: f32 = 220.0; // Hz
const HIGHEST: f32 = 3_400.0; // Hz
/// Prints are taken at 8 kHz: every third sample of 24 kHz.
const RATE: f32 = 8_000.0;
const DECIMATION: usize = 3;
/// One print covers 20 ms, a multiple of eight samples, and comes every 10 ms.
const SPAN: usize = 160;
const HOP: usize = 80;
/// One hundredth of a second.
const SLOT: Duration = Duration::from_millis(10);
/// Power below this is silence: −80 dBFS, as a logarithm.
const FLOOR: f32 = -8.0;
/// What is this much weaker than the loudest of its band does not count: 25 dB.
const DEPTH: f32 = 2.5;

/// An echo comes back within this: packets both ways, two jitter buffers and a room.
const LONGEST_WAY: usize = 100; // slots: 1 s
/// Prints that are compared at most.
const COMPARED: usize = 60; // slots: 600 ms
/// Prints of the agent that are kept.
const KEPT: usize = LONGEST_WAY + COMPARED + 40;
/// How far a known delay may be off: jitter buffers stretch.
const DRIFT: usize = 4; // slots
/// An ear's line that is so far from real time begins anew; packets come in bursts.
const HEARD_SLACK: i64 = 30; // slots
/// The same of what is sent: the media clock is even, and a pause is a pause.
const SENT_SLACK: i64 = 4; // slots

/// Power by band in 10 ms, as logarithms.
type Print = [f32; BANDS];
const SILENCE: Print = [FLOOR; BANDS];

/// What the agent sounded like lately, between the playout, which tells it, and the ears. The lock is
/// held while 10 ms are looked at, or copied: the playout's clock never waits for a comparison.
#[derive(Clone, Debug)]
pub struct OwnVoice(Arc<Mutex<Played>>);

impl OwnVoice {
    /// The voice of an agent that has said nothing.
    pub fn new(epoch: Instant) -> Self {
        Self(Arc::new(Mutex::new(Played::new(epoch))))
    }

    /// Takes in what was just sent, at 24 kHz.
    pub(crate) fn send(&self, now: Instant, pcm: &[i16]) {
        self.0.lock().send(now, pcm);
    }

    /// What an ear compares with.
    pub(crate) fn look(&self) -> Played {
        self.0.lock().clone()
    }

    /// The same, into what was looked at before: only what is new is copied.
    pub(crate) fn look_again(&self, played: &mut Played) {
        played.line.follow(&self.0.lock().line);
    }
}

/// What the agent sounded like lately.
#[derive(Clone, Debug)]
pub(crate) struct Played {
    printer: Printer,
    line: Line,
}

/// What one ear heard lately.
#[derive(Debug)]
pub(crate) struct Echo {
    printer: Printer,
    line: Line,
}

/// How alike two sounds are, and at which delay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Likeness {
    /// 1 = they move alike in every band; 0 = they have nothing to do with each other.
    pub(crate) score: f32,
    /// From the agent's packet to the ear.
    pub(crate) way: Duration,
}

impl Played {
    pub(crate) fn new(epoch: Instant) -> Self {
        Self {
            printer: Printer::default(),
            line: Line::new(epoch, KEPT, SENT_SLACK),
        }
    }

    /// Takes in what was just sent, at 24 kHz.
    pub(crate) fn send(&mut self, now: Instant, pcm: &[i16]) {
        self.printer.print(pcm, |print| self.line.push(now, print));
    }

    /// Nothing was sent that an ear could still hear.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        let last = self.line.next - 1;
        self.line.prints.is_empty() || self.line.slot(now) - last > LONGEST_WAY as i64
    }
}

impl Echo {
    /// An ear whose prints stand beside those of `played`.
    pub(crate) fn of(played: &Played) -> Self {
        Self {
            printer: Printer::default(),
            line: Line::new(played.line.epoch, COMPARED, HEARD_SLACK),
        }
    }

    /// Takes in what the ear heard, at 24 kHz.
    pub(crate) fn hear(&mut self, now: Instant, pcm: &[i16]) {
        self.printer.print(pcm, |print| self.line.push(now, print));
    }

    /// How alike the last of what the ear heard and the agent's voice are, at the delay that fits
    /// best. `None` = the ear heard nothing.
    pub(crate) fn likeness(&self, played: &Played, heard: Duration) -> Option<Likeness> {
        let coarse = self.best(played, heard, (0..=LONGEST_WAY).step_by(2))?;
        let way = slots(coarse.way);
        self.best(played, heard, way.saturating_sub(1)..=way + 1)
    }

    /// The same at this delay, or nearly.
    pub(crate) fn likeness_at(
        &self,
        played: &Played,
        heard: Duration,
        way: Duration,
    ) -> Option<Likeness> {
        let way = slots(way);
        let least = way.saturating_sub(DRIFT);
        self.best(played, heard, least..=way + DRIFT)
    }

    fn best(
        &self,
        played: &Played,
        heard: Duration,
        ways: impl Iterator<Item = usize>,
    ) -> Option<Likeness> {
        let count = slots(heard).min(COMPARED);
        let first = self.line.next - count as i64;
        let ours = Moves::of(self.line.between(first, count));
        if !ours.are_any() {
            return None;
        }
        let scores = ways.map(|way| {
            let theirs = played.line.between(first - way as i64, count);
            (way, ours.alike(&Moves::of(theirs)))
        });
        let (way, score) = scores.max_by(|(_, a), (_, b)| a.total_cmp(b))?;
        let way = SLOT * way as u32;
        Some(Likeness { score, way })
    }
}

fn slots(time: Duration) -> usize {
    (time.as_millis() / SLOT.as_millis()) as usize
}

/// Prints, one for each slot of real time.
#[derive(Clone, Debug)]
struct Line {
    epoch: Instant,
    prints: VecDeque<Print>,
    /// The slot after the last print.
    next: i64,
    kept: usize,
    /// How far it may be from real time.
    slack: i64,
    /// How often it began anew.
    began: u64,
}

impl Line {
    fn new(epoch: Instant, kept: usize, slack: i64) -> Self {
        Self {
            epoch,
            prints: VecDeque::with_capacity(kept),
            next: 0,
            kept,
            slack,
            began: 0,
        }
    }

    /// Becomes what the other is now, of which it is an older copy.
    fn follow(&mut self, other: &Self) {
        let new = other.next - self.next;
        let is_older = self.began == other.began && (0..=other.prints.len() as i64).contains(&new);
        if !is_older {
            self.prints.clear();
            self.prints.extend(&other.prints);
        } else {
            let first = other.prints.len() - new as usize;
            other
                .prints
                .range(first..)
                .for_each(|print| self.put(*print));
        }
        (self.next, self.began) = (other.next, other.began);
    }

    fn slot(&self, now: Instant) -> i64 {
        let since = now.saturating_duration_since(self.epoch);
        (since.as_secs() * 100 + u64::from(since.subsec_millis() / 10)).cast_signed()
    }

    /// Sound that goes on takes the next slot, whenever its packet came.
    fn push(&mut self, now: Instant, print: Print) {
        let real = self.slot(now);
        let missing = real - self.next;
        if missing.abs() > self.slack {
            let silent = missing.clamp(0, self.kept as i64) as usize;
            if missing < 0 || silent == self.kept {
                self.prints.clear();
                self.began += 1;
            } else {
                (0..silent).for_each(|_| self.put(SILENCE));
            }
            self.next = real;
        }
        self.put(print);
        self.next += 1;
    }

    fn put(&mut self, print: Print) {
        if self.prints.len() == self.kept {
            self.prints.pop_front();
        }
        self.prints.push_back(print);
    }

    /// Silence stands for what is not known.
    fn between(&self, first: i64, count: usize) -> Vec<Print> {
        let begin = self.next - self.prints.len() as i64;
        (first..first + count as i64)
            .map(|slot| {
                let at = usize::try_from(slot - begin).ok();
                at.and_then(|at| self.prints.get(at))
                    .copied()
                    .unwrap_or(SILENCE)
            })
            .collect()
    }
}

/// How prints move around the mean of their band, and how much together.
struct Moves {
    prints: Vec<Print>,
    power: f32,
}

impl Moves {
    fn of(mut moves: Vec<Print>) -> Self {
        for band in 0..BANDS {
            let loudest = moves.iter().map(|print| print[band]).fold(FLOOR, f32::max);
            let least = (loudest - DEPTH).max(FLOOR);
            for print in &mut moves {
                print[band] = print[band].max(least);
            }
            let sum: f32 = moves.iter().map(|print| print[band]).sum();
            let mean = sum / moves.len().max(1) as f32;
            for print in &mut moves {
                print[band] -= mean;
            }
        }
        let power = moves.iter().flatten().map(|x| x * x).sum();
        Self {
            prints: moves,
            power,
        }
    }

    /// Silence does not move, nor does a hum: 1.4 dB on the average.
    fn are_any(&self) -> bool {
        self.power > (self.prints.len() * BANDS) as f32 * 0.02
    }

    /// Pearson's correlation over all bands; 0 where one does not move.
    fn alike(&self, other: &Self) -> f32 {
        if !self.are_any() || !other.are_any() {
            return 0.0;
        }
        let pairs = self
            .prints
            .iter()
            .flatten()
            .zip(other.prints.iter().flatten());
        let product: f32 = pairs.map(|(a, b)| a * b).sum();
        product / (self.power * other.power).sqrt()
    }
}

/// Takes prints of sound.
#[derive(Clone, Debug, Default)]
struct Printer {
    /// At 8 kHz; less than one span.
    samples: Vec<f32>,
    /// Samples of the one that comes next, and how many they are.
    sum: f32,
    summed: usize,
}

/// One of a band: Hann window times cosine, and times sine.
type Wave = [[f32; SPAN]; 2];

static WAVES: LazyLock<Vec<Wave>> = LazyLock::new(|| {
    let step = (HIGHEST / LOWEST).powf(1.0 / (BANDS - 1) as f32);
    (0..BANDS)
        .map(|band| {
            let frequency = LOWEST * step.powi(band as i32);
            let window = |n: usize| 0.5 - 0.5 * (TAU * n as f32 / SPAN as f32).cos();
            let angle = |n: usize| TAU * frequency * n as f32 / RATE;
            [
                std::array::from_fn(|n| window(n) * angle(n).cos()),
                std::array::from_fn(|n| window(n) * angle(n).sin()),
            ]
        })
        .collect()
});

impl Printer {
    fn print(&mut self, pcm: &[i16], mut each: impl FnMut(Print)) {
        for sample in pcm {
            self.sum += f32::from(*sample);
            self.summed += 1;
            if self.summed < DECIMATION {
                continue;
            }
            let full = DECIMATION as f32 * 32_768.0;
            self.samples.push(std::mem::take(&mut self.sum) / full);
            self.summed = 0;
            if self.samples.len() == SPAN {
                each(print_of(&self.samples));
                self.samples.drain(..HOP);
            }
        }
    }
}

fn print_of(samples: &[f32]) -> Print {
    if samples.iter().all(|sample| *sample == 0.0) {
        return SILENCE;
    }
    std::array::from_fn(|band| {
        let [re, im] = WAVES[band].each_ref().map(|wave| dot(samples, wave));
        let scale = (SPAN as f32 / 4.0).powi(2);
        ((re * re + im * im) / scale).log10().max(FLOOR)
    })
}
