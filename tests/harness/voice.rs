//! Core: sounds for tests that are no sentences: silence, noise, and tones that carry an id.

use std::{f32::consts::TAU, time::Duration};

use crate::{
    clips::{SAMPLE_RATE, samples_in},
    ears,
};

/// Nothing, for that long.
pub fn silence(length: Duration) -> Vec<i16> {
    vec![0; samples_in(length)]
}

/// Sample `n` at 24 kHz of a voice that says nothing, of 130 Hz with one formant, in four syllables a second.
pub fn babble(n: usize) -> i16 {
    let angle = n as f64 / 24_000.0 * std::f64::consts::TAU;
    let pitch = 130.0 + 10.0 * (angle * 2.0).sin();
    let overtones = (1..24).map(f64::from).map(|k| {
        let formant = 1.0 / (1.0 + ((k * pitch - 600.0) / 400.0).powi(2));
        (angle * pitch * k).sin() * (formant + 0.05)
    });
    (overtones.sum::<f64>() * 4_000.0 * (1.0 + 0.6 * (angle * 4.0).sin())) as i16
}

/// A tone that carries a number from 0 to 15.
///
/// # Panics
/// When the id is larger than 15.
pub fn tone(id: u32, length: Duration) -> Vec<i16> {
    let step = TAU * pitch(id) / SAMPLE_RATE as f32;
    (0..samples_in(length))
        .map(|i| ((step * i as f32).sin() * 8_000.0) as i16)
        .collect()
}

/// Which tone this is mostly, if any.
pub fn tone_in(pcm: &[i16]) -> Option<u32> {
    (0..16).find(|id| ears::tone_share(pcm, pitch(*id)) > 0.5)
}

/// 200 Hz apart, so that 20 ms are enough to tell them apart.
fn pitch(id: u32) -> f32 {
    assert!(id < 16, "there are sixteen tones");
    400.0 + 200.0 * id as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tones_are_told_apart_and_silence_is_none() {
        for id in 0..16 {
            assert_eq!(tone_in(&tone(id, Duration::from_millis(40))), Some(id));
        }
        assert_eq!(tone_in(&silence(Duration::from_millis(40))), None);
    }
}
