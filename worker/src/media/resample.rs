//! Core: 24 kHz to 16 kHz, for the voice activity model: the only resampling on the main path.
//!
//! Three samples become two: each output is a short filter over the input around it, and there are
//! only two such filters. Owns the last samples of its input. The delay is half a millisecond.

use std::f64::consts::PI;

/// Weights of one filter, a multiple of eight. With 24 the stop band begins at 9 kHz and lies 60 dB down; the model
/// looks at nothing above 8 kHz.
const TAPS: usize = 24;
/// Where the filter cuts off, in Hz.
const CUTOFF: f64 = 7_200.0;
/// Of the filter's own time line, on which both rates have whole steps.
const RATE: f64 = 48_000.0;

/// Turns three samples into two.
#[derive(Debug)]
pub(crate) struct Resampler {
    /// One filter for outputs that fall on an input sample, one for those between two.
    filters: [[f32; TAPS]; 2],
    /// Input that is still under a filter.
    history: Vec<f32>,
    /// Position of the next output in `history`, in halves of an input sample.
    position: usize,
}

impl Resampler {
    pub(crate) fn new() -> Self {
        Self {
            filters: [filter(0), filter(1)],
            history: vec![0.0; TAPS - 1],
            position: 0,
        }
    }

    /// Hands every sample that can be computed from `input` to `out`.
    pub(crate) fn process(&mut self, input: &[i16], mut out: impl FnMut(i16)) {
        self.history.extend(input.iter().map(|s| f32::from(*s)));
        // An output between two samples needs the later one.
        while self.position.div_ceil(2) + TAPS <= self.history.len() {
            let filter = &self.filters[self.position % 2];
            let under = &self.history[self.position.div_ceil(2)..][..TAPS];
            out(nearest(dot(under, filter)));
            self.position += 3;
        }
        let used = self.position / 2;
        self.history.drain(..used);
        self.position -= used * 2;
    }

    /// Forgets what came before.
    pub(crate) fn reset(&mut self) {
        self.history.clear();
        self.history.resize(TAPS - 1, 0.0);
        self.position = 0;
    }
}

/// Half away from zero; the library's own `round` is a call where the processor is not known to have it.
fn nearest(sample: f32) -> i16 {
    (sample + 0.5_f32.copysign(sample)) as i16
}

/// Sums of floats may not be reordered by a compiler: in eight of them that do not wait for each other a
/// processor multiplies several samples at once.
pub(super) fn dot(samples: &[f32], weights: &[f32]) -> f32 {
    const LANES: usize = 8;
    let mut sums = [0.0; LANES];
    let (samples, _) = samples.as_chunks::<LANES>();
    let (weights, _) = weights.as_chunks::<LANES>();
    for (samples, weights) in samples.iter().zip(weights) {
        for ((sum, sample), weight) in sums.iter_mut().zip(samples).zip(weights) {
            *sum += sample * weight;
        }
    }
    sums.iter().sum()
}

/// A windowed sinc whose centre lies between the taps; the weights sum to one.
fn filter(half: usize) -> [f32; TAPS] {
    // An output between two samples is computed one sample later, so half a sample lies before it.
    let centre = (TAPS as f64 - 1.0) / 2.0 - half as f64 / 2.0;
    let weight = |tap: usize| {
        let x = tap as f64 - centre;
        let angle = 2.0 * PI * CUTOFF / (RATE / 2.0) * x;
        let sinc = if x == 0.0 { 1.0 } else { angle.sin() / angle };
        let along = PI * x / (TAPS as f64 / 2.0 + 0.5);
        sinc * (0.42 + 0.5 * along.cos() + 0.08 * (2.0 * along).cos())
    };
    let sum: f64 = (0..TAPS).map(weight).sum();
    std::array::from_fn(|tap| (weight(tap) / sum) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(frequency: f64, samples: usize) -> Vec<i16> {
        let angle = |n: usize| n as f64 / 24_000.0 * 2.0 * PI * frequency;
        (0..samples)
            .map(|n| (10_000.0 * angle(n).sin()) as i16)
            .collect()
    }

    fn resampled(input: &[i16], piece: usize) -> Vec<i16> {
        let mut resampler = Resampler::new();
        let mut out = Vec::new();
        for piece in input.chunks(piece) {
            resampler.process(piece, |sample| out.push(sample));
        }
        out
    }

    fn loudness(pcm: &[i16]) -> f64 {
        let power: f64 = pcm.iter().map(|s| f64::from(*s).powi(2)).sum();
        (power / pcm.len() as f64).sqrt()
    }

    #[test]
    fn two_of_three_samples_are_left_whatever_the_pieces() {
        let input = tone(440.0, 24_000);
        let whole = resampled(&input, 24_000);
        assert!(whole.len().abs_diff(16_000) <= 1, "{}", whole.len());
        for piece in [1, 7, 240, 480] {
            assert_eq!(resampled(&input, piece), whole, "pieces of {piece}");
        }
    }

    #[test]
    fn a_tone_stays_the_tone_it_was() {
        let out = resampled(&tone(1_000.0, 24_000), 480);
        // The same tone at 16 kHz with the delay taken off, which is 11.5 samples at 24 kHz.
        let angle = |n: usize| (n as f64 / 16_000.0 - 11.5 / 24_000.0) * 2.0 * PI * 1_000.0;
        let wrong = |n: usize| (f64::from(out[n]) - 10_000.0 * angle(n).sin()).abs();
        let worst = (100..15_000).map(wrong).fold(0.0, f64::max);
        assert!(worst < 100.0, "off by {worst}");
    }

    #[test]
    fn speech_passes_and_what_would_fold_back_does_not() {
        for frequency in [100.0, 1_000.0, 3_400.0, 6_000.0] {
            let out = resampled(&tone(frequency, 24_000), 480);
            let kept = loudness(&out[200..]) / loudness(&tone(frequency, 24_000));
            assert!((0.9..1.1).contains(&kept), "{frequency} Hz: {kept}");
        }
        for frequency in [9_500.0, 10_500.0, 11_500.0] {
            let out = resampled(&tone(frequency, 24_000), 480);
            let kept = loudness(&out[200..]) / 7_071.0;
            assert!(kept < 0.02, "{frequency} Hz: {kept}");
        }
    }
}
