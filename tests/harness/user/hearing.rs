//! What a person hears: clips, silence, and when.

use std::time::{Duration, Instant};

use super::{Recording, Sound, User};
use crate::{
    clips::{self, duration_of},
    ears,
    eventually::eventually,
};

/// Looking for a clip costs more than a look at a flag.
const LISTENING_TICK: Duration = Duration::from_millis(150);
/// What was sent this recently may not have arrived: it is not silence yet.
const IN_FLIGHT: Duration = Duration::from_millis(60);

impl User {
    /// Listens to this agent only, where there are several.
    pub fn listens_to(&self, agent: &str) {
        self.notes.lock().listens_to = Some(agent.to_owned());
    }

    /// Everything heard of the agent so far. Empty when nothing was.
    pub fn recording(&self) -> Recording {
        let notes = self.notes.lock();
        let heard = match &notes.listens_to {
            Some(agent) => notes.recordings.get(agent),
            None => notes
                .recordings
                .values()
                .max_by_key(|recording| recording.started),
        };
        heard
            .cloned()
            .unwrap_or_default()
            .until(Instant::now() - IN_FLIGHT)
    }

    /// Lets go of what was recorded before that moment: for calls of an hour.
    pub fn forget_before(&self, moment: Instant) {
        for recording in self.notes.lock().recordings.values_mut() {
            *recording = recording.since(moment);
        }
    }

    /// Waits until this clip of the agent (or of the person it repeats) is heard, beginning after
    /// that moment.
    ///
    /// # Panics
    /// When it is not heard in time; the message says what was heard instead.
    pub async fn hears(&self, clip: &str, since: Instant, within: Duration) -> Sound {
        let clip = clips::clip(clip);
        let deadline = Instant::now() + within;
        loop {
            let recording = self.recording().since(since);
            if let Some(heard) = ears::find(&recording.pcm, clip) {
                let started = recording.started + heard.at;
                let ended = started + clip.duration();
                return Sound {
                    name: heard.name,
                    started,
                    ended,
                    score: heard.score,
                };
            }
            if Instant::now() > deadline {
                if let Some(heard) = ears::find_stretched(&recording.pcm, clip) {
                    let started = recording.started + heard.at;
                    return Sound {
                        name: heard.name,
                        started,
                        ended: started + clip.duration(),
                        score: heard.score,
                    };
                }
                let length = duration_of(recording.pcm.len());
                panic!(
                    "{} not heard within {within:?}; in {length:?} of sound: {:?}",
                    clip.name,
                    self.transcript_of(since)
                );
            }
            tokio::time::sleep(LISTENING_TICK).await;
        }
    }

    /// Every clip heard since then, in order.
    pub fn transcript_of(&self, since: Instant) -> Vec<Sound> {
        let recording = self.recording().since(since);
        let all = clips::of_agent().chain(clips::of_callers());
        let sound = |heard: ears::Heard| {
            let started = recording.started + heard.at;
            let ended = started + clips::clip(heard.name).duration();
            Sound {
                name: heard.name,
                started,
                ended,
                score: heard.score,
            }
        };
        ears::transcribe(&recording.pcm, all)
            .into_iter()
            .map(sound)
            .collect()
    }

    /// Waits until nothing has been heard for that long, and tells since when it is silent.
    ///
    /// # Panics
    /// When it does not get silent in time.
    pub async fn hears_silence(&self, lasting: Duration, within: Duration) -> Instant {
        eventually("the agent is silent", within, || {
            let recording = self.recording();
            let silent = ears::silent_from(&recording.pcm);
            let lasted = duration_of(recording.pcm.len()).saturating_sub(silent);
            let seen = format!("{lasted:?} of silence");
            if lasted >= lasting {
                Ok(recording.started + silent)
            } else {
                Err(seen)
            }
        })
        .await
    }
}
