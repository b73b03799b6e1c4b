//! Calls of the whole worker: people in rooms of their own, each with an agent that speaks without end or never.

use serde_json::json;
use tests::{
    livekit_server::{LivekitServer, Pass},
    sim_model::{Script, SimModel},
    worker::{Settings, Worker},
};

use crate::{
    Doing, Result,
    people::{People, Says},
};

const AGENT_NAME: &str = "media";

/// A worker, its model, and the people it talks with.
pub(crate) struct Calls {
    pub(crate) worker: Worker,
    pub(crate) people: People,
    _model: SimModel,
}

impl Calls {
    /// A worker for so many, and nobody yet.
    pub(crate) async fn prepare(livekit: &LivekitServer, most: usize) -> Result<Self> {
        let any = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        let model = SimModel::start_unrecorded(any, Script::default()).await?;
        // A server takes a worker for full at seven tenths of its slots.
        let slots = (2 * most).to_string();
        let mut settings = Settings::new(&livekit.url(), &model.url())
            .with("ROOM_AGENT__LOG__LEVEL", "warn")
            .with("LIVEKIT_AGENT_NAME", AGENT_NAME)
            .with("ROOM_AGENT__WORKER__SLOTS", &slots)
            .with("ROOM_AGENT__AGENTS__DEFAULT", "listener");
        for (name, text) in [("listener", LISTENER), ("speaker", SPEAKER)] {
            let agent = (format!("{name}.toml"), text.to_owned());
            settings.agents.push(agent);
        }
        Ok(Self {
            worker: Worker::ready(&settings).await,
            people: People::of(livekit)?,
            _model: model,
        })
    }

    /// Of the worker.
    pub(crate) fn process(&self) -> Result<u32> {
        self.worker
            .id()
            .ok_or_else(|| "the worker has ended".into())
    }

    /// Goes on to so many calls, of which the agents do what `doing` says of their number.
    pub(crate) async fn grow_to(
        &mut self,
        count: usize,
        doing: impl Fn(usize) -> Doing,
    ) -> Result<()> {
        let pass = |who: usize| {
            let agent = match doing(who) {
                Doing::Speaks => "speaker",
                Doing::Listens => "listener",
            };
            let metadata = json!({ "agent": agent }).to_string();
            Pass {
                agents: vec![(AGENT_NAME.to_owned(), metadata)],
                ..Pass::of("caller", &format!("media-{agent}-{who}"))
            }
        };
        self.people.grow_to(count, pass).await?;
        self.people.hear_everybody().await
    }

    /// What people do while agents do this.
    pub(crate) fn begin(&self, doing: Doing) {
        self.people.say(match doing {
            Doing::Speaks => Says::Nothing,
            Doing::Listens => Says::Sentences,
        });
    }
}

const LISTENER: &str = r#"
name = "listener"
version = "1"
instructions = "Never say anything."
"#;

const SPEAKER: &str = r#"
name = "speaker"
version = "1"
instructions = "Speak without end."
greeting = "Begin."
"#;
