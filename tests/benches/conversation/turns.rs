//! Turns of one caller who lets the agent begin each answer and then talks over it, and what they took.

use std::time::{Duration, Instant};

use tests::{
    clips,
    livekit_server::LivekitServer,
    sim_model::{Recorded, Side, SimModel, count_to_twenty},
};

use crate::{
    AGENT_TALKS, APPEND, AUDIO_DELTA, COMMITTED, PATIENCE, Result, SILENCE, SPEECH_STARTED,
    TRUNCATE,
    caller::{Caller, PACKET, Said, voice_in},
    figures::{Figure, milliseconds},
};

/// A caller in mid-conversation.
pub(crate) struct Turns {
    caller: Caller,
    /// From the start of a response to its first audio.
    model_time: Duration,
    /// That of the caller's session with the model.
    connection: u64,
    /// When the answer that is being played began; `None` = it was not heard, or is the greeting.
    answer: Option<Instant>,
    /// What every answer sounds like.
    count: Vec<i16>,
}

/// What turns took.
pub(crate) struct Measured {
    /// Last packet of the turn → its append is written.
    append: Figure,
    /// Last packet of the turn → the model has seen its end: the silence that ends it is in this.
    ended: Figure,
    /// First delta read → first packet of the answer.
    first_packet: Figure,
    /// Onset of the caller → the agent is silent.
    silent: Figure,
    /// The model tells that it hears speech → the agent's last packet. Negative where our own
    /// detector was first.
    noticed: Figure,
    /// Where the model was told that the agent was cut, less what was heard.
    truncated: Figure,
    /// Last packet of the turn → first packet of the answer.
    whole: Figure,
    /// The same without the silence that ends a turn and the model's time.
    added: Figure,
    /// What the agent tells of that time, less what the caller's wave form says.
    told: Figure,
}

impl Measured {
    pub(crate) fn new() -> Self {
        let added = "end_of_speech_to_voice_less_model_and_silence";
        let open = f64::NAN;
        Self {
            append: Figure::new("last_packet_to_append", "ms", 5.0),
            ended: Figure::new("last_packet_to_end_of_turn", "ms", open),
            first_packet: Figure::new("first_delta_to_first_packet", "ms", 10.0),
            silent: Figure::new("onset_to_silence", "ms", 230.0),
            noticed: Figure::new("speech_started_to_last_packet", "ms", 20.0),
            truncated: Figure::new("truncated_off_heard", "ms", 20.0),
            whole: Figure::new("voice_to_voice", "ms", 1_400.0),
            added: Figure::new(added, "ms", open),
            told: Figure::new("told_latency_off_wave_form", "ms", 20.0),
        }
    }

    pub(crate) fn all(self) -> [Figure; 9] {
        [
            self.append,
            self.ended,
            self.first_packet,
            self.silent,
            self.noticed,
            self.truncated,
            self.whole,
            self.added,
            self.told,
        ]
    }

    /// The whole of it and its two ways, of a network that spoils the finer ones.
    pub(crate) fn coarse(self, names: [&'static str; 3]) -> [Figure; 3] {
        let [whole, there, back] = names;
        [
            self.whole.named(whole),
            self.ended.named(there),
            self.first_packet.named(back),
        ]
    }
}

impl Turns {
    /// Joins and lets the agent greet.
    pub(crate) async fn begin(
        livekit: &LivekitServer,
        model: &SimModel,
        model_time: Duration,
        room: &str,
    ) -> Result<Self> {
        let mut caller = Caller::join(livekit, room).await?;
        caller
            .agent_track(PATIENCE)
            .await
            .ok_or("the agent did not come")?;
        caller.first_packet_after(Instant::now(), PATIENCE).await;
        let connection = model.connections();
        tokio::time::sleep(AGENT_TALKS).await;
        Ok(Self {
            caller,
            model_time,
            connection,
            answer: None,
            count: count_to_twenty(),
        })
    }

    pub(crate) async fn take(
        &mut self,
        model: &SimModel,
        turns: usize,
        measured: &mut Measured,
    ) -> Result<()> {
        // The answer counts to twenty, so every turn after the first one interrupts speech.
        let clip = clips::clip("caller-count");
        for _ in 0..turns {
            let before = self.answer.take();
            self.caller.forget_latencies();
            let said = self.caller.say(&clip.pcm).await?;
            let last_sent = said.last_packet;
            let Some(delta) = self.next(model, Side::Server, AUDIO_DELTA, last_sent).await else {
                continue;
            };
            let Some(first) = self.caller.first_packet_after(delta.at, PATIENCE).await else {
                continue;
            };
            self.answer = Some(first);
            measured.first_packet.push(milliseconds(first - delta.at));
            if let Some(written) = self.next(model, Side::Client, APPEND, last_sent).await {
                measured.append.push(milliseconds(written.at - last_sent));
            }
            if let Some(ended) = self.next(model, Side::Server, COMMITTED, last_sent).await {
                measured.ended.push(milliseconds(ended.at - last_sent));
            }
            let waited = first - last_sent;
            measured.whole.push(milliseconds(waited));
            let added = waited.saturating_sub(self.model_time + SILENCE);
            measured.added.push(milliseconds(added));
            self.interruption(model, &said, before, measured);
            if let Some(told) = self.caller.told_latency(PATIENCE).await {
                let waited = milliseconds(first - said.last_sound);
                measured.told.push((told - waited).abs());
            }
            tokio::time::sleep(AGENT_TALKS).await;
        }
        Ok(())
    }

    /// What the turn did to the answer that it interrupted, if it came in mid-word.
    fn interruption(
        &mut self,
        model: &SimModel,
        said: &Said,
        answer: Option<Instant>,
        measured: &mut Measured,
    ) {
        let Some(last) = self.caller.speech_interrupted_at(said.onset) else {
            return;
        };
        let silent = last + PACKET;
        let took = silent.saturating_duration_since(said.onset);
        measured.silent.push(milliseconds(took));
        let noticed = model.first_on(self.connection, Side::Server, SPEECH_STARTED, said.onset);
        if let Some(noticed) = noticed {
            let late = milliseconds(last.saturating_duration_since(noticed.at));
            let early = milliseconds(noticed.at.saturating_duration_since(last));
            measured.noticed.push(late - early);
        }
        let cut = model.first_on(self.connection, Side::Client, TRUNCATE, said.onset);
        let kept = cut.and_then(|cut| cut.event["audio_end_ms"].as_f64());
        let heard = answer.and_then(|began| self.caller.heard_between(began, last));
        if let (Some(kept), Some(heard)) = (kept, heard) {
            // Silence before the cut cannot be heard.
            let kept = (kept * f64::from(clips::SAMPLE_RATE) / 1_000.0) as usize;
            let voice = voice_in(&self.count[..kept.min(self.count.len())]);
            measured
                .truncated
                .push((milliseconds(voice) - milliseconds(heard)).abs());
        }
    }

    /// The first event of this kind that went over this session's wire after that moment.
    async fn next(
        &self,
        model: &SimModel,
        side: Side,
        kind: &str,
        since: Instant,
    ) -> Option<Recorded> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let found = model.first_on(self.connection, side, kind, since);
            if found.is_some() {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        None
    }

    pub(crate) async fn end(self) {
        self.caller.leave().await;
    }
}
