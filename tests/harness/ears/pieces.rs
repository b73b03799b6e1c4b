//! Core: was this sentence heard, although a jitter buffer played it a little faster or slower?
//!
//! A receiver plays up to a tenth faster while it has more in hand than it needs, as at the
//! beginning of a stream, and stretches a pause when packets are late. The words are all there, but
//! the sentence as a whole fits its picture no more; then it is looked for in pieces, which must
//! follow each other.

use std::time::Duration;

use crate::clips::{Clip, duration_of, samples_in};

/// As long as the shortest clip that ears tell from others.
const PIECE: Duration = Duration::from_millis(250);
/// So many of the pieces must be there: one that was stretched may be beyond recognition.
const ENOUGH: f32 = 0.6;

/// How alike, 0 to 1; `None` when it is another sentence, or none.
pub fn likeness(recording: &[i16], clip: &Clip) -> Option<f32> {
    let whole = super::find(recording, clip).map(|heard| heard.score);
    whole.or_else(|| in_pieces(recording, clip))
}

/// The share of pieces that were heard, each where the one before lets it be.
fn in_pieces(recording: &[i16], clip: &Clip) -> Option<f32> {
    let (mut found, mut count) = (0usize, 0usize);
    let mut place: Option<Duration> = None;
    for piece in pieces(clip) {
        count += 1;
        let from = place.map_or(0, |at| samples_in(at).saturating_sub(samples_in(PIECE) / 2));
        // Where the next one is looked for: the rest of a sentence, and what it may be late.
        let window = place.map_or(recording.len(), |_| from + samples_in(PIECE * 4));
        let part = &recording[from.min(recording.len())..window.min(recording.len())];
        if let Some(heard) = super::find(part, &piece) {
            found += 1;
            place = Some(duration_of(from) + heard.at + PIECE);
        }
    }
    let share = found as f32 / count as f32;
    (share >= ENOUGH && found > 1).then_some(share)
}

/// The clip cut up; what remains at the end belongs to the last piece.
fn pieces(clip: &Clip) -> impl Iterator<Item = Clip> {
    let length = samples_in(PIECE);
    let count = (clip.pcm.len() / length).max(1);
    (0..count).map(move |n| {
        let last = n + 1 == count;
        let end = if last {
            clip.pcm.len()
        } else {
            (n + 1) * length
        };
        Clip {
            name: clip.name,
            words: clip.words,
            pcm: clip.pcm[n * length..end].to_vec(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clips::clip;

    const SENTENCES: [&str; 6] = [
        "agent-answered",
        "agent-failed",
        "agent-you-wrote",
        "caller-goodbye",
        "caller-name",
        "caller-time",
    ];

    /// Played this much faster at the same pitch: overlapping slices, put down closer together.
    fn played(pcm: &[i16], speed: f32) -> Vec<i16> {
        let hop = samples_in(Duration::from_millis(20));
        // With a pause behind it, as in a call.
        let count = (pcm.len() as f32 / speed) as usize / hop + 10;
        let sample = |slice: usize, offset: usize| {
            let start = (slice as f32 * hop as f32 * speed) as usize;
            f32::from(pcm.get(start + offset).copied().unwrap_or(0))
        };
        let mixed = |n: usize| {
            let (slice, at) = (n / hop, n % hop);
            let fade = at as f32 / hop as f32;
            let last = slice.checked_sub(1).map_or(0.0, |l| sample(l, hop + at));
            (sample(slice, at) * fade + last * (1.0 - fade)) as i16
        };
        (0..count * hop).map(mixed).collect()
    }

    #[test]
    fn a_sentence_played_faster_or_slower_is_still_the_sentence() {
        for name in SENTENCES {
            for speed in [0.93, 1.0, 1.07] {
                let heard = played(&clip(name).pcm, speed);
                assert!(likeness(&heard, clip(name)).is_some(), "{name} at {speed}");
            }
        }
    }

    #[test]
    fn another_sentence_is_not_it_nor_is_its_first_third() {
        for name in SENTENCES {
            for other in SENTENCES.iter().filter(|other| **other != name) {
                let heard = likeness(&clip(other).pcm, clip(name));
                assert_eq!(heard, None, "{name} in {other}");
            }
            let pcm = &clip(name).pcm;
            let third = &pcm[..pcm.len() / 3];
            assert_eq!(likeness(third, clip(name)), None, "a third of {name}");
        }
    }

    #[test]
    fn silence_is_no_sentence() {
        let silence = vec![0; samples_in(Duration::from_secs(3))];
        assert_eq!(likeness(&silence, clip("caller-goodbye")), None);
    }
}
