//! Core: the loudness of what is made up.
//!
//! What carries on without packets fades within 100 ms, and what is real comes back without a
//! click. Does not make anything up itself.

use crate::media::SAMPLE_RATE;

/// Made-up sound keeps its level this long …
const KEEP_MILLIS: u32 = 20;
/// … and is gone this long after it began.
const GONE_MILLIS: u32 = 100;
/// Real sound is back at its level after this long; what ends abruptly is led out in the same time.
pub(super) const EDGE_MILLIS: u32 = 5;
/// Samples in a millisecond.
const RATE: f32 = SAMPLE_RATE as f32 / 1_000.0;

/// The level of one track's output.
#[derive(Debug, Default)]
pub(super) struct Fade {
    /// 0 (silence) to 1 (as decoded).
    gain: f32,
    /// Samples made up since the last real sound.
    made_up: f32,
}

impl Fade {
    /// Something is heard: an end needs to be led out.
    pub(super) fn is_audible(&self) -> bool {
        self.gain > 0.0
    }

    /// Real sound: up to its level.
    pub(super) fn real(&mut self, pcm: &mut [i16]) {
        self.made_up = 0.0;
        if self.gain >= 1.0 {
            return;
        }
        let step = 1.0 / (EDGE_MILLIS as f32 * RATE);
        self.apply(pcm, |fade| fade.gain = (fade.gain + step).min(1.0));
    }

    /// Made-up sound: down over its length.
    pub(super) fn made_up(&mut self, pcm: &mut [i16]) {
        let slope = 1.0 / ((GONE_MILLIS - KEEP_MILLIS) as f32 * RATE);
        let keep = KEEP_MILLIS as f32 * RATE;
        self.apply(pcm, |fade| {
            fade.made_up += 1.0;
            let level = 1.0 - (fade.made_up - keep).max(0.0) * slope;
            fade.gain = fade.gain.min(level.max(0.0));
        });
    }

    /// The end of sound: down at once, but not with a click.
    pub(super) fn lead_out(&mut self, pcm: &mut [i16]) {
        let step = 1.0 / (EDGE_MILLIS as f32 * RATE);
        self.apply(pcm, |fade| fade.gain = (fade.gain - step).max(0.0));
        self.silence();
    }

    /// Silence is heard.
    pub(super) fn silence(&mut self) {
        self.gain = 0.0;
    }

    fn apply(&mut self, pcm: &mut [i16], mut next: impl FnMut(&mut Self)) {
        for sample in pcm {
            next(self);
            *sample = (f32::from(*sample) * self.gain) as i16;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1 ms of full level, `millis` times.
    fn full(millis: usize) -> Vec<i16> {
        vec![10_000; 24 * millis]
    }

    fn heard() -> Fade {
        let mut fade = Fade::default();
        fade.real(&mut full(10));
        fade
    }

    #[test]
    fn what_is_made_up_keeps_its_level_then_fades_to_nothing_at_a_tenth_of_a_second() {
        let (mut fade, mut pcm) = (heard(), full(120));
        for piece in pcm.chunks_mut(24 * 10) {
            fade.made_up(piece);
        }
        assert!(pcm[..24 * 20].iter().all(|sample| *sample == 10_000));
        assert!((4_500..=5_500).contains(&pcm[24 * 60]), "{}", pcm[24 * 60]);
        assert!(pcm[24 * 100..].iter().all(|sample| *sample == 0));
        assert!(
            pcm.windows(2)
                .all(|pair| pair[0] >= pair[1] && pair[0] - pair[1] < 10)
        );
    }

    #[test]
    fn real_sound_comes_back_without_a_step() {
        let (mut fade, mut pcm) = (heard(), full(10));
        fade.silence();
        fade.real(&mut pcm);
        assert!(pcm[0] < 200 && pcm[24 * 5] > 9_900);
        assert!(pcm.windows(2).all(|pair| pair[1] - pair[0] < 200));
    }

    #[test]
    fn end_is_led_out_and_then_nothing_is_audible() {
        let (mut fade, mut pcm) = (heard(), full(5));
        fade.lead_out(&mut pcm);
        assert!(pcm[0] > 9_800 && pcm[pcm.len() - 1] < 200);
        assert!(!fade.is_audible());
    }
}
