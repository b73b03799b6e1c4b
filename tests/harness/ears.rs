//! Core: what was heard, and when.
//!
//! Recognises the committed clips in a recording by comparing how their energy moves through the
//! bands of speech over time; gain, a codec and resampling change that picture little. Also finds
//! sound, silence and clicks. Does not record: that is the user's task.

use std::time::Duration;

use crate::clips::{Clip, SAMPLE_RATE, duration_of, samples_in};

mod pieces;
mod spectrum;

pub use pieces::{find_stretched, likeness};
use spectrum::Picture;

/// A clip that was found in a recording.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    /// Which one.
    pub name: &'static str,
    /// Where its first sample is, from the start of the recording; within about 20 ms.
    pub at: Duration,
    /// How alike, 0 to 1. The same sentence through Opus reaches 0.9, another one about 0.4.
    pub score: f32,
}

/// Less than this is another sentence.
pub const ALIKE: f32 = 0.7;

/// The best place of this clip in the recording, if it was heard at all.
pub fn find(recording: &[i16], clip: &Clip) -> Option<Heard> {
    best_of(recording, std::iter::once(clip))
}

/// The clip that fits best anywhere in the recording, if any was heard.
pub fn best_of<'a>(recording: &[i16], clips: impl IntoIterator<Item = &'a Clip>) -> Option<Heard> {
    let picture = Picture::of(recording);
    clips
        .into_iter()
        .filter_map(|clip| at_best_place(&picture, clip))
        .max_by(|a, b| a.score.total_cmp(&b.score))
        .filter(|heard| heard.score >= ALIKE)
}

/// Every clip of the list that was heard, in order of time; overlapping claims go to the longer
/// and better one.
pub fn transcribe<'a>(recording: &[i16], clips: impl IntoIterator<Item = &'a Clip>) -> Vec<Heard> {
    let picture = Picture::of(recording);
    let mut claims: Vec<(f32, Duration, Heard)> = Vec::new();
    for clip in clips {
        for heard in places(&picture, clip) {
            let worth = heard.score * clip.duration().as_secs_f32().sqrt();
            claims.push((worth, heard.at + clip.duration(), heard));
        }
    }
    claims.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut taken: Vec<(Duration, Heard)> = Vec::new();
    for (_, until, heard) in claims {
        let overlaps = |(end, other): &(Duration, Heard)| {
            heard.at + OVERLAP < *end && other.at + OVERLAP < until
        };
        if !taken.iter().any(overlaps) {
            taken.push((until, heard));
        }
    }
    taken.sort_by_key(|(_, heard)| heard.at);
    taken.into_iter().map(|(_, heard)| heard).collect()
}

/// Neighbouring words may share this much: a clip's ends are quiet.
const OVERLAP: Duration = Duration::from_millis(120);

fn places(picture: &Picture, clip: &Clip) -> Vec<Heard> {
    let scores = picture.scores(&Picture::of(&clip.pcm));
    let reach = (clip.duration().as_secs_f32() / 2.0 / spectrum::HOP_SECONDS) as usize;
    let is_peak = |at: usize| {
        let from = at.saturating_sub(reach);
        let to = (at + reach).min(scores.len() - 1);
        scores[at] >= ALIKE && scores[from..=to].iter().all(|other| *other <= scores[at])
    };
    (0..scores.len())
        .filter(|at| is_peak(*at))
        .map(|at| heard_at(clip, at, scores[at]))
        .collect()
}

fn at_best_place(picture: &Picture, clip: &Clip) -> Option<Heard> {
    let scores = picture.scores(&Picture::of(&clip.pcm));
    let (at, score) = scores
        .iter()
        .enumerate()
        .max_by(|a, b| a.1.total_cmp(b.1))?;
    Some(heard_at(clip, at, *score))
}

fn heard_at(clip: &Clip, frame: usize, score: f32) -> Heard {
    let at = Duration::from_secs_f32(frame as f32 * spectrum::HOP_SECONDS);
    Heard {
        name: clip.name,
        at,
        score,
    }
}

/// Louder than this is sound: -45 dBFS, well above the codec's own noise.
pub const SOUND: f32 = 0.0056;

/// When sound begins, at or after `from`.
pub fn first_sound(recording: &[i16], from: Duration) -> Option<Duration> {
    loudness(recording)
        .into_iter()
        .find(|(at, level)| *at >= from && *level > SOUND)
        .map(|(at, _)| at)
}

/// From when on nothing more is heard, until the end of the recording. Zero when all is silent.
pub fn silent_from(recording: &[i16]) -> Duration {
    loudness(recording)
        .into_iter()
        .rev()
        .find(|(_, level)| *level > SOUND)
        .map_or(Duration::ZERO, |(at, _)| at + STEP)
}

/// Silences of at least this length between the first and the last sound: where and how long.
pub fn gaps(recording: &[i16], at_least: Duration) -> Vec<(Duration, Duration)> {
    let mut gaps = Vec::new();
    let mut last_sound: Option<Duration> = None;
    for (at, level) in loudness(recording) {
        if level <= SOUND {
            continue;
        }
        if let Some(since) = last_sound
            && at - since >= at_least
        {
            gaps.push((since, at - since));
        }
        last_sound = Some(at + STEP);
    }
    gaps
}

/// Places where the signal jumps as no voice does: a step between neighbouring samples that is large
/// and stands out from the steps around it. A hissing sound is full of large steps, a click is one.
pub fn clicks(recording: &[i16]) -> Vec<Duration> {
    let steps: Vec<i32> = recording
        .windows(2)
        .map(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs())
        .collect();
    let stands_out = |at: &usize| {
        let from = at.saturating_sub(AROUND);
        let to = (at + AROUND + 1).min(steps.len());
        let around: i32 = steps[from..to].iter().sum::<i32>() - steps[*at];
        steps[*at] > LARGE_STEP && steps[*at] * (2 * AROUND as i32) > STANDS_OUT * around
    };
    (0..steps.len())
        .filter(stands_out)
        .map(duration_of)
        .collect()
}

/// A quarter of full scale.
const LARGE_STEP: i32 = 8_192;
/// So many times the mean of its surroundings.
const STANDS_OUT: i32 = 12;
/// Samples to either side: 2 ms.
const AROUND: usize = 48;

/// Root mean square of full scale, 0 to 1.
pub fn level(pcm: &[i16]) -> f32 {
    if pcm.is_empty() {
        return 0.0;
    }
    let sum: f64 = pcm.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    ((sum / pcm.len() as f64).sqrt() / 32_768.0) as f32
}

const STEP: Duration = Duration::from_millis(10);

fn loudness(recording: &[i16]) -> Vec<(Duration, f32)> {
    let step = samples_in(STEP);
    recording
        .chunks(step)
        .enumerate()
        .map(|(i, c)| (duration_of(i * step), level(c)))
        .collect()
}

/// How much of the power near `hertz` there is, against everything else: above 0.5 the recording
/// is mostly that tone. For the tones that carry an id.
pub fn tone_share(recording: &[i16], hertz: f32) -> f32 {
    let total: f32 = recording
        .iter()
        .map(|sample| f32::from(*sample).powi(2))
        .sum();
    if total == 0.0 {
        return 0.0;
    }
    let step = std::f32::consts::TAU * hertz / SAMPLE_RATE as f32;
    let (mut re, mut im) = (0.0f32, 0.0f32);
    for (i, sample) in recording.iter().enumerate() {
        let (sin, cos) = (step * i as f32).sin_cos();
        re += f32::from(*sample) * cos;
        im += f32::from(*sample) * sin;
    }
    2.0 * (re * re + im * im) / (total * recording.len() as f32)
}

#[cfg(test)]
mod tests;
