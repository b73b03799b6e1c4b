//! Turns of one caller who lets the agent begin each answer and then talks over it, and what they took.

use std::time::{Duration, Instant};

use tests::{
    clips,
    livekit_server::LivekitServer,
    sim_model::{Side, SimModel},
};

use crate::{
    AGENT_TALKS, APPEND, AUDIO_DELTA, MODEL_TIME, PATIENCE, Result, SILENCE,
    caller::{Caller, PACKET, Said},
    figures::{Figure, milliseconds},
};

/// A caller in mid-conversation.
pub(crate) struct Turns {
    caller: Caller,
    /// That of the caller's session with the model.
    connection: u64,
}

/// What [`Turns::take`] adds to, empty.
pub(crate) fn figures() -> [Figure; 4] {
    let added = "end_of_speech_to_voice_less_model_and_silence";
    [
        Figure::new("last_packet_to_append", "ms", 5.0),
        Figure::new("first_delta_to_first_packet", "ms", 10.0),
        Figure::new("onset_to_silence", "ms", 230.0),
        Figure::new(added, "ms", f64::NAN),
    ]
}

impl Turns {
    /// Joins and lets the agent greet.
    pub(crate) async fn begin(
        livekit: &LivekitServer,
        model: &SimModel,
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
        Ok(Self { caller, connection })
    }

    pub(crate) async fn take(
        &mut self,
        model: &SimModel,
        turns: usize,
        figures: &mut [Figure; 4],
    ) -> Result<()> {
        let [append, first_packet, silent, added] = figures;
        // The answer counts to twenty, so every turn after the first one interrupts speech.
        let clip = clips::clip("caller-count");
        for _ in 0..turns {
            let Said {
                onset,
                last_packet: last_sent,
            } = self.caller.say(&clip.pcm).await?;
            let Some(delta) = self.next(model, Side::Server, AUDIO_DELTA, last_sent).await else {
                continue;
            };
            let Some(first) = self.caller.first_packet_after(delta, PATIENCE).await else {
                continue;
            };
            first_packet.push(milliseconds(first - delta));
            if let Some(written) = self.next(model, Side::Client, APPEND, last_sent).await {
                append.push(milliseconds(written - last_sent));
            }
            if let Some(last) = self.caller.speech_interrupted_at(onset) {
                silent.push(milliseconds(
                    (last + PACKET).saturating_duration_since(onset),
                ));
            }
            added.push(milliseconds(
                (first - last_sent).saturating_sub(MODEL_TIME + SILENCE),
            ));
            tokio::time::sleep(AGENT_TALKS).await;
        }
        Ok(())
    }

    /// When the first event of this kind after that moment went over this session's wire.
    async fn next(
        &self,
        model: &SimModel,
        side: Side,
        kind: &str,
        since: Instant,
    ) -> Option<Instant> {
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
