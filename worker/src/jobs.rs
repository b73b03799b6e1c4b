//! Jobs: the task that owns all sessions.
//!
//! Starts a session per assignment, tells the server how it goes (status first, leaving the room
//! second), contains panics, and brings everything to an end when the worker drains. It does not
//! know what a session does; it is handed a way to run one.

pub mod registry;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use dialog::output::CloseReason;
use futures_util::future::BoxFuture;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::{Id, JoinError, JoinSet},
    time::{Instant, sleep_until, timeout},
};

use self::registry::Entry;
use crate::{
    agents::Agents,
    dispatch::{
        self, JobOrder,
        agent_protocol::{Assignment, JobStatus},
    },
    session::{Ended, STATUS_DEADLINE, SessionEnd, SessionError, SessionRequest, Stop},
    telemetry::event::{
        DrainAborted, DrainStarted, ModelKeyAccepted, ModelKeyRefused, SessionEnded,
        SessionPanicked, SessionStarted,
    },
};

/// Runs one session from the join to the leave.
pub type Runner = Arc<dyn Fn(SessionRequest) -> BoxFuture<'static, SessionEnd> + Send + Sync>;

/// Asks the model whether it takes us again.
pub type Probe = Arc<dyn Fn() -> BoxFuture<'static, bool> + Send + Sync>;

/// How long sessions may take to leave once they were told to end at once.
const LEAVING: Duration = Duration::from_secs(5);
/// Between two probes of a model that refused our key: somebody has to change something first.
const PROBE_EVERY: Duration = Duration::from_secs(10);

/// How a drain went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Sessions had to be cut off.
    Aborted,
    /// Every session came to its own end.
    Quietly,
}

/// What the worker wants of jobs; the latest value counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wish {
    /// Take no more, let sessions come to their end until this instant.
    Drain {
        /// When the grace is over.
        until: Instant,
    },
    /// End all sessions at once.
    Now,
    /// Carry on.
    #[default]
    Work,
}

/// What jobs is made of.
pub struct Parts {
    /// The definitions jobs can ask for.
    pub agents: Agents,
    /// Where the server is, for assignments that do not say.
    pub url: String,
    /// Runs a session.
    pub runner: Runner,
    /// Tries the model after it refused us.
    pub probe: Probe,
    /// The server's side.
    pub dispatcher: dispatch::Handle,
    /// What the server wants.
    pub orders: mpsc::Receiver<JobOrder>,
    /// What the worker wants.
    pub wishes: watch::Receiver<Wish>,
}

/// Runs jobs until the worker wants them to end and they have; `registry` always shows them.
pub async fn run(parts: Parts, registry: watch::Sender<Vec<Entry>>) -> Drained {
    let jobs = Jobs {
        slots: parts.dispatcher.view(),
        parts,
        registry,
        running: JoinSet::new(),
        by_task: HashMap::new(),
        sessions: HashMap::new(),
        next_probe: None,
        probes: JoinSet::new(),
        is_draining: false,
        cut_off: None,
        has_cut: false,
        has_patience: true,
    };
    jobs.run().await
}

struct Jobs {
    parts: Parts,
    /// What the dispatcher holds for us.
    slots: watch::Receiver<dispatch::View>,
    registry: watch::Sender<Vec<Entry>>,
    running: JoinSet<SessionEnd>,
    by_task: HashMap<Id, String>,
    sessions: HashMap<String, Session>,
    /// Set while the model refuses our key.
    next_probe: Option<Instant>,
    probes: JoinSet<bool>,
    is_draining: bool,
    /// When sessions that are left will be cut off; set by a drain.
    cut_off: Option<Instant>,
    has_cut: bool,
    /// Jobs that were promised to the server and have not come may still do so.
    has_patience: bool,
}

struct Session {
    entry: Entry,
    began: Instant,
    stop: watch::Sender<Stop>,
}

enum Event {
    CutOff,
    /// The dispatcher holds other slots than before.
    Slots,
    Order(JobOrder),
    Probed(bool),
    ProbeDue,
    SessionOver(Result<(Id, SessionEnd), JoinError>),
    Wish(Wish),
}

impl Jobs {
    async fn run(mut self) -> Drained {
        loop {
            if self.is_over() {
                return if self.has_cut {
                    Drained::Aborted
                } else {
                    Drained::Quietly
                };
            }
            match self.next_event().await {
                Event::CutOff => self.on_cut_off(),
                Event::Slots => {}
                Event::Order(JobOrder::Start(assignment)) => self.on_start(assignment).await,
                Event::Order(JobOrder::Terminate { job }) => self.on_terminate(&job),
                Event::Probed(accepted) => self.on_probed(accepted).await,
                Event::ProbeDue => self.on_probe_due(),
                Event::SessionOver(over) => self.on_session_over(over).await,
                Event::Wish(wish) => self.on_wish(wish).await,
            }
            self.publish();
        }
    }

    /// A job that the server was promised is run, though it comes after the drain began: the server gives it
    /// to nobody else.
    fn is_over(&self) -> bool {
        let is_promised = || self.slots.borrow().load.used > 0;
        self.is_draining && self.sessions.is_empty() && !(self.has_patience && is_promised())
    }

    async fn next_event(&mut self) -> Event {
        let cut_off = at(self.cut_off);
        let probe_due = at(self.next_probe);
        tokio::select! {
            Some(order) = self.parts.orders.recv() => Event::Order(order),
            Some(over) = self.running.join_next_with_id() => Event::SessionOver(over),
            Ok(()) = self.parts.wishes.changed() => {
                Event::Wish(*self.parts.wishes.borrow_and_update())
            }
            Some(probed) = self.probes.join_next() => Event::Probed(probed.unwrap_or(false)),
            Ok(()) = self.slots.changed(), if self.is_draining => Event::Slots,
            () = cut_off => Event::CutOff,
            () = probe_due => Event::ProbeDue,
        }
    }

    async fn on_start(&mut self, assignment: Assignment) {
        let offer = &assignment.offer;
        let metadata = assignment.metadata.expose();
        let agent = match self.parts.agents.for_job(&offer.agent_name, metadata) {
            Ok(agent) => agent,
            Err(problems) => {
                let told = problems.to_string().replace('\n', "; ");
                tracing::warn!(
                    job = offer.job,
                    problems = told,
                    "job refused: bad metadata"
                );
                let failed = JobStatus::Failed(format!("bad job metadata: {told}"));
                self.parts
                    .dispatcher
                    .job_status_soon(&offer.job, &offer.agent_name, failed)
                    .await;
                self.parts.dispatcher.ended(&offer.job).await;
                return;
            }
        };
        SessionStarted {
            job: &offer.job,
            agent: &agent.name,
            version: &agent.version,
            hash: &agent.hash,
        }
        .emit();
        let entry = Entry {
            job: offer.job.clone(),
            room: offer.room.clone(),
            agent_name: offer.agent_name.clone(),
            agent: agent.name.clone(),
            since: SystemTime::now(),
            is_ending: self.is_draining,
        };
        let (stop, stop_reader) = watch::channel(self.first_stop());
        let (ended, is_ended) = oneshot::channel();
        let shown = if offer.agent_name.is_empty() {
            &agent.name
        } else {
            &offer.agent_name
        };
        let request = SessionRequest {
            job: offer.job.clone(),
            room: offer.room.clone(),
            url: assignment
                .url
                .clone()
                .unwrap_or_else(|| self.parts.url.clone()),
            token: assignment.token.clone(),
            agent_name: shown.clone(),
            agent,
            stop: stop_reader,
            ended,
        };
        let session = (self.parts.runner)(request);
        let dispatcher = self.parts.dispatcher.clone();
        let carried = carry(session, is_ended, dispatcher, entry.clone());
        let task = self.running.spawn(carried);
        self.by_task.insert(task.id(), entry.job.clone());
        self.sessions.insert(
            entry.job.clone(),
            Session {
                entry,
                began: Instant::now(),
                stop,
            },
        );
    }

    fn first_stop(&self) -> Stop {
        if self.is_draining {
            Stop::Drain
        } else {
            Stop::No
        }
    }

    fn on_terminate(&mut self, job: &str) {
        if let Some(session) = self.sessions.get_mut(job) {
            session.end(Stop::Now(CloseReason::Terminated));
        }
    }

    async fn on_session_over(&mut self, over: Result<(Id, SessionEnd), JoinError>) {
        let task = match &over {
            Ok((task, _)) => *task,
            Err(error) => error.id(),
        };
        let Some(job) = self.by_task.remove(&task) else {
            return;
        };
        let Some(session) = self.sessions.remove(&job) else {
            return;
        };
        let lasted = session.began.elapsed();
        match over {
            Ok((_, end)) => {
                let error = end.error.as_ref().map(ToString::to_string);
                let (reason, error) = (end.reason.as_str(), error.as_deref());
                SessionEnded {
                    job: &job,
                    reason,
                    error,
                    lasted,
                }
                .emit();
                if is_refusal(&end) {
                    self.on_model_refused().await;
                }
            }
            Err(error) => {
                // The session reported nothing: it panicked, or was cut off.
                let (reason, told) = if error.is_panic() {
                    SessionPanicked { job: &job }.emit();
                    (CloseReason::Failed.as_str(), "internal error")
                } else {
                    ("aborted", "aborted")
                };
                SessionEnded {
                    job: &job,
                    reason,
                    error: Some(told),
                    lasted,
                }
                .emit();
                let failed = JobStatus::Failed(told.to_owned());
                let name = &session.entry.agent_name;
                self.parts
                    .dispatcher
                    .job_status_soon(&job, name, failed)
                    .await;
            }
        }
        self.parts.dispatcher.ended(&job).await;
    }

    async fn on_model_refused(&mut self) {
        if self.next_probe.is_some() || self.is_draining {
            return;
        }
        ModelKeyRefused.emit();
        self.parts.dispatcher.model_refused(true).await;
        self.next_probe = Some(Instant::now() + PROBE_EVERY);
    }

    fn on_probe_due(&mut self) {
        self.next_probe = Some(Instant::now() + PROBE_EVERY);
        if self.probes.is_empty() {
            self.probes.spawn((self.parts.probe)());
        }
    }

    async fn on_probed(&mut self, accepted: bool) {
        if !accepted || self.next_probe.is_none() {
            return;
        }
        ModelKeyAccepted.emit();
        self.next_probe = None;
        self.parts.dispatcher.model_refused(false).await;
    }

    async fn on_wish(&mut self, wish: Wish) {
        match wish {
            Wish::Work => {}
            Wish::Drain { until } => {
                let grace = until.saturating_duration_since(Instant::now());
                DrainStarted {
                    sessions: self.sessions.len(),
                    grace,
                }
                .emit();
                self.is_draining = true;
                self.cut_off = Some(until);
                self.parts.dispatcher.drain().await;
                self.end_all(&Stop::Drain);
            }
            Wish::Now => {
                self.is_draining = true;
                self.parts.dispatcher.drain().await;
                self.on_cut_off();
            }
        }
    }

    /// First time: told to leave at once. Second time: cut off where they are.
    fn on_cut_off(&mut self) {
        if !self.sessions.is_empty() && !self.has_cut {
            DrainAborted {
                sessions: self.sessions.len(),
            }
            .emit();
            self.has_cut = true;
            self.end_all(&Stop::Now(CloseReason::Drained));
            self.cut_off = Some(Instant::now() + LEAVING);
            return;
        }
        self.cut_off = None;
        self.has_patience = false;
        self.running.abort_all();
    }

    fn end_all(&mut self, stop: &Stop) {
        for session in self.sessions.values_mut() {
            session.end(stop.clone());
        }
    }

    fn publish(&self) {
        let mut entries: Vec<Entry> = self
            .sessions
            .values()
            .map(|session| session.entry.clone())
            .collect();
        entries.sort_by(|a, b| a.since.cmp(&b.since).then_with(|| a.job.cmp(&b.job)));
        self.registry.send_if_modified(|old| {
            let changed = *old != entries;
            *old = entries;
            changed
        });
    }
}

impl Session {
    fn end(&mut self, stop: Stop) {
        self.entry.is_ending = true;
        // Nobody listens any more when the session is just leaving by itself.
        let _ = self.stop.send(stop);
    }
}

/// One session beside its job: running is said first, the end while the agent is still in the
/// room, because a server calls a job failed whose agent left before its status came.
async fn carry(
    session: BoxFuture<'static, SessionEnd>,
    is_ended: oneshot::Receiver<Ended>,
    dispatcher: dispatch::Handle,
    entry: Entry,
) -> SessionEnd {
    let (job, name) = (entry.job.as_str(), entry.agent_name.as_str());
    let reporting = async {
        dispatcher
            .job_status_soon(job, name, JobStatus::Running)
            .await;
        let Ok(Ended { end, reported }) = is_ended.await else {
            return false;
        };
        let told = dispatcher.job_status(job, name, final_status(&end));
        // While the control socket is away the status waits for it; the session does not.
        let _ = timeout(STATUS_DEADLINE, told).await;
        let _ = reported.send(());
        true
    };
    let (end, was_reported) = tokio::join!(session, reporting);
    if !was_reported {
        dispatcher
            .job_status_soon(job, name, final_status(&end))
            .await;
    }
    end
}

fn final_status(end: &SessionEnd) -> JobStatus {
    match &end.error {
        None => JobStatus::Success,
        Some(error) => JobStatus::Failed(error.to_string()),
    }
}

/// The model will refuse the next session too.
fn is_refusal(end: &SessionEnd) -> bool {
    matches!(&end.error, Some(SessionError::Model(code)) if crate::model::is_fatal(code))
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
