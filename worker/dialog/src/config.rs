//! Core: settings of a conversation, with units and reasons.

use std::time::Duration;

use crate::silence::Silence;

/// Settings of one conversation.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which turns the agent answers.
    pub answers: Answers,
    /// How long the conversation goes on after the last caller left: people reload pages. 5 s.
    pub caller_grace: Duration,
    /// The longest a goodbye may take before the conversation ends anyway. 20 s: longer than any
    /// goodbye, shorter than a drain.
    pub close_limit: Duration,
    /// What the agent says when it has to end the conversation without having said goodbye, as an
    /// instruction to the model.
    pub goodbye: String,
    /// A sentence that is said word for word before anything else, such as that the agent is a machine;
    /// nobody interrupts it. `None` = nothing.
    pub disclosure: Option<String>,
    /// What the agent says first, as an instruction to the model; `None` = it waits to be spoken to.
    pub greeting: Option<String>,
    /// Which of the people around the agent it hears.
    pub hears: Hears,
    /// How the agent gives way to people who speak while it does.
    pub interruption: Interruption,
    /// How long the words of a turn are waited for, to know whether they name the agent. 600 ms: most
    /// transcripts have come by then.
    pub name_wait: Duration,
    /// A committed turn without a response after this long is answered on our request. 700 ms:
    /// longer than a provider needs to create one, shorter than a pause people notice.
    pub response_grace: Duration,
    /// A response that shows no sign of life for this long is given up. 15 s: a slow first token of
    /// a loaded provider is still waited for.
    pub response_limit: Duration,
    /// Pause before a failed response is asked for the second time, and the first time if it was a rate
    /// limit. 1 s: most of them heal by then.
    pub retry_delay: Duration,
    /// Silence after which the agent says that a tool is still running. 800 ms: people begin to wonder.
    pub working_after: Duration,
    /// What it says then, as an instruction to the model.
    pub working: String,
    /// Pause before any other failed response is asked for again. 100 ms: a fault of one machine of the
    /// provider is over, and nobody noticed.
    pub retry_soon: Duration,
    /// People mark their turns by hand: they are heard while they press, and answered when they let go.
    pub presses_to_talk: bool,
    /// What is done about a caller who says nothing; `None` = nothing, for as long as they stay.
    pub silence: Option<Silence>,
    /// How long the model's opinion is waited for, on whether a turn is meant for the agent. 1.5 s: one
    /// written word takes 0.3 to 1 s; a later one counts still.
    pub verdict_wait: Duration,
}

/// Unless an agent has words of its own.
const WORKING: &str = "Say in a few words that you are at it and that it takes a moment. Nothing is known \
                       yet: promise nothing.";

impl Default for Config {
    fn default() -> Self {
        Self {
            answers: Answers::default(),
            caller_grace: Duration::from_secs(5),
            close_limit: Duration::from_secs(20),
            goodbye: "Say goodbye in one short, friendly sentence.".to_owned(),
            disclosure: None,
            greeting: None,
            hears: Hears::default(),
            interruption: Interruption::default(),
            name_wait: Duration::from_millis(600),
            presses_to_talk: false,
            response_grace: Duration::from_millis(700),
            response_limit: Duration::from_secs(15),
            retry_delay: Duration::from_secs(1),
            retry_soon: Duration::from_millis(100),
            working_after: Duration::from_millis(800),
            working: WORKING.to_owned(),
            silence: None,
            verdict_wait: Duration::from_millis(1_500),
        }
    }
}

/// Which turns the agent answers. It hears all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Answers {
    /// Every turn.
    #[default]
    Everything,
    /// Those whose words hold one of these names. Needs a model that transcribes; with another one
    /// every turn is answered.
    Named(Vec<String>),
    /// Those too of which the model says, asked beside the conversation, that they are meant for the
    /// agent. Without names, or without a transcription, it alone decides.
    Asked(Vec<String>),
}

/// Which of the people around the agent it hears. Other agents and hidden participants are none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hears {
    /// Who has been there longest; when they leave, the next.
    Caller,
    /// Everyone, up to sixteen at once. The model is told who says what.
    #[default]
    Everyone,
}

/// What the agent does at the first sign that somebody speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FirstSign {
    /// It goes on at a low voice.
    Duck,
    /// It falls silent.
    #[default]
    Pause,
}

/// How the agent gives way to people who speak while it does.
#[derive(Clone, Debug)]
pub struct Interruption {
    /// What happens before it is clear what they want.
    pub first_sign: FirstSign,
    /// Speech longer than this is a turn, whatever its words. 1 s: coughs, doors and "mm-hm" are
    /// shorter.
    pub min_speech: Duration,
    /// How long the words of shorter speech are waited for, from its end. 1.5 s: a transcript takes
    /// 0.3 to 1 s; after that the agent goes on.
    pub words_wait: Duration,
    /// How long the model may need to notice speech that an ear heard, from its end. 500 ms: it
    /// notices within a round trip and some frames; what it does not notice has no words.
    pub model_wait: Duration,
    /// How much later than it happens an ear reports the end of speech. 200 ms: a word's own
    /// silences are shorter.
    pub edge_lag: Duration,
    /// Phrases that keep the agent company and ask for nothing.
    pub backchannels: Vec<String>,
    /// Nobody interrupts the greeting: it may say what the law wants said.
    pub protect_greeting: bool,
}

/// Of English. "Yes" and "no" are not among them: they are answers.
const BACKCHANNELS: [&str; 19] = [
    "mm", "mhm", "mm-hm", "hm", "uh", "um", "uh-huh", "ah", "aha", "oh", "yeah", "yep", "okay",
    "ok", "right", "sure", "I see", "got it", "wow",
];

impl Default for Interruption {
    fn default() -> Self {
        Self {
            first_sign: FirstSign::Pause,
            min_speech: Duration::from_secs(1),
            words_wait: Duration::from_millis(1_500),
            model_wait: Duration::from_millis(500),
            edge_lag: Duration::from_millis(200),
            backchannels: BACKCHANNELS.map(str::to_owned).to_vec(),
            protect_greeting: false,
        }
    }
}
