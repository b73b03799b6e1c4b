//! Task: what the agent says about itself, as participant attributes.
//!
//! Keeps the room's copy equal to the latest value; what changes faster than the server takes it
//! is coalesced. It holds no history and decides no state.

use std::{collections::HashMap, sync::Arc, time::Duration};

use dialog::output::AgentState;
use livekit::prelude::Room;
use tokio::{sync::watch, time::timeout};

use crate::telemetry::latency::Stages;

/// The state of the conversation, in the words front ends know.
const STATE: &str = "lk.agent.state";
/// The agent's name.
const NAME: &str = "lk.agent.name";
/// The model that speaks.
const MODEL: &str = "agent.model";
/// Where the time of the last answer went, as JSON: milliseconds by stage.
const LATENCY: &str = "agent.latency";
/// How turns end, when people mark them by hand: `manual`.
const TURNS: &str = "agent.turns";
/// `ok`, or what was found stuck; only set once something was.
const HEALTH: &str = "agent.health";
/// That a person is asked to join, and why, as JSON; only set once one was.
const ESCALATION: &str = "agent.escalation";

/// Pause after a refused update.
const RETRY: Duration = Duration::from_secs(1);
/// How long the server's answer is waited for. The room library misses an answer that comes before
/// it has begun to wait, and then waits for five seconds, in which people would see an old state.
const ANSWER: Duration = Duration::from_secs(1);

/// What the room should see of the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sign {
    /// What the agent is doing.
    pub state: AgentState,
    /// Name of the agent.
    pub name: String,
    /// Name of the model, once its connection is up.
    pub model: Option<String>,
    /// Where the time of the last answer went; `None` = there was none.
    pub latency: Option<Stages>,
    /// People press to talk.
    pub press_to_talk: bool,
    /// What is stuck, or `ok` afterwards.
    pub health: Option<&'static str>,
    /// A person was asked to join: why, as JSON.
    pub escalation: Option<String>,
}

impl Sign {
    fn attributes(&self) -> HashMap<String, String> {
        let mut attributes = HashMap::from([
            (STATE.to_owned(), self.state.as_str().to_owned()),
            (NAME.to_owned(), self.name.clone()),
        ]);
        if let Some(model) = &self.model {
            attributes.insert(MODEL.to_owned(), model.clone());
        }
        if let Some(Ok(latency)) = self.latency.as_ref().map(serde_json::to_string) {
            attributes.insert(LATENCY.to_owned(), latency);
        }
        if self.press_to_talk {
            attributes.insert(TURNS.to_owned(), "manual".to_owned());
        }
        if let Some(health) = self.health {
            attributes.insert(HEALTH.to_owned(), health.to_owned());
        }
        if let Some(escalation) = &self.escalation {
            attributes.insert(ESCALATION.to_owned(), escalation.clone());
        }
        attributes
    }
}

/// Writes the latest sign until the sender is dropped.
pub(super) async fn show(mut rooms: watch::Receiver<Arc<Room>>, mut sign: watch::Receiver<Sign>) {
    let mut shown = Shown::default();
    loop {
        if rooms.has_changed().unwrap_or(false) {
            // Another room knows nothing of us.
            shown = Shown::default();
        }
        let me = rooms.borrow_and_update().local_participant();
        let wanted = sign.borrow_and_update().attributes();
        let news = shown.send(&wanted);
        match timeout(ANSWER, me.set_attributes(news)).await {
            Ok(Ok(())) => shown.taken(wanted),
            Ok(Err(error)) => {
                tracing::debug!(%error, "the agent's attributes were not taken");
                tokio::time::sleep(RETRY).await;
                continue;
            }
            Err(_) => {
                tracing::debug!("no answer to the agent's attributes; sent again");
                continue;
            }
        }
        tokio::select! {
            changed = sign.changed() => if changed.is_err() {
                return;
            },
            Ok(()) = rooms.changed() => rooms.mark_changed(),
        }
    }
}

/// The attributes the server has for certain.
#[derive(Debug, Default)]
struct Shown(HashMap<String, String>);

impl Shown {
    /// What the server may not have yet. Until it answers, it may have the old value or the new.
    fn send(&mut self, wanted: &HashMap<String, String>) -> HashMap<String, String> {
        self.0.retain(|key, value| wanted.get(key) == Some(value));
        let is_news = |(key, _): &(&String, &String)| !self.0.contains_key(*key);
        let news = wanted.iter().filter(is_news);
        news.map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }

    fn taken(&mut self, sent: HashMap<String, String>) {
        self.0 = sent;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listening() -> Sign {
        Sign {
            state: AgentState::Listening,
            name: "guide".to_owned(),
            model: None,
            latency: None,
            press_to_talk: false,
            health: None,
            escalation: None,
        }
    }

    #[test]
    fn only_what_changed_is_sent() {
        let speaking = Sign {
            state: AgentState::Speaking,
            model: Some("simulated-realtime".to_owned()),
            ..listening()
        };
        let mut shown = Shown::default();
        shown.taken(listening().attributes());
        let sent = shown.send(&speaking.attributes());
        assert_eq!(sent.len(), 2);
        assert_eq!(sent[STATE], "speaking");
        assert_eq!(sent[MODEL], "simulated-realtime");
    }

    #[test]
    fn a_state_is_sent_again_when_another_got_no_answer_in_between() {
        let idle = Sign {
            state: AgentState::Idle,
            ..listening()
        };
        let mut shown = Shown::default();
        shown.taken(listening().attributes());
        assert_eq!(shown.send(&idle.attributes())[STATE], "idle");
        assert_eq!(shown.send(&listening().attributes())[STATE], "listening");
    }

    #[test]
    fn what_got_no_answer_is_sent_again() {
        let mut shown = Shown::default();
        assert_eq!(shown.send(&listening().attributes()).len(), 2);
        assert_eq!(shown.send(&listening().attributes()).len(), 2);
    }
}
