//! Core: settings of a conversation, with units and reasons.

use std::time::Duration;

use crate::silence::Silence;

/// Settings of one conversation.
#[derive(Clone, Debug)]
pub struct Config {
    /// How long the conversation goes on after the last caller left: people reload pages. 5 s.
    pub caller_grace: Duration,
    /// The longest a goodbye may take before the conversation ends anyway. 20 s: longer than any
    /// goodbye, shorter than a drain.
    pub close_limit: Duration,
    /// What the agent says when it has to end the conversation without having said goodbye, as an
    /// instruction to the model.
    pub goodbye: String,
    /// What the agent says first, as an instruction to the model; `None` = it waits to be spoken to.
    pub greeting: Option<String>,
    /// A committed turn without a response after this long is answered on our request. 700 ms:
    /// longer than a provider needs to create one, shorter than a pause people notice.
    pub response_grace: Duration,
    /// A response that shows no sign of life for this long is given up. 15 s: a slow first token of
    /// a loaded provider is still waited for.
    pub response_limit: Duration,
    /// Pause before a failed response is asked for once more. 1 s: most rate limits heal by then.
    pub retry_delay: Duration,
    /// What is done about a caller who says nothing; `None` = nothing, for as long as they stay.
    pub silence: Option<Silence>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            caller_grace: Duration::from_secs(5),
            close_limit: Duration::from_secs(20),
            goodbye: "Say goodbye in one short, friendly sentence.".to_owned(),
            greeting: None,
            response_grace: Duration::from_millis(700),
            response_limit: Duration::from_secs(15),
            retry_delay: Duration::from_secs(1),
            silence: None,
        }
    }
}
