//! Core: the committed speech clips, decoded.
//!
//! Owns the list of clips and their words. Does not synthesise: `fixtures/clips/make.sh` did that.

use std::{fmt, sync::LazyLock, time::Duration};

/// Samples per second of every clip and of everything said and heard in tests.
pub const SAMPLE_RATE: u32 = 24_000;

/// One sentence or word, spoken.
#[derive(Clone)]
pub struct Clip {
    /// File name without its ending; also what tests call it.
    pub name: &'static str,
    /// The words, as they stand in `phrases.txt`; empty for the worker's own.
    pub words: &'static str,
    /// Mono samples at [`SAMPLE_RATE`].
    pub pcm: Vec<i16>,
}

impl Clip {
    /// How long it sounds.
    pub fn duration(&self) -> Duration {
        duration_of(self.pcm.len())
    }
}

impl fmt::Debug for Clip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clip({}, {:?})", self.name, self.duration())
    }
}

/// Duration of that many samples.
pub fn duration_of(samples: usize) -> Duration {
    Duration::from_nanos(samples as u64 * 1_000_000_000 / u64::from(SAMPLE_RATE))
}

/// Number of whole samples in a duration.
pub fn samples_in(duration: Duration) -> usize {
    (duration.as_nanos() * u128::from(SAMPLE_RATE) / 1_000_000_000) as usize
}

/// The clip of that name.
///
/// # Panics
/// When there is none: names are fixed at compile time.
pub fn clip(name: &str) -> &'static Clip {
    find(name).expect("the name is one of the committed clips")
}

/// The clip of that name, if there is one.
pub fn find(name: &str) -> Option<&'static Clip> {
    let all = CLIPS.iter().chain(OF_WORKER.iter());
    all.into_iter().find(|clip| clip.name == name)
}

/// Everything a scripted caller can say.
pub fn of_callers() -> impl Iterator<Item = &'static Clip> {
    CLIPS.iter().filter(|clip| clip.name.starts_with("caller-"))
}

/// Everything the simulated model can say.
pub fn of_agent() -> impl Iterator<Item = &'static Clip> {
    CLIPS.iter().filter(|clip| clip.name.starts_with("agent-"))
}

static CLIPS: LazyLock<Vec<Clip>> = LazyLock::new(|| {
    FILES
        .iter()
        .map(|(name, bytes)| Clip {
            name,
            words: words_of(name),
            pcm: decode(bytes),
        })
        .collect()
});

/// What the worker says without a model.
static OF_WORKER: LazyLock<[Clip; 2]> = LazyLock::new(|| {
    let clip = |name, bytes| Clip {
        name,
        words: "",
        pcm: decode(bytes),
    };
    [
        clip(
            "worker-one-moment",
            include_bytes!("../../worker/clips/en/one-moment.wav"),
        ),
        clip(
            "worker-failure",
            include_bytes!("../../worker/clips/en/failure.wav"),
        ),
    ]
});

const PHRASES: &str = include_str!("../fixtures/clips/phrases.txt");

fn words_of(name: &str) -> &'static str {
    PHRASES
        .lines()
        .filter_map(|line| line.split_once('|'))
        .find(|(first, _)| *first == name)
        .and_then(|(_, rest)| rest.split_once('|'))
        .map(|(_, words)| words)
        .expect("every clip has its line in phrases.txt")
}

fn decode(bytes: &[u8]) -> Vec<i16> {
    let mut wav = hound::WavReader::new(bytes).expect("a committed clip is a WAV file");
    let spec = wav.spec();
    assert_eq!(
        (spec.sample_rate, spec.channels, spec.bits_per_sample),
        (SAMPLE_RATE, 1, 16)
    );
    wav.samples::<i16>()
        .map(|sample| sample.expect("a committed clip is complete"))
        .collect()
}

macro_rules! files {
    ($($name:literal)*) => {
        &[$(($name, include_bytes!(concat!("../fixtures/clips/", $name, ".wav")))),*]
    };
}

const FILES: &[(&str, &[u8])] = files! {
    "agent-greeting"
    "agent-you-said"
    "agent-you-wrote"
    "agent-it-is"
    "agent-goodbye"
    "agent-all-right"
    "agent-answered"
    "agent-failed"
    "agent-name"
    "agent-zero"
    "agent-one"
    "agent-two"
    "agent-three"
    "agent-four"
    "agent-five"
    "agent-six"
    "agent-seven"
    "agent-eight"
    "agent-nine"
    "agent-ten"
    "agent-eleven"
    "agent-twelve"
    "agent-thirteen"
    "agent-fourteen"
    "agent-fifteen"
    "agent-sixteen"
    "agent-seventeen"
    "agent-eighteen"
    "agent-nineteen"
    "agent-twenty"
    "agent-thirty"
    "agent-forty"
    "agent-fifty"
    "agent-disclosure"
    "agent-practice"
    "agent-first-free"
    "agent-shall-i"
    "agent-booked"
    "agent-colleague"
    "agent-monday"
    "agent-tuesday"
    "agent-wednesday"
    "agent-thursday"
    "agent-friday"
    "caller-hello"
    "caller-mountains"
    "caller-train"
    "caller-apples"
    "caller-wait"
    "caller-time"
    "caller-count"
    "caller-goodbye"
    "caller-name"
    "caller-okay"
    "caller-enough"
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phrase_has_its_clip() {
        let listed: Vec<_> = PHRASES
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.split('|').next())
            .collect();
        let embedded: Vec<_> = CLIPS.iter().map(|clip| clip.name).collect();
        assert_eq!(embedded, listed);
    }

    #[test]
    fn every_clip_is_long_enough_to_be_recognised() {
        for clip in CLIPS.iter() {
            assert!(clip.duration() >= Duration::from_millis(250), "{clip:?}");
        }
    }
}
