//! Adapter: one struct per thing that happens; `emit()` writes the log line and moves the metric.
//!
//! The list of what can be seen of this worker from outside. Messages are static, values are
//! fields. No field may carry a name, an identity, a transcript, a key or a URL with a token.

use std::time::Duration;

use tracing::{debug, error, info, warn};

use super::metrics::{metrics, observe};
pub use super::words::{
    Answer, AudioStage, Fault, JoinAnswer, LinkOutcome, Stage, ToolEnd, TurnEnd,
};

// ---- process and jobs ----

/// An agent name is registered at the LiveKit server.
#[derive(Debug)]
pub struct Registered<'a> {
    /// The agent name; empty = automatic dispatch.
    pub agent_name: &'a str,
    /// Id the server gave this registration.
    pub worker_id: &'a str,
    /// The server's version.
    pub server_version: &'a str,
}

impl Registered<'_> {
    /// Logs and counts.
    pub fn emit(self) {
        metrics().registered.inc();
        info!(
            agent_name = self.agent_name,
            worker_id = self.worker_id,
            server_version = self.server_version,
            "registered"
        );
    }
}

/// A registration is over; the connection is gone.
#[derive(Debug)]
pub struct Unregistered;

impl Unregistered {
    /// Counts; the reason is told by [`ControlLinkLost`].
    pub fn emit(self) {
        metrics().registered.dec();
    }
}

/// The connection to the job dispatcher failed or ended; another attempt follows.
#[derive(Debug)]
pub struct ControlLinkLost<'a> {
    /// The agent name it served.
    pub agent_name: &'a str,
    /// Who is to blame.
    pub fault: Fault,
    /// What happened, without secrets.
    pub reason: &'a str,
    /// When the next attempt begins; `None` = there will be none.
    pub retry_in: Option<Duration>,
}

impl ControlLinkLost<'_> {
    /// Logs and counts.
    pub fn emit(self) {
        metrics()
            .control_links_lost_total
            .with_label_values(&[self.fault.as_str()])
            .inc();
        warn!(
            agent_name = self.agent_name,
            fault = self.fault.as_str(),
            reason = self.reason,
            retry_in = ?self.retry_in,
            "not connected to the job dispatcher"
        );
    }
}

/// A message could not be understood and was ignored.
#[derive(Debug)]
pub struct ProtocolError {
    /// `agent` or `model`.
    pub link: &'static str,
    /// What is wrong with it, without its content.
    pub what: &'static str,
}

impl ProtocolError {
    /// Logs and counts.
    pub fn emit(self) {
        metrics()
            .protocol_errors_total
            .with_label_values(&[self.link])
            .inc();
        warn!(link = self.link, what = self.what, "message not understood");
    }
}

/// An offer was answered.
#[derive(Debug)]
pub struct OfferAnswered<'a> {
    /// The job on offer.
    pub job: &'a str,
    /// What we said.
    pub answer: Answer,
    /// Offer read → answer handed to the socket.
    pub took: Duration,
}

impl OfferAnswered<'_> {
    /// Logs and counts.
    pub fn emit(self) {
        metrics()
            .job_offers_total
            .with_label_values(&[self.answer.as_str()])
            .inc();
        observe(&metrics().job_offer_answer_seconds, self.took);
        info!(job = self.job, answer = self.answer.as_str(), took = ?self.took, "offer answered");
    }
}

/// An accepted job was never assigned; its slot is free again.
#[derive(Debug)]
pub struct AssignmentMissed<'a> {
    /// The job.
    pub job: &'a str,
}

impl AssignmentMissed<'_> {
    /// Logs.
    pub fn emit(self) {
        warn!(job = self.job, "no assignment followed the accepted offer");
    }
}

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

/// Draining began.
#[derive(Debug)]
pub struct DrainStarted {
    /// Sessions that run.
    pub sessions: usize,
    /// How long they may go on.
    pub grace: Duration,
}

impl DrainStarted {
    /// Logs and moves the gauge.
    pub fn emit(self) {
        metrics().draining.set(1);
        info!(sessions = self.sessions, grace = ?self.grace, "draining");
    }
}

/// Sessions had to be ended because the grace period was over or a second signal came.
#[derive(Debug)]
pub struct DrainAborted {
    /// How many.
    pub sessions: usize,
}

impl DrainAborted {
    /// Logs.
    pub fn emit(self) {
        warn!(sessions = self.sessions, "drain cut short");
    }
}

/// The model refused our key: no new jobs until a probe succeeds.
#[derive(Debug)]
pub struct ModelKeyRefused;

impl ModelKeyRefused {
    /// Logs.
    pub fn emit(self) {
        error!("the model refused our key; no new jobs until a probe succeeds");
    }
}

/// A probe of the model succeeded: jobs are taken again.
#[derive(Debug)]
pub struct ModelKeyAccepted;

impl ModelKeyAccepted {
    /// Logs.
    pub fn emit(self) {
        info!("the model accepts our key again");
    }
}

/// Somebody asked the console for a room token.
#[derive(Debug)]
pub struct ConsoleJoin {
    /// What they were told.
    pub answer: JoinAnswer,
    /// Why, when it is not good; without secrets.
    pub reason: &'static str,
}

impl ConsoleJoin {
    /// Logs and counts.
    pub fn emit(self) {
        metrics()
            .console_joins_total
            .with_label_values(&[self.answer.as_str()])
            .inc();
        info!(
            answer = self.answer.as_str(),
            reason = self.reason,
            "console join"
        );
    }
}

// ---- turns ----

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
        StageMeasured {
            stage: Stage::Total,
            took: self.latency,
        }
        .emit();
        info!(latency = ?self.latency, "turn answered");
    }
}

/// One part of an answer's latency was measured.
#[derive(Debug)]
pub struct StageMeasured {
    /// Which part.
    pub stage: Stage,
    /// How long.
    pub took: Duration,
}

impl StageMeasured {
    /// Counts.
    pub fn emit(self) {
        let family = &metrics().turn_stage_seconds;
        observe(&family.with_label_values(&[self.stage.as_str()]), self.took);
        debug!(stage = self.stage.as_str(), took = ?self.took, "stage measured");
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

// ---- model and tools ----

/// A configured connection to the model is there.
#[derive(Debug)]
pub struct ModelLinkUp<'a> {
    /// The model's own name for itself.
    pub model: &'a str,
    /// Connect → configured.
    pub took: Duration,
    /// Since the last connection was lost; `None` = it is the first one.
    pub after_loss: Option<Duration>,
}

impl ModelLinkUp<'_> {
    /// Logs and counts.
    pub fn emit(self) {
        link_outcome(LinkOutcome::Up);
        observe(&metrics().model_connect_seconds, self.took);
        if let Some(outage) = self.after_loss {
            observe(&metrics().model_recovery_seconds, outage);
        }
        info!(
            model = self.model,
            took = ?self.took,
            after_loss = ?self.after_loss,
            "model link up"
        );
    }
}

/// The connection to the room is broken; the room library repairs it.
#[derive(Debug)]
pub struct RoomLinkLost;

impl RoomLinkLost {
    /// Logs.
    pub fn emit(self) {
        warn!("room link lost");
    }
}

/// The connection to the room is whole again.
#[derive(Debug)]
pub struct RoomLinkRestored;

impl RoomLinkRestored {
    /// Logs.
    pub fn emit(self) {
        info!("room link restored");
    }
}

/// A connection to the model was lost.
#[derive(Debug)]
pub struct ModelLinkLost<'a> {
    /// A short code.
    pub reason: &'a str,
    /// Who is to blame.
    pub fault: Fault,
}

impl ModelLinkLost<'_> {
    /// Logs and counts.
    pub fn emit(self) {
        link_outcome(LinkOutcome::Lost);
        warn!(
            reason = self.reason,
            fault = self.fault.as_str(),
            "model link lost"
        );
    }
}

/// An attempt to connect to the model failed.
#[derive(Debug)]
pub struct ModelConnectFailed<'a> {
    /// A short code.
    pub reason: &'a str,
    /// Who is to blame.
    pub fault: Fault,
    /// When the next attempt begins; `None` = there will be none.
    pub retry_in: Option<Duration>,
}

impl ModelConnectFailed<'_> {
    /// Logs and counts.
    pub fn emit(self) {
        link_outcome(LinkOutcome::Failed);
        warn!(
            reason = self.reason,
            fault = self.fault.as_str(),
            retry_in = ?self.retry_in,
            "model cannot be reached"
        );
    }
}

/// The link to the model has given up.
#[derive(Debug)]
pub struct ModelLinkExhausted<'a> {
    /// A short code.
    pub reason: &'a str,
    /// Who is to blame.
    pub fault: Fault,
}

impl ModelLinkExhausted<'_> {
    /// Logs and counts.
    pub fn emit(self) {
        link_outcome(LinkOutcome::Exhausted);
        error!(
            reason = self.reason,
            fault = self.fault.as_str(),
            "model link given up"
        );
    }
}

fn link_outcome(outcome: LinkOutcome) {
    metrics()
        .model_link_total
        .with_label_values(&[outcome.as_str()])
        .inc();
}

/// The model sent an event of a type we do not know; it was kept and ignored.
#[derive(Debug)]
pub struct ModelEventUnknown;

impl ModelEventUnknown {
    /// Counts.
    pub fn emit(self) {
        metrics().model_unknown_events_total.inc();
        debug!("unknown event of the model");
    }
}

/// The model refused an order.
#[derive(Debug)]
pub struct ModelOrderRefused<'a> {
    /// The provider's code.
    pub code: &'a str,
}

impl ModelOrderRefused<'_> {
    /// Logs and counts.
    pub fn emit(self) {
        metrics().model_orders_refused_total.inc();
        info!(code = self.code, "model refused an order");
    }
}

/// Tokens of one response.
#[derive(Debug)]
pub struct TokensUsed {
    /// As the provider reported them.
    pub usage: dialog::model::Usage,
}

impl TokensUsed {
    /// Counts. `cached` tokens are moved out of the uncached ones, so that the sum is the input.
    pub fn emit(self) {
        let usage = self.usage;
        let family = &metrics().model_tokens_total;
        let add = |labels: [&str; 3], tokens: u64| family.with_label_values(&labels).inc_by(tokens);
        add(
            ["text", "input", "false"],
            usage.input_text.saturating_sub(usage.cached_text),
        );
        add(
            ["audio", "input", "false"],
            usage.input_audio.saturating_sub(usage.cached_audio),
        );
        add(["text", "input", "true"], usage.cached_text);
        add(["audio", "input", "true"], usage.cached_audio);
        add(["text", "output", "false"], usage.output_text);
        add(["audio", "output", "false"], usage.output_audio);
    }
}

/// A tool call ended.
#[derive(Debug)]
pub struct ToolFinished<'a> {
    /// The tool's name; must be one of the registered ones, never the model's word for it.
    pub tool: &'a str,
    /// How it ended.
    pub outcome: ToolEnd,
    /// How long it took.
    pub took: Duration,
}

impl ToolFinished<'_> {
    /// Logs and counts.
    pub fn emit(self) {
        let metrics = metrics();
        metrics
            .tool_calls_total
            .with_label_values(&[self.tool, self.outcome.as_str()])
            .inc();
        observe(
            &metrics.tool_call_seconds.with_label_values(&[self.tool]),
            self.took,
        );
        info!(
            tool = self.tool,
            outcome = self.outcome.as_str(),
            took = ?self.took,
            "tool finished"
        );
    }
}

// ---- audio ----

/// Audio was dropped.
#[derive(Debug)]
pub struct AudioDropped {
    /// Where.
    pub stage: AudioStage,
    /// How many frames or packets of that stage.
    pub frames: u64,
}

impl AudioDropped {
    /// Counts.
    pub fn emit(self) {
        let family = &metrics().audio_dropped_frames_total;
        family
            .with_label_values(&[self.stage.as_str()])
            .inc_by(self.frames);
        debug!(
            stage = self.stage.as_str(),
            frames = self.frames,
            "audio dropped"
        );
    }
}

/// A gap held back what came after it.
#[derive(Debug)]
pub struct GapWaited {
    /// How long.
    pub waited: Duration,
}

impl GapWaited {
    /// Counts.
    pub fn emit(self) {
        observe(&metrics().audio_gap_wait_seconds, self.waited);
    }
}

/// Frames were made up because their packets never came.
#[derive(Debug)]
pub struct AudioConcealed {
    /// 20 ms frames.
    pub frames: u64,
}

impl AudioConcealed {
    /// Counts.
    pub fn emit(self) {
        metrics().audio_concealed_frames_total.inc_by(self.frames);
    }
}

/// The outgoing queue ran dry in the middle of an item.
#[derive(Debug)]
pub struct PlayoutUnderrun;

impl PlayoutUnderrun {
    /// Counts.
    pub fn emit(self) {
        metrics().playout_underruns_total.inc();
    }
}

/// The media clock woke up too late.
#[derive(Debug)]
pub struct LateTicks {
    /// How often since the last report.
    pub ticks: u64,
}

impl LateTicks {
    /// Counts.
    pub fn emit(self) {
        metrics().media_late_ticks_total.inc_by(self.ticks);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The registry is the process's: other tests move it too, so these look at what they alone do.

    #[test]
    fn an_event_moves_its_metric() {
        let took = Duration::from_millis(1);
        OfferAnswered {
            job: "AJ_1",
            answer: Answer::Late,
            took,
        }
        .emit();
        let text = metrics().render();
        assert!(text.contains("room_agent_job_offers_total{answer=\"late\"} 1"));
    }

    #[test]
    fn cached_tokens_are_counted_once() {
        const MANY: u64 = 1_000_000_000;
        let usage = dialog::model::Usage {
            input_text: 10 * MANY,
            cached_text: 3 * MANY,
            ..Default::default()
        };
        let count = |cached| {
            let family = &metrics().model_tokens_total;
            family.with_label_values(&["text", "input", cached]).get() / MANY
        };
        let (uncached, cached) = (count("false"), count("true"));
        TokensUsed { usage }.emit();
        assert_eq!((count("false") - uncached, count("true") - cached), (7, 3));
    }
}
