//! Session: one job in one room, from assignment to end.
//!
//! Brings a session up (room and model in parallel), runs its driver, and takes it down again: job
//! status first, room second, child tasks last, each with a deadline and also after a panic.
//! Owns the room and every child task of the session. It does not decide anything about the
//! conversation (that is `dialog`) and does not know how jobs are counted (that is `jobs`).

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use dialog::{Dialog, output::CloseReason};
use futures_util::FutureExt;
use livekit::prelude::Room;
use serde_json::json;
use tokio::{
    sync::{oneshot, watch},
    task::JoinSet,
    time::timeout,
};

use self::{
    driver::{Driver, Inbox, Watch},
    effects::Hands,
    meter::Meter,
    report::{Facts, Tally, outlet::Outlet},
    talk::Talk,
};
use crate::{
    agents,
    audit::{Audit, Kind, Record, ToolRecord},
    config::{LiveKit, Secret},
    media::{
        clock::MediaClock,
        echo::OwnVoice,
        ingress::Ingress,
        playout::{self, source::AgentSource},
    },
    model::{self, Price, rotation::Rotation},
    room::{self, audience::Audience, connect, door::Door},
    supervision::{approvals::Approvals, escalation::Escalations},
    telemetry::{Pii, latency::TurnClock},
    tooling,
};

mod driver;
mod effects;
#[cfg(all(test, feature = "our-engine"))]
mod interruptions;
pub mod meter;
mod notes;
pub mod report;
mod settings;
mod talk;
mod watchdog;

/// One job, as it was assigned.
#[derive(Debug)]
pub struct SessionRequest {
    /// Id of the job.
    pub job: String,
    /// The room's name.
    pub room: Pii<String>,
    /// Where the room's server is.
    pub url: String,
    /// What lets us in.
    pub token: Secret,
    /// The agent, rendered with the job's variables.
    pub agent: agents::Rendered,
    /// The name shown to front ends.
    pub agent_name: String,
    /// What the worker wants of this session.
    pub stop: watch::Receiver<Stop>,
    /// Hears how the session ended while it is still in the room.
    pub ended: oneshot::Sender<Ended>,
}

/// What sessions share.
#[derive(Clone, Debug)]
pub struct SessionDeps {
    /// The server and our key there, to come back into a room that was lost.
    pub livekit: Arc<LiveKit>,
    /// Drives every playout.
    pub clock: MediaClock,
    /// The model's settings of this worker; each session fills in its agent.
    pub model: model::SessionSettings,
    /// The journal of what is done.
    pub audit: Audit,
    /// Calls that wait for a supervisor.
    pub approvals: Approvals,
    /// Who is told when an agent asks for a person.
    pub escalations: Escalations,
    /// What tokens cost.
    pub prices: Arc<[Price]>,
    /// When connections to the model are replaced.
    pub rotation: model::rotation::Config,
    /// What each session may cost; `None` = as much as it likes.
    pub budget: Option<meter::Budget>,
    /// Where reports go.
    pub reports: Outlet,
    /// The tools that agents may use.
    pub tools: tooling::Plane,
}

/// What the worker wants of a running session; the latest value counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Stop {
    /// Carry on.
    #[default]
    No,
    /// The worker is draining: finish politely.
    Drain,
    /// End at once, for this reason.
    Now(CloseReason),
}

/// Handed to jobs when the conversation is over and the agent is still in the room: a server marks
/// a job as failed when its agent leaves before the status came.
#[derive(Debug)]
pub struct Ended {
    /// How the session ended.
    pub end: SessionEnd,
    /// To be fired when the status was sent; the session waits for it, at most
    /// [`STATUS_DEADLINE`].
    pub reported: oneshot::Sender<()>,
}

/// How long a session that is over waits for its status to be sent before it leaves the room.
pub const STATUS_DEADLINE: Duration = Duration::from_secs(1);

/// Why a session ended, for people and metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionEnd {
    /// The reason in the words of the conversation.
    pub reason: CloseReason,
    /// What went wrong; `None` = the job succeeded.
    pub error: Option<SessionError>,
}

/// What went wrong in a session. The text names no person, room or key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionError {
    /// A part of the session panicked; that is a bug of ours.
    Bug,
    /// The room could not be joined.
    Join(String),
    /// The model cannot be reached or refused us; holds a short code.
    Model(String),
    /// A control queue ran over; holds its name. That is a bug of ours.
    Overrun(&'static str),
    /// The agent's track could not be published.
    Publish(String),
    /// The link to the room was lost for good; holds why it was not joined again, in a word.
    RoomLost(&'static str),
    /// A part of the session stood still and could not be healed; holds its name.
    Stuck(&'static str),
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bug => f.write_str("a part of the session panicked"),
            Self::Join(what) => write!(f, "the room could not be joined: {what}"),
            Self::Model(code) => write!(f, "the model is unavailable: {code}"),
            Self::Overrun(queue) => write!(f, "the {queue} queue ran over"),
            Self::Publish(what) => write!(f, "the agent's track could not be published: {what}"),
            Self::RoomLost(why) => write!(f, "the link to the room was lost: {why}"),
            Self::Stuck(place) => write!(f, "stuck and not to be healed: {place}"),
        }
    }
}

impl std::error::Error for SessionError {}

/// How long the tasks of a session that is over may take to finish what they hold.
const SETTLE_DEADLINE: Duration = Duration::from_secs(1);
/// How long leaving the room may take; after that the server finds out by itself.
const LEAVE_DEADLINE: Duration = Duration::from_secs(3);

/// Holds the conversation of one job, from the join to the leave.
///
/// A panic in the session is raised again at the end, after everything was taken down, so that
/// jobs can count it.
pub async fn run(mut request: SessionRequest, deps: SessionDeps) -> SessionEnd {
    let began = Began::now();
    let mut held = Held::default();
    deps.audit.submit(started(&request));
    let holding = Box::pin(hold(&mut request, &deps, began, &mut held));
    let (end, panic) = match AssertUnwindSafe(holding).catch_unwind().await {
        Ok(end) => (end, None),
        Err(panic) => (SessionEnd::bug(), Some(panic)),
    };
    take_down(&end, request.ended, &mut held).await;
    let facts = began.facts(request.job, request.agent_name, &end);
    let calls = held.calls.take();
    put_end_on_record(&deps.audit, &deps.tools, calls, ended(&facts)).await;
    let report = held.tally.finish(facts);
    report.log();
    deps.reports.deliver(&report).await;
    if let Some(panic) = panic {
        std::panic::resume_unwind(panic);
    }
    end
}

/// A session is over on record when its last call is: what it had begun to change may take longer than it.
async fn put_end_on_record(
    audit: &Audit,
    tools: &tooling::Plane,
    calls: Option<tooling::Calls>,
    end: Record,
) {
    let audit = audit.clone();
    let commit = async move {
        if audit.commit(end).await.is_err() {
            tracing::error!("the end of a session is not on record");
        }
    };
    let Some(mut calls) = calls else {
        return commit.await;
    };
    match timeout(SETTLE_DEADLINE, calls.over()).await {
        Ok(()) => commit.await,
        Err(_) => tools.after(calls, commit),
    }
}

fn started(request: &SessionRequest) -> Record {
    let agent = &request.agent;
    Record {
        session: request.job.clone(),
        kind: Kind::SessionStarted,
        data: json!({"agent": agent.name, "version": agent.version, "hash": agent.hash}),
    }
}

fn ended(facts: &Facts) -> Record {
    Record {
        session: facts.job.clone(),
        kind: Kind::SessionEnded,
        data: json!({"reason": facts.reason, "error": facts.error}),
    }
}

/// What must be taken down however the session ends.
#[derive(Default)]
struct Held {
    /// The room as it is joined now.
    rooms: Option<watch::Receiver<Arc<Room>>>,
    tally: Tally,
    tasks: JoinSet<()>,
    /// `None` = it did not come so far.
    calls: Option<tooling::Calls>,
}

/// Brings the parts up and lets the driver hold the conversation. The link to the model opens
/// while the room is being joined.
async fn hold(
    request: &mut SessionRequest,
    deps: &SessionDeps,
    began: Began,
    held: &mut Held,
) -> SessionEnd {
    let source = AgentSource::new();
    let voice = source.rtc();
    let own_voice = OwnVoice::new(Instant::now());
    let (playout, playout_facts) = playout::start(source, &deps.clock, own_voice.clone());
    // Until the conversation opens it: nobody is subscribed yet.
    playout.close_voice();
    let declared = deps.tools.declare(&request.agent.tools);
    let mut settings = settings::model(&deps.model, &request.agent, declared);
    settings.catalog = deps.tools.declare_all().into();
    let conversation = settings::dialog(&request.agent, &settings.turn_detection);
    let turn_end = settings.turn_detection.longest_end();
    held.tally = Tally::of(meter(&settings.model, deps));
    let (model, model_events) = model::start(&mut held.tasks, settings, playout.clone());
    let (ingress, speech) = Ingress::start(&mut held.tasks, own_voice, turn_end, model.uplink());
    let (tools, tools_ended, calls) = tooling::start(
        &deps.tools,
        &request.agent,
        ToolRecord::new(deps.audit.clone(), &request.job)
            .in_room(request.room.clone(), deps.livekit.api_secret.clone()),
        deps.approvals
            .desk(request.room.clone(), &request.job, deps.audit.clone()),
    );

    held.calls = Some(calls);
    let joined = match join(request, &deps.livekit).await {
        Ok(joined) => joined,
        Err(end) => return end,
    };
    let (name, door) = (request.agent_name.clone(), door(request, deps));
    let room = room::start(
        &mut held.tasks,
        joined,
        voice,
        name,
        door,
        deps.tools.clone(),
        deps.audit.clone(),
    );
    let hears_beginnings = !conversation.presses_to_talk;
    if conversation.presses_to_talk {
        room.link.press_to_talk();
    }
    held.rooms = Some(room.rooms);

    let mut driver = Driver {
        dialog: Dialog::new(conversation),
        audience: Audience::new(),
        hands: Hands {
            ingress,
            model,
            playout,
            room: room.link,
            tools,
        },
        inbox: Inbox {
            model: model_events,
            playout: playout_facts,
            room: room.facts,
            speech,
            stop: request.stop.clone(),
            tools: tools_ended,
        },
        tasks: &mut held.tasks,
        tally: &mut held.tally,
        assigned: began.at,
        joined: Instant::now(),
        ears: BTreeMap::new(),
        clock: TurnClock::default(),
        talk: Talk::default(),
        room: request.room.clone(),
        job: request.job.clone(),
        audit: deps.audit.clone(),
        approvals: deps.approvals.clone(),
        escalations: deps.escalations.clone(),
        is_model_gone: false,
        watch: Watch::default(),
        rotation: Rotation::new(deps.rotation),
        clips: request.agent.clips.clone(),
        begun: hears_beginnings.then(BTreeSet::new),
        is_instructed: false,
        escalated: None,
        personal: request.agent.personal.clone(),
        caller: None,
        colleagues: request.agent.colleagues.clone(),
        asked: None,
        over: None,
    };
    driver.run().await
}

/// What this session costs is known from the start, or said to be unknown.
fn meter(model: &str, deps: &SessionDeps) -> Meter {
    let day = model::day(SystemTime::now());
    let price = Price::in_force(&deps.prices, model, &day).cloned();
    if price.is_none() {
        tracing::warn!(
            model,
            "cost unknown: no price of this model in [[model.prices]]"
        );
    }
    Meter::new(price, deps.budget)
}

/// What this session needs to come back.
fn door(request: &SessionRequest, deps: &SessionDeps) -> Door {
    Door {
        livekit: deps.livekit.clone(),
        url: request.url.clone(),
        room: request.room.clone(),
        job: request.job.clone(),
        agent_name: request.agent_name.clone(),
        token: request.token.clone(),
    }
}

/// Joins the room, unless the worker stops the session first.
async fn join(request: &mut SessionRequest, livekit: &LiveKit) -> Result<room::Joined, SessionEnd> {
    let joining = connect::connect(&request.url, &request.token, &livekit.e2ee_key);
    tokio::select! {
        joined = joining => joined.map_err(|error| SessionEnd {
            reason: CloseReason::RoomLost,
            error: Some(SessionError::Join(error.to_string())),
        }),
        reason = stopped(&mut request.stop) => Err(SessionEnd { reason, error: None }),
    }
}

/// Waits until the worker wants this session to end at once.
async fn stopped(stop: &mut watch::Receiver<Stop>) -> CloseReason {
    loop {
        if let Stop::Now(reason) = &*stop.borrow_and_update() {
            return reason.clone();
        }
        if stop.changed().await.is_err() {
            return CloseReason::Terminated;
        }
    }
}

/// Status first, room second, child tasks last.
async fn take_down(end: &SessionEnd, ended: oneshot::Sender<Ended>, held: &mut Held) {
    tokio::join!(report_status(end, ended), settle(&mut held.tasks));
    let room = held.rooms.take().map(|rooms| rooms.borrow().clone());
    if let Some(room) = room
        && timeout(LEAVE_DEADLINE, room.close()).await.is_err()
    {
        tracing::warn!("leaving the room took too long");
    }
    held.tasks.shutdown().await;
}

async fn report_status(end: &SessionEnd, ended: oneshot::Sender<Ended>) {
    let (reported, done) = oneshot::channel();
    if ended
        .send(Ended {
            end: end.clone(),
            reported,
        })
        .is_ok()
    {
        let _ = timeout(STATUS_DEADLINE, done).await;
    }
}

/// Lets the child tasks finish by themselves: their handles are gone, so they write what they
/// still hold and return.
async fn settle(tasks: &mut JoinSet<()>) {
    let all = async { while tasks.join_next().await.is_some() {} };
    let _ = timeout(SETTLE_DEADLINE, all).await;
}

impl SessionEnd {
    fn bug() -> Self {
        Self {
            reason: CloseReason::Failed,
            error: Some(SessionError::Bug),
        }
    }
}

/// When a session began, on both clocks.
#[derive(Clone, Copy)]
struct Began {
    at: Instant,
    on: SystemTime,
}

impl Began {
    fn now() -> Self {
        Self {
            at: Instant::now(),
            on: SystemTime::now(),
        }
    }

    fn facts(self, job: String, agent: String, end: &SessionEnd) -> Facts {
        let since_epoch = self
            .on
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Facts {
            job,
            agent,
            started_at: since_epoch.as_secs(),
            lasted_s: self.at.elapsed().as_secs_f64(),
            reason: end.reason.as_str(),
            error: end.error.as_ref().map(ToString::to_string),
        }
    }
}

#[cfg(test)]
mod tests;
