//! Made-up numbers and addresses go in wherever something goes in; none may come out on disk or in a log.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use ::tests::child::Scratch;
use ::tools::{Effect, Registry, Tool, ToolError, function, policy::RuleForm};
use dialog::{input::Heard, model::CallId};
use rand::{SeedableRng, rngs::StdRng};
use serde_json::{Map, Value, json};

use super::*;
use crate::{
    audit::{
        self, Kind as RecordKind, Record,
        reader::{self, Entry},
        recovery,
    },
    redaction::tests::generate::{Sample, cards, emails, phones, ssns},
    tooling::Plane,
};

const CANARIES: usize = 500;
const SEED: u64 = 20_261_123;
const PATIENCE: Duration = Duration::from_secs(60);

/// Something personal, and how it comes.
struct Canary {
    /// Member of an object that holds such a thing.
    named: &'static str,
    /// What somebody asked for, and what was answered.
    question: String,
    sentence: String,
    /// The personal part of that.
    personal: String,
    is_spoken: bool,
}

impl Canary {
    fn all() -> Vec<Self> {
        let mut rng = StdRng::seed_from_u64(SEED);
        (0..CANARIES).map(|n| Self::make(n, &mut rng)).collect()
    }

    fn make(n: usize, rng: &mut StdRng) -> Self {
        type Maker = fn(&mut StdRng, bool) -> Sample;
        let kinds: [(&str, Maker); 4] = [
            ("card_number", cards),
            ("email", emails),
            ("phone", phones),
            ("ssn", ssns),
        ];
        let (named, make) = kinds[n % kinds.len()];
        let is_spoken = n / kinds.len() % 2 == 1;
        let sample = make(rng, is_spoken);
        Self {
            named,
            question: sample.question.unwrap_or_default(),
            personal: sample.text[sample.personal].to_owned(),
            sentence: sample.text,
            is_spoken,
        }
    }

    fn text(&self) -> String {
        format!("{} {}", self.question, self.sentence)
    }

    /// In every place of a JSON object.
    fn object(&self) -> Value {
        let inner = json!({"note": self.text(), self.named: self.personal});
        json!({
            "text": self.text(),
            self.named: self.personal,
            "as_text": inner.to_string(),
            "as_key": {self.text(): true},
            format!("{}_in_parts", self.named): self.personal.split([' ', '-']).collect::<Vec<_>>(),
        })
    }

    /// What must not be found: the whole of it, and of digits any seven in a row, of words each half.
    fn traces(&self) -> Vec<String> {
        let whole = plain(&self.personal);
        let mut traces = Vec::new();
        if !self.is_spoken && self.named != "email" {
            let digits: Vec<char> = whole.chars().collect();
            traces.extend(digits.windows(7).map(|row| row.iter().collect()));
        }
        let words: Vec<&str> = self.personal.split_whitespace().collect();
        if self.is_spoken && words.len() >= 8 {
            let (first, second) = words.split_at(words.len() / 2);
            traces.extend([plain(&first.concat()), plain(&second.concat())]);
        }
        traces.push(whole);
        traces
    }
}

/// Letters and digits alone, in small letters: however it is separated, it is found.
fn plain(text: &str) -> String {
    let kept = text.chars().filter(|c| c.is_alphanumeric() || *c == '@');
    kept.flat_map(char::to_lowercase).collect()
}

/// Every text in it, names of members included.
fn texts(value: &Value, all: &mut String) {
    match value {
        Value::Array(list) => list.iter().for_each(|one| texts(one, all)),
        Value::Object(members) => {
            for (name, one) in members {
                all.push_str(name);
                all.push('\n');
                texts(one, all);
            }
        }
        Value::String(text) => all.push_str(text),
        other => all.push_str(&other.to_string()),
    }
    // No number begins in one value and ends in the next; a letter keeps them apart.
    all.push_str("\nx\n");
}

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const TOOLS: [&str; 6] = [
    "tells",
    "says",
    "fails",
    "refuses",
    "asks",
    "escalate_to_human",
];

/// Tools that answer, fail and are refused with what they were given.
fn plane() -> Plane {
    type Given = Map<String, Value>;
    fn text(given: &Given) -> String {
        given["text"].as_str().unwrap_or_default().to_owned()
    }
    let rules = |rule: Value| -> RuleForm { serde_json::from_value(rule).unwrap() };
    let tells = function::tool("tells", "Answers JSON.", async |given: Given| {
        Ok::<_, ToolError>(given)
    });
    let says = function::tool("says", "Answers words.", async |given: Given| {
        Ok::<_, ToolError>(text(&given))
    });
    let fails = function::tool("fails", "Fails.", async |given: Given| {
        Err::<(), _>(ToolError::new(text(&given)))
    });
    let refuses = function::tool("refuses", "Is refused.", async |_: Given| {
        Ok::<_, ToolError>("never")
    })
    .rules(&[rules(
        json!({"require": "args.text == caller.name + '!'", "refuse": "No."}),
    )]);
    let asks = function::tool("asks", "Waits for a person.", async |given: Given| {
        Ok::<_, ToolError>(given)
    })
    .rules(&[rules(json!({"when": "true", "ask": "supervisor"}))])
    .effect(Effect::Writes);
    let mut all: Vec<Arc<dyn Tool>> = vec![
        Arc::new(tells.effect(Effect::Writes)),
        Arc::new(says),
        Arc::new(fails),
        Arc::new(refuses),
        Arc::new(asks),
    ];
    all.extend(tools::builtin::all());
    Plane::new(Registry::build(all).unwrap())
}

/// What the model calls: names and arguments.
fn calls(canary: &Canary) -> Vec<(String, String)> {
    let object = canary.object().to_string();
    let short = json!({"text": canary.text(), canary.named: canary.personal}).to_string();
    let mut calls = vec![
        ("tells".to_owned(), object.clone()),
        ("asks".to_owned(), object.clone()),
    ];
    for name in ["says", "fails", "refuses"] {
        calls.push((name.to_owned(), short.clone()));
    }
    // Called again, it is told what it was told.
    calls.push(("tells".to_owned(), object.clone()));
    let reason = json!({"reason": canary.text()}).to_string();
    calls.push(("escalate_to_human".to_owned(), reason));
    // What is not run is on record as it came, whatever it is.
    calls.push((canary.text(), short.clone()));
    calls.push(("tells".to_owned(), canary.text()));
    calls.push(("tells".to_owned(), object.replacen('{', "{,", 1)));
    calls.push(("escalate_to_human".to_owned(), short));
    calls
}

impl World {
    async fn event(&self, event: ModelEvent) {
        self.model(LinkEvent::Event(event)).await;
    }

    async fn output(&mut self) -> String {
        loop {
            if let Order::Item(NewItem::FunctionOutput { output, .. }) = self.order().await {
                return output;
            }
        }
    }

    /// The agent says this, and it is heard.
    async fn agent_says(&self, tag: Tag, text: &str) {
        let (response, item) = (ResponseId::new(tag.as_str()), ItemId::new(tag.as_str()));
        let (heard, tag) = (Duration::from_secs(9), Some(tag));
        let created = ModelEvent::ResponseCreated {
            response: response.clone(),
            tag,
        };
        self.event(created).await;
        // Cut anywhere.
        for piece in text.chars().collect::<Vec<_>>().chunks(5) {
            let delta = ModelEvent::TranscriptDelta {
                response: response.clone(),
                item: item.clone(),
                text: piece.iter().collect(),
            };
            self.event(delta).await;
        }
        let (of, at) = (|| response.clone(), || item.clone());
        self.event(ModelEvent::AudioReceived {
            response: of(),
            item: at(),
            duration: heard,
        })
        .await;
        self.event(ModelEvent::AudioDone {
            response: of(),
            item: at(),
        })
        .await;
        self.event(ModelEvent::ResponseDone {
            response: of(),
            status: ResponseStatus::Completed,
            usage: None,
        })
        .await;
        self.settle().await;
        for fact in [
            Playout::Started {
                response: of(),
                item: at(),
            },
            Playout::Advanced(Heard {
                response: of(),
                item: at(),
                heard,
            }),
            Playout::Drained,
        ] {
            self.playout.send(fact).await.unwrap();
            self.settle().await;
        }
    }

    /// The caller says this.
    async fn caller_says(&self, item: &str, text: &str) {
        let item = || ItemId::new(item);
        self.event(ModelEvent::SpeechStarted { item: item() }).await;
        self.event(ModelEvent::SpeechStopped { item: item() }).await;
        self.event(ModelEvent::Committed { item: item() }).await;
        self.event(ModelEvent::UserTranscript {
            item: item(),
            text: text.to_owned(),
            is_final: true,
        })
        .await;
        self.settle().await;
    }
}

/// One session: a person whose every property is the canary, who says and types it, and a model that
/// repeats it and calls tools with it.
async fn session(mut world: World, canary: &Canary, approvals: &Approvals) -> World {
    let caller = Person {
        name: canary.personal.clone(),
        metadata: canary.object().to_string(),
        attributes: [(canary.named.to_owned(), canary.text())].into(),
        ..person(&canary.personal)
    };
    world.room(RoomInput::Seen(caller)).await;
    world.model_up().await;
    world.room(RoomInput::AgentHeard).await;
    let greeting = world.create().await;
    world.agent_says(greeting, &canary.text()).await;
    let line = RoomInput::Chat {
        participant: ParticipantId::new(&*canary.personal),
        text: canary.text(),
    };
    world.room(line).await;
    let answer = world.create().await;
    world.agent_says(answer, &canary.text()).await;
    world.caller_says("u1", &canary.question).await;
    world.caller_says("u2", &canary.sentence).await;
    // The model answers a turn by itself.
    let response = ResponseId::new("calls");
    let created = ModelEvent::ResponseCreated {
        response: response.clone(),
        tag: None,
    };
    world.event(created).await;
    let calls = calls(canary);
    let count = calls.len();
    for (nth, (name, arguments)) in calls.into_iter().enumerate() {
        let call = ModelEvent::FunctionCall {
            response: response.clone(),
            item: ItemId::new(format!("f{nth}")),
            call: CallId::new(format!("c{nth}")),
            name,
            arguments,
        };
        world.event(call).await;
    }
    let done = ModelEvent::ResponseDone {
        response,
        status: ResponseStatus::Completed,
        usage: None,
    };
    world.event(done).await;
    approve(approvals, canary).await;
    for _ in 0..count {
        world.output().await;
    }
    let shown = world.room.sign.borrow().escalation.clone();
    let shown = shown.expect("the room sees that a person is asked to join");
    assert_eq!(found(canary, &shown), None, "in the room: {shown}");
    world
}

/// A supervisor looks at the call that waits, and lets it run.
async fn approve(approvals: &Approvals, canary: &Canary) {
    let waiting = async {
        loop {
            if let Some(shown) = approvals.open_in("kitchen").pop() {
                return shown;
            }
            tokio::task::yield_now().await;
        }
    };
    let waiting = timeout(PATIENCE, waiting).await.expect("a call waits");
    let mut shown = String::new();
    texts(&waiting.arguments, &mut shown);
    assert_eq!(found(canary, &shown), None, "to a supervisor: {shown}");
    approvals.judge("kitchen", &waiting.id, true).unwrap();
}

/// The first trace of the canary in a text.
fn found(canary: &Canary, text: &str) -> Option<String> {
    let text = plain(text);
    let mut traces = canary.traces().into_iter();
    traces.find(|trace| text.contains(trace.as_str()))
}

fn texts_of(entry: &Entry) -> String {
    let mut all = String::new();
    let mut data = entry.data.clone();
    if let Some(members) = data.as_object_mut() {
        // A keyed digest, which may hold any digits.
        members.remove("wish");
    }
    texts(&data, &mut all);
    all
}

#[tokio::test]
async fn five_hundred_canaries_reach_neither_the_journal_nor_a_log() {
    let log = Log::default();
    let lines = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || lines.clone())
        .finish();
    let _catching = tracing::subscriber::set_default(subscriber);
    let dir = Scratch::new("canaries").unwrap();
    let config = audit::Config {
        dir: Some(dir.path().to_owned()),
        ..audit::Config::default()
    };
    let audit = Audit::start(&config).unwrap();
    let (plane, approvals) = (plane(), Approvals::default());
    let canaries = Canary::all();
    for (n, canary) in canaries.iter().enumerate() {
        let record = ToolRecord::new(audit.clone(), &format!("job{n}"));
        let name = Pii::new(format!("room of {}", canary.personal));
        let made = Made {
            plane: plane.clone(),
            tools: TOOLS.map(ToOwned::to_owned).to_vec(),
            record: record.in_room(name, crate::config::Secret::new("key")),
            approvals: approvals.clone(),
            audit: audit.clone(),
            ..Made::default()
        };
        play_made(made, |world| session(world, canary, &approvals)).await;
    }
    let end = Record {
        session: "last".to_owned(),
        kind: RecordKind::SessionEnded,
        data: json!({}),
    };
    audit.commit(end).await.unwrap();

    let files = recovery::files(dir.path()).unwrap();
    let journal = reader::read(&files);
    assert_eq!((&journal.faults[..], &journal.torn[..]), (&[][..], &[][..]));
    let mut everything: Vec<u8> = log.0.lock().unwrap().clone();
    assert!(!everything.is_empty(), "something was logged");
    for file in &files {
        everything.extend_from_slice(&file.bytes);
    }
    let mut masked = 0;
    let mut leaks = Vec::new();
    let mut all = plain(&String::from_utf8_lossy(&everything));
    for entry in &journal.entries {
        let texts = texts_of(entry);
        masked += ["[card]", "[e-mail]", "[phone]", "[ssn]"]
            .map(|mask| texts.matches(mask).count())
            .iter()
            .sum::<usize>();
        let nth = entry.session.strip_prefix("job");
        if let Some(canary) = nth.and_then(|nth| canaries.get(nth.parse::<usize>().ok()?))
            && let Some(trace) = found(canary, &texts)
        {
            leaks.push(format!("{trace} of {:?} in {entry:?}", canary.text()));
        }
        all.push_str(&plain(&texts));
    }
    for canary in &canaries {
        if all.contains(&plain(&canary.personal)) {
            leaks.push(canary.text());
        }
    }
    let shown = leaks
        .iter()
        .take(10)
        .cloned()
        .collect::<Vec<_>>()
        .join("\n");
    assert!(leaks.is_empty(), "{} leaks\n{shown}", leaks.len());
    let of = |kind: &str| {
        journal
            .entries
            .iter()
            .filter(|entry| entry.kind == kind)
            .count()
    };
    assert_eq!(of("tool.approval"), CANARIES);
    assert_eq!(of("tool.outcome"), CANARIES * 11, "each call on record");
    assert!(masked > CANARIES * 15, "{masked} masks: it did come in");
}
