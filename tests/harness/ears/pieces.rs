//! Core: was this sentence heard, although a jitter buffer played it a little faster or slower?
//!
//! A receiver plays up to a tenth faster while it has more in hand than it needs, as at the
//! beginning of a stream, and stretches a pause when packets are late. The words are all there, but
//! the sentence as a whole fits its picture no more; then it is looked for in pieces, which must
//! follow each other.

use std::time::Duration;

use super::Heard;
use crate::clips::{Clip, duration_of, samples_in};

/// As long as the shortest clip that ears tell from others.
const PIECE: Duration = Duration::from_millis(250);
/// So many of the pieces must be there: one that was stretched may be beyond recognition.
const ENOUGH: f32 = 0.6;
/// In a long talk some pieces are found by chance.
const ENOUGH_IN_A_TALK: f32 = 0.75;

/// How alike, 0 to 1; `None` when it is another sentence, or none.
pub fn likeness(recording: &[i16], clip: &Clip) -> Option<f32> {
    let whole = super::find(recording, clip);
    let heard = whole.or_else(|| in_pieces(recording, clip, ENOUGH));
    heard.map(|heard| heard.score)
}

/// The clip, although it was stretched or has holes, somewhere in a long talk.
pub fn find_stretched(recording: &[i16], clip: &Clip) -> Option<Heard> {
    in_pieces(recording, clip, ENOUGH_IN_A_TALK)
}

/// The clip in pieces, each where the one before lets it be; the score is the share that was heard.
fn in_pieces(recording: &[i16], clip: &Clip, enough: f32) -> Option<Heard> {
    let (mut found, mut count) = (0usize, 0usize);
    let mut place: Option<Duration> = None;
    let mut at = Duration::ZERO;
    for piece in pieces(clip) {
        count += 1;
        let from = place.map_or(0, |at| samples_in(at).saturating_sub(samples_in(PIECE) / 2));
        // Where the next one is looked for: the rest of a sentence, and what it may be late.
        let window = place.map_or(recording.len(), |_| from + samples_in(PIECE * 4));
        let part = &recording[from.min(recording.len())..window.min(recording.len())];
        if let Some(heard) = super::find(part, &piece) {
            found += 1;
            let here = duration_of(from) + heard.at;
            if place.is_none() {
                let before = PIECE * u32::try_from(count - 1).unwrap_or_default();
                at = here.saturating_sub(before);
            }
            place = Some(here + PIECE);
        }
    }
    let share = found as f32 / count as f32;
    (share >= enough && found > 1).then_some(Heard {
        name: clip.name,
        at,
        score: share,
    })
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
    use crate::clips::{clip, of_agent, of_callers};

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
    fn a_sentence_with_holes_is_heard_where_it_is() {
        for wanted in of_callers().filter(|clip| clip.duration() > Duration::from_secs(1)) {
            let pause = vec![0; samples_in(Duration::from_secs(1))];
            let mut heard = [pause.clone(), wanted.pcm.clone(), pause].concat();
            for hole in [0.3, 0.7] {
                let at = samples_in(Duration::from_secs(1) + wanted.duration().mul_f32(hole));
                let length = samples_in(Duration::from_millis(70));
                heard.splice(at..at, vec![0; length]);
            }
            let found = find_stretched(&heard, wanted).expect(wanted.name);
            let late = found.at.abs_diff(Duration::from_secs(1));
            assert!(late < Duration::from_millis(150), "{found:?}");
        }
    }

    #[test]
    fn a_long_talk_without_the_sentence_does_not_hold_it() {
        for wanted in of_callers() {
            let others = of_callers().chain(of_agent());
            let others = others.filter(|other| other.name != wanted.name);
            let talk: Vec<i16> = others.flat_map(|other| other.pcm.clone()).collect();
            assert_eq!(find_stretched(&talk, wanted), None);
        }
    }

    #[test]
    fn silence_is_no_sentence() {
        let silence = vec![0; samples_in(Duration::from_secs(3))];
        assert_eq!(likeness(&silence, clip("caller-goodbye")), None);
    }
}
