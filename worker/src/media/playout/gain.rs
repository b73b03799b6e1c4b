//! Core: how loud the agent's voice is, without clicks.
//!
//! Owns the present gain and the one it moves to. Does not decide when the voice is lowered.

use crate::media::{Frame, SAMPLE_RATE};

/// A lowered voice: −14 dB, clearly behind the person who speaks and still there.
const LOW: f32 = 0.2;
/// From silence to full voice in 5 ms: heard as a beginning and not as a click.
const STEP: f32 = 1.0 / (SAMPLE_RATE as f32 / 200.0);

/// The gain of one voice.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gain {
    now: f32,
    target: f32,
}

impl Default for Gain {
    fn default() -> Self {
        Self {
            now: 1.0,
            target: 1.0,
        }
    }
}

impl Gain {
    pub(super) fn low(&mut self) {
        self.target = LOW;
    }

    pub(super) fn full(&mut self) {
        self.target = 1.0;
    }

    /// The voice has faded out: what follows fades in.
    pub(super) fn fade_in(&mut self) {
        self.now = 0.0;
    }

    pub(super) fn apply(&mut self, frame: &mut Frame) {
        if self.now >= 1.0 && self.target >= 1.0 {
            return;
        }
        for sample in frame {
            *sample = (f32::from(*sample) * self.now) as i16;
            let way = self.target - self.now;
            self.now += way.clamp(-STEP, STEP);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::FRAME_SAMPLES;

    #[test]
    fn a_voice_comes_back_within_five_milliseconds_and_without_a_step() {
        let mut gain = Gain::default();
        gain.fade_in();
        let mut frame = [10_000; FRAME_SAMPLES];
        gain.apply(&mut frame);
        assert_eq!(frame[0], 0);
        assert!(frame.windows(2).all(|pair| pair[1] - pair[0] <= 100));
        assert_eq!(frame[121..], [10_000; FRAME_SAMPLES - 121]);
    }

    #[test]
    fn a_lowered_voice_is_a_fifth_and_rises_again() {
        let mut gain = Gain::default();
        gain.low();
        let mut frame = [10_000; FRAME_SAMPLES];
        gain.apply(&mut frame);
        assert!((1_990..=2_010).contains(&frame[239]), "{}", frame[239]);
        gain.full();
        let mut frame = [10_000; FRAME_SAMPLES];
        gain.apply(&mut frame);
        assert!(frame[239] >= 9_990, "{}", frame[239]);
        let mut frame = [10_000; FRAME_SAMPLES];
        gain.apply(&mut frame);
        assert_eq!(frame[239], 10_000);
    }
}
