//! Model failures in many conversations side by side: how long until each of them is heard again.
//!
//! Twenty people talk with one worker and repeat themselves, while responses of the model fail in turn
//! in every way that is not for good. Everything is read off the model's own record: when a connection
//! broke or a response failed, and when the same conversation had the next sound. What the callers said
//! must all be in it, as text; what is not is told with everything that happened then.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tests::{
    livekit_server::LivekitServer,
    sentences::{Note, Sentences, Spoken},
    sim_model::{FAULT, Fault, Recorded, Script, SimModel},
    stack::simulated_model,
    worker::Worker,
};

use crate::{
    AUDIO_DELTA, CREATE, Result,
    crowd::{self, Crowd, Register, Turn},
    figures::{Figure, milliseconds},
};

const SESSIONS: usize = 20;
/// Between two failures that are made ready; about half of them strike, so that a conversation has ten
/// seconds to heal before its next one.
const PACE: Duration = Duration::from_millis(300);
/// So many are made ready for each that strikes, at most: about two are needed.
const ARMED_FOR_ONE: usize = 5;
/// Looks at the record this often; it forgets after a minute and a half.
const LOOK: Duration = Duration::from_millis(150);
/// After the last failure.
const AFTERMATH: Duration = Duration::from_secs(10);
/// Waiting is what the provider asks for.
const PACED: &str = "failed_rate_limit_exceeded";
const DONE: &str = "response.done";
const COMMITTED: &str = "input_audio_buffer.committed";
const DELETE: &str = "conversation.item.delete";
const STARTED: &str = "input_audio_buffer.speech_started";
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
    let (mut armed, mut told) = (0, 0);
    let mut last_armed = Instant::now();
    while watcher.struck < wanted && armed < wanted * ARMED_FOR_ONE {
        // Not every one strikes: a connection that waits in reserve makes no responses.
        if model.is_disarmed() && last_armed.elapsed() >= PACE {
            model.arm(fault(armed));
            last_armed = Instant::now();
            armed += 1;
        }
        watcher.look(&model);
        if watcher.struck / 50 > told {
            told = watcher.struck / 50;
            crate::progress(&format!("{} of {wanted} failures", watcher.struck));
        }
        tokio::time::sleep(LOOK).await;
    }
    let turns = crowd.disperse().await;
    tokio::time::sleep(AFTERMATH).await;
    watcher.look(&model);
    Ok(watcher.report(&turns))
}

/// A failure that was not healed yet.
struct Suffered {
    kind: String,
    since: Instant,
    /// What the record shows of this conversation since then, by type.
    meanwhile: BTreeMap<String, u64>,
}

/// A failure after which the agent was heard again.
struct Healed {
    who: usize,
    suffered: Suffered,
    at: Instant,
}

impl Healed {
    fn took(&self) -> Duration {
        self.at - self.suffered.since
    }

    /// The caller began to speak before the agent did: it listened, and was not silent by mistake.
    fn is_spoken_over(&self, turns: &[Turn]) -> bool {
        let meanwhile = self.suffered.since..self.at;
        let mut own = turns.iter().filter(|turn| turn.who == self.who);
        own.any(|turn| meanwhile.contains(&turn.began))
    }

    fn told(&self) -> Value {
        json!({
            "caller": self.who,
            "failure": self.suffered.kind,
            "meanwhile": self.suffered.meanwhile,
            "ms": milliseconds(self.took()).round(),
        })
    }
}

/// Pairs failures with the next sound of the same conversation.
struct Watcher {
    looked: Instant,
    /// Who talks over a connection.
    register: Register,
    /// Failures so far.
    struck: usize,
    /// Failures that nothing was heard after, by who suffers them.
    open: HashMap<usize, Suffered>,
    healed: Vec<Healed>,
    /// Struck again before they healed: neither counts.
    doubled: u64,
    sentences: Sentences,
}

impl Watcher {
    fn new() -> Self {
        Self {
            looked: Instant::now(),
            register: Register::default(),
            struck: 0,
            open: HashMap::new(),
            healed: Vec::new(),
            doubled: 0,
            sentences: Sentences::default(),
        }
    }

    fn look(&mut self, model: &SimModel) {
        let kinds = [
            AUDIO_DELTA,
            COMMITTED,
            CREATE,
            DELETE,
            DONE,
            FAULT,
            STARTED,
            UPDATE,
            WORDS,
        ];
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
        if let Some(suffered) = self.open.get_mut(&who) {
            *suffered.meanwhile.entry(record.kind.clone()).or_default() += 1;
        }
        self.note(who, record);
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
            _ => {}
        }
    }

    /// For the question where somebody's words are.
    fn note(&mut self, who: usize, record: &Recorded) {
        let event = &record.event;
        let told = |text: &Value| text.as_str().unwrap_or_default().to_owned();
        let note = match record.kind.as_str() {
            WORDS => Note::Words(told(&event["transcript"])),
            DONE => Note::Event(format!("response {}", told(&event["response"]["status"]))),
            FAULT => Note::Event(told(&event["fault"])),
            other => Note::Event(other.to_owned()),
        };
        self.sentences.note(who, record.at, record.connection, note);
    }

    fn strike(&mut self, who: usize, kind: String, at: Instant) {
        self.struck += 1;
        let suffered = Suffered {
            kind,
            since: at,
            meanwhile: BTreeMap::new(),
        };
        if self.open.insert(who, suffered).is_some() {
            self.doubled += 1;
        }
    }

    fn heal(&mut self, who: usize, at: Instant) {
        if let Some(suffered) = self.open.remove(&who) {
            self.healed.push(Healed { who, suffered, at });
        }
    }

    fn report(self, turns: &[Turn]) -> Value {
        let (spoken_over, heard): (Vec<&Healed>, Vec<&Healed>) = self
            .healed
            .iter()
            .partition(|one| one.is_spoken_over(turns));
        let mut kinds: BTreeMap<&str, Vec<&Healed>> = BTreeMap::new();
        for one in &heard {
            kinds.entry(&one.suffered.kind).or_default().push(one);
        }
        let transient: Vec<&Healed> = heard
            .iter()
            .copied()
            .filter(|one| one.suffered.kind != PACED)
            .collect();
        let spoken: Vec<Spoken> = turns.iter().map(Turn::spoken).collect();
        let slowest = heard.iter().max_by_key(|one| one.took());
        let rows = kinds.iter().map(|(kind, healed)| row(kind, healed));
        json!({
            "part": "recovery",
            "sessions": SESSIONS,
            "heard_again": rows.collect::<Vec<_>>(),
            "all_but_rate_limits": row("transient", &transient),
            "the_caller_spoke_first": row("any", &spoken_over),
            "never_heard_again": self.open.len(),
            "slowest": slowest.map(|one| one.told()),
            "struck": self.struck,
            "struck_again_before": self.doubled,
            "sentences": self.sentences.report(&spoken),
        })
    }
}

fn row(kind: &str, healed: &[&Healed]) -> Value {
    let mut figure = Figure::new("heard_again_after", "ms", f64::NAN);
    for one in healed {
        figure.push(milliseconds(one.took()));
    }
    let round = |value: Option<f64>| value.map(f64::round);
    json!({
        "failure": kind,
        "n": figure.count(),
        "mean_ms": round(figure.mean()),
        "p50_ms": round(figure.quantile(0.5)),
        "p95_ms": round(figure.quantile(0.95)),
        "p99_ms": round(figure.quantile(0.99)),
        "max_ms": round(figure.quantile(1.0)),
    })
}
