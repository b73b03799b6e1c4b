//! Sessions of the model that end by their `expires_at` while somebody speaks, which no rotation can
//! foresee: whether anybody notices.
//!
//! Listened to: the agent counts on without a hole longer than its own pauses, and a person whose sentence
//! was cut by the end hears the agent repeat all of it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tests::{
    clips, ears,
    livekit_server::{LivekitServer, Pass},
    sim_model::{Recorded, Script, Side, SimModel, count_to_twenty},
    stack::simulated_model,
    user::User,
    worker::Worker,
};
use tokio::{sync::Barrier, task::JoinSet};

use crate::{
    PATIENCE, Result,
    figures::{Figure, milliseconds},
    settings,
};

/// Callers side by side, whose sessions end at the same moment.
const CALLERS: usize = 4;
/// Nobody speaks any more after this silence.
const QUIET: Duration = Duration::from_millis(900);
/// Longer than a count and its answer.
const LONG: Duration = Duration::from_secs(20);
/// A pause that is looked at.
const PAUSE: Duration = Duration::from_millis(60);
const SENTENCE: &str = "caller-mountains";

/// What one caller noticed in one round.
#[derive(Clone, Copy)]
struct Noticed {
    /// How much longer the longest pause of the count was than when it is undisturbed; `None` = it was
    /// not heard to its end.
    hole: Option<Duration>,
    /// The agent repeated the whole sentence.
    is_repeated: bool,
}

/// Prints what happened when so many sessions ended while the agent spoke, and as many while the caller did.
pub(crate) async fn expire(livekit: &LivekitServer, wanted: usize) -> Result<Value> {
    // So fast that the answer is known when its session ends: what is lost of an unfinished one is
    // asked for again, and is a matter of recovery.
    let script = Script {
        pace: 20.0,
        ..Script::default()
    };
    let model = simulated_model(script).await;
    let settings = settings(livekit, &model).with("ROOM_AGENT__WORKER__SLOTS", "20");
    let _worker = Worker::ready(&settings).await;
    let barrier = Arc::new(Barrier::new(CALLERS + 1));
    let rounds = wanted.div_ceil(CALLERS);
    let mut callers = JoinSet::new();
    for who in 0..CALLERS {
        let (url, pass) = (livekit.url(), Pass::of("caller", &format!("expiry-{who}")));
        let barrier = barrier.clone();
        callers.spawn(async move {
            let caller = User::join(&url, &pass).await;
            let joined = Instant::now();
            caller.meets_agent(PATIENCE).await;
            caller.hears("agent-greeting", joined, PATIENCE).await;
            let mut noticed = Vec::new();
            for _ in 0..rounds {
                noticed.push(talk(&caller, &barrier).await);
            }
            caller.leave().await;
            noticed
        });
    }
    let middle = clips::clip(SENTENCE).duration() / 2;
    for _ in 0..rounds {
        // The agents count.
        barrier.wait().await;
        end_all(&model).await;
        // The people begin to speak.
        barrier.wait().await;
        tokio::time::sleep(middle).await;
        end_all(&model).await;
    }
    let noticed = callers.join_all().await.concat();
    let mut holes = Figure::new("longest_pause_beyond_its_own", "ms", 20.0);
    for hole in noticed.iter().filter_map(|one| one.hole) {
        holes.push(milliseconds(hole));
    }
    Ok(json!({
        "ended_while_the_agent_spoke": noticed.len(),
        "heard_to_the_end": holes.count(),
        "hole_ms": { "p50": holes.quantile(0.5), "p95": holes.quantile(0.95), "max": holes.quantile(1.0) },
        "ended_while_the_caller_spoke": noticed.len(),
        "repeated_whole": noticed.iter().filter(|one| one.is_repeated).count(),
    }))
}

async fn talk(caller: &User, barrier: &Barrier) -> Noticed {
    caller.hears_silence(QUIET, LONG).await;
    let asked = caller.say("caller-count").await;
    let third = caller.hears("agent-three", asked.ended, LONG).await;
    barrier.wait().await;
    let is_whole = wait_for(caller, "agent-twenty", third.started).await;
    caller.hears_silence(QUIET, LONG).await;
    let heard = caller.recording().since(third.started);
    let counted = &heard.pcm[..clips::samples_in(ears::silent_from(&heard.pcm))];
    let hole = longest_pause(counted).saturating_sub(longest_pause(&count_to_twenty()));

    barrier.wait().await;
    let said = caller.say(SENTENCE).await;
    let is_repeated = wait_for(caller, SENTENCE, said.ended).await;
    caller.hears_silence(QUIET, LONG).await;
    caller.forget_before(Instant::now());
    Noticed {
        hole: is_whole.then_some(hole),
        is_repeated,
    }
}

/// Whether this clip of the agent is heard in time.
async fn wait_for(caller: &User, clip: &str, since: Instant) -> bool {
    let deadline = since + LONG;
    while Instant::now() < deadline {
        if ears::find(&caller.recording().since(since).pcm, clips::clip(clip)).is_some() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    false
}

fn longest_pause(pcm: &[i16]) -> Duration {
    let pauses = ears::gaps(pcm, PAUSE).into_iter();
    pauses.map(|(_, length)| length).max().unwrap_or_default()
}

/// Ends every session at once, and none that begins after that.
async fn end_all(model: &SimModel) {
    let hour = Script::default().expire_after;
    let began = Instant::now();
    model.script(|script| script.expire_after = Duration::ZERO);
    let is_end = |record: &Recorded| record.kind == "error" && record.side == Side::Server;
    while began.elapsed() < PATIENCE && model.since(began, is_end).len() < CALLERS {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    model.script(|script| script.expire_after = hour);
}
