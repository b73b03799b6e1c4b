//! What ten tools that block a thread for ten seconds do to ten agents that speak: nothing, if all is well.
//!
//! Runs without and with them take turns. Looked at are the wake-ups of the media clock, by which the voices
//! leave, and those of the tasks that bring the voices' sound as the model's connection would, every 10 ms:
//! late is what comes more than 5 ms after its time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use dialog::{
    model::{CallId, ItemId, ResponseId},
    output::{RunBy, ToolCall},
};
use room_agent::{
    agents::Rendered,
    audit::{Audit, ToolRecord},
    media::{
        MediaClock, Pcm,
        echo::OwnVoice,
        playout::{self, source::AgentSource},
    },
    tooling::{self, Plane, ToolEvent},
};
use serde_json::{Value, json};
use tokio::{task::JoinSet, time};
use tools::{Registry, Tool, ToolError, approval::NoApprover, function};

use crate::{Result, say};

/// Pairs of runs.
const PAIRS: usize = 5;
/// Agents that speak, each with a tool that blocks.
const SESSIONS: usize = 10;
/// Wake-ups of each in one run.
const TICKS: u64 = 1_200;
const TICK: Duration = Duration::from_millis(10);
const LATE: Duration = Duration::from_millis(5);
/// Sound that is ahead of what is heard, as with a model that speaks faster than people listen.
const AHEAD: Duration = Duration::from_millis(100);
const BLOCKS: Duration = Duration::from_secs(10);

/// Wake-ups, and how many of them were late.
#[derive(Clone, Copy, Debug, Default)]
struct Ticks {
    all: u64,
    late: u64,
}

impl Ticks {
    fn add(&mut self, other: Self) {
        self.all += other.all;
        self.late += other.late;
    }

    /// In percent.
    fn share(self) -> f64 {
        100.0 * self.late as f64 / self.all.max(1) as f64
    }
}

/// Of the media clock, and of the tasks of the sessions.
type Seen = [Ticks; 2];

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Nothing {}

pub(crate) async fn measure() -> Result<Vec<Value>> {
    let mut pairs: Vec<[Seen; 2]> = Vec::new();
    for pair in 1..=PAIRS {
        say(&format!(
            "pair {pair} of {PAIRS}: without, and with, tools that block"
        ));
        pairs.push([run(false).await?, run(true).await?]);
    }
    Ok(vec![
        row(
            "late ticks of the media clock, ten agents speaking",
            &pairs,
            0,
        ),
        row(
            "late ticks of tasks beside them on the sessions' threads",
            &pairs,
            1,
        ),
    ])
}

fn row(name: &str, pairs: &[[Seen; 2]], which: usize) -> Value {
    let mut sums = [Ticks::default(); 2];
    for pair in pairs {
        for (sum, run) in sums.iter_mut().zip(pair) {
            sum.add(run[which]);
        }
    }
    let round = |share: f64| (share * 1_000.0).round() / 1_000.0;
    let more = sums[1].share() - sums[0].share();
    let runs: Vec<Value> = pairs
        .iter()
        .map(|pair| json!(pair.map(|run| round(run[which].share()))))
        .collect();
    json!({
        "name": name,
        "unit": "% of ticks",
        "n": sums.map(|sum| sum.all),
        "without_blocking_tools": round(sums[0].share()),
        "with_ten_that_block_for_10_s": round(sums[1].share()),
        "more": round(more),
        "pairs": runs,
        "wanted_more": 0.1,
        "reached": more <= 0.1,
    })
}

async fn run(is_blocked: bool) -> Result<Seen> {
    let clock = MediaClock::start()?;
    let late = Arc::new(AtomicU64::new(0));
    let mut speakers = JoinSet::new();
    for _ in 0..SESSIONS {
        speakers.spawn(speak(clock.clone(), Arc::clone(&late)));
    }
    let ended = if is_blocked { block().await? } else { 0 };
    if is_blocked && ended != SESSIONS {
        return Err("a tool that blocks did not end".into());
    }
    speakers.join_all().await;
    let all = TICKS * SESSIONS as u64;
    let of_clock = Ticks {
        all,
        late: clock.late_ticks(),
    };
    let of_tasks = Ticks {
        all,
        late: late.load(Ordering::Relaxed),
    };
    Ok([of_clock, of_tasks])
}

/// One agent speaks, and its sound comes in pieces of 10 ms.
async fn speak(clock: MediaClock, late: Arc<AtomicU64>) {
    let own_voice = OwnVoice::new(Instant::now());
    let (playout, mut facts) = playout::start(AgentSource::new(), &clock, own_voice);
    let (response, item) = (ResponseId::new("r"), ItemId::new("i"));
    playout.push(&response, &item, tone(AHEAD));
    let begin = time::Instant::now();
    for tick in 1..=TICKS as u32 {
        let due = begin + TICK * tick;
        time::sleep_until(due).await;
        if due.elapsed() > LATE {
            late.fetch_add(1, Ordering::Relaxed);
        }
        playout.push(&response, &item, tone(TICK));
        while facts.try_recv().is_ok() {}
    }
}

fn tone(length: Duration) -> Pcm {
    let samples = (length.as_micros() * 24 / 1_000) as usize;
    let sample = |at: usize| [4_000, -4_000][at / 60 % 2];
    Pcm::from((0..samples).map(sample).collect::<Vec<i16>>())
}

/// One call in each session, as the worker runs it. Returns how many ended as they should.
async fn block() -> Result<usize> {
    let plane = plane()?;
    let mut sessions = JoinSet::new();
    for session in 0..SESSIONS {
        let plane = plane.clone();
        sessions.spawn(async move { one_call(&plane, session).await });
    }
    let ended = sessions.join_all().await;
    Ok(ended.into_iter().filter(|ended| *ended).count())
}

fn plane() -> Result<Plane> {
    let blocks = function::tool("blocks", "Blocks its thread.", async |_: Nothing| {
        #[expect(clippy::disallowed_methods, reason = "the mistake that is measured")]
        std::thread::sleep(BLOCKS);
        Ok::<_, ToolError>("done")
    });
    let tools: [Arc<dyn Tool>; 1] = [Arc::new(blocks.deadline(BLOCKS * 2))];
    Ok(Plane::new(Registry::build(tools)?).on_their_own_threads()?)
}

async fn one_call(plane: &Plane, session: usize) -> bool {
    let agent = Rendered {
        tools: vec!["blocks".to_owned()],
        ..Rendered::default()
    };
    let record = ToolRecord::new(Audit::default(), &format!("s{session}"));
    let (tooling, mut ends, _) = tooling::start(plane, &agent, record, NoApprover);
    let call = ToolCall {
        call: CallId::new("c1"),
        name: "blocks".to_owned(),
        arguments: "{}".to_owned(),
        response: ResponseId::new("r1"),
        run_by: RunBy::Worker,
    };
    tooling.run(call, Value::Null);
    matches!(ends.recv().await, Some(ToolEvent::Ended(end)) if end.output == "done")
}
