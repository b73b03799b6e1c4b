//! Core: where one person's speech begins and ends.
//!
//! Owns the voice activity model of one ear and the hysteresis over its scores. Time is counted in
//! samples: it has no clock. It does not decide what speech means: that is `dialog`.

use std::{collections::VecDeque, time::Duration};

use dialog::input::SpeechEdge;

use crate::media::{
    Pcm,
    resample::Resampler,
    vad_model::{MODEL_RATE, VadModel, WINDOW},
};

/// A score from here on is speech.
const LOUD: f32 = 0.5;
/// Speech goes on down to this score, so that the ends of words belong to it.
const FAINT: f32 = 0.35;
/// Windows of speech that make a beginning: 48 ms. Clicks and knocks are shorter.
const ONSET: u32 = 3;
/// Windows without speech that make an end: 192 ms. The stops inside words are shorter.
const HANGOVER: u32 = 12;
/// How long that is.
pub(super) const HANGOVER_TIME: Duration = STEP.saturating_mul(HANGOVER);
/// Windows by which the model is late at most: 400 ms. What is weak for longer is a weak voice after a
/// bump.
const LATEST: u32 = 25;
/// Sound that is so much weaker than the loudest of a speech is after its end: 30 dB.
const DEPTH: u64 = 1_000;
/// Edges nobody has asked for yet; more do not fit into the sound that makes them.
const EDGES: usize = 16;

/// Zeros that make the model forget everything else: 1 s at 24 kHz. From then on it has nothing to say
/// about more of them.
const FORGETS: usize = 24_000;

/// How long one score is.
const STEP: Duration = Duration::from_micros(WINDOW as u64 * 1_000_000 / MODEL_RATE as u64);

fn time_of(samples: usize) -> Duration {
    Duration::from_micros(samples as u64 * 1_000_000 / MODEL_RATE as u64)
}

/// The detector of one ear.
#[derive(Debug)]
pub(crate) struct Vad {
    model: VadModel,
    resampler: Resampler,
    window: Vec<i16>,
    /// Scratch of one piece: its whole windows.
    full: Vec<i16>,
    /// Windows in a row that speak for a change.
    run: u32,
    /// Of the loudest window of this speech, as a sum of squares.
    peak: u64,
    /// Windows since the last one that was nearly as loud.
    quiet: u32,
    is_speaking: bool,
    /// Zeros in a row that the model has heard.
    zeros: usize,
    edges: VecDeque<SpeechEdge>,
}

impl Vad {
    pub(crate) fn new() -> Self {
        Self {
            model: VadModel::new(),
            resampler: Resampler::new(),
            window: Vec::with_capacity(WINDOW),
            full: Vec::new(),
            run: 0,
            peak: 0,
            quiet: 0,
            is_speaking: false,
            zeros: 0,
            edges: VecDeque::new(),
        }
    }

    /// Listens to what came next.
    pub(crate) fn hear(&mut self, pcm: &Pcm) {
        if self.is_old_silence(pcm.as_slice()) {
            return;
        }
        let Self {
            resampler,
            window,
            full,
            ..
        } = self;
        full.clear();
        resampler.process(pcm.as_slice(), |sample| {
            window.push(sample);
            if window.len() == WINDOW {
                full.extend_from_slice(window);
                window.clear();
            }
        });
        let full = std::mem::take(full);
        let (windows, _) = full.as_chunks::<WINDOW>();
        for (nth, window) in windows.iter().enumerate() {
            let score = self.model.score(window);
            self.weigh(window);
            let after = (windows.len() - 1 - nth) * WINDOW + self.window.len();
            self.judge(score, time_of(after));
        }
        self.full = full;
    }

    /// Nothing more is heard for now; speech that went on is over.
    pub(crate) fn rest(&mut self) {
        if std::mem::take(&mut self.is_speaking) {
            self.tell(SpeechEdge::Stopped {
                before: Duration::ZERO,
            });
        }
        self.run = 0;
        self.window.clear();
        self.resampler.reset();
        self.model.reset();
    }

    /// Silence that a muted or resting microphone leaves, after so much of it that more changes
    /// nothing.
    fn is_old_silence(&mut self, pcm: &[i16]) -> bool {
        if pcm.iter().any(|sample| *sample != 0) {
            self.zeros = 0;
            return false;
        }
        let is_old = self.zeros >= FORGETS && !self.is_speaking;
        self.zeros = (self.zeros + pcm.len()).min(FORGETS);
        is_old
    }

    /// The oldest edge that was not asked for yet.
    pub(crate) fn poll_edge(&mut self) -> Option<SpeechEdge> {
        self.edges.pop_front()
    }

    /// The model goes on scoring speech for a while after its last sound: how long ago that was, the
    /// loudness knows better.
    fn weigh(&mut self, window: &[i16]) {
        let power: u64 = window
            .iter()
            .map(|sample| u64::from(sample.unsigned_abs()).pow(2))
            .sum();
        self.peak = self.peak.max(power);
        self.quiet = if power * DEPTH >= self.peak {
            0
        } else {
            self.quiet + 1
        };
    }

    /// `after` = what has been heard beyond this window already.
    fn judge(&mut self, score: f32, after: Duration) {
        let (speaks_for_change, needed) = if self.is_speaking {
            (score < FAINT, HANGOVER)
        } else {
            (score >= LOUD, ONSET)
        };
        if !speaks_for_change {
            self.run = 0;
            return;
        }
        self.run += 1;
        if self.run < needed {
            return;
        }
        let run = std::mem::take(&mut self.run);
        let quiet = std::mem::take(&mut self.quiet);
        self.peak = 0;
        self.is_speaking = !self.is_speaking;
        self.tell(if self.is_speaking {
            SpeechEdge::Started {
                before: STEP * run + after,
            }
        } else {
            // The last sound lies somewhere in the window before the quiet ones.
            SpeechEdge::Stopped {
                before: STEP * run.max(quiet.min(LATEST)) + STEP / 2 + after,
            }
        });
    }

    fn tell(&mut self, edge: SpeechEdge) {
        if self.edges.len() < EDGES {
            self.edges.push_back(edge);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{FRAME_SAMPLES, test_voice::voice};

    /// When which edge became clear, in milliseconds.
    fn edges(seconds: usize, sound: impl Fn(usize) -> i16) -> Vec<(u64, SpeechEdge)> {
        let mut vad = Vad::new();
        let mut told = Vec::new();
        let pcm: Vec<i16> = (0..seconds * 24_000).map(sound).collect();
        for (n, frame) in pcm.chunks(FRAME_SAMPLES).enumerate() {
            vad.hear(&Pcm::from(frame.to_vec()));
            while let Some(edge) = vad.poll_edge() {
                told.push((n as u64 * 10 + 10, edge));
            }
        }
        told
    }

    #[test]
    fn speech_begins_within_a_hundred_milliseconds_and_ends_soon_after_it_does() {
        let told = edges(3, |n| match n {
            24_000..48_000 => voice(n),
            _ => 0,
        });
        let [
            (began, SpeechEdge::Started { before }),
            (ended, SpeechEdge::Stopped { before: since }),
        ] = told[..]
        else {
            panic!("{told:?}");
        };
        assert!((1_040..=1_100).contains(&began), "{began} ms");
        assert!((48..64).contains(&before.as_millis()), "{before:?}");
        assert!((2_190..=2_300).contains(&ended), "{ended} ms");
        let last = ended - since.as_millis() as u64;
        assert!(last.abs_diff(2_000) <= 16, "its last sound at {last} ms");
    }

    #[test]
    fn after_a_long_silence_speech_begins_as_after_a_short_one() {
        let speech_after = |silent: usize| {
            edges(silent + 2, |n| {
                if (silent * 24_000..silent * 24_000 + 24_000).contains(&n) {
                    voice(n - silent * 24_000)
                } else {
                    0
                }
            })
        };
        let (short, long) = (speech_after(1), speech_after(20));
        let since = |told: &[(u64, SpeechEdge)], silent: u64| -> Vec<_> {
            let later = |(at, edge): &(u64, SpeechEdge)| (at - silent * 1_000, *edge);
            told.iter().map(later).collect()
        };
        let (short, long) = (since(&short, 1), since(&long, 20));
        assert_eq!(short.len(), 2, "{short:?}");
        // Windows of 16 ms lie otherwise on the time line.
        for ((one, _), (other, _)) in short.iter().zip(&long) {
            assert!(one.abs_diff(*other) <= 20, "{short:?} {long:?}");
        }
    }

    #[test]
    fn silence_a_hum_and_a_click_are_no_speech() {
        assert_eq!(edges(2, |_| 0), []);
        let hum = |n: usize| (n as f64 / 24_000.0 * 50.0 * std::f64::consts::TAU).sin();
        assert_eq!(edges(2, |n| (300.0 * hum(n)) as i16), []);
        let click = 24_000..24_120;
        assert_eq!(
            edges(2, |n| if click.contains(&n) { 20_000 } else { 0 }),
            []
        );
    }

    #[test]
    fn who_stops_being_heard_stops_speaking() {
        let mut vad = Vad::new();
        let pcm: Vec<i16> = (0..12_000).map(voice).collect();
        vad.hear(&Pcm::from(pcm));
        assert!(matches!(vad.poll_edge(), Some(SpeechEdge::Started { .. })));
        vad.rest();
        assert!(matches!(vad.poll_edge(), Some(SpeechEdge::Stopped { .. })));
        vad.rest();
        assert_eq!(vad.poll_edge(), None);
    }
}
