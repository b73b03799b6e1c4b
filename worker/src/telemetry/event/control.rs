//! Adapter: what happens between this worker and those who give it work: jobs, drain, the console.

use std::time::{Duration, Instant};

use tracing::{info, warn};

use crate::{
    supervision::command::Verb,
    telemetry::{
        metrics::{metrics, observe},
        throttle::Throttle,
        words::{Answer, CommandAnswer, Fault, JoinAnswer},
    },
};

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
    /// `agent`, `model` or `room`.
    pub link: &'static str,
    /// What is wrong with it, without its content.
    pub what: &'static str,
}

impl ProtocolError {
    /// Counts all and logs some: the other side decides how many there are.
    pub fn emit(self) {
        static LINES: Throttle = Throttle::new();
        metrics()
            .protocol_errors_total
            .with_label_values(&[self.link])
            .inc();
        let Some(left_out) = LINES.admit(Instant::now()) else {
            return;
        };
        warn!(
            link = self.link,
            what = self.what,
            left_out,
            "message not understood"
        );
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

/// Somebody asked the console for a room token.
#[derive(Debug)]
pub struct ConsoleJoin {
    /// What they were told.
    pub answer: JoinAnswer,
    /// Why, when it is not good; without secrets.
    pub reason: &'static str,
}

impl ConsoleJoin {
    /// Counts all and logs some: whoever reaches the page decides how many there are.
    pub fn emit(self) {
        static LINES: Throttle = Throttle::new();
        metrics()
            .console_joins_total
            .with_label_values(&[self.answer.as_str()])
            .inc();
        let Some(left_out) = LINES.admit(Instant::now()) else {
            return;
        };
        info!(
            answer = self.answer.as_str(),
            reason = self.reason,
            left_out,
            "console join"
        );
    }
}

/// Somebody asked something of an agent in its room.
#[derive(Debug)]
pub struct CommandAnswered {
    /// What.
    pub verb: Verb,
    /// What they were told.
    pub answer: CommandAnswer,
}

impl CommandAnswered {
    /// Counts all and logs some: whoever is in the room decides how many there are.
    pub fn emit(self) {
        static LINES: Throttle = Throttle::new();
        let (command, answer) = (self.verb.as_str(), self.answer.as_str());
        metrics()
            .commands_total
            .with_label_values(&[command, answer])
            .inc();
        if let Some(left_out) = LINES.admit(Instant::now()) {
            info!(command, answer, left_out, "command");
        }
    }
}
