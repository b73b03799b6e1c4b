//! Core: server-side voice activity detection over the audio that was written.
//!
//! Time is the number of samples written, as at the provider: without audio nothing moves. Decides
//! only where speech starts and stops; does not keep audio.

use std::time::Duration;

use crate::clips::{SAMPLE_RATE, duration_of, samples_in};

/// The settings that matter here, from `audio.input.turn_detection`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Settings {
    /// 0 to 1; higher needs louder speech.
    pub(super) threshold: f32,
    /// Audio kept from before the detected start.
    pub(super) prefix_padding: Duration,
    /// Silence that ends a turn.
    pub(super) silence: Duration,
}

/// A speech edge; positions are durations since the first sample of the connection.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Edge {
    /// Speech began here, prefix padding already taken off.
    Started { at: Duration },
    /// The turn ended here, silence window included.
    Stopped { at: Duration },
}

/// The detector.
#[derive(Debug)]
pub(super) struct Vad {
    settings: Settings,
    written: u64,
    frame: Vec<i16>,
    /// Power of the background, smoothed; mean square of full scale.
    floor: f32,
    /// Loud frames in a row (with small holes forgiven), while nobody speaks.
    loud: u32,
    /// Quiet time so far, while somebody speaks.
    quiet: Duration,
    speaking: bool,
    /// A new start is never before this.
    earliest: Duration,
}

const FRAME: usize = (SAMPLE_RATE / 100) as usize;
/// 60 ms of loud frames make a start: shorter bursts are clicks.
const ONSET_FRAMES: u32 = 6;
/// Speech goes on down to this share of the starting power (-6 dB), so that word ends count.
const HYSTERESIS: f32 = 0.25;
/// Background never counts as louder than -35 dBFS: a caller who never pauses is no background.
const LOUDEST_FLOOR: f32 = 3.2e-4;
const QUIETEST_FLOOR: f32 = 1e-8;

impl Vad {
    /// A detector for a connection that has already been written this much.
    pub(super) fn new(settings: Settings, written: Duration) -> Self {
        Self {
            settings,
            written: samples_in(written) as u64,
            frame: Vec::with_capacity(FRAME),
            floor: 1e-6,
            loud: 0,
            quiet: Duration::ZERO,
            speaking: false,
            earliest: written,
        }
    }

    /// Forgets what was heard; the clock goes on.
    pub(super) fn clear(&mut self) {
        self.loud = 0;
        self.quiet = Duration::ZERO;
        self.speaking = false;
        self.frame.clear();
        self.earliest = duration_of(self.written as usize);
    }

    /// Reads audio; at most a few edges come out.
    pub(super) fn write(&mut self, pcm: &[i16]) -> Vec<Edge> {
        let mut edges = Vec::new();
        for sample in pcm {
            self.written += 1;
            self.frame.push(*sample);
            if self.frame.len() == FRAME {
                edges.extend(self.on_frame());
                self.frame.clear();
            }
        }
        edges
    }

    fn on_frame(&mut self) -> Option<Edge> {
        let sum: f32 = self
            .frame
            .iter()
            .map(|s| (f32::from(*s) / 32_768.0).powi(2))
            .sum();
        let power = sum / FRAME as f32;
        if self.speaking {
            self.on_frame_of_speech(power)
        } else {
            self.on_frame_of_silence(power)
        }
    }

    fn on_frame_of_silence(&mut self, power: f32) -> Option<Edge> {
        if power < self.needed() {
            self.floor = (self.floor * 0.95 + power * 0.05).clamp(QUIETEST_FLOOR, LOUDEST_FLOOR);
            self.loud = self.loud.saturating_sub(2);
            return None;
        }
        // A steady loud background is learned too, slowly enough not to learn a sentence.
        self.floor = (self.floor * 1.002).min(LOUDEST_FLOOR);
        self.loud += 1;
        if self.loud < ONSET_FRAMES {
            return None;
        }
        self.speaking = true;
        self.loud = 0;
        self.quiet = Duration::ZERO;
        let onset = duration_of(FRAME * ONSET_FRAMES as usize);
        let at = self
            .now()
            .saturating_sub(onset + self.settings.prefix_padding);
        Some(Edge::Started {
            at: at.max(self.earliest),
        })
    }

    fn on_frame_of_speech(&mut self, power: f32) -> Option<Edge> {
        if power >= self.needed() * HYSTERESIS {
            self.quiet = Duration::ZERO;
            return None;
        }
        self.quiet += duration_of(FRAME);
        if self.quiet < self.settings.silence {
            return None;
        }
        self.speaking = false;
        self.earliest = self.now();
        Some(Edge::Stopped { at: self.now() })
    }

    /// Power of a frame that counts as speech: -40 dBFS at the default threshold, and clearly
    /// above the background.
    fn needed(&self) -> f32 {
        let decibels = -55.0 + 30.0 * self.settings.threshold.clamp(0.0, 1.0);
        let above = 2.0 + 8.0 * self.settings.threshold.clamp(0.0, 1.0);
        10f32.powf(decibels / 10.0).max(self.floor * above)
    }

    fn now(&self) -> Duration {
        duration_of(self.written as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clips::clip;

    fn settings() -> Settings {
        Settings {
            threshold: 0.5,
            prefix_padding: Duration::from_millis(300),
            silence: Duration::from_millis(500),
        }
    }

    fn millis(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn noise(length: Duration, peak: i16) -> Vec<i16> {
        let mut state = 7u32;
        let next = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((state >> 16) as i16) % peak.max(1)
        };
        (0..samples_in(length)).map(next).collect()
    }

    fn edges(settings: Settings, pcm: &[i16]) -> Vec<Edge> {
        let mut vad = Vad::new(settings, Duration::ZERO);
        pcm.chunks(480).flat_map(|chunk| vad.write(chunk)).collect()
    }

    fn sentence(after: Duration) -> Vec<i16> {
        [
            vec![0; samples_in(after)],
            clip("caller-train").pcm.clone(),
            vec![0; 48_000],
        ]
        .concat()
    }

    #[test]
    fn a_sentence_is_one_turn_with_padding_before_and_silence_after() {
        let found = edges(settings(), &sentence(millis(1000)));
        let [Edge::Started { at: start }, Edge::Stopped { at: stop }] = found[..] else {
            panic!("one turn: {found:?}");
        };
        assert!(start.abs_diff(millis(700)) <= millis(60), "{start:?}");
        let end = millis(1000) + clip("caller-train").duration() + millis(500);
        assert!(stop.abs_diff(end) <= millis(80), "{stop:?} and not {end:?}");
    }

    #[test]
    fn a_shorter_silence_setting_ends_the_turn_earlier() {
        let quick = Settings {
            silence: millis(300),
            ..settings()
        };
        let (Some(Edge::Stopped { at: quick }), Some(Edge::Stopped { at: slow })) = (
            edges(quick, &sentence(millis(1000))).pop(),
            edges(settings(), &sentence(millis(1000))).pop(),
        ) else {
            panic!("both turns end");
        };
        assert_eq!(slow - quick, millis(200));
    }

    #[test]
    fn padding_does_not_reach_before_the_first_sample() {
        let found = edges(settings(), &sentence(millis(100)));
        assert_eq!(found.first(), Some(&Edge::Started { at: Duration::ZERO }));
    }

    #[test]
    fn a_click_is_no_speech() {
        let mut pcm = vec![0i16; 48_000];
        pcm[10_000..10_700].fill(20_000);
        assert_eq!(edges(settings(), &pcm), []);
    }

    #[test]
    fn steady_noise_is_no_speech_and_a_sentence_over_it_is() {
        let mut pcm = noise(millis(8_000), 500);
        assert_eq!(edges(settings(), &pcm), []);
        for (noisy, clean) in pcm[96_000..].iter_mut().zip(&clip("caller-train").pcm) {
            *noisy += clean;
        }
        assert_eq!(edges(settings(), &pcm).len(), 2);
    }

    #[test]
    fn a_high_threshold_needs_louder_speech() {
        let pcm: Vec<i16> = sentence(millis(500))
            .iter()
            .map(|sample| sample / 24)
            .collect();
        let with = |threshold| {
            edges(
                Settings {
                    threshold,
                    ..settings()
                },
                &pcm,
            )
            .len()
        };
        assert_eq!((with(0.2), with(0.9)), (2, 0));
    }

    #[test]
    fn without_audio_a_turn_does_not_end() {
        let mut vad = Vad::new(settings(), Duration::ZERO);
        vad.write(&clip("caller-train").pcm);
        assert!(vad.speaking);
    }
}
