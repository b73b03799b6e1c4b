//! Task: what the agent says about itself, as participant attributes.
//!
//! Keeps the room's copy equal to the latest value; what changes faster than the server takes it
//! is coalesced. It holds no history and decides no state.

use std::{collections::HashMap, sync::Arc, time::Duration};

use dialog::output::AgentState;
use livekit::prelude::Room;
use tokio::sync::watch;

/// The state of the conversation, in the words front ends know.
const STATE: &str = "lk.agent.state";
/// The agent's name.
const NAME: &str = "lk.agent.name";
/// The model that speaks.
const MODEL: &str = "agent.model";

/// `ok`, or what was found stuck; only set once something was.
const HEALTH: &str = "agent.health";

/// Pause after a refused or lost update.
const RETRY: Duration = Duration::from_secs(1);

/// What the room should see of the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sign {
    /// What the agent is doing.
    pub state: AgentState,
    /// Name of the agent.
    pub name: String,
    /// Name of the model, once its connection is up.
    pub model: Option<String>,
    /// What is stuck, or `ok` afterwards.
    pub health: Option<&'static str>,
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
        if let Some(health) = self.health {
            attributes.insert(HEALTH.to_owned(), health.to_owned());
        }
        attributes
    }
}

/// Writes the latest sign until the sender is dropped.
pub(super) async fn show(mut rooms: watch::Receiver<Arc<Room>>, mut sign: watch::Receiver<Sign>) {
    let mut shown = HashMap::new();
    loop {
        if rooms.has_changed().unwrap_or(false) {
            // Another room knows nothing of us.
            shown.clear();
        }
        let me = rooms.borrow_and_update().local_participant();
        let wanted = sign.borrow_and_update().attributes();
        match me.set_attributes(difference(&shown, &wanted)).await {
            Ok(()) => shown = wanted,
            Err(error) => {
                tracing::debug!(%error, "the agent's attributes were not taken");
                tokio::time::sleep(RETRY).await;
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

/// What the server does not have yet.
fn difference(
    shown: &HashMap<String, String>,
    wanted: &HashMap<String, String>,
) -> HashMap<String, String> {
    wanted
        .iter()
        .filter(|(key, value)| shown.get(*key) != Some(value))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changed_is_sent() {
        let listening = Sign {
            state: AgentState::Listening,
            name: "guide".to_owned(),
            model: None,
            health: None,
        };
        let speaking = Sign {
            state: AgentState::Speaking,
            model: Some("simulated-realtime".to_owned()),
            ..listening.clone()
        };
        let sent = difference(&listening.attributes(), &speaking.attributes());
        assert_eq!(sent.len(), 2);
        assert_eq!(sent[STATE], "speaking");
        assert_eq!(sent[MODEL], "simulated-realtime");
    }
}
