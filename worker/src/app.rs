//! The composition root: settings → a wired worker. The only file that knows all parts.
//!
//! Owns the process's tasks and decides when it ends. It holds no logic of any part.

use std::{
    panic::PanicHookInfo,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::{
    runtime::Runtime,
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;
use tools::mcp::Link;
use tracing::Instrument;

use crate::{
    admin::{self, Listener, routes::Admin},
    agents::{Agents, Definition},
    audit::Audit,
    config::{Config, Problem, Problems, ProcessSource},
    console::{self, Console},
    dispatch::{self, connection},
    exit::Exit,
    jobs::{self, Drained, Wish, registry::Entry},
    media::MediaClock,
    model::{self, Endpoint, SessionSettings},
    server_api,
    session::{self, SessionDeps, SessionRequest, Stop, report::outlet::Outlet},
    shutdown::Signals,
    supervision::{approvals::Approvals, escalation::Escalations, grant::Grants},
    telemetry,
    tooling::{self, Plane, needs},
};

/// How long the runtime may take to let go of what is left when everything is over.
const LAST_MOMENTS: Duration = Duration::from_secs(1);
/// How long the journal may take to write its last head.
const LAST_HEAD: Duration = Duration::from_secs(2);

/// Takes jobs until the process is asked to end.
pub fn run(config: Config) -> Exit {
    started(&config, |runtime| {
        runtime.block_on(async { App::build(&config)?.run().await })
    })
}

/// Puts the agent into one room, without a job.
pub fn join(config: Config, room: String, metadata: &str) -> Exit {
    started(&config, |runtime| {
        runtime.block_on(join_room(&config, room, metadata))
    })
}

fn started(config: &Config, work: impl FnOnce(&Runtime) -> Result<Exit, Exit>) -> Exit {
    telemetry::init(&config.log);
    std::panic::set_hook(Box::new(log_panic));
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return Exit::Unavailable(format!("no threads: {}", error.kind())),
    };
    let exit = work(&runtime).unwrap_or_else(|exit| exit);
    runtime.shutdown_timeout(LAST_MOMENTS);
    tracing::info!(code = exit.code(), "ended");
    exit
}

/// Where, and what if it is text of ours: formatted messages may quote somebody.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let at = panic
        .location()
        .map(ToString::to_string)
        .unwrap_or_default();
    let what = panic
        .payload()
        .downcast_ref::<&'static str>()
        .copied()
        .unwrap_or("(formatted)");
    tracing::error!(at, what, "panic");
}

struct App {
    last: Last,
    dispatcher: dispatch::Handle,
    jobs: JoinSet<Drained>,
    wishes: watch::Sender<Wish>,
    drain_requests: mpsc::Receiver<()>,
    drain_grace: Duration,
    signals: Signals,
    tools: Plane,
    /// Tasks that last as long as the process.
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

enum Event {
    Drained(Option<Drained>),
    DrainRequest,
    Refused,
    Signal,
    TaskOver,
}

impl App {
    fn build(config: &Config) -> Result<Self, Exit> {
        let signals = Signals::listen().map_err(unavailable("signals"))?;
        let Loaded {
            agents,
            tools,
            links,
        } = load_agents(config)?;
        let approvals = Approvals::default();
        let deps = session_deps(config, tools.clone(), approvals.clone())?;
        let last = Last::of(&deps);
        let mut tasks = JoinSet::new();
        tooling::keep(&mut tasks, links);
        let registration = connection::Settings {
            url: config.livekit.url.clone(),
            api_key: config.livekit.api_key.clone(),
            api_secret: config.livekit.api_secret.clone(),
        };
        let listeners = Listeners::bind(config)?;
        let names = &config.worker.agent_names;
        let slots = config.worker.slots();
        let (dispatcher, orders) = dispatch::start(&mut tasks, &registration, names, slots);
        let (registry, sessions) = watch::channel(Vec::new());
        let (drain, drain_requests) = mpsc::channel(1);
        let stop = CancellationToken::new();
        let admin = Admin {
            view: dispatcher.view(),
            sessions,
            drain,
            approvals,
            grants: Grants::new(&config.livekit),
            audit: deps.audit.clone(),
        };
        listeners.serve(config, admin, stop.clone())?;
        let (wishes, wish_reader) = watch::channel(Wish::Work);
        let parts = jobs::Parts {
            agents,
            url: config.livekit.url.clone(),
            runner: runner(deps),
            probe: probe(config.model.clone()),
            dispatcher: dispatcher.clone(),
            orders,
            wishes: wish_reader,
        };
        let jobs = start_jobs(parts, registry);
        let drain_grace = config.worker.drain_grace;
        Ok(Self {
            last,
            dispatcher,
            jobs,
            wishes,
            drain_requests,
            drain_grace,
            signals,
            tools,
            tasks,
            stop,
        })
    }

    async fn run(mut self) -> Result<Exit, Exit> {
        let exit = self.work().await;
        self.last.finish().await;
        exit
    }

    async fn work(&mut self) -> Result<Exit, Exit> {
        let mut signals = 0;
        loop {
            match self.next_event().await {
                Event::Drained(Some(drained)) => {
                    self.dispatcher.finish().await;
                    // Each tool has a deadline; who wants all to end now does not wait for it.
                    if drained == Drained::Quietly {
                        tokio::select! {
                            () = self.tools.finished() => {}
                            () = self.signals.next() => {}
                        }
                    }
                    self.stop.cancel();
                    return Ok(match drained {
                        Drained::Aborted => Exit::Aborted,
                        Drained::Quietly => Exit::Done,
                    });
                }
                Event::Drained(None) | Event::TaskOver => {
                    return Err(Exit::Bug("a part of the worker has stopped".to_owned()));
                }
                Event::DrainRequest => self.drain(),
                Event::Refused => {
                    let what = "the LiveKit server refused livekit.api_key or livekit.api_secret, \
                                or livekit.url is not a server";
                    return Err(Exit::Config(what.to_owned()));
                }
                Event::Signal => {
                    signals += 1;
                    if signals == 1 {
                        self.drain();
                    } else {
                        self.wishes.send_replace(Wish::Now);
                    }
                }
            }
        }
    }

    async fn next_event(&mut self) -> Event {
        let mut view = self.dispatcher.view();
        tokio::select! {
            Some(drained) = self.jobs.join_next() => Event::Drained(drained.ok()),
            Some(_) = self.tasks.join_next() => Event::TaskOver,
            Some(()) = self.drain_requests.recv() => Event::DrainRequest,
            Ok(_) = view.wait_for(|view| view.is_refused) => Event::Refused,
            () = self.signals.next() => Event::Signal,
        }
    }

    fn drain(&self) {
        let until = Instant::now() + self.drain_grace;
        self.wishes.send_if_modified(|wish| {
            let first = *wish == Wish::Work;
            if first {
                *wish = Wish::Drain { until };
            }
            first
        });
    }
}

/// What is finished when no session runs any more.
struct Last {
    audit: Audit,
    escalations: Escalations,
}

impl Last {
    fn of(deps: &SessionDeps) -> Self {
        Self {
            audit: deps.audit.clone(),
            escalations: deps.escalations.clone(),
        }
    }

    async fn finish(self) {
        self.escalations.finish().await;
        if !matches!(timeout(LAST_HEAD, self.audit.seal()).await, Ok(Ok(()))) {
            tracing::error!("the audit journal ends without a head");
        }
    }
}

fn start_jobs(parts: jobs::Parts, registry: watch::Sender<Vec<Entry>>) -> JoinSet<Drained> {
    let mut jobs = JoinSet::new();
    jobs.spawn(jobs::run(parts, registry));
    jobs
}

/// Everything that is declared in files.
pub(crate) struct Loaded {
    agents: Agents,
    tools: Plane,
    /// Connections that tools share; they have to be kept.
    links: Vec<Link>,
}

/// Every agent definition, and the tools, which are there.
pub(crate) fn load_agents(config: &Config) -> Result<Loaded, Exit> {
    let directory = config.agents.dir.as_deref().map(Path::new);
    let (tools, links) = Plane::load(&ProcessSource, &config.tools)
        .map_err(|problems| Exit::Config(format!("tools are not usable:\n{problems}")))?;
    let not_usable = |problems: &dyn std::fmt::Display| {
        Exit::Config(format!("agents are not usable:\n{problems}"))
    };
    let agents = Agents::load(&ProcessSource, directory, &config.agents.default)
        .map_err(|problems| not_usable(&problems))?;
    let unfit = |agent: &Definition| needs::unfit(&tools, agent);
    let day = model::day(SystemTime::now());
    let unpriced = |agent: &Definition| unpriced(config, agent, &day);
    let unfit = agents.all().flat_map(unfit);
    let problems = unfit.chain(agents.all().filter_map(unpriced)).collect();
    Problems::none_or(problems).map_err(|problems| not_usable(&problems))?;
    Ok(Loaded {
        agents,
        tools,
        links,
    })
}

/// A budget is never spent on a model whose price nobody knows.
fn unpriced(config: &Config, agent: &Definition, day: &str) -> Option<Problem> {
    config.budget.budget()?;
    let model = agent.model.as_ref().unwrap_or(&config.model.model);
    if model::Price::in_force(&config.model.prices, model, day).is_some() {
        return None;
    }
    Some(Problem::new(
        format!("{}.model", agent.name),
        format!("there is a budget, and no price of `{model}` in [[model.prices]]"),
    ))
}

/// What all sessions share.
fn session_deps(config: &Config, tools: Plane, approvals: Approvals) -> Result<SessionDeps, Exit> {
    configure_engine(config)?;
    let endpoint =
        Endpoint::new(&config.model).map_err(|error| Exit::Config(format!("model: {error}")))?;
    Ok(SessionDeps {
        livekit: Arc::new(config.livekit.clone()),
        clock: MediaClock::start().map_err(unavailable("media clock"))?,
        model: SessionSettings::new(&config.model, endpoint),
        audit: Audit::start(&config.audit).map_err(unavailable("the audit journal"))?,
        approvals,
        escalations: Escalations::new(&config.escalation),
        prices: config.model.prices.clone().into(),
        rotation: config.model.rotation,
        budget: config.budget.budget(),
        reports: Outlet::new(config.report.clone()),
        tools: tools
            .on_their_own_threads()
            .map_err(unavailable("threads for tools"))?,
    })
}

#[cfg(feature = "our-engine")]
fn configure_engine(config: &Config) -> Result<(), Exit> {
    use crate::config::engine::Fec;
    use libwebrtc::ext;

    if let Some(file) = &config.engine.ca_file {
        std::fs::File::open(file).map_err(|error| {
            Exit::Config(format!("engine.ca_file: {}: {error}", file.display()))
        })?;
    }
    let settings = ext::Settings {
        include_loopback: config.engine.loopback,
        udp_ports: config.engine.ports(),
        interfaces: config.engine.interfaces.clone(),
        ca_file: config.engine.ca_file.clone(),
        io_threads: config.engine.io_threads,
        fec: match config.engine.fec {
            Fec::Always => ext::Fec::Always,
            Fec::Auto => ext::Fec::Auto,
            Fec::Off => ext::Fec::Off,
        },
    };
    ext::configure(settings).map_err(|error| Exit::Bug(error.to_string()))
}

#[cfg(not(feature = "our-engine"))]
#[expect(clippy::unnecessary_wraps, reason = "with our engine it can fail")]
fn configure_engine(_config: &Config) -> Result<(), Exit> {
    Ok(())
}

/// Sockets are bound before anything starts, so that a taken port is told at once.
struct Listeners {
    admin: Listener,
    console: Option<Listener>,
}

impl Listeners {
    fn bind(config: &Config) -> Result<Self, Exit> {
        let admin = Listener::bind(&config.admin.listen).map_err(unavailable("admin.listen"))?;
        let console = match &config.console.listen {
            Some(address) => Some(Listener::bind(address).map_err(unavailable("console.listen"))?),
            None => None,
        };
        Ok(Self { admin, console })
    }

    fn serve(self, config: &Config, admin: Admin, stop: CancellationToken) -> Result<(), Exit> {
        tracing::info!(address = %self.admin.address, "admin listens");
        let mut servers = vec![(self.admin, admin::routes::router(admin))];
        if let Some(listener) = self.console {
            tracing::info!(address = %listener.address, "console listens");
            servers.push((listener, console::router(Console::new(config))));
        }
        admin::start(servers, stop).map_err(unavailable("http thread"))
    }
}

fn runner(deps: SessionDeps) -> jobs::Runner {
    Arc::new(move |request: SessionRequest| {
        let span = tracing::info_span!("session", job = request.job);
        Box::pin(session::run(request, deps.clone()).instrument(span))
    })
}

fn probe(config: model::Config) -> jobs::Probe {
    Arc::new(move || {
        let config = config.clone();
        Box::pin(async move { model::probe(&config).await.is_ok() })
    })
}

async fn join_room(config: &Config, room: String, metadata: &str) -> Result<Exit, Exit> {
    let mut signals = Signals::listen().map_err(unavailable("signals"))?;
    let Loaded {
        agents,
        tools,
        links,
    } = load_agents(config)?;
    let mut tasks = JoinSet::new();
    tooling::keep(&mut tasks, links);
    let name = config
        .worker
        .agent_names
        .first()
        .cloned()
        .unwrap_or_default();
    let agent = agents
        .for_job(&name, metadata)
        .map_err(|problems| Exit::Config(format!("the metadata is not usable:\n{problems}")))?;
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let job = format!("direct-{}", now.as_secs());
    let token = server_api::agent_token(&config.livekit, &room, &job, &name)
        .map_err(|error| Exit::Config(error.to_string()))?;
    let (stop, stop_reader) = watch::channel(Stop::No);
    let (ended, _) = oneshot::channel();
    let request = SessionRequest {
        job,
        room: room.into(),
        url: config.livekit.url.clone(),
        token,
        agent_name: if name.is_empty() {
            agent.name.clone()
        } else {
            name
        },
        agent,
        stop: stop_reader,
        ended,
    };
    let deps = session_deps(config, tools.clone(), Approvals::default())?;
    let last = Last::of(&deps);
    let session = runner(deps)(request);
    tokio::pin!(session);
    let end = loop {
        tokio::select! {
            end = &mut session => break end,
            () = signals.next() => {
                let again = *stop.borrow() != Stop::No;
                let drained = dialog::output::CloseReason::Drained;
                stop.send_replace(if again { Stop::Now(drained) } else { Stop::Drain });
            }
        }
    };
    // Each tool has a deadline; who wants all to end now does not wait for it.
    tokio::select! {
        () = tools.finished() => {}
        () = signals.next() => {}
    }
    last.finish().await;
    match end.error {
        None => Ok(Exit::Done),
        Some(error) => Err(Exit::Unavailable(error.to_string())),
    }
}

fn unavailable(what: &'static str) -> impl FnOnce(std::io::Error) -> Exit {
    move |error| Exit::Unavailable(format!("{what}: {}", error.kind()))
}
