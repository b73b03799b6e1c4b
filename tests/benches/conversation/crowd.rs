//! Many callers side by side, each in a room of their own with an agent that knows their number.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use serde_json::json;
use tests::{
    clips,
    livekit_server::LivekitServer,
    sentences::Spoken,
    sim_model::{Recorded, SimModel},
    worker::Settings,
};
use tokio::{sync::watch, task::JoinSet};

use crate::{AGENT, PATIENCE, Result, caller::Caller, settings};

/// What callers say, in turn.
const CLIPS: [&str; 3] = ["caller-train", "caller-apples", "caller-mountains"];
const AGENT_NAME: &str = "crowd";
/// Nobody speaks any more after this silence.
const QUIET: Duration = Duration::from_millis(600);

/// People who say something, hear the answer out, and go on.
pub(crate) struct Crowd {
    callers: JoinSet<Vec<Turn>>,
    over: watch::Sender<bool>,
}

/// What one caller noticed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    /// Their number.
    pub(crate) who: usize,
    /// What they said.
    words: &'static str,
    /// They began to speak.
    pub(crate) began: Instant,
    /// Their last packet left.
    pub(crate) said: Instant,
    /// The first packet of the answer came; `None` = it did not.
    pub(crate) answered: Option<Instant>,
}

impl Turn {
    /// What was said in it.
    pub(crate) fn spoken(&self) -> Spoken {
        Spoken {
            who: self.who,
            began: self.began,
            words: self.words,
        }
    }
}

/// A worker for so many; the instructions of each session name its caller.
pub(crate) fn worker_for(count: usize, livekit: &LivekitServer, model: &SimModel) -> Settings {
    let greeting = "greeting = \"Greet the person.\"";
    let agent = AGENT
        .replace("Talk.", "Talk with {{who}}.")
        .replace(greeting, "[variables.who]\ndescription = \"Who.\"");
    let mut settings = settings(livekit, model)
        .with("LIVEKIT_AGENT_NAME", AGENT_NAME)
        .with("ROOM_AGENT__WORKER__SLOTS", &count.to_string());
    settings.agents = vec![("bench.toml".to_owned(), agent)];
    settings
}

impl Crowd {
    pub(crate) async fn gather(livekit: &LivekitServer, count: usize) -> Result<Self> {
        let (over, is_over) = watch::channel(false);
        let mut callers = JoinSet::new();
        for who in 0..count {
            let caller = come(livekit, who).await?;
            callers.spawn(talk(caller, who, is_over.clone()));
        }
        Ok(Self { callers, over })
    }

    /// Everybody finishes their turn and leaves; what they noticed.
    pub(crate) async fn disperse(mut self) -> Vec<Turn> {
        self.over.send_replace(true);
        let mut turns = Vec::new();
        while let Some(ended) = self.callers.join_next().await {
            turns.extend(ended.unwrap_or_default());
        }
        turns
    }
}

async fn come(livekit: &LivekitServer, who: usize) -> Result<Caller> {
    let room = format!("crowd-{who}");
    let mut caller = Caller::join(livekit, &room).await?;
    let request = livekit_protocol::CreateAgentDispatchRequest {
        agent_name: AGENT_NAME.to_owned(),
        room,
        metadata: json!({ "variables": { "who": who.to_string() } }).to_string(),
        ..Default::default()
    };
    livekit.dispatches().create_dispatch(request).await?;
    caller
        .agent_track(PATIENCE)
        .await
        .ok_or("the agent did not come")?;
    Ok(caller)
}

async fn talk(mut caller: Caller, who: usize, over: watch::Receiver<bool>) -> Vec<Turn> {
    let mut turns = Vec::new();
    while !*over.borrow() {
        let clip = clips::clip(CLIPS[(who + turns.len()) % CLIPS.len()]);
        let began = Instant::now();
        let Ok(words) = caller.say(&clip.pcm).await else {
            break;
        };
        let said = words.last_packet;
        let answered = caller.first_packet_after(said, PATIENCE).await;
        turns.push(Turn {
            who,
            words: clip.words,
            began,
            said,
            answered,
        });
        if answered.is_none() {
            // A link that was made anew has a new track; who hears nobody does not talk on and on.
            caller.agent_track(QUIET).await;
        }
        while caller
            .first_packet_after(Instant::now(), QUIET)
            .await
            .is_some()
        {}
    }
    caller.leave().await;
    turns
}

/// Whose session a connection to the model belongs to.
#[derive(Debug, Default)]
pub(crate) struct Register(HashMap<u64, usize>);

impl Register {
    /// Reads who it is from the instructions; the number, once that is known.
    pub(crate) fn who(&mut self, record: &Recorded) -> Option<usize> {
        if let Some(text) = record.event["session"]["instructions"].as_str() {
            let digits: String = text.chars().filter(char::is_ascii_digit).collect();
            if let Ok(who) = digits.parse() {
                self.0.insert(record.connection, who);
            }
        }
        self.0.get(&record.connection).copied()
    }
}
