//! Core: the words in which every speech model is spoken to, whatever its wire looks like.
//!
//! The nouns and verbs (response, item, create, cancel, truncate, delete) are the provider's.

use std::{fmt, sync::Arc, time::Duration};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps an id as it stands on the wire.
            pub fn new(id: impl Into<Arc<str>>) -> Self {
                Self(id.into())
            }

            /// The id as it stands on the wire.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// One item of the conversation.
    ItemId
);
id!(
    /// One response of the model.
    ResponseId
);
id!(
    /// One tool call, as the model named it.
    CallId
);
id!(
    /// Our own name for a response we asked for; comes back in [`Event::ResponseCreated`].
    Tag
);

/// What one connection can do by itself; read once, when it comes up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// The model finds the end of a turn in the audio.
    pub detects_turns: bool,
    /// The model creates a response at the end of a turn by itself.
    pub creates_responses: bool,
    /// A running response can be cancelled.
    pub cancels: bool,
    /// The model tells what users said, as text.
    pub transcribes: bool,
    /// A spoken item can be cut to what was heard.
    pub truncates: bool,
    /// How long one connection may live; `None` = no limit known.
    pub longest_connection: Option<Duration>,
}

impl Capabilities {
    /// A connection that can do everything, for as long as it likes.
    pub fn all() -> Self {
        Self {
            detects_turns: true,
            creates_responses: true,
            cancels: true,
            transcribes: true,
            truncates: true,
            longest_connection: None,
        }
    }
}

/// How a response ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResponseStatus {
    /// Stopped by an order of ours, or by the model's own turn detection.
    Cancelled,
    /// Said everything it wanted.
    Completed,
    /// The model failed; `code` is the provider's, for metrics.
    Failed {
        /// The provider's error code, or `unknown`.
        code: String,
    },
    /// Cut by a limit or a content filter.
    Incomplete,
}

/// Tokens of one response, exactly as reported. Cached counts are part of the input counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Text tokens read.
    pub input_text: u64,
    /// Audio tokens read.
    pub input_audio: u64,
    /// Tokens of pictures read.
    pub input_image: u64,
    /// Cached text tokens among `input_text`.
    pub cached_text: u64,
    /// Cached audio tokens among `input_audio`.
    pub cached_audio: u64,
    /// Cached tokens among `input_image`.
    pub cached_image: u64,
    /// Text tokens written.
    pub output_text: u64,
    /// Audio tokens written.
    pub output_audio: u64,
}

/// What a model connection reports.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The provider asks whether it may run a call of its own; arguments are the raw JSON text.
    ApprovalRequested {
        /// The response it belongs to.
        response: ResponseId,
        /// The request; also the call's own id.
        call: CallId,
        /// Name of the tool, as the worker knows it.
        name: String,
        /// JSON text, unchecked.
        arguments: String,
    },
    /// Audio of an item arrived; the samples took the straight road to the playout.
    AudioReceived {
        /// The response it belongs to.
        response: ResponseId,
        /// The item it belongs to.
        item: ItemId,
        /// Length of this piece.
        duration: Duration,
    },
    /// The item's audio is complete.
    AudioDone {
        /// The response it belongs to.
        response: ResponseId,
        /// The item that is complete.
        item: ItemId,
    },
    /// An answer beside the conversation.
    Consulted {
        /// Our name for the question.
        tag: Tag,
        /// What the model wrote; `None` = nothing that could be used.
        answer: Option<String>,
        /// Tokens, when reported.
        usage: Option<Usage>,
    },
    /// The user's turn became an item.
    Committed {
        /// The new user item.
        item: ItemId,
    },
    /// The model refused an order. Most leave the connection usable.
    Error {
        /// The provider's code, or `unknown`.
        code: String,
        /// The tag of the create or consult order it answers, when known.
        tag: Option<Tag>,
    },
    /// A complete call; arguments are the raw JSON text.
    FunctionCall {
        /// The response it belongs to.
        response: ResponseId,
        /// The item that holds the call.
        item: ItemId,
        /// The call's own id.
        call: CallId,
        /// Name of the tool.
        name: String,
        /// JSON text, unchecked.
        arguments: String,
    },
    /// A call that the provider was allowed to run is over.
    McpCallDone {
        /// The request it was allowed by.
        call: CallId,
        /// How it ended; the model knows it already.
        end: McpEnd,
    },
    /// A response began. `tag` is ours; `None` = the model created it.
    ResponseCreated {
        /// The new response.
        response: ResponseId,
        /// Our name for it.
        tag: Option<Tag>,
    },
    /// Generation ended; playout may still be going on.
    ResponseDone {
        /// The response that ended.
        response: ResponseId,
        /// How.
        status: ResponseStatus,
        /// Tokens, when reported.
        usage: Option<Usage>,
    },
    /// The model hears somebody speak.
    SpeechStarted {
        /// The future user item.
        item: ItemId,
    },
    /// The model heard the end of the turn.
    SpeechStopped {
        /// The future user item.
        item: ItemId,
    },
    /// More text of what the agent says; ahead of the audio.
    TranscriptDelta {
        /// The response it belongs to.
        response: ResponseId,
        /// The item it belongs to.
        item: ItemId,
        /// The new piece.
        text: String,
    },
    /// What a user said; `text` is the whole text so far.
    UserTranscript {
        /// The user item.
        item: ItemId,
        /// The whole text so far.
        text: String,
        /// Nothing will follow for this item.
        is_final: bool,
    },
    /// The user item cannot be transcribed; never fatal.
    UserTranscriptFailed {
        /// The user item.
        item: ItemId,
    },
}

/// How a call ended that the provider was allowed to run. Text is personal data: `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub enum McpEnd {
    /// With this answer, which the model knows already.
    Answered(String),
    /// With this error, which the model knows already and which may have come after the deed.
    Doubtful(String),
    /// With this error, which the model knows already: nothing was done.
    Failed(String),
    /// The connection was lost meanwhile: nobody knows how.
    Lost,
    /// The connection that asked for it was gone before the provider was told.
    Unsent,
}

impl fmt::Debug for McpEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Answered(_) => "Answered(..)",
            Self::Doubtful(_) => "Doubtful(..)",
            Self::Failed(_) => "Failed(..)",
            Self::Lost => "Lost",
            Self::Unsent => "Unsent",
        })
    }
}

/// What the conversation asks of the model.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Order {
    /// Stop generating this response.
    Cancel {
        /// `None` = whatever is active in the default conversation.
        response: Option<ResponseId>,
    },
    /// Forget the sound that is no item yet.
    ClearInput,
    /// The sound so far is a turn.
    Commit,
    /// Ask something beside the conversation, in writing: nobody hears the answer, and the model does not
    /// remember it. Answered by [`Event::Consulted`].
    Consult {
        /// Our name for the question.
        tag: Tag,
        /// What is asked.
        question: String,
        /// All that the model is told, in order.
        about: Vec<Said>,
    },
    /// Ask for a response.
    Create {
        /// Our name for it.
        tag: Tag,
        /// What to say, for this response only; `None` = carry on with the conversation.
        instructions: Option<String>,
    },
    /// Remove an item that nobody heard.
    Delete {
        /// The item.
        item: ItemId,
    },
    /// These are the tools that may be called from now on, by name.
    Equip(Vec<String>),
    /// These turns of a connection that was lost are heard again, as sound; as part of what a new
    /// connection is told.
    HearAgain(Vec<ItemId>),
    /// These are the session's instructions from now on.
    Instruct(String),
    /// Put an item at the end of the conversation.
    Item(NewItem),
    /// Go on over the spare connection: what is ordered after this is for that one, and so is the
    /// sound of people from here on.
    Rotate,
    /// Choose who creates responses and who interrupts.
    TurnControl {
        /// The model creates a response at the end of each turn.
        creates_responses: bool,
    },
    /// Cut an agent item to what was heard.
    Truncate {
        /// The item.
        item: ItemId,
        /// Duration really played; rounded down to whole milliseconds on the wire.
        heard: Duration,
    },
}

/// A still picture as somebody sent it; personal data: `Debug` tells its size alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    /// What the bytes are.
    pub format: PictureFormat,
    /// The whole file.
    pub data: Arc<[u8]>,
}

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Picture({:?}, {} bytes)", self.format, self.data.len())
    }
}

/// What a picture is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PictureFormat {
    /// JPEG (ITU-T T.81).
    Jpeg,
    /// PNG (RFC 2083).
    Png,
}

impl PictureFormat {
    /// Its media type.
    pub fn mime_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
        }
    }
}

/// Something that was said in the conversation.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// An item of this connection, as sound.
    Item(ItemId),
    /// In words.
    Words(NewItem),
}

/// Items that we may add. Text is personal data: `Debug` hides it.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum NewItem {
    /// Earlier speech of the agent, for replay.
    AgentText(String),
    /// Whether the provider may run a call.
    Approval {
        /// The request it answers.
        call: CallId,
        /// Why not; `None` = it may.
        denial: Option<String>,
    },
    /// What a tool answered.
    FunctionOutput {
        /// The call it answers.
        call: CallId,
        /// JSON or plain text.
        output: String,
    },
    /// Something that a user shows.
    Picture {
        /// The name that we give to the item, so that it can be deleted.
        item: ItemId,
        /// Who of several people shows it, in a sentence; `None` = there is only one.
        caption: Option<String>,
        /// What is shown.
        picture: Picture,
    },
    /// Context the model should know and not answer.
    SystemText(String),
    /// Something a user typed, or said before a reconnect.
    UserText(String),
}

impl fmt::Debug for NewItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AgentText(_) => f.write_str("AgentText(..)"),
            Self::Approval { call, denial } => match denial {
                None => write!(f, "Approval({call})"),
                Some(_) => write!(f, "Denial({call}, ..)"),
            },
            Self::FunctionOutput { call, .. } => write!(f, "FunctionOutput({call}, ..)"),
            Self::Picture { item, picture, .. } => write!(f, "{picture:?} as {item}"),
            Self::SystemText(_) => f.write_str("SystemText(..)"),
            Self::UserText(_) => f.write_str("UserText(..)"),
        }
    }
}
