//! Core: how the simulated model speaks: sentences put together from clips and from what the
//! caller said.

use std::time::Duration;

use crate::{
    clips::{self, duration_of, samples_in},
    ears,
};

/// Words with their sound.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Speech {
    /// What a transcript shows.
    pub(super) transcript: String,
    /// Mono samples at 24 kHz.
    pub(super) pcm: Vec<i16>,
}

impl Speech {
    /// One clip and its own words.
    pub(super) fn of(name: &str) -> Self {
        Self::default().then(name)
    }

    /// Adds a clip and its words.
    pub(super) fn then(self, name: &str) -> Self {
        let clip = clips::clip(name);
        self.then_words(clip.words).then_sound(&clip.pcm)
    }

    /// Adds words to the transcript only.
    pub(super) fn then_words(mut self, words: &str) -> Self {
        if !self.transcript.is_empty() {
            self.transcript.push(' ');
        }
        self.transcript.push_str(words);
        self
    }

    /// Adds sound only, after a short pause.
    pub(super) fn then_sound(mut self, pcm: &[i16]) -> Self {
        if !self.pcm.is_empty() {
            self.pcm.resize(self.pcm.len() + samples_in(PAUSE), 0);
        }
        self.pcm.extend_from_slice(pcm);
        self
    }

    /// Adds a number from 0 to 59, spoken; larger ones digit by digit.
    pub(super) fn then_number(self, number: u32) -> Self {
        if number >= 60 {
            return self.then_number(number / 10).then_number(number % 10);
        }
        if number <= 20 {
            return self.then_sound(&clips::clip(NUMBERS[number as usize]).pcm);
        }
        let tens = self.then_sound(&clips::clip(TENS[(number / 10) as usize - 2]).pcm);
        if number.is_multiple_of(10) {
            tens
        } else {
            tens.then_number(number % 10)
        }
    }
}

/// Counting, number by number: long enough to be interrupted, and each word is known.
pub(super) fn count_to_twenty() -> Speech {
    (1..=20).fold(Speech::default(), |speech, number| {
        let name = NUMBERS[number as usize];
        let longer = speech.then_sound(&vec![0; samples_in(COUNTING_PAUSE)]);
        longer.then(name)
    })
}

/// Fifteen seconds of whole sentences.
pub(super) fn story() -> Speech {
    STORY
        .iter()
        .fold(Speech::default(), |story, name| story.then(name))
}

/// What a recording says: the words of a known sentence, else how long it is.
pub(super) fn words_of(pcm: &[i16], strangers_say: Option<&str>) -> String {
    let trimmed = trim(pcm);
    let margin = vec![0; samples_in(Duration::from_millis(200))];
    let known = (trimmed.len() <= samples_in(LONGEST_KNOWN)).then(|| {
        let padded = [&margin[..], trimmed, &margin[..]].concat();
        let stretched = || clips::of_callers().find_map(|clip| ears::find_stretched(&padded, clip));
        ears::best_of(&padded, clips::of_callers()).or_else(stretched)
    });
    match (known.flatten(), strangers_say) {
        (Some(heard), _) => clips::clip(heard.name).words.to_owned(),
        (None, Some(words)) => words.to_owned(),
        (None, None) => format!(
            "(speech, {:.1} s)",
            duration_of(trimmed.len()).as_secs_f32()
        ),
    }
}

/// The caller's own voice, ready to be played back: without the silence around it, not too long,
/// and loud enough.
pub(super) fn own_words(pcm: &[i16]) -> Vec<i16> {
    let trimmed = trim(pcm);
    let kept = &trimmed[..trimmed.len().min(samples_in(LONGEST_ECHO))];
    let peak = kept
        .iter()
        .map(|sample| sample.unsigned_abs())
        .max()
        .unwrap_or(0)
        .max(1);
    let gain = (f32::from(WANTED_PEAK) / f32::from(peak)).clamp(1.0, 6.0);
    kept.iter()
        .map(|sample| (f32::from(*sample) * gain) as i16)
        .collect()
}

/// Without the silence before and after; a little margin stays.
fn trim(pcm: &[i16]) -> &[i16] {
    let Some(start) = ears::first_sound(pcm, Duration::ZERO) else {
        return &[];
    };
    let from = samples_in(start.saturating_sub(MARGIN));
    let to = samples_in(ears::silent_from(pcm) + MARGIN).min(pcm.len());
    &pcm[from..to]
}

/// Between two clips of one sentence.
const PAUSE: Duration = Duration::from_millis(120);
/// Between two numbers, in addition.
const COUNTING_PAUSE: Duration = Duration::from_millis(60);
/// Kept around speech, so that soft beginnings and ends survive.
const MARGIN: Duration = Duration::from_millis(60);
/// Known sentences are shorter than this.
const LONGEST_KNOWN: Duration = Duration::from_secs(4);
/// Nobody wants to hear more of themselves.
const LONGEST_ECHO: Duration = Duration::from_secs(15);
/// -6 dBFS.
const WANTED_PEAK: u16 = 16_384;

const NUMBERS: [&str; 21] = [
    "agent-zero",
    "agent-one",
    "agent-two",
    "agent-three",
    "agent-four",
    "agent-five",
    "agent-six",
    "agent-seven",
    "agent-eight",
    "agent-nine",
    "agent-ten",
    "agent-eleven",
    "agent-twelve",
    "agent-thirteen",
    "agent-fourteen",
    "agent-fifteen",
    "agent-sixteen",
    "agent-seventeen",
    "agent-eighteen",
    "agent-nineteen",
    "agent-twenty",
];
const STORY: [&str; 8] = [
    "agent-disclosure",
    "agent-name",
    "agent-greeting",
    "agent-practice",
    "agent-answered",
    "agent-failed",
    "agent-colleague",
    "agent-goodbye",
];
const TENS: [&str; 4] = ["agent-twenty", "agent-thirty", "agent-forty", "agent-fifty"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clips::{clip, of_agent};

    fn heard(speech: &Speech) -> Vec<&'static str> {
        ears::transcribe(&speech.pcm, of_agent())
            .into_iter()
            .map(|heard| heard.name)
            .collect()
    }

    #[test]
    fn numbers_are_spoken_word_by_word() {
        assert_eq!(
            heard(&Speech::default().then_number(17)),
            ["agent-seventeen"]
        );
        assert_eq!(heard(&Speech::default().then_number(40)), ["agent-forty"]);
        assert_eq!(
            heard(&Speech::default().then_number(52)),
            ["agent-fifty", "agent-two"]
        );
        assert_eq!(
            heard(&Speech::default().then_number(70)),
            ["agent-seven", "agent-zero"]
        );
    }

    #[test]
    fn counting_says_every_number_once() {
        assert_eq!(heard(&count_to_twenty()), &NUMBERS[1..]);
        assert!(count_to_twenty().transcript.starts_with("one two three"));
    }

    #[test]
    fn a_known_sentence_is_transcribed_and_any_other_sound_is_measured() {
        for clip in clips::of_callers() {
            let turn = [vec![0; 7_200], clip.pcm.clone(), vec![0; 12_000]].concat();
            assert_eq!(words_of(&turn, None), clip.words);
        }
        let stranger = [
            vec![0; 7_200],
            clip("agent-greeting").pcm.clone(),
            vec![0; 9_000],
        ]
        .concat();
        assert_eq!(words_of(&stranger, None), "(speech, 2.2 s)");
        assert_eq!(words_of(&stranger, Some("Mm.")), "Mm.");
        assert_eq!(words_of(&[0; 48_000], None), "(speech, 0.0 s)");
    }

    #[test]
    fn own_words_come_back_trimmed_and_louder() {
        let quiet: Vec<i16> = clip("caller-hello")
            .pcm
            .iter()
            .map(|sample| sample / 4)
            .collect();
        let turn = [vec![0; 24_000], quiet, vec![0; 24_000]].concat();
        let own = own_words(&turn);
        let spoken = clip("caller-hello").duration();
        assert!(duration_of(own.len()).abs_diff(spoken) <= Duration::from_millis(150));
        assert!(ears::level(&own) > 2.0 * ears::level(&turn));
    }
}
