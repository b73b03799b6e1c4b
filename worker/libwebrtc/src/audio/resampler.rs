//! Core: other sample rates and channel counts than the codec's own.
//!
//! A windowed-sinc interpolator with a fixed delay of half its length, used only where Opus has no
//! such rate (44.1 kHz, 32 kHz) or where two streams of one track ask for different rates. The voice
//! path of an agent never comes here.

/// Input samples under the window. 32: stop band near −60 dB, half a millisecond of delay.
const TAPS: usize = 32;
/// Positions between two input samples that are tabulated; between them the nearest is taken.
const PHASES: usize = 256;

/// Changes the rate of interleaved samples; keeps its state between calls.
pub(crate) struct Resampler {
    channels: usize,
    /// Input frames per output frame.
    step: f64,
    /// Position of the next output frame in `history`, in input frames.
    position: f64,
    /// Interleaved input that is still under the window.
    history: Vec<i16>,
    /// `PHASES + 1` rows of `TAPS` weights.
    table: Vec<f32>,
}

impl Resampler {
    pub(crate) fn new(from: u32, to: u32, channels: u32) -> Self {
        let step = f64::from(from) / f64::from(to);
        let mut resampler = Self {
            channels: channels as usize,
            step,
            position: 0.0,
            history: Vec::new(),
            table: table(step),
        };
        resampler.reset();
        resampler
    }

    /// Forgets what came before.
    pub(crate) fn reset(&mut self) {
        self.history.clear();
        self.history.resize((TAPS / 2 - 1) * self.channels, 0);
        self.position = 0.0;
    }

    /// Appends everything that can be computed from `input` to `out`.
    pub(crate) fn process(&mut self, input: &[i16], out: &mut Vec<i16>) {
        self.history.extend_from_slice(input);
        let frames = self.history.len() / self.channels;
        while self.position as usize + TAPS <= frames {
            self.interpolate(out);
            self.position += self.step;
        }
        let used = (self.position as usize).min(frames);
        self.history.drain(..used * self.channels);
        self.position -= used as f64;
    }

    fn interpolate(&self, out: &mut Vec<i16>) {
        let base = self.position as usize;
        let phase = ((self.position - base as f64) * PHASES as f64).round() as usize;
        let weights = &self.table[phase * TAPS..(phase + 1) * TAPS];
        for channel in 0..self.channels {
            let samples = self.history[base * self.channels + channel..].iter();
            let sum: f32 = samples
                .step_by(self.channels)
                .zip(weights)
                .map(|(sample, weight)| f32::from(*sample) * weight)
                .sum();
            out.push(sum.round() as i16);
        }
    }
}

/// Weights of a low-pass at the lower of both Nyquist frequencies, each row summing to one.
fn table(step: f64) -> Vec<f32> {
    let cutoff = (1.0 / step).min(1.0) * 0.95;
    let mut table = Vec::with_capacity((PHASES + 1) * TAPS);
    for phase in 0..=PHASES {
        let offset = phase as f64 / PHASES as f64;
        let row: Vec<f64> = (0..TAPS)
            .map(|tap| {
                let x = tap as f64 - (TAPS / 2 - 1) as f64 - offset;
                let window = (std::f64::consts::PI * x / TAPS as f64).cos().powi(2);
                sinc(x * cutoff) * window
            })
            .collect();
        let sum: f64 = row.iter().sum();
        table.extend(row.iter().map(|weight| (weight / sum) as f32));
    }
    table
}

fn sinc(x: f64) -> f64 {
    if x.abs() < 1e-9 {
        return 1.0;
    }
    let x = x * std::f64::consts::PI;
    x.sin() / x
}

/// Appends `pcm` with another channel count: mono is copied to all, many are averaged to one.
pub(crate) fn convert_channels(pcm: &[i16], from: u32, to: u32, out: &mut Vec<i16>) {
    if from == to {
        out.extend_from_slice(pcm);
        return;
    }
    for frame in pcm.chunks_exact(from as usize) {
        if to == 1 {
            let sum: i32 = frame.iter().map(|sample| i32::from(*sample)).sum();
            out.push((sum / from as i32) as i16);
        } else {
            out.extend((0..to as usize).map(|channel| frame[channel.min(frame.len() - 1)]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(rate: f64, hertz: f64, samples: usize) -> Vec<i16> {
        (0..samples)
            .map(|n| ((n as f64 * hertz * std::f64::consts::TAU / rate).sin() * 1e4) as i16)
            .collect()
    }

    fn crossings(pcm: &[i16]) -> usize {
        pcm.windows(2)
            .filter(|pair| pair[0] < 0 && pair[1] >= 0)
            .count()
    }

    #[test]
    fn tone_keeps_its_pitch_and_level_across_rates() {
        for (from, to) in [
            (44_100, 48_000),
            (48_000, 44_100),
            (32_000, 48_000),
            (48_000, 8_000),
        ] {
            let input = tone(f64::from(from), 440.0, from as usize);
            let mut out = Vec::new();
            let mut resampler = Resampler::new(from, to, 1);
            for frame in input.chunks(from as usize / 100) {
                resampler.process(frame, &mut out);
            }
            let missing = to as usize - out.len();
            assert!(
                missing <= TAPS * to as usize / from as usize + 1,
                "{from} to {to}: {missing}"
            );
            assert!((438..=441).contains(&crossings(&out)), "{from} to {to}");
            let peak = out.iter().map(|sample| sample.unsigned_abs()).max();
            assert!(
                peak.is_some_and(|peak| (9_700..=10_300).contains(&peak)),
                "{peak:?}"
            );
        }
    }

    #[test]
    fn channels_stay_apart() {
        let input: Vec<i16> = (0..4_410).flat_map(|_| [1_000, -2_000]).collect();
        let mut out = Vec::new();
        Resampler::new(44_100, 48_000, 2).process(&input, &mut out);
        let settled = &out[200..];
        assert!(settled.chunks(2).all(|frame| (frame[0] - 1_000).abs() < 3));
        assert!(settled.chunks(2).all(|frame| (frame[1] + 2_000).abs() < 3));
    }

    #[test]
    fn stereo_is_averaged_and_mono_is_copied() {
        let (mut mono, mut stereo) = (Vec::new(), Vec::new());
        convert_channels(&[10, 30, -4, -8], 2, 1, &mut mono);
        assert_eq!(mono, [20, -6]);
        convert_channels(&mono, 1, 2, &mut stereo);
        assert_eq!(stereo, [20, 20, -6, -6]);
    }
}
