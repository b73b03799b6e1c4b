//! Adapter: what happens in one session: its life, its room, its turns.

use std::time::Duration;

use tracing::{debug, error, info, warn};

use crate::telemetry::{
    latency::Stages,
    metrics::{metrics, observe},
    words::{SpeechSource, Stage, TurnEnd},
};

/// Slots were taken or freed.
#[derive(Debug)]
pub struct SlotsChanged {
    /// Sessions that run.
    pub active: usize,
    /// Sessions and reservations.
    pub used: usize,
    /// All slots.
    pub slots: usize,
}

impl SlotsChanged {
    /// Moves the gauges.
    pub fn emit(self) {
        let metrics = metrics();
        metrics.sessions_active.set(self.active as i64);
        metrics.sessions_capacity.set(self.slots as i64);
        metrics
            .load_ratio
            .set(self.used as f64 / self.slots.max(1) as f64);
    }
}

/// A session began.
#[derive(Debug)]
pub struct SessionStarted<'a> {
    /// Its job.
    pub job: &'a str,
    /// The agent definition it runs.
    pub agent: &'a str,
    /// Version of that definition.
    pub version: &'a str,
    /// Content hash of that definition.
    pub hash: &'a str,
}

impl SessionStarted<'_> {
    /// Logs.
    pub fn emit(self) {
        info!(
            job = self.job,
            agent = self.agent,
            version = self.version,
            hash = self.hash,
            "session started"
        );
    }
}

/// The agent's track is in the room.
#[derive(Debug)]
pub struct SessionJoined {
    /// Assignment → published.
    pub took: Duration,
}

impl SessionJoined {
    /// Logs and counts.
    pub fn emit(self) {
        observe(&metrics().job_start_seconds, self.took);
        info!(took = ?self.took, "agent is in the room");
    }
}

/// A session ended.
#[derive(Debug)]
pub struct SessionEnded<'a> {
    /// Its job.
    pub job: &'a str,
    /// A word of the closed list of close reasons.
    pub reason: &'static str,
    /// What failed, without secrets; `None` = a normal end.
    pub error: Option<&'a str>,
    /// How long it lasted.
    pub lasted: Duration,
}

impl SessionEnded<'_> {
    /// Logs and counts.
    pub fn emit(self) {
        metrics()
            .sessions_total
            .with_label_values(&[self.reason])
            .inc();
        observe(&metrics().session_seconds, self.lasted);
        match self.error {
            None => {
                info!(job = self.job, reason = self.reason, lasted = ?self.lasted, "session ended");
            }
            Some(error) => warn!(
                job = self.job,
                reason = self.reason,
                error,
                lasted = ?self.lasted,
                "session failed"
            ),
        }
    }
}

/// A session panicked: our bug, contained.
#[derive(Debug)]
pub struct SessionPanicked<'a> {
    /// Its job.
    pub job: &'a str,
}

impl SessionPanicked<'_> {
    /// Logs and counts.
    pub fn emit(self) {
        metrics().session_panics_total.inc();
        error!(job = self.job, "session panicked; the others go on");
    }
}

/// The connection to the room is broken; the room library repairs it.
#[derive(Debug)]
pub struct RoomLinkLost;

impl RoomLinkLost {
    /// Logs.
    pub fn emit(self) {
        count_room_link("lost");
        warn!("room link lost");
    }
}

/// The room was lost for good and is being joined again.
#[derive(Debug)]
pub struct RoomRejoining {
    /// Why it was lost, in a word.
    pub why: &'static str,
}

impl RoomRejoining {
    /// Logs and counts.
    pub fn emit(self) {
        count_room_link("rejoining");
        warn!(why = self.why, "room lost, joining it again");
    }
}

/// The room is joined again.
#[derive(Debug)]
pub struct RoomRejoined {
    /// Joins it took.
    pub attempts: u32,
    /// How long the agent was in no room.
    pub away: Duration,
}

impl RoomRejoined {
    /// Logs and counts.
    pub fn emit(self) {
        count_room_link("rejoined");
        observe(&metrics().room_away_seconds, self.away);
        info!(attempts = self.attempts, away = ?self.away, "room joined again");
    }
}

/// The room is not joined again.
#[derive(Debug)]
pub struct RoomGivenUp {
    /// Why not, in a word.
    pub why: &'static str,
}

impl RoomGivenUp {
    /// Logs and counts.
    pub fn emit(self) {
        count_room_link("given_up");
        warn!(why = self.why, "room given up");
    }
}

/// A part of the session stands still although it should not.
#[derive(Debug)]
pub struct SessionStuck {
    /// Which, in a word.
    pub place: &'static str,
    /// What is done about it, in a word.
    pub remedy: &'static str,
}

impl SessionStuck {
    /// Logs and counts.
    pub fn emit(self) {
        let labels = [self.place, self.remedy];
        metrics()
            .session_stuck_total
            .with_label_values(&labels)
            .inc();
        warn!(place = self.place, remedy = self.remedy, "session stuck");
    }
}

/// What stood still moves again.
#[derive(Debug)]
pub struct SessionUnstuck {
    /// Which, in a word.
    pub place: &'static str,
}

impl SessionUnstuck {
    /// Logs.
    pub fn emit(self) {
        info!(place = self.place, "session moves again");
    }
}

fn count_room_link(outcome: &'static str) {
    metrics()
        .room_link_total
        .with_label_values(&[outcome])
        .inc();
}

/// The connection to the room is whole again.
#[derive(Debug)]
pub struct RoomLinkRestored;

impl RoomLinkRestored {
    /// Logs.
    pub fn emit(self) {
        count_room_link("restored");
        info!("room link restored");
    }
}

/// The first sound of an answer.
#[derive(Debug)]
pub struct TurnAnswered {
    /// End of the user's turn → first sound.
    pub latency: Duration,
}

impl TurnAnswered {
    /// Logs and counts.
    pub fn emit(self) {
        observe(&metrics().time_to_first_audio_seconds, self.latency);
        debug!(latency = ?self.latency, "turn answered");
    }
}

/// Where the time of an answer went.
#[derive(Debug)]
pub struct AnswerMeasured {
    /// Its parts.
    pub stages: Stages,
}

impl AnswerMeasured {
    /// Logs and counts.
    pub fn emit(self) {
        let Self { stages } = self;
        let total = stages.total();
        let family = &metrics().turn_stage_seconds;
        for (stage, took) in stages.parts().into_iter().chain([(Stage::Total, total)]) {
            observe(&family.with_label_values(&[stage.as_str()]), took);
        }
        let Stages {
            endpointing,
            request,
            model,
            tools,
            voice,
        } = stages;
        info!(
            ?total,
            ?endpointing,
            ?request,
            ?model,
            ?tools,
            ?voice,
            "turn answered"
        );
    }
}

/// A turn of the agent ended.
#[derive(Debug)]
pub struct TurnEnded {
    /// What ended it.
    pub ended_by: TurnEnd,
}

impl TurnEnded {
    /// Logs and counts.
    pub fn emit(self) {
        metrics()
            .turns_total
            .with_label_values(&[self.ended_by.as_str()])
            .inc();
        debug!(ended_by = self.ended_by.as_str(), "turn ended");
    }
}

/// The agent yielded to somebody.
#[derive(Debug)]
pub struct Interrupted {
    /// How much of the cut item had been heard.
    pub heard: Duration,
}

impl Interrupted {
    /// Logs.
    pub fn emit(self) {
        info!(heard = ?self.heard, "interrupted");
    }
}

/// The agent fell silent after an interruption.
#[derive(Debug)]
pub struct InterruptionStopped {
    /// Interruption known → last sound.
    pub took: Duration,
}

impl InterruptionStopped {
    /// Counts.
    pub fn emit(self) {
        observe(&metrics().interruption_stop_seconds, self.took);
        debug!(took = ?self.took, "silent after an interruption");
    }
}

/// The agent heard itself through a caller's microphone.
#[derive(Debug)]
pub struct EchoHeard;

impl EchoHeard {
    /// Logs and counts.
    pub fn emit(self) {
        metrics().echoes_heard_total.inc();
        warn!(
            "the agent hears itself: somebody's microphone is open beside their loudspeaker, without echo cancellation"
        );
    }
}

/// Somebody waited in silence because the model was away, and was told so by a clip.
#[derive(Debug)]
pub struct GapCovered;

impl GapCovered {
    /// Logs and counts.
    pub fn emit(self) {
        metrics().gaps_covered_total.inc();
        info!("the model is away: whoever waits is asked for a moment");
    }
}

/// The agent paused for somebody who did not want the floor, and went on.
#[derive(Debug)]
pub struct FalseInterruption {
    /// How long it was silent, or low.
    pub paused: Duration,
    /// What had raised the doubt.
    pub source: SpeechSource,
}

impl FalseInterruption {
    /// Logs and counts.
    pub fn emit(self) {
        let source = self.source.as_str();
        let counter = &metrics().false_interruptions_total;
        counter.with_label_values(&[source]).inc();
        info!(paused = ?self.paused, source, "no interruption");
    }
}

/// It became clear whether a turn is meant for an agent that answers when it is named.
#[derive(Debug)]
pub struct NameAwaited {
    /// From the end of the turn.
    pub waited: Duration,
    /// The agent was named.
    pub is_named: bool,
}

impl NameAwaited {
    /// Logs and observes.
    pub fn emit(self) {
        observe(&metrics().name_wait_seconds, self.waited);
        debug!(waited = ?self.waited, named = self.is_named, "addressed");
    }
}

/// The model's opinion came on whether a turn is meant for the agent, or was waited for too long.
#[derive(Debug)]
pub struct VerdictAwaited {
    /// From the end of the turn.
    pub waited: Duration,
    /// The turn is meant for the agent.
    pub is_meant: bool,
}

impl VerdictAwaited {
    /// Logs and observes.
    pub fn emit(self) {
        observe(&metrics().verdict_wait_seconds, self.waited);
        debug!(waited = ?self.waited, meant = self.is_meant, "judged");
    }
}

/// A fact met a state in which it has no meaning.
#[derive(Debug)]
pub struct DialogUnexpected {
    /// What, in a word.
    pub what: &'static str,
}

impl DialogUnexpected {
    /// Logs and counts.
    pub fn emit(self) {
        metrics().dialog_unexpected_total.inc();
        debug!(what = self.what, "unexpected in this state");
    }
}
