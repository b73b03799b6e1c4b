//! Model failures in many conversations side by side: how long until each of them is heard again.
//!
//! Twenty people talk with one worker and repeat themselves, while responses of the model fail in turn
//! in every way that is not for good. Everything is read off the model's own record: when a connection
//! broke or a response failed, and when the same conversation had the next sound. What the callers said
//! must all be in it, as text.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tests::{
    clips,
    livekit_server::LivekitServer,
    sim_model::{FAULT, Fault, Recorded, Script, SimModel},
    stack::simulated_model,
    worker::Worker,
};

use crate::{
    AUDIO_DELTA, Result,
    crowd::{self, CLIPS, Crowd, Register},
    figures::{Figure, milliseconds},
};

const SESSIONS: usize = 20;
/// Between two failures, wherever they strike: a conversation has time to heal before its next one.
const PACE: Duration = Duration::from_millis(600);
/// Looks at the record this often; it forgets after a minute and a half.
const LOOK: Duration = Duration::from_millis(150);
/// After the last failure.
const AFTERMATH: Duration = Duration::from_secs(10);
const DONE: &str = "response.done";
const UPDATE: &str = "session.update";
const WORDS: &str = "conversation.item.input_audio_transcription.completed";

/// Every way in turn.
fn fault(n: usize) -> Fault {
    match n % 5 {
        0 => Fault::DropLink(0),
        1 => Fault::DropLink(5),
        2 => Fault::Fail("server_error".to_owned()),
        3 => Fault::Expire,
        _ => Fault::Fail("rate_limit_exceeded".to_owned()),
    }
}

/// Prints one figure for each kind of failure, and what was lost.
pub(crate) async fn recover(livekit: &LivekitServer, wanted: usize) -> Result<Value> {
    let model = simulated_model(Script::default()).await;
    let _worker = Worker::ready(&crowd::worker_for(SESSIONS, livekit, &model)).await;
    let mut watcher = Watcher::new();
    let crowd = Crowd::gather(livekit, SESSIONS).await?;
    let mut struck = 0;
    let mut last_struck = Instant::now();
    while struck < wanted {
        if model.is_disarmed() && last_struck.elapsed() >= PACE {
            model.arm(fault(struck));
            last_struck = Instant::now();
            struck += 1;
            if struck.is_multiple_of(50) {
                crate::progress(&format!("{struck} of {wanted} failures"));
            }
        }
        watcher.look(&model);
        tokio::time::sleep(LOOK).await;
    }
    let turns = crowd.disperse().await;
    tokio::time::sleep(AFTERMATH).await;
    watcher.look(&model);
    Ok(watcher.report(turns.len()))
}

/// Pairs failures with the next sound of the same conversation.
struct Watcher {
    looked: Instant,
    /// Who talks over a connection.
    register: Register,
    /// Failures that nothing was heard after, by who suffers them.
    open: HashMap<usize, (String, Instant)>,
    healed: BTreeMap<String, Figure>,
    /// Struck again before they healed: neither counts.
    doubled: u64,
    words: u64,
}

impl Watcher {
    fn new() -> Self {
        Self {
            looked: Instant::now(),
            register: Register::default(),
            open: HashMap::new(),
            healed: BTreeMap::new(),
            doubled: 0,
            words: 0,
        }
    }

    fn look(&mut self, model: &SimModel) {
        let kinds = [AUDIO_DELTA, DONE, FAULT, UPDATE, WORDS];
        let news = model.since(self.looked, |record| kinds.contains(&record.kind.as_str()));
        for record in news {
            self.looked = record.at;
            self.take(&record);
        }
    }

    fn take(&mut self, record: &Recorded) {
        let event = &record.event;
        let Some(who) = self.register.who(record) else {
            return;
        };
        match record.kind.as_str() {
            AUDIO_DELTA => self.heal(who, record.at),
            DONE if event["response"]["status"] == "failed" => {
                let code = &event["response"]["status_details"]["error"]["code"];
                let kind = format!("failed_{}", code.as_str().unwrap_or("unknown"));
                self.strike(who, kind, record.at);
            }
            FAULT => {
                let kind = event["fault"].as_str().unwrap_or("unknown").to_owned();
                self.strike(who, kind, record.at);
            }
            WORDS if is_sentence(event) => self.words += 1,
            _ => {}
        }
    }

    fn strike(&mut self, who: usize, kind: String, at: Instant) {
        if self.open.insert(who, (kind, at)).is_some() {
            self.doubled += 1;
        }
    }

    fn heal(&mut self, who: usize, at: Instant) {
        if let Some((kind, since)) = self.open.remove(&who) {
            let figure = self.healed.entry(kind);
            figure
                .or_insert_with(|| Figure::new("heard_again_after", "ms", f64::NAN))
                .push(milliseconds(at - since));
        }
    }

    fn report(self, said: usize) -> Value {
        let round = |value: Option<f64>| value.map(f64::round);
        let rows = self.healed.iter().map(|(kind, figure)| {
            json!({
                "failure": kind,
                "n": figure.count(),
                "mean_ms": round(figure.mean()),
                "p50_ms": round(figure.quantile(0.5)),
                "p95_ms": round(figure.quantile(0.95)),
                "p99_ms": round(figure.quantile(0.99)),
                "max_ms": round(figure.quantile(1.0)),
            })
        });
        json!({
            "part": "recovery",
            "sessions": SESSIONS,
            "heard_again": rows.collect::<Vec<_>>(),
            "never_heard_again": self.open.len(),
            "struck_again_before": self.doubled,
            "sentences_said": said,
            "sentences_in_the_models_words": self.words,
        })
    }
}

/// One of the callers' sentences, whole.
fn is_sentence(event: &Value) -> bool {
    let words = event["transcript"].as_str().unwrap_or_default();
    CLIPS.iter().any(|clip| clips::clip(clip).words == words)
}
