//! Core: short sounds people and rooms make beside an agent's voice, from seeds.
//!
//! The rules are simple and the detector was not tuned with them; who wants to know how an agent takes
//! such sounds uses seeds that nobody listened to.

use std::{f64::consts::TAU, fmt};

use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::{
    clips::{SAMPLE_RATE, duration_of},
    voice::babble,
};

/// What somebody does while the agent speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A word or two that want it to stop: "wait".
    Command,
    /// A word that wants it to go on: "mm-hm".
    Company,
    /// One to three coughs.
    Cough,
    /// A door that falls shut.
    Door,
    /// A few notes, less than a second.
    Music,
}

/// One sound and the words a transcriber finds in it.
#[derive(Clone)]
pub struct Sound {
    /// Mono samples at 24 kHz.
    pub pcm: Vec<i16>,
    /// Empty for what is no speech.
    pub words: &'static str,
}

impl fmt::Debug for Sound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Sound({:?}, {:?})",
            self.words,
            duration_of(self.pcm.len())
        )
    }
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::Command,
        Self::Company,
        Self::Cough,
        Self::Door,
        Self::Music,
    ];

    /// One of its sounds; the same seed makes the same one.
    pub fn make(self, seed: u64) -> Sound {
        // Other seeds than any that was listened to.
        let mut rng = StdRng::seed_from_u64(0x5eed_0000 + seed * 8 + self as u64);
        let level = rng.random_range(0.15..0.9);
        let (pcm, words) = match self {
            Self::Command => {
                let all = ["Stop.", "Wait!", "No.", "Stop it.", "Hold on.", "Enough."];
                (
                    speech(&mut rng, 0.25..0.7),
                    all[rng.random_range(0..all.len())],
                )
            }
            Self::Company => {
                let all = [
                    "Mm-hm.", "Mhm", "Uh-huh.", "Mm.", "Yeah.", "Okay.", "I see.",
                ];
                (
                    speech(&mut rng, 0.2..0.6),
                    all[rng.random_range(0..all.len())],
                )
            }
            Self::Cough => (cough(&mut rng), ""),
            Self::Door => (door(&mut rng), ""),
            Self::Music => (music(&mut rng), ""),
        };
        let peak = pcm
            .iter()
            .fold(1e-9, |peak: f64, sample| peak.max(sample.abs()));
        let scaled = pcm
            .iter()
            .map(|sample| (sample / peak * level * 20_000.0) as i16);
        Sound {
            pcm: scaled.collect(),
            words,
        }
    }
}

fn samples(seconds: f64) -> usize {
    (seconds * f64::from(SAMPLE_RATE)) as usize
}

/// A piece of the test voice at another pitch, with a soft beginning and end.
fn speech(rng: &mut StdRng, seconds: std::ops::Range<f64>) -> Vec<f64> {
    let length = samples(rng.random_range(seconds));
    let (pace, from) = (rng.random_range(0.8..1.7), rng.random_range(0..240_000));
    let sample = |n: usize| {
        let edge = n.min(length - n) as f64 / samples(0.02) as f64;
        f64::from(babble(from + (n as f64 * pace) as usize)) * edge.min(1.0)
    };
    (0..length).map(sample).collect()
}

fn noise(rng: &mut StdRng, length: usize, smooth: f64) -> Vec<f64> {
    let mut last = 0.0;
    let next = |_| {
        last += (rng.random_range(-1.0..1.0) - last) * smooth;
        last
    };
    (0..length).map(next).collect()
}

/// One to three bursts of noise that begin hard and fade, a voiced tail under some of them.
fn cough(rng: &mut StdRng) -> Vec<f64> {
    let mut pcm = Vec::new();
    for _ in 0..rng.random_range(1..=3) {
        let length = samples(rng.random_range(0.08..0.22));
        let (smooth, voiced) = (rng.random_range(0.2..0.8), rng.random_range(0.0..0.5));
        let hiss = noise(rng, length, smooth);
        let fall = rng.random_range(3.0..7.0);
        pcm.extend(hiss.iter().enumerate().map(|(n, hiss)| {
            let along = n as f64 / length as f64;
            let tone = f64::from(babble(n)) / 10_000.0 * voiced * along;
            (hiss + tone) * (-fall * along).exp()
        }));
        pcm.resize(pcm.len() + samples(rng.random_range(0.03..0.1)), 0.0);
    }
    pcm
}

/// A thump of low tones and a short clatter.
fn door(rng: &mut StdRng) -> Vec<f64> {
    let length = samples(rng.random_range(0.15..0.5));
    let (low, fall) = (rng.random_range(40.0..110.0), rng.random_range(6.0..18.0));
    let clatter = noise(rng, length, 0.6);
    let sample = |n: usize| {
        let t = n as f64 / f64::from(SAMPLE_RATE);
        (t * TAU * low).sin() * (-fall * t).exp() + clatter[n] * 0.7 * (-60.0 * t).exp()
    };
    (0..length).map(sample).collect()
}

/// A few notes of three tones each.
fn music(rng: &mut StdRng) -> Vec<f64> {
    let mut pcm = Vec::new();
    let notes = rng.random_range(1..=3);
    for _ in 0..notes {
        let root = 220.0 * 2f64.powf(f64::from(rng.random_range(0..24)) / 12.0);
        let length = samples(rng.random_range(0.15..0.3));
        let third = if rng.random_bool(0.5) { 1.25 } else { 1.2 };
        pcm.extend((0..length).map(|n| {
            let t = n as f64 / f64::from(SAMPLE_RATE);
            let tones = [1.0, third, 1.5].map(|up| (t * TAU * root * up).sin());
            tones.iter().sum::<f64>() * (-4.0 * t).exp()
        }));
    }
    pcm
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn sounds_are_short_loud_enough_and_differ() {
        for kind in Kind::ALL {
            let sounds: Vec<Sound> = (0..20).map(|seed| kind.make(seed)).collect();
            for sound in &sounds {
                let length = duration_of(sound.pcm.len());
                assert!(
                    length < Duration::from_millis(1_100),
                    "{kind:?}: {length:?}"
                );
                let peak = sound.pcm.iter().map(|sample| sample.unsigned_abs()).max();
                assert!(peak.is_some_and(|peak| peak > 2_500), "{kind:?}: {peak:?}");
            }
            assert_ne!(sounds[0].pcm, sounds[1].pcm, "{kind:?}");
        }
    }
}
