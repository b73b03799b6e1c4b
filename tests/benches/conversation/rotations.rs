//! Conversations that move to fresh connections: whether anything of what people say is lost or said
//! twice, and whether the turn after a move takes longer than the one before.
//!
//! Each connection answers two turns, so that every other turn is the first of a fresh one.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tests::{
    livekit_server::LivekitServer,
    sim_model::{Recorded, Script, Side, SimModel},
    stack::simulated_model,
    worker::Worker,
};

use crate::{
    APPEND, Result,
    crowd::{self, Crowd, Register, Turn},
    figures::{Figure, milliseconds},
};

const SESSIONS: usize = 8;
/// Looks at the record this often.
const LOOK: Duration = Duration::from_millis(500);
const COMMITTED: &str = "input_audio_buffer.committed";
const UPDATE: &str = "session.update";
/// Bytes of a second of sound.
const BYTES_PER_SECOND: f64 = 48_000.0;

/// Prints what happened in so many rotations.
pub(crate) async fn rotate(livekit: &LivekitServer, wanted: usize) -> Result<Value> {
    let model = simulated_model(Script::default()).await;
    let settings = crowd::worker_for(SESSIONS, livekit, &model)
        .with("ROOM_AGENT__MODEL__ROTATION__TURNS", "2");
    let worker = Worker::ready(&settings).await;
    let mut watcher = Watcher {
        looked: Instant::now(),
        register: Register::default(),
        sessions: BTreeMap::new(),
    };
    let crowd = Crowd::gather(livekit, SESSIONS).await?;
    while watcher.rotations() < wanted {
        watcher.look(&model);
        tokio::time::sleep(LOOK).await;
    }
    // Before they leave: the last to leave in mid-turn is given a second of silence.
    let sound_off: Vec<f64> = watcher.sessions.values().map(Session::sound_off).collect();
    let turns = crowd.disperse().await;
    watcher.look(&model);
    drop(worker);
    Ok(watcher.report(&turns, &sound_off))
}

/// What was written to the model, session by session.
struct Watcher {
    looked: Instant,
    register: Register,
    sessions: BTreeMap<usize, Session>,
}

#[derive(Default)]
struct Session {
    /// First and last append, and all sound after the first one, in seconds.
    appends: Option<(Instant, Instant)>,
    sound: f64,
    /// Connections that were spoken over.
    connections: Vec<u64>,
    /// When a turn was committed, and the how manieth it was of its connection, from 1.
    turns: Vec<(Instant, usize)>,
}

impl Watcher {
    fn look(&mut self, model: &SimModel) {
        let kinds = [APPEND, COMMITTED, UPDATE];
        let news = model.since(self.looked, |record| kinds.contains(&record.kind.as_str()));
        for record in news {
            self.looked = record.at;
            if let Some(who) = self.register.who(&record) {
                self.sessions.entry(who).or_default().take(&record);
            }
        }
    }

    fn rotations(&self) -> usize {
        let sessions = self.sessions.values();
        sessions
            .map(|one| one.connections.len().saturating_sub(1))
            .sum()
    }

    fn report(self, turns: &[Turn], sound_off: &[f64]) -> Value {
        let mut fresh = Figure::new("turn_after_a_rotation", "ms", f64::NAN);
        let mut worn = Figure::new("turn_before_a_rotation", "ms", f64::NAN);
        let mut unanswered = 0;
        for turn in turns {
            let Some(answered) = turn.answered else {
                unanswered += 1;
                continue;
            };
            let session = self.sessions.get(&turn.who);
            match session.and_then(|session| session.place_of(turn.said, answered)) {
                Some(1) => fresh.push(milliseconds(answered - turn.said)),
                Some(2) => worn.push(milliseconds(answered - turn.said)),
                _ => {}
            }
        }
        let ratio = fresh.quantile(0.95).zip(worn.quantile(0.95));
        json!({
            "part": "rotations",
            "sessions": SESSIONS,
            "rotations": self.rotations(),
            "turn_before": quantiles(&worn),
            "turn_after": quantiles(&fresh),
            "p95_after_over_before": ratio.map(|(after, before)| round(after / before)),
            "unanswered_turns": unanswered,
            "sound_off_real_time_ms": sound_off.iter().copied().map(round).collect::<Vec<_>>(),
        })
    }
}

impl Session {
    fn take(&mut self, record: &Recorded) {
        if record.kind == COMMITTED {
            let earlier = self.turns.len();
            let nth = if self.connections.last() == Some(&record.connection) && earlier > 0 {
                self.turns[earlier - 1].1 + 1
            } else {
                1
            };
            self.connections.push(record.connection);
            self.connections.dedup();
            self.turns.push((record.at, nth));
        } else if record.kind == APPEND && record.side == Side::Client {
            let Some((_, last)) = &mut self.appends else {
                self.appends = Some((record.at, record.at));
                return;
            };
            *last = record.at;
            self.sound += seconds_of(&record.event["audio"]);
        }
    }

    /// The how manieth turn of its connection was committed between these moments.
    fn place_of(&self, said: Instant, answered: Instant) -> Option<usize> {
        let mut turns = self.turns.iter();
        let turn = turns.find(|(at, _)| *at >= said && *at <= answered)?;
        Some(turn.1)
    }

    /// Sound that the model was given, less the time in which it was: what was lost is missing, and
    /// what was said twice is too much. In milliseconds.
    fn sound_off(&self) -> f64 {
        let Some((first, last)) = self.appends else {
            return f64::NAN;
        };
        (self.sound - (last - first).as_secs_f64()) * 1_000.0
    }
}

/// The record holds the length of long base64, without its padding, instead of it.
fn seconds_of(audio: &Value) -> f64 {
    let text = audio.as_str().unwrap_or_default();
    let told = text
        .strip_prefix('(')
        .and_then(|rest| rest.split(' ').next());
    let characters: f64 = match told.and_then(|digits| digits.parse().ok()) {
        Some(told) => told,
        None => text.trim_end_matches('=').len() as f64,
    };
    (characters * 0.75).floor() / BYTES_PER_SECOND
}

fn quantiles(figure: &Figure) -> Value {
    let at = |share| figure.quantile(share).map(round);
    json!({ "n": figure.count(), "p50_ms": at(0.5), "p95_ms": at(0.95), "max_ms": at(1.0) })
}

fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
