//! Quick figures of one machine, as JSON: what the worker adds to a conversation, and what it costs.
//!
//! Everything is seen from outside the worker, on one clock: the caller's engine stamps packets as
//! they leave and arrive, the simulated model stamps events as they are read and written. So each
//! latency also holds one way through the server and the caller's own socket. Nothing is asserted.

use std::{
    error::Error,
    time::{Duration, Instant},
};

use serde_json::Value;
use tests::{
    clips,
    faults::impairment::{Conditions, Impairment, Loss},
    livekit_server::LivekitServer,
    sim_model::{Script, Side, SimModel},
    stack::simulated_model,
    worker::{Settings, Worker},
};

mod caller;
mod crowd;
mod expiry;
mod figures;
mod flood;
mod interruptions;
mod recovery;
mod rotations;
mod turns;

use caller::Caller;
use figures::{Figure, Report, milliseconds, ratio};
use turns::{Measured, Turns};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The model's share of the quick figures: from the start of a response to its first audio.
const QUICK_MODEL: Duration = Duration::from_millis(200);
/// The same in a conversation, as the promises assume it.
const MODEL: Duration = Duration::from_millis(500);
/// Speech that the agent plays before the caller starts again.
const AGENT_TALKS: Duration = Duration::from_millis(450);
/// Rooms side by side whose cost is measured.
const SESSIONS: usize = 5;
/// Speeches in each of them.
const SPEECHES: usize = 3;
/// A turn that does not come is a failed one; it is counted, not waited for.
const PATIENCE: Duration = Duration::from_secs(10);

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let report = runtime.block_on(measure())?;
    #[expect(clippy::print_stdout, reason = "the figures are this program's output")]
    {
        println!("{report:#}");
    }
    Ok(())
}

fn is_asked(word: &str) -> bool {
    std::env::args().any(|arg| arg == word)
}

/// The number behind this word.
fn wanted(word: &str) -> Option<usize> {
    let args: Vec<String> = std::env::args().collect();
    let at = args.iter().position(|arg| arg == word)?;
    args.get(at + 1)?.parse().ok()
}

async fn measure() -> Result<Value> {
    let turns = wanted("--turns").unwrap_or(200);
    let livekit = LivekitServer::start().await;
    match () {
        () if is_asked("conversation") => conversation(&livekit, turns).await,
        () if is_asked("--flood") => {
            let model = model_of(QUICK_MODEL).await;
            flood::compare(&livekit, &model, &settings(&livekit, &model), turns).await
        }
        () if is_asked("--sessions") => {
            let model = model_of(QUICK_MODEL).await;
            let count = wanted("--sessions").unwrap_or(SESSIONS);
            let mut report = Report::default();
            report.extend(sessions(&livekit, &model, &settings(&livekit, &model), count).await?);
            Ok(report.into_json())
        }
        () => quick(&livekit, turns).await,
    }
}

async fn model_of(reply_after: Duration) -> SimModel {
    simulated_model(Script {
        reply_after,
        ..Script::default()
    })
    .await
}

/// What the worker adds, and what it costs, in ten minutes.
async fn quick(livekit: &LivekitServer, turns: usize) -> Result<Value> {
    let model = model_of(QUICK_MODEL).await;
    let settings = settings(livekit, &model);
    let mut report = Report::default();
    progress("start");
    report.add(start_to_ready(&settings, 5).await);
    progress("dispatch");
    report.extend(dispatches(livekit, &model, &settings, 20).await?);
    progress("turns");
    report.extend(
        talk(
            Worker::ready(&settings).await,
            livekit,
            &model,
            QUICK_MODEL,
            turns,
        )
        .await?
        .all()
        .into(),
    );
    progress("sessions");
    report.extend(sessions(livekit, &model, &settings, SESSIONS).await?);
    Ok(report.into_json())
}

/// Everything that is promised of a conversation, in half an hour; or one part of it.
async fn conversation(livekit: &LivekitServer, turns: usize) -> Result<Value> {
    let parts_of = [
        "--faults",
        "--rotations",
        "--expiries",
        "--interruptions",
        "--lossy",
    ];
    let asked @ [faults, rotations, expiries, interruptions, bad] = parts_of.map(wanted);
    let is_whole = asked == [None; 5];
    let mut parts = serde_json::Map::new();
    if is_whole {
        let mut report = Report::default();
        let model = model_of(MODEL).await;
        progress("turns");
        let worker = Worker::ready(&settings(livekit, &model)).await;
        let measured = talk(worker, livekit, &model, MODEL, turns).await?;
        report.extend(measured.all().into());
        parts.insert("turns".to_owned(), report.into_json());
    }
    if let Some(wanted) = bad.or_else(|| is_whole.then_some(turns)) {
        let model = model_of(MODEL).await;
        let mut report = Report::default();
        for paths in [Paths::Callers, Paths::All] {
            progress(&format!("turns on a bad network: {}", paths.whose()));
            report.extend(lossy(&model, wanted, paths).await?.into());
        }
        parts.insert("turns_on_a_bad_network".to_owned(), report.into_json());
    }
    if let Some(wanted) = rotations.or_else(|| is_whole.then_some(200)) {
        progress("rotations");
        let found = rotations::rotate(livekit, wanted).await?;
        parts.insert("rotations".to_owned(), found);
    }
    if let Some(wanted) = expiries.or_else(|| is_whole.then_some(20)) {
        progress("sessions that end in mid-speech");
        let found = expiry::expire(livekit, wanted).await?;
        parts.insert("sessions_that_end_in_mid_speech".to_owned(), found);
    }
    if let Some(wanted) = interruptions.or_else(|| is_whole.then_some(20)) {
        progress("interruptions");
        let found = interruptions::interrupt(livekit, wanted).await?;
        parts.insert("interruptions".to_owned(), found);
    }
    if let Some(wanted) = faults.or_else(|| is_whole.then_some(1_000)) {
        progress("failures");
        let found = recovery::recover(livekit, wanted).await?;
        parts.insert("recovery".to_owned(), found);
    }
    Ok(Value::Object(parts))
}

fn settings(livekit: &LivekitServer, model: &SimModel) -> Settings {
    let mut settings = Settings::new(&livekit.url(), &model.url())
        .with("ROOM_AGENT__LOG__LEVEL", "warn")
        .with("ROOM_AGENT__AGENTS__DEFAULT", "bench");
    settings
        .agents
        .push(("bench.toml".to_owned(), AGENT.to_owned()));
    settings
}

/// Short silences, so that two hundred turns take minutes and not an hour.
const AGENT: &str = r#"
name = "bench"
version = "1"
instructions = "Talk."
greeting = "Greet the person."

[turn_detection]
mode = "server_vad"
silence = "200ms"
"#;

/// How far packets of the bad network are off their time, both ways.
const JITTER: Duration = Duration::from_millis(50);

/// What ends a turn in [`AGENT`].
const SILENCE: Duration = Duration::from_millis(200);

fn progress(step: &str) {
    eprintln!("  … {step}");
}

/// From the start of the process to "registered".
async fn start_to_ready(settings: &Settings, runs: usize) -> Figure {
    let mut figure = Figure::new("start_to_registered", "ms", 500.0);
    for _ in 0..runs {
        let begun = Instant::now();
        let worker = Worker::start(settings);
        while begun.elapsed() < PATIENCE {
            if worker
                .page("/ready")
                .await
                .is_ok_and(|page| page.status == 200)
            {
                figure.push(milliseconds(begun.elapsed()));
                break;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    figure
}

/// From the dispatch of an agent to the first packet of its greeting.
async fn dispatches(
    livekit: &LivekitServer,
    model: &SimModel,
    settings: &Settings,
    runs: usize,
) -> Result<Vec<Figure>> {
    const NAME: &str = "bench";
    let worker = Worker::ready(&settings.clone().with("LIVEKIT_AGENT_NAME", NAME)).await;
    let mut whole = Figure::new("dispatch_to_greeting", "ms", f64::NAN);
    let mut ours = Figure::new("dispatch_to_greeting_less_model", "ms", 300.0);
    let mut published = Figure::new("dispatch_to_track", "ms", f64::NAN);
    for run in 0..runs {
        let room = format!("dispatch-{run}");
        let mut caller = Caller::join(livekit, &room).await?;
        let request = livekit_protocol::CreateAgentDispatchRequest {
            agent_name: NAME.to_owned(),
            room: room.clone(),
            ..Default::default()
        };
        let asked = Instant::now();
        livekit.dispatches().create_dispatch(request).await?;
        if let Some(seen) = caller.agent_track(PATIENCE).await {
            published.push(milliseconds(seen - asked));
        }
        if let Some(first) = caller.first_packet_after(asked, PATIENCE).await {
            let created = model.first_of_newest(Side::Client, CREATE);
            let spoken = model.first_of_newest(Side::Server, AUDIO_DELTA);
            let theirs = spoken
                .zip(created)
                .map_or(QUICK_MODEL, |(spoken, created)| {
                    spoken.saturating_duration_since(created)
                });
            whole.push(milliseconds(first - asked));
            ours.push(milliseconds((first - asked).saturating_sub(theirs)));
        }
        caller.leave().await;
    }
    drop(worker);
    Ok(vec![whole, ours, published])
}

/// One caller of this worker, who lets the agent begin each answer and then talks over it.
async fn talk(
    worker: Worker,
    livekit: &LivekitServer,
    model: &SimModel,
    model_time: Duration,
    turns: usize,
) -> Result<Measured> {
    let mut talk = Turns::begin(livekit, model, model_time, "turns").await?;
    let mut measured = Measured::new();
    talk.take(model, turns, &mut measured).await?;
    talk.end().await;
    drop(worker);
    Ok(measured)
}

/// Whose way to the server is a bad one.
#[derive(Clone, Copy, Debug)]
enum Paths {
    /// The caller's, and the worker's too.
    All,
    /// The caller's: the worker stands beside the server.
    Callers,
}

impl Paths {
    fn whose(self) -> &'static str {
        match self {
            Self::All => "the caller's way to the server and the worker's",
            Self::Callers => "the caller's way to the server",
        }
    }

    /// Voice to voice, and of that: until the turn has ended at the model, and from the first sound
    /// there to the caller.
    fn figures(self) -> [&'static str; 3] {
        match self {
            Self::All => [
                "voice_to_voice_at_5_percent_loss_and_50_ms_jitter",
                "of_that_until_the_turn_has_ended",
                "of_that_from_the_model_to_the_caller",
            ],
            Self::Callers => [
                "voice_to_voice_at_5_percent_loss_and_50_ms_jitter_of_the_caller",
                "of_that_until_the_turn_has_ended_jitter_of_the_caller",
                "of_that_from_the_model_to_the_caller_jitter_of_the_caller",
            ],
        }
    }
}

/// The same on a network that loses every twentieth packet both ways and shakes the rest.
async fn lossy(model: &SimModel, turns: usize, paths: Paths) -> Result<[Figure; 3]> {
    let conditions = Conditions {
        loss: Loss::Random(0.05),
        delay: JITTER,
        jitter: JITTER,
        ..Conditions::default()
    };
    let (livekit, relay) = LivekitServer::relayed(Impairment::both(conditions, 1)).await;
    let worker = Worker::ready(&settings(&livekit, model)).await;
    if let Paths::Callers = paths {
        let id = worker.id().ok_or("the worker has ended")?;
        relay.of_process(id).set(Impairment::default());
    }
    let measured = talk(worker, &livekit, model, MODEL, turns).await?;
    Ok(measured.coarse(paths.figures()))
}

/// Memory and CPU of the worker: alone, and with several rooms whose agents talk or wait.
async fn sessions(
    livekit: &LivekitServer,
    model: &SimModel,
    settings: &Settings,
    count: usize,
) -> Result<Vec<Figure>> {
    const WINDOW: Duration = Duration::from_secs(8);
    let worker = Worker::ready(settings).await;
    let mut idle = Figure::new("idle_resident", "MB", 40.0);
    idle.push(megabytes(&worker));
    let mut callers = Vec::new();
    for index in 0..count {
        let mut caller = Caller::join(livekit, &format!("session-{index}")).await?;
        caller
            .agent_track(PATIENCE)
            .await
            .ok_or("the agent did not come")?;
        callers.push(caller);
    }
    // The greetings are over when nobody is spoken to any more.
    tokio::time::sleep(WINDOW).await;
    let mut memory = Figure::new("resident_per_session", "MB", 15.0);
    memory.push((megabytes(&worker) - idle.last()) / ratio(count));
    progress("listening");
    let mut listening = Figure::new("cpu_per_listening_session", "% of a core", 0.4);
    let mut speaking = Figure::new("cpu_per_speaking_session", "% of a core", 1.2);
    let mut waking = ["listening", "speaking"]
        .map(|_| Figure::new("wakeups_per_session", "per second", f64::NAN));
    for _ in 0..SPEECHES {
        let used = use_over(&worker, WINDOW).await;
        listening.push(used.cpu / ratio(count));
        waking[0].push(used.wakeups / ratio(count));
        progress("speaking");
        let asked = &clips::clip("caller-count").pcm;
        let asking = callers.iter_mut().map(|caller| caller.say(asked));
        futures_util::future::try_join_all(asking).await?;
        next(model, Side::Server, AUDIO_DELTA, Instant::now()).await;
        let used = use_over(&worker, WINDOW).await;
        speaking.push(used.cpu / ratio(count));
        waking[1].push(used.wakeups / ratio(count));
        // The rest of the answers.
        tokio::time::sleep(WINDOW).await;
    }
    let [rest, talk] = waking;
    let rest = rest.named("wakeups_per_listening_session");
    let talk = talk.named("wakeups_per_speaking_session");
    Ok(vec![idle, memory, listening, speaking, rest, talk])
}

const CREATE: &str = "response.create";
const TRUNCATE: &str = "conversation.item.truncate";
const SPEECH_STARTED: &str = "input_audio_buffer.speech_started";
const COMMITTED: &str = "input_audio_buffer.committed";
const APPEND: &str = "input_audio_buffer.append";
const AUDIO_DELTA: &str = "response.output_audio.delta";

/// When the first event of this kind after that moment went over the model's wire.
async fn next(model: &SimModel, side: Side, kind: &str, since: Instant) -> Option<Instant> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let found = model.first_since(side, kind, since);
        if found.is_some() {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    None
}

fn megabytes(worker: &Worker) -> f64 {
    ratio(usize::try_from(worker.resident().unwrap_or(0) / 1024).unwrap_or(0)) / 1024.0
}

/// What the worker used.
struct Used {
    /// Percent of one core.
    cpu: f64,
    /// How often one of its threads had waited for something, per second: whatever the machine, this
    /// is the same.
    wakeups: f64,
}

/// What the worker used during the window.
async fn use_over(worker: &Worker, window: Duration) -> Used {
    let before = (worker.cpu_time().unwrap_or_default(), worker.wakeups());
    let begun = Instant::now();
    tokio::time::sleep(window).await;
    let after = (worker.cpu_time().unwrap_or_default(), worker.wakeups());
    let took = begun.elapsed().as_secs_f64();
    Used {
        cpu: 100.0 * after.0.saturating_sub(before.0).as_secs_f64() / took,
        wakeups: ratio(usize::try_from(after.1.saturating_sub(before.1)).unwrap_or(0)) / took,
    }
}
