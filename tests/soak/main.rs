//! One long call through the real server over a lossy network, as JSON: do both sides still hear
//! each other at the end, and is the worker's memory flat?
//!
//! Every turn is listened to: the caller's words must come back in the agent's answer, so the
//! worker heard the caller and the caller heard the worker. Nothing is asserted about speed.

use std::{
    net::{Ipv4Addr, SocketAddr},
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::Parser;
use serde_json::json;
use tests::{
    clips, ears,
    faults::impairment::{Conditions, Impairment, Loss},
    livekit_server::{LivekitServer, Pass},
    sim_model::{Script, SimModel},
    user::User,
    worker::{Settings, Worker},
};

/// A call of this length, over a path that loses this much in each direction.
#[derive(Parser)]
struct Arguments {
    #[arg(long, default_value_t = 60)]
    minutes: u64,
    /// Percent of the packets, each way.
    #[arg(long, default_value_t = 5.0)]
    loss: f64,
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// What the caller says, in turn. Each is repeated by the model in the caller's own voice.
const SENTENCES: [&str; 4] = [
    "caller-mountains",
    "caller-train",
    "caller-apples",
    "caller-hello",
];
/// From the end of a sentence to its repetition heard in full: reply, "You said", the sentence.
const ANSWER: Duration = Duration::from_secs(10);
/// Between two turns: a call is mostly silence.
const PAUSE: Duration = Duration::from_secs(2);
/// How often the caller listens for the answer.
const LISTENING_TICK: Duration = Duration::from_millis(250);
/// Everything that is allocated once has been by then.
const WARM_MINUTES: usize = 5;
/// The last turns that must be heard for "still hearing each other".
const LAST: usize = 5;
/// Megabytes; less growth of the worker from warm to the end is flat.
const GROWTH: f64 = 4.0;

#[tokio::main]
async fn main() -> ExitCode {
    let report = call(&Arguments::parse()).await;
    #[expect(clippy::print_stdout, reason = "the figures are this program's output")]
    {
        println!("{}", report.to_json());
    }
    if report.holds() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

async fn call(arguments: &Arguments) -> Report {
    let conditions = Conditions {
        loss: Loss::Random(arguments.loss / 100.0),
        ..Conditions::default()
    };
    let impairment = Impairment::both(conditions, arguments.seed);
    let (livekit, relay) = LivekitServer::relayed(impairment).await;
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let model = SimModel::start_unrecorded(any, Script::default())
        .await
        .expect("a free port");
    let settings =
        Settings::new(&livekit.url(), &model.url()).with("ROOM_AGENT__LOG__LEVEL", "warn");
    let worker = Worker::ready(&settings).await;
    let caller = User::join(&livekit.url(), &Pass::of("ann", "long")).await;
    caller.meets_agent(ANSWER).await;

    let begun = Instant::now();
    let length = Duration::from_secs(60 * arguments.minutes);
    let mut report = Report::new(arguments);
    for sentence in SENTENCES.iter().cycle() {
        if begun.elapsed() >= length {
            break;
        }
        report.turns.push(turn(&caller, sentence).await);
        report.on_memory(begun.elapsed(), worker.resident().unwrap_or(0));
    }
    report.reconnects = worker
        .metric("room_agent_room_reconnects_total")
        .await
        .unwrap_or(f64::NAN);
    let counts = relay.counts();
    report.lost = counts.to_server.lost + counts.from_server.lost;
    caller.leave().await;
    report
}

/// Says a sentence and listens for it in the agent's answer.
async fn turn(caller: &User, sentence: &str) -> Turn {
    caller.forget_before(Instant::now());
    let said = caller.say(sentence).await;
    let clip = clips::clip(sentence);
    let deadline = said.ended + ANSWER;
    let mut heard = None;
    while heard.is_none() && Instant::now() < deadline {
        tokio::time::sleep(LISTENING_TICK).await;
        heard = ears::find(&caller.recording().since(said.ended).pcm, clip);
    }
    tokio::time::sleep(PAUSE).await;
    let sound = caller.recording().since(said.ended);
    Turn {
        is_spoken_to: ears::first_sound(&sound.pcm, Duration::ZERO).is_some(),
        is_repeated: heard.is_some(),
    }
}

/// What came of one turn.
struct Turn {
    /// The agent was heard at all.
    is_spoken_to: bool,
    /// It said the caller's own words.
    is_repeated: bool,
}

/// The whole call.
struct Report {
    minutes: u64,
    loss: f64,
    turns: Vec<Turn>,
    reconnects: f64,
    /// Datagrams, both ways, of caller and worker.
    lost: u64,
    /// Megabytes resident, each minute.
    memory: Vec<f64>,
}

impl Report {
    fn new(arguments: &Arguments) -> Self {
        Self {
            minutes: arguments.minutes,
            loss: arguments.loss,
            turns: Vec::new(),
            reconnects: f64::NAN,
            lost: 0,
            memory: Vec::new(),
        }
    }

    /// Keeps one figure a minute, and says that it goes on.
    fn on_memory(&mut self, elapsed: Duration, bytes: u64) {
        let minute = usize::try_from(elapsed.as_secs() / 60).unwrap_or(usize::MAX);
        if minute < self.memory.len() {
            return;
        }
        let megabytes = bytes as f64 / f64::from(1 << 20);
        self.memory.push((megabytes * 10.0).round() / 10.0);
        let repeated = self.count(|turn| turn.is_repeated);
        eprintln!(
            "  … minute {minute}: {repeated} of {} turns understood, {megabytes:.1} MB",
            self.turns.len()
        );
    }

    fn count(&self, is_so: impl Fn(&Turn) -> bool) -> usize {
        self.turns.iter().filter(|turn| is_so(turn)).count()
    }

    /// Both sides hear each other at the end.
    fn is_alive(&self) -> bool {
        let last = self.turns.iter().rev().take(LAST);
        self.turns.len() >= LAST && last.filter(|turn| turn.is_repeated).count() > LAST / 2
    }

    /// Megabytes from warm to the end; `None` when the call was too short to say.
    fn growth(&self) -> Option<f64> {
        let warm = *self.memory.get(WARM_MINUTES)?;
        Some(self.memory.last()? - warm)
    }

    fn holds(&self) -> bool {
        self.is_alive() && self.growth().is_none_or(|growth| growth < GROWTH)
    }

    fn to_json(&self) -> serde_json::Value {
        let failed = u8::from(!self.holds());
        json!({
            "part": "call",
            "passed": 1 - failed,
            "failed": failed,
            "skipped": 0,
            "minutes": self.minutes,
            "loss_percent_each_way": self.loss,
            "turns": self.turns.len(),
            "turns_with_an_answer": self.count(|turn| turn.is_spoken_to),
            "turns_repeated_word_for_word": self.count(|turn| turn.is_repeated),
            "both_hear_each_other_at_the_end": self.is_alive(),
            "reconnects": self.reconnects,
            "datagrams_lost": self.lost,
            "resident_mb_each_minute": self.memory,
            "growth_mb_after_warm_up": self.growth(),
        })
    }
}
