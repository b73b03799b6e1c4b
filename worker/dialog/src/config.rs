//! Core: settings of a conversation, with units and reasons.

use std::time::Duration;

/// Settings of one conversation.
#[derive(Clone, Debug)]
pub struct Config {
    /// What the agent says first, as an instruction to the model; `None` = it waits to be spoken to.
    pub greeting: Option<String>,
    /// A committed turn without a response after this long is answered on our request. 700 ms:
    /// longer than a provider needs to create one, shorter than a pause people notice.
    pub response_grace: Duration,
    /// How long the conversation goes on after the last caller left: people reload pages. 5 s.
    pub caller_grace: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            greeting: None,
            response_grace: Duration::from_millis(700),
            caller_grace: Duration::from_secs(5),
        }
    }
}
