//! Core: the ears of one session → the one input of the model.
//!
//! The *lead* sets the pace: its sound goes on as it comes, untouched while nobody else speaks. Sound
//! of others waits until the lead's next piece and is added to it. Who begins to speak while the lead
//! is quiet becomes the lead at once, and the sound just before goes first, so that no first syllable
//! is lost. Owns that little sound; does not detect speech and does not know who is heard.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use dialog::speaker::ParticipantId;

use super::{Pcm, samples};

/// Kept of somebody who is quiet: a detector needs 50 ms and a word begins softly.
const PRE_ROLL: Duration = Duration::from_millis(300);
/// Kept of somebody who speaks beside the lead, whose own network may hold back its pieces. What
/// exceeds it is dropped, oldest first.
const MOST_WAITING: Duration = Duration::from_secs(1);

/// The mixer of one session.
#[derive(Debug, Default)]
pub(crate) struct Mixer {
    // Bounded by the ears of the session.
    voices: BTreeMap<ParticipantId, Voice>,
    /// `None` = nobody is heard.
    lead: Option<ParticipantId>,
    limiter: Limiter,
    /// Samples that waited too long.
    dropped: usize,
    /// A piece whose sound was copied.
    spare: Option<Pcm>,
}

#[derive(Debug, Default)]
struct Voice {
    state: State,
    /// Not for the lead.
    waiting: VecDeque<i16>,
    /// Its ear is closed: it goes when all is mixed.
    is_gone: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Quiet,
    Speaking,
    /// It has ended, and so many samples of it still wait.
    Ending(usize),
}

impl Voice {
    /// Samples that are to be mixed.
    fn due(&self) -> usize {
        match self.state {
            State::Quiet => 0,
            State::Speaking => self.waiting.len(),
            State::Ending(left) => left.min(self.waiting.len()),
        }
    }

    /// Takes in sound; returns how much of what was to be mixed had to go.
    fn wait(&mut self, pcm: &[i16]) -> usize {
        self.waiting.extend(pcm);
        let most = match self.state {
            State::Quiet => samples(PRE_ROLL),
            State::Speaking | State::Ending(_) => samples(MOST_WAITING),
        };
        let excess = self.waiting.len().saturating_sub(most);
        self.waiting.drain(..excess);
        match &mut self.state {
            State::Quiet => 0,
            State::Speaking => excess,
            State::Ending(left) => {
                let lost = excess.min(*left);
                *left -= lost;
                lost
            }
        }
    }

    /// Adds what waits to a sum.
    fn add_to(&mut self, sum: &mut [i32]) {
        let ready = self.due().min(sum.len());
        for (sum, sample) in sum.iter_mut().zip(self.waiting.drain(..ready)) {
            *sum += i32::from(sample);
        }
        if let State::Ending(left) = self.state {
            self.state = match left - ready {
                0 => State::Quiet,
                left => State::Ending(left),
            };
        }
    }

    fn end(&mut self) {
        self.state = match self.waiting.len() {
            0 => State::Quiet,
            left => State::Ending(left),
        };
    }
}

impl Mixer {
    /// Sound of one ear; returns what goes to the model now.
    pub(crate) fn hear(&mut self, participant: &ParticipantId, pcm: Pcm) -> Option<Pcm> {
        let voice = self.voices.entry(participant.clone()).or_default();
        voice.is_gone = false;
        let lead = self.lead.get_or_insert_with(|| participant.clone());
        if lead == participant {
            return Some(self.add_others(pcm));
        }
        self.dropped += voice.wait(pcm.as_slice());
        self.spare = Some(pcm);
        None
    }

    /// Somebody begins to speak; returns the sound that goes first.
    pub(crate) fn begins(&mut self, participant: &ParticipantId) -> Option<Pcm> {
        self.voices.entry(participant.clone()).or_default().state = State::Speaking;
        let lead = self.lead.as_ref().and_then(|lead| self.voices.get(lead));
        if lead.is_some_and(|voice| voice.state == State::Speaking) {
            return None;
        }
        self.follow(participant.clone())
    }

    /// Somebody ends to speak; another speaker takes the lead with what has waited.
    pub(crate) fn ends(&mut self, participant: &ParticipantId) -> Option<Pcm> {
        let is_lead = self.lead.as_ref() == Some(participant);
        self.voices.get_mut(participant)?.end();
        if !is_lead {
            return None;
        }
        let next = self.speaker()?;
        self.follow(next)
    }

    /// An ear is closed; another takes its place. What was said there before is still mixed.
    pub(crate) fn leave(&mut self, participant: &ParticipantId) -> Option<Pcm> {
        let is_lead = self.lead.as_ref() == Some(participant);
        let voice = self.voices.get_mut(participant)?;
        voice.end();
        voice.is_gone = true;
        if is_lead || voice.state == State::Quiet {
            self.voices.remove(participant);
        }
        if !is_lead {
            return None;
        }
        self.lead = None;
        let present = |(_, voice): &(&ParticipantId, &Voice)| !voice.is_gone;
        let anybody = || self.voices.iter().find(present).map(|(who, _)| who.clone());
        let next = self.speaker().or_else(anybody)?;
        self.follow(next)
    }

    /// How much sound was dropped since the last question.
    pub(crate) fn take_dropped(&mut self) -> usize {
        std::mem::take(&mut self.dropped)
    }

    /// The piece that was heard last and did not go on, for its memory.
    pub(crate) fn take_spare(&mut self) -> Option<Pcm> {
        self.spare.take()
    }

    fn speaker(&self) -> Option<ParticipantId> {
        let mut voices = self.voices.iter();
        let speaks = voices.find(|(_, voice)| voice.state == State::Speaking);
        speaks.map(|(participant, _)| participant.clone())
    }

    fn follow(&mut self, participant: ParticipantId) -> Option<Pcm> {
        let waiting = self.voices.get_mut(&participant).map(|voice| {
            if voice.state != State::Speaking {
                voice.state = State::Quiet;
            }
            std::mem::take(&mut voice.waiting)
        });
        self.lead = Some(participant);
        let first = Vec::from(waiting.unwrap_or_default());
        (!first.is_empty()).then(|| Pcm::from(first))
    }

    fn add_others(&mut self, pcm: Pcm) -> Pcm {
        let others = || self.voices.values().filter(|voice| voice.due() > 0);
        if others().next().is_none() {
            self.limiter.rest();
            return pcm;
        }
        let mut sum: Vec<i32> = pcm.as_slice().iter().copied().map(i32::from).collect();
        for voice in self.voices.values_mut() {
            voice.add_to(&mut sum);
        }
        self.voices
            .retain(|_, voice| !voice.is_gone || voice.state != State::Quiet);
        Pcm::from(self.limiter.apply(&sum))
    }
}

/// Lowers a sum that would be too loud, at once, and lets it rise again slowly.
#[derive(Debug)]
struct Limiter {
    gain: f32,
}

/// Back to full voice in a tenth of a second.
const RELEASE: f32 = 1.0 / 2_400.0;

impl Default for Limiter {
    fn default() -> Self {
        Self { gain: 1.0 }
    }
}

impl Limiter {
    fn apply(&mut self, sum: &[i32]) -> Vec<i16> {
        let limit = f32::from(i16::MAX);
        let limited = |sum: &i32| {
            let sum = *sum as f32;
            self.gain = (self.gain + RELEASE).min(1.0);
            if sum.abs() * self.gain > limit {
                self.gain = limit / sum.abs();
            }
            (sum * self.gain) as i16
        };
        sum.iter().map(limited).collect()
    }

    fn rest(&mut self) {
        self.gain = 1.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(name: &str) -> ParticipantId {
        ParticipantId::new(name)
    }

    fn sound(millis: usize, value: i16) -> Pcm {
        Pcm::from(vec![value; millis * 24])
    }

    /// Length in milliseconds and first sample.
    fn heard(pcm: Option<Pcm>) -> Option<(usize, i16)> {
        pcm.map(|pcm| (pcm.as_slice().len() / 24, pcm.as_slice()[0]))
    }

    #[test]
    fn one_speaker_passes_through_untouched() {
        let mut mixer = Mixer::default();
        let pcm = Pcm::from((0..480).collect::<Vec<i16>>());
        assert_eq!(mixer.hear(&who("ann"), pcm.clone()), Some(pcm.clone()));
        mixer.begins(&who("ann"));
        mixer.hear(&who("bob"), sound(20, 7));
        assert_eq!(mixer.hear(&who("ann"), pcm.clone()), Some(pcm));
    }

    #[test]
    fn who_speaks_while_the_lead_is_quiet_leads_from_the_first_syllable_on() {
        let mut mixer = Mixer::default();
        for _ in 0..50 {
            assert_eq!(heard(mixer.hear(&who("ann"), sound(20, 0))), Some((20, 0)));
            assert_eq!(mixer.hear(&who("bob"), sound(20, 5)), None);
        }
        assert_eq!(heard(mixer.begins(&who("bob"))), Some((300, 5)));
        assert_eq!(heard(mixer.hear(&who("bob"), sound(20, 6))), Some((20, 6)));
        assert_eq!(
            mixer.hear(&who("ann"), sound(20, 0)),
            None,
            "bob sets the pace"
        );
    }

    #[test]
    fn two_speakers_are_added_and_none_of_their_sound_is_lost() {
        let mut mixer = Mixer::default();
        mixer.hear(&who("ann"), sound(20, 100));
        mixer.begins(&who("ann"));
        mixer.hear(&who("bob"), sound(20, 30));
        assert_eq!(mixer.begins(&who("bob")), None, "ann goes on leading");
        let mixed = mixer.hear(&who("ann"), sound(20, 100));
        assert_eq!(heard(mixed), Some((20, 130)));
        mixer.hear(&who("bob"), sound(60, 40));
        assert_eq!(mixer.ends(&who("bob")), None);
        mixer.hear(&who("bob"), sound(60, 0));
        let mut total: i64 = 0;
        for _ in 0..5 {
            let mixed = mixer.hear(&who("ann"), sound(20, 100)).unwrap();
            total += mixed
                .as_slice()
                .iter()
                .map(|s| i64::from(*s - 100))
                .sum::<i64>();
        }
        assert_eq!(total, 60 * 24 * 40, "all of bob and nothing twice");
    }

    #[test]
    fn who_goes_on_after_a_short_pause_loses_nothing() {
        let mut mixer = Mixer::default();
        mixer.hear(&who("ann"), sound(20, 100));
        mixer.begins(&who("ann"));
        mixer.hear(&who("bob"), sound(300, 30));
        mixer.begins(&who("bob"));
        mixer.ends(&who("bob"));
        // The pause, and the beginning of the next word before it is noticed.
        mixer.hear(&who("bob"), sound(40, 0));
        mixer.hear(&who("bob"), sound(40, 50));
        mixer.begins(&who("bob"));
        let mut total: i64 = 0;
        for _ in 0..30 {
            let mixed = mixer.hear(&who("ann"), sound(20, 100)).unwrap();
            total += mixed
                .as_slice()
                .iter()
                .map(|s| i64::from(*s - 100))
                .sum::<i64>();
        }
        assert_eq!(total, (300 * 30 + 40 * 50) * 24);
    }

    #[test]
    fn the_last_words_of_who_leaves_are_mixed() {
        let mut mixer = Mixer::default();
        mixer.hear(&who("ann"), sound(20, 100));
        mixer.begins(&who("ann"));
        mixer.hear(&who("bob"), sound(40, 30));
        mixer.begins(&who("bob"));
        assert_eq!(mixer.leave(&who("bob")), None);
        assert_eq!(
            heard(mixer.hear(&who("ann"), sound(40, 100))),
            Some((40, 130))
        );
        assert_eq!(
            heard(mixer.hear(&who("ann"), sound(40, 100))),
            Some((40, 100))
        );
        assert_eq!(mixer.leave(&who("ann")), None, "nobody is left");
    }

    #[test]
    fn when_the_lead_ends_the_other_speaker_goes_on_where_they_were() {
        let mut mixer = Mixer::default();
        mixer.hear(&who("ann"), sound(20, 100));
        mixer.begins(&who("ann"));
        mixer.hear(&who("bob"), sound(40, 30));
        mixer.begins(&who("bob"));
        assert_eq!(heard(mixer.ends(&who("ann"))), Some((40, 30)));
        assert_eq!(
            heard(mixer.hear(&who("bob"), sound(20, 31))),
            Some((20, 31))
        );
    }

    #[test]
    fn when_the_lead_leaves_somebody_else_sets_the_pace() {
        let mut mixer = Mixer::default();
        mixer.hear(&who("ann"), sound(20, 0));
        mixer.hear(&who("bob"), sound(20, 1));
        assert_eq!(heard(mixer.leave(&who("ann"))), Some((20, 1)));
        assert_eq!(heard(mixer.hear(&who("bob"), sound(20, 2))), Some((20, 2)));
        assert_eq!(mixer.leave(&who("bob")), None);
        assert_eq!(heard(mixer.hear(&who("cat"), sound(20, 3))), Some((20, 3)));
    }

    #[test]
    fn a_lead_that_holds_back_does_not_make_the_others_wait_without_end() {
        let mut mixer = Mixer::default();
        mixer.hear(&who("ann"), sound(20, 0));
        mixer.begins(&who("ann"));
        mixer.begins(&who("bob"));
        for _ in 0..100 {
            mixer.hear(&who("bob"), sound(20, 1));
        }
        assert_eq!(mixer.take_dropped(), 24_000, "a second is kept");
    }

    #[test]
    fn two_loud_voices_are_limited_and_not_clipped() {
        let mut mixer = Mixer::default();
        mixer.hear(&who("ann"), sound(20, 0));
        mixer.begins(&who("ann"));
        mixer.begins(&who("bob"));
        mixer.hear(&who("bob"), sound(20, 20_000));
        let mixed = mixer.hear(&who("ann"), sound(20, 30_000)).unwrap();
        assert!(mixed.as_slice().iter().all(|sample| *sample >= 32_000));
    }
}
