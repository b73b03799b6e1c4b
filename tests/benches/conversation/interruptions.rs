//! Short sounds of callers while the agent counts to twenty, through a real server: whether it counts on.
//!
//! Listened to, not asked: an agent that is heard saying "twenty" went on, all others yielded.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::{
    clips, ears,
    livekit_server::{LivekitServer, Pass},
    sim_model::{Script, SimModel},
    sounds::{Kind, Sound},
    stack::simulated_model,
    user::User,
    worker::Worker,
};
use tokio::task::JoinSet;

use crate::{PATIENCE, Result, progress, settings};

/// Callers side by side, each in a room of their own.
const CALLERS: u64 = 5;
/// Sessions that end while the next ones begin count, too.
const SLOTS: &str = "40";
/// None that the detector or the sounds in virtual time were looked at with.
const SEEDS: u64 = 1_000_000;
/// Longer than words are waited for.
const OVER: Duration = Duration::from_secs(3);
/// The count takes ten seconds, and a pause in it less than three.
const LONGEST: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(200);

/// Prints what became of so many sounds of each kind.
pub(crate) async fn interrupt(livekit: &LivekitServer, wanted: usize) -> Result<Value> {
    let model = simulated_model(Script::default()).await;
    let settings = settings(livekit, &model).with("ROOM_AGENT__WORKER__SLOTS", SLOTS);
    let _worker = Worker::ready(&settings).await;
    let mut kinds = serde_json::Map::new();
    for kind in Kind::ALL {
        progress(&format!("{wanted} of {kind:?}"));
        let outcomes = outcomes(livekit, &model, kind, wanted as u64).await;
        kinds.insert(format!("{kind:?}").to_lowercase(), counts(&outcomes));
    }
    Ok(Value::Object(kinds))
}

/// What the agent did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// It was heard to the end, without a hole.
    WentOn,
    /// It was heard to the end, after a pause.
    Resumed,
    /// It stopped.
    Yielded,
    /// It was not speaking: this one does not count.
    Unheard,
}

fn counts(outcomes: &[Outcome]) -> Value {
    let count = |wanted: Outcome| outcomes.iter().filter(|one| **one == wanted).count();
    json!({
        "n": outcomes.len() - count(Outcome::Unheard),
        "went_on": count(Outcome::WentOn),
        "resumed": count(Outcome::Resumed),
        "yielded": count(Outcome::Yielded),
    })
}

async fn outcomes(
    livekit: &LivekitServer,
    model: &SimModel,
    kind: Kind,
    wanted: u64,
) -> Vec<Outcome> {
    // One transcript for all of a kind: who is heard first is not known.
    let words = kind.make(SEEDS).words.to_owned();
    model.script(|script| script.strangers_say = Some(words));
    let mut callers = JoinSet::new();
    for who in 0..CALLERS.min(wanted) {
        let room = format!("{kind:?}-{who}").to_lowercase();
        let (url, pass) = (livekit.url(), Pass::of("caller", &room));
        let seeds = (SEEDS + who..SEEDS + wanted).step_by(CALLERS as usize);
        callers.spawn(async move { converse(User::join(&url, &pass).await, kind, seeds).await });
    }
    callers.join_all().await.concat()
}

/// One caller who makes these sounds, each beside a count of its own.
async fn converse(caller: User, kind: Kind, seeds: impl Iterator<Item = u64>) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    let joined = Instant::now();
    caller.meets_agent(PATIENCE).await;
    quiet(&caller, joined).await;
    for seed in seeds {
        let asked = caller.say("caller-count").await;
        let began = caller.hears("agent-two", asked.ended, LONGEST).await;
        // Anywhere from the second number to about the tenth.
        let pause = Duration::from_millis(seed * 7_919 % 3_000);
        tokio::time::sleep_until((began.ended + pause).into()).await;
        outcomes.push(outcome(&caller, &kind.make(seed), began.started).await);
        caller.forget_before(Instant::now());
    }
    caller.leave().await;
    outcomes
}

async fn outcome(caller: &User, sound: &Sound, began: Instant) -> Outcome {
    let made = caller.play(&sound.pcm).await;
    quiet(caller, made.ended).await;
    let heard = caller.recording().since(began);
    let before = caller.recording().between(began, made.started);
    if ears::level(&before.pcm) == 0.0 {
        return Outcome::Unheard;
    }
    if ears::find(&heard.pcm, clips::clip("agent-twenty")).is_none() {
        return Outcome::Yielded;
    }
    let counted = &heard.pcm[..clips::samples_in(ears::silent_from(&heard.pcm))];
    match ears::gaps(counted, PAUSE).is_empty() {
        true => Outcome::WentOn,
        false => Outcome::Resumed,
    }
}

/// Longer than any between two numbers.
const PAUSE: Duration = Duration::from_millis(400);

/// Waits until the agent has not been heard for a while.
async fn quiet(caller: &User, since: Instant) {
    while since.elapsed() < LONGEST {
        tokio::time::sleep(LOOK).await;
        let heard = caller.recording().since(since);
        let silent = ears::silent_from(&heard.pcm);
        if clips::duration_of(heard.pcm.len()).saturating_sub(silent) >= OVER {
            return;
        }
    }
}
